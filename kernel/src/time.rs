//! Time: ticks of the interval timer, and the CPU's counter between them.
//!
//! Key types: [`Ticks`]. The tick is 100 a second: a time slice of 10 ms, and what the book's kernels had. The
//! counter's speed is not measured by waiting: it is the average over all ticks so far.

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

impl Clock {
    /// Time since the last tick, always less than a tick.
    fn since_last_tick(&self) -> Duration {
        if self.ticks < 2 {
            return Duration::ZERO;
        }
        let cycles_per_tick = (self.cycles_at_last - self.cycles_at_first) / (self.ticks - 1);
        let since = cycles().saturating_sub(self.cycles_at_last).min(cycles_per_tick.saturating_sub(1));
        let nanos = u128::from(since) * TICK.as_nanos() / u128::from(cycles_per_tick.max(1));
        Duration::from_nanos(nanos as u64)
    }
}

/// Counts a tick. Interrupt context.
pub(crate) fn tick() {
    let now = cycles();
    CLOCK.with(|clock| {
        clock.ticks += 1;
        clock.cycles_at_last = now;
        if clock.ticks == 1 {
            clock.cycles_at_first = now;
        }
    });
}
