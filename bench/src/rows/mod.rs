//! What is measured: one row of a table each.

mod pairs;
mod space;
mod tables;
mod two_cpus;

use std::time::{Duration, Instant};

use crate::clock::median;
use crate::peers::{Block, Entrant, Peer};

pub use tables::{AREAS, OBJECTS, PAGES};

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
type Start<R> = for<'a> fn(&'a dyn Peer<R>) -> Option<Round<'a>>;

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

/// What a table says of a row.
#[derive(Clone, Copy, Debug)]
pub struct Heading {
    /// What is measured.
    pub name: &'static str,
    /// Of what kind the figures are.
    pub unit: Unit,
    /// What to stay below: passed, and passed with distinction, as far as either was set.
    pub targets: &'static [u32],
}

/// A row of a table about allocators of what `R` asks for.
pub struct Row<R> {
    /// Its first cells.
    pub heading: Heading,
    rounds: usize,
    start: Start<R>,
}

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
    fn new<R>(start: Start<R>, peer: &'a dyn Peer<R>) -> Self {
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

impl<R> Row<R> {
    const fn ticks(name: &'static str, targets: &'static [u32], rounds: usize, start: Start<R>) -> Self {
        Self { heading: Heading { name, unit: Unit::Ticks, targets }, rounds, start }
    }

    /// Measures the peers, round by round in turn, so that a noisy machine hits all alike.
    pub fn run(&self, entrants: &[Entrant<R>]) -> Vec<Option<Outcome>> {
        let peers: Vec<_> = entrants.iter().map(|(_, make)| make()).collect();
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
fn take<R>(peer: &dyn Peer<R>, request: R) -> Block {
    match peer.alloc(request) {
        Some(block) => block,
        None => panic!("{} has no memory left", peer.name()),
    }
}

/// Allocates all that there is.
fn take_all<R: Copy>(peer: &dyn Peer<R>, request: R) -> Vec<Block> {
    core::iter::from_fn(|| peer.alloc_urgent(request)).collect()
}
