//! The CPU of a benchmark's thread: a number, a count of pins, a core.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering, compiler_fence};

/// How often a CPU is pinned at this moment. Written by its thread.
#[repr(align(128))]
struct Pins(AtomicU32);

static PINS: [Pins; CPUS] = [const { Pins(AtomicU32::new(0)) }; CPUS];

std::thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
    static MINE: Cell<&'static AtomicU32> = const { Cell::new(&PINS[0].0) };
}

/// CPUs that the rows with two threads need.
pub const CPUS: usize = 2;

/// Makes this thread the one of CPU `number`: on that core of the machine, if it has so many.
pub fn become_cpu(number: usize) {
    NUMBER.set(number);
    MINE.set(&PINS[number].0);
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

/// A pin, counted as a kernel counts what holds preemption off.
pub struct Pin {
    pins: &'static AtomicU32,
    before: u32,
}

impl Pin {
    /// Pins this thread until the pin is dropped.
    #[inline]
    pub fn new() -> Self {
        let pins = MINE.get();
        let before = pins.load(Ordering::Relaxed);
        pins.store(before.wrapping_add(1), Ordering::Relaxed);
        // What comes next comes after it.
        compiler_fence(Ordering::SeqCst);
        Self { pins, before }
    }
}

impl Drop for Pin {
    #[inline]
    fn drop(&mut self) {
        self.pins.store(self.before, Ordering::Release);
    }
}

/// Whether this thread is pinned.
#[inline]
pub fn is_pinned() -> bool {
    MINE.get().load(Ordering::Relaxed) != 0
}
