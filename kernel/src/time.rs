//! Time: ticks of the interval timer, and the CPU's counter between them.
//!
//! Key types: [`Ticks`]. The tick is 100 a second: a time slice of 10 ms, and what the book's kernels had. The
//! counter's speed is not measured by waiting: it is the average over all ticks so far. For the log it is the average
//! over the first second, so that what was written has the same time whenever it is read.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;

use spin::Once;

use crate::arch::cpu::cycles;
use crate::sync::SpinLock;

/// Ticks a second.
pub const HZ: u32 = 100;
/// The time between two ticks.
pub const TICK: Duration = Duration::from_millis(1000 / HZ as u64);

/// A number of ticks since interrupts were switched on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticks(pub u64);

/// The CPU's counter at the kernel's entry.
static ENTRY: Once<u64> = Once::new();

/// The counter's average cycles of a tick in the first second, or in as much of it as has passed; 0 before two ticks.
static CYCLES_PER_TICK: AtomicU64 = AtomicU64::new(0);

/// What the clock of the day was when interrupts were switched on, in nanoseconds since the start of 1970.
static START: AtomicU64 = AtomicU64::new(0);

struct Clock {
    ticks: u64,
    cycles_at_first: u64,
    cycles_at_last: u64,
}

static CLOCK: SpinLock<Clock> = SpinLock::new(Clock { ticks: 0, cycles_at_first: 0, cycles_at_last: 0 });

/// Says what the CPU's counter was at the kernel's entry; only the first call counts.
pub(crate) fn set_entry(cycles: u64) {
    ENTRY.call_once(|| cycles);
}

/// Cycles of the CPU's counter since the kernel's entry; instructions, when QEMU counts those. Any context.
pub fn cycles_since_entry() -> u64 {
    ENTRY.get().map_or(0, |entry| cycles() - entry)
}

/// How long the CPU's counter takes for so many cycles; zero before its speed is known. Any context; takes no lock.
pub fn of_cycles(cycles: u64) -> Duration {
    let nanos = (u128::from(cycles) * TICK.as_nanos()).checked_div(CYCLES_PER_TICK.load(Relaxed).into());
    Duration::from_nanos(nanos.unwrap_or(0) as u64)
}

/// [`ticks`], for drivers in C and readers of the machine's memory, which read it where it stands.
static JIFFIES: AtomicU64 = AtomicU64::new(0);

/// Where the ticks so far are to be read.
pub const fn jiffies() -> *const u64 {
    (&raw const JIFFIES).cast()
}

/// Ticks so far. Any context.
pub fn ticks() -> Ticks {
    Ticks(CLOCK.with(|clock| clock.ticks))
}

/// The first tick at which `delay` from now has surely passed. Any context.
pub fn deadline(delay: Duration) -> Ticks {
    let ticks = delay.as_nanos().div_ceil(TICK.as_nanos());
    let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
    // The current tick is part over: one more.
    Ticks(CLOCK.with(|clock| clock.ticks).saturating_add(ticks).saturating_add(1))
}

/// Time since interrupts were switched on; never goes back. Any context.
pub fn uptime() -> Duration {
    CLOCK.with(|clock| {
        let whole = TICK.saturating_mul(u32::try_from(clock.ticks).unwrap_or(u32::MAX));
        whole + clock.since_last_tick()
    })
}

/// The time of day, since the start of 1970, in UTC. Jumps when somebody sets it. Any context.
pub fn realtime() -> Duration {
    Duration::from_nanos(START.load(Relaxed)).saturating_add(uptime())
}

/// Sets the time of day: it is `now`, since the start of 1970. Any context.
pub fn set_realtime(now: Duration) {
    let start = now.saturating_sub(uptime()).as_nanos();
    START.store(u64::try_from(start).unwrap_or(u64::MAX), Relaxed);
}

impl Clock {
    /// Time since the last tick, always less than a tick.
    fn since_last_tick(&self) -> Duration {
        let Some(cycles_per_tick) = self.cycles_per_tick() else { return Duration::ZERO };
        let since = cycles().saturating_sub(self.cycles_at_last).min(cycles_per_tick.saturating_sub(1));
        let nanos = u128::from(since) * TICK.as_nanos() / u128::from(cycles_per_tick.max(1));
        Duration::from_nanos(nanos as u64)
    }

    /// The average so far; `None` before two ticks.
    const fn cycles_per_tick(&self) -> Option<u64> {
        if self.ticks < 2 { None } else { Some((self.cycles_at_last - self.cycles_at_first) / (self.ticks - 1)) }
    }
}

/// Counts a tick. Interrupt context.
pub(crate) fn tick() {
    let now = cycles();
    CLOCK.with(|clock| {
        clock.ticks += 1;
        JIFFIES.store(clock.ticks, Relaxed);
        clock.cycles_at_last = now;
        if clock.ticks == 1 {
            clock.cycles_at_first = now;
        }
        if let Some(average) = clock.cycles_per_tick().filter(|_| clock.ticks <= u64::from(HZ)) {
            CYCLES_PER_TICK.store(average, Relaxed);
        }
    });
}
