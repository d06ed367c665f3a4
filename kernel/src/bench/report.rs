//! Rounds, statistics, and the lines that are printed.

use core::fmt;
use core::time::Duration;

use kapi::Errno;
use mm::AllocError;
use shell::Failure;

use super::probe::{Batch, Call, FreeOrder, Ticks, pairs};
use crate::arch::paging;
use crate::{sched, time};

/// Most rounds of a row.
const MAX_ROUNDS: usize = 21;
/// After this time a row has no further round: with all of `slab_debug` some would else be silent for minutes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a probe runs.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Operations of one round.
    pub count: u32,
    /// Rounds, at most [`MAX_ROUNDS`]; one more comes first and is not counted.
    pub rounds: usize,
}

/// Runs rows and prints their lines.
pub struct Reporter<'a> {
    print: &'a Print<'a>,
    failed: u32,
    /// Rounds of the last row that were counted.
    rounds: usize,
}

/// Prints a line.
pub type Print<'a> = dyn Fn(fmt::Arguments<'_>) -> Result<(), Stopped> + 'a;

/// The end of a run: output failed, or ^C.
pub type Stopped = Failure<'static>;

impl<'a> Reporter<'a> {
    /// A reporter whose lines go to `print`.
    pub fn new(print: &'a Print<'a>) -> Self {
        Self { print, failed: 0, rounds: 0 }
    }

    /// Whether memory sufficed for every row so far.
    pub fn all_done(&self) -> bool {
        self.failed == 0
    }

    /// A row of allocations, each freed at once.
    pub fn pairs(&mut self, name: fmt::Arguments<'_>, effort: Effort, call: impl Call) -> Result<(), Stopped> {
        self.row(name, effort, |count| pairs(call, count))
    }

    /// [`pairs`](Self::pairs), and a row that says how many TLB flushes a thousand of them took.
    pub fn pairs_and_flushes(
        &mut self,
        name: fmt::Arguments<'_>,
        effort: Effort,
        call: impl Call,
    ) -> Result<(), Stopped> {
        let before = paging::flushes();
        self.pairs(name, effort, call)?;
        let operations = u64::from(effort.count) * (self.rounds as u64 + 1);
        let flushes = Hundredths((paging::flushes() - before) * 100_000 / operations);
        let (count, rounds) = (effort.count, self.rounds);
        (self.print)(format_args!(
            "bench {name}_flushes_per_1000 {flushes} {flushes} {flushes} {flushes} {count} {rounds}\n"
        ))
    }

    /// The two rows of a batch; `effort` counts whole batches.
    pub fn batch(
        &mut self,
        name: fmt::Arguments<'_>,
        effort: Effort,
        (size, order): (u16, FreeOrder),
        call: impl Call,
    ) -> Result<(), Stopped> {
        match Batch::new(call, size, order) {
            Ok(mut batch) => self.halves(name, effort, size, |count| batch.run(count)),
            Err(AllocError) => self.failure(name),
        }
    }

    /// A row of whatever `probe` does.
    pub fn row(
        &mut self,
        name: fmt::Arguments<'_>,
        effort: Effort,
        mut probe: impl FnMut(u32) -> Result<Ticks, AllocError>,
    ) -> Result<(), Stopped> {
        match self.measure(effort, &mut probe)? {
            Some([mut ticks, _]) => self.line(name, "", &mut ticks[..self.rounds], effort.count),
            None => self.failure(name),
        }
    }

    /// Two rows of whatever `probe` does, in batches of `size`.
    pub fn halves(
        &mut self,
        name: fmt::Arguments<'_>,
        effort: Effort,
        size: u16,
        mut probe: impl FnMut(u32) -> Result<Ticks, AllocError>,
    ) -> Result<(), Stopped> {
        let operations = effort.count * u32::from(size);
        let Some([mut allocs, mut frees]) = self.measure(effort, &mut probe)? else {
            return self.failure(name);
        };
        self.line(name, "_alloc", &mut allocs[..self.rounds], operations)?;
        self.line(name, "_free", &mut frees[..self.rounds], operations)
    }

    /// The ticks of each round, or `None` when memory ran out.
    fn measure(
        &mut self,
        effort: Effort,
        probe: &mut dyn FnMut(u32) -> Result<Ticks, AllocError>,
    ) -> Result<Option<[[u64; MAX_ROUNDS]; 2]>, Stopped> {
        let start = time::uptime();
        self.rounds = 0;
        let [mut firsts, mut seconds] = [[0; MAX_ROUNDS]; 2];
        if probe(effort.count).is_err() {
            return Ok(None);
        }
        for (first, second) in firsts.iter_mut().zip(&mut seconds).take(effort.rounds) {
            if sched::interrupted() {
                return Err(Failure::Plain(Errno::EINTR));
            }
            let Ok(ticks) = probe(effort.count) else { return Ok(None) };
            [*first, *second] = ticks;
            self.rounds += 1;
            if time::uptime() - start > PATIENCE {
                break;
            }
        }
        Ok(Some([firsts, seconds]))
    }

    fn line(&self, name: fmt::Arguments<'_>, half: &str, ticks: &mut [u64], operations: u32) -> Result<(), Stopped> {
        ticks.sort_unstable();
        let rounds = ticks.len();
        let each = |ticks: u64| Hundredths(ticks * 100 / u64::from(operations));
        let mean = Hundredths(ticks.iter().sum::<u64>() * 100 / (u64::from(operations) * rounds as u64));
        let (median, least, most) = (each(ticks[rounds / 2]), each(ticks[0]), each(ticks[rounds - 1]));
        (self.print)(format_args!("bench {name}{half} {median} {mean} {least} {most} {operations} {rounds}\n"))
    }

    fn failure(&mut self, name: fmt::Arguments<'_>) -> Result<(), Stopped> {
        self.failed += 1;
        (self.print)(format_args!("bench {name} failed: {}\n", Errno::ENOMEM))
    }
}

/// A number of hundredths, shown with two decimals.
struct Hundredths(u64);

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}
