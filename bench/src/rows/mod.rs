//! What is measured: one row of a table each.

pub mod pairs;
mod space;
mod tables;
mod two_cpus;

use std::time::{Duration, Instant};

use bench_report::{Heading, Outcome, Results, Unit};

use crate::clock::median;
use crate::peers::{Block, Entrant, Peer};

pub use tables::{AREAS, OBJECTS, PAGES, areas};

/// Measures a peer once more; keeps what it needs between the rounds.
pub type Round<'a> = Box<dyn FnMut() -> Outcome + 'a>;

/// Gets a peer ready for a row; `None` when the peer cannot do what the row asks.
type Start<R> = for<'a> fn(&'a dyn Peer<R>) -> Option<Round<'a>>;

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
    fn new(round: Option<Round<'a>>) -> Self {
        Self { round, spent: Duration::ZERO, figures: Vec::new(), exceeded: None }
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
        let mut runners: Vec<_> = peers.iter().map(|peer| Runner::new((self.start)(peer.as_ref()))).collect();
        for _ in 0..self.rounds {
            for runner in &mut runners {
                runner.step();
            }
        }
        runners.into_iter().map(Runner::outcome).collect()
    }
}

/// Measures the rows whose names contain `words`.
pub fn measure<R>(title: &'static str, rows: &[Row<R>], entrants: &[Entrant<R>], words: &str) -> Results {
    let columns = entrants.iter().map(|&(role, make)| (role, make().name())).collect();
    let rows = rows.iter().filter(|row| row.heading.name.contains(words));
    let measured = |row: &Row<R>| {
        eprintln!("measuring: {}", row.heading.name);
        (row.heading, row.run(entrants))
    };
    Results { title, columns, lines: rows.map(measured).collect() }
}

/// Measures by rounds that are no row's: the median of each, `None` if it cannot be had. So many rounds follow each
/// other that caches are warm, and turns come so often that noise meets all.
pub fn in_turn(starts: Vec<Option<Round<'_>>>) -> Vec<Option<f64>> {
    const TURNS: usize = 9;
    const ROUNDS: usize = 41;
    let mut runners: Vec<_> = starts.into_iter().map(Runner::new).collect();
    for _ in 0..TURNS {
        for runner in &mut runners {
            (0..ROUNDS).for_each(|_| runner.step());
        }
    }
    let figure = |runner: Runner<'_>| match runner.outcome() {
        Some(Outcome::Exactly(figure)) => Some(figure),
        _ => None,
    };
    runners.into_iter().map(figure).collect()
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
