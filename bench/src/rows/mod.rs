//! What is measured: one row of the table each.

mod pairs;
mod space;
mod two_cpus;

use std::time::{Duration, Instant};

use mm::Order;

use crate::clock::median;
use crate::peers::{Block, Factory, LIMIT, Peer};
use pairs::Frees;

/// One measurement of a peer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outcome {
    /// The figure.
    Exactly(f64),
    /// Given up: the figure would have been larger.
    MoreThan(f64),
}

/// Measures a peer once more; keeps what it needs between the rounds.
pub type Round<'a> = Box<dyn FnMut() -> Outcome + 'a>;

/// Gets a peer ready for a row; `None` when the peer cannot do what the row asks.
type Start = for<'a> fn(&'a dyn Peer) -> Option<Round<'a>>;

/// What a row's figures are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Ticks for each block: an allocation and its free, unless the row says otherwise.
    Ticks,
    /// Bytes for each page frame.
    Bytes,
    /// Percent; more is better.
    Percent,
}

/// A row of the table.
pub struct Row {
    /// What is measured.
    pub name: &'static str,
    /// Of what kind the figures are.
    pub unit: Unit,
    /// What to stay below: passed, and passed with distinction.
    pub target: Option<(f64, f64)>,
    rounds: usize,
    start: Start,
}

impl Row {
    const fn ticks(name: &'static str, target: (f64, f64), rounds: usize, start: Start) -> Self {
        Self { name, unit: Unit::Ticks, target: Some(target), rounds, start }
    }
}

/// 8 pages.
const THREE: Order = match Order::new(3) {
    Some(order) => order,
    None => Order::ZERO,
};

/// All rows.
pub const ROWS: [Row; 13] = [
    Row::ticks("pair, order 0", (16.0, 10.0), 301, |peer| pairs::pair(peer, Order::ZERO)),
    Row::ticks("pair, order 3", (16.0, 10.0), 301, |peer| pairs::pair(peer, THREE)),
    Row::ticks("pair, order 9", (18.0, 10.0), 301, |peer| pairs::pair(peer, Order::MAX)),
    Row::ticks("batch of 1000, LIFO", (18.0, 10.0), 301, |peer| pairs::batch(peer, Order::ZERO, Frees::Reversed)),
    Row::ticks("batch of 1000, random", (18.0, 10.0), 301, |peer| pairs::batch(peer, Order::ZERO, Frees::Shuffled)),
    Row::ticks("batch of 1000, random, order 3", (30.0, 10.0), 301, |peer| pairs::batch(peer, THREE, Frees::Shuffled)),
    Row::ticks("steady, 50 % live", (15.0, 10.0), 301, pairs::steady),
    Row::ticks("drain: free all at random, merged", (40.0, 25.0), 31, pairs::drain),
    Row::ticks("2 CPUs: pair", (15.0, 10.0), 61, two_cpus::pair),
    Row::ticks("2 CPUs: batch of 1000", (20.0, 12.0), 61, two_cpus::batch),
    Row::ticks("2 CPUs: one allocates, one frees", (60.0, 30.0), 61, two_cpus::cross_free),
    Row { name: "metadata, bytes a frame", unit: Unit::Bytes, target: None, rounds: 1, start: space::metadata },
    Row {
        name: "free as 2 MiB after churn, %",
        unit: Unit::Percent,
        target: None,
        rounds: 1,
        start: space::unfragmented,
    },
];

/// Longest time for one peer's rounds of one row; the round that exceeds it is the last.
const BUDGET: Duration = Duration::from_secs(3);

/// A peer at work on a row.
struct Runner<'a> {
    round: Option<Round<'a>>,
    spent: Duration,
    figures: Vec<f64>,
    exceeded: Option<f64>,
}

impl<'a> Runner<'a> {
    fn new(start: Start, peer: &'a dyn Peer) -> Self {
        Self { round: start(peer), spent: Duration::ZERO, figures: Vec::new(), exceeded: None }
    }

    /// Runs one round, if the peer can and has time left.
    fn step(&mut self) {
        let Some(round) = self.round.as_mut().filter(|_| self.spent < BUDGET && self.exceeded.is_none()) else {
            return;
        };
        let start = Instant::now();
        match round() {
            Outcome::Exactly(figure) => self.figures.push(figure),
            Outcome::MoreThan(figure) => self.exceeded = Some(figure),
        }
        self.spent += start.elapsed();
    }

    fn outcome(mut self) -> Option<Outcome> {
        match self.exceeded {
            Some(figure) => Some(Outcome::MoreThan(figure)),
            // The first round warms up, if it is not the only one.
            None => median(self.figures.split_off(usize::from(self.figures.len() > 1))).map(Outcome::Exactly),
        }
    }
}

impl Row {
    /// Measures the peers, round by round in turn, so that a noisy machine hits all alike.
    pub fn run(&self, peers: &[Factory]) -> Vec<Option<Outcome>> {
        let peers: Vec<_> = peers.iter().map(|make| make()).collect();
        let mut runners: Vec<_> = peers.iter().map(|peer| Runner::new(self.start, peer.as_ref())).collect();
        for _ in 0..self.rounds {
            for runner in &mut runners {
                runner.step();
            }
        }
        runners.into_iter().map(Runner::outcome).collect()
    }
}

/// Allocates a block that must be there.
#[inline(always)]
fn take(peer: &dyn Peer, order: Order) -> Block {
    match peer.alloc(order) {
        Some(block) => block,
        None => panic!("{} has no memory left", peer.name()),
    }
}

/// Allocates all that there is.
fn take_all(peer: &dyn Peer, order: Order) -> Vec<Block> {
    core::iter::from_fn(|| peer.alloc_urgent(order)).collect()
}

/// The best of the others' outcomes: the least ticks or bytes, the most percent. The limit does not count.
pub fn best_peer(unit: Unit, outcomes: &[Option<Outcome>]) -> Option<(usize, f64)> {
    let others = outcomes.iter().enumerate().skip(LIMIT + 1);
    let exact = others.filter_map(|(peer, outcome)| match outcome {
        Some(Outcome::Exactly(figure)) => Some((peer, *figure)),
        _ => None,
    });
    match unit {
        Unit::Percent => exact.max_by(|a, b| a.1.total_cmp(&b.1)),
        Unit::Ticks | Unit::Bytes => exact.min_by(|a, b| a.1.total_cmp(&b.1)),
    }
}
