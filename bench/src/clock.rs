//! Time in ticks of the time-stamp counter, and medians.

use core::arch::x86_64::{_mm_lfence, _rdtsc};

/// The counter, read when everything before has been done and before anything after begins.
#[inline(always)]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 has the instruction.
    unsafe { _mm_lfence() };
    // SAFETY: as above; user programs may read the counter on Linux.
    let now = unsafe { _rdtsc() };
    // SAFETY: as above.
    unsafe { _mm_lfence() };
    now
}

/// Ticks that one of `count` operations took, when `work` does them all.
#[inline(always)]
pub fn ticks_each(count: usize, work: impl FnOnce()) -> f64 {
    let start = ticks();
    work();
    (ticks() - start) as f64 / count as f64
}

/// The middle one of some numbers; `None` when there are none.
pub fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}
