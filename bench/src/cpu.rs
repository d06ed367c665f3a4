//! CPUs for the benchmark's threads: a number, a count of pins, a core of the machine.

use core::cell::Cell;

std::thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
    static PINS: Cell<u32> = const { Cell::new(0) };
}

/// CPUs that the rows with two threads need.
pub const CPUS: usize = 2;

/// Makes this thread the one of CPU `number`: on that core of the machine, if it has so many.
pub fn become_cpu(number: usize) {
    NUMBER.set(number);
    // SAFETY: all zeros is the empty set.
    let mut set: libc::cpu_set_t = unsafe { core::mem::zeroed() };
    // SAFETY: the number is far below the size of the set.
    unsafe { libc::CPU_SET(number, &mut set) };
    // SAFETY: the set is ours. A refusal leaves the thread where it is, which only makes the figures noisier.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
}

/// The number of this thread's CPU.
#[inline]
pub fn number() -> usize {
    NUMBER.get()
}

/// Counts a pin, as a kernel counts what holds preemption off.
#[inline]
pub fn pin() {
    PINS.set(PINS.get().wrapping_add(1));
}

/// Ends a pin.
#[inline]
pub fn unpin() {
    PINS.set(PINS.get().wrapping_sub(1));
}

/// Whether this thread is pinned.
#[inline]
pub fn is_pinned() -> bool {
    PINS.get() != 0
}
