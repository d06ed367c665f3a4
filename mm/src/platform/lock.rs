//! The lock that protects the allocators' state.
//!
//! Key types: [`Lock`]; ready for use: [`SpinLock`].

use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::marker::PhantomData;
use core::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};

use super::interrupts::{Interrupts, Off};

/// A lock that protects a value in every context, interrupts included.
///
/// Access is by closure: nothing can be kept past the lock. Locks of one platform nest only in the order that
/// `memory.rs` states.
///
/// # Safety
/// While a closure has the value, no other call's closure runs that has it, on any CPU and in any context; and it sees
/// what the one before has written.
pub unsafe trait Lock<T>: Send + Sync {
    /// A lock around `value`.
    fn new(value: T) -> Self;

    /// Runs `f` with the value, alone. Never sleeps.
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R;

    /// Runs `f` with the value if the lock is free: for reports of faults, whose cause may hold the lock.
    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R>;
}

/// A spinlock for any number of CPUs, held with interrupts off as `I` does it.
///
/// ```
/// use mm::{Lock, NoInterrupts, SpinLock};
///
/// static COUNT: SpinLock<u32, NoInterrupts> = SpinLock::new(1);
/// assert_eq!(COUNT.with(|count| count.wrapping_add(1)), 2);
/// assert_eq!(COUNT.with(|_| COUNT.try_with(|_| ())), None, "it is taken");
/// ```
pub struct SpinLock<T, I: Interrupts> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
    interrupts: PhantomData<fn() -> I>,
}

// SAFETY: the value is reached by whoever has set `taken` alone, whatever thread that is.
unsafe impl<T: Send, I: Interrupts> Sync for SpinLock<T, I> {}

/// The lock is taken until this is dropped.
struct Taken<'a>(&'a AtomicBool);

impl Drop for Taken<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.store(false, Release);
    }
}

impl<T, I: Interrupts> SpinLock<T, I> {
    /// A lock around `value`, for a `static` too.
    pub const fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value), interrupts: PhantomData }
    }

    #[inline]
    fn try_take(&self) -> Option<Taken<'_>> {
        (!self.taken.swap(true, Acquire)).then(|| Taken(&self.taken))
    }

    #[inline]
    fn take(&self) -> Taken<'_> {
        loop {
            if let Some(taken) = self.try_take() {
                return taken;
            }
            while self.taken.load(Relaxed) {
                spin_loop();
            }
        }
    }
}

// SAFETY: `taken` is set by one caller at a time, which clears it when its closure has ended; an interrupt handler that
// wanted the lock meanwhile on this CPU cannot run.
unsafe impl<T: Send, I: Interrupts> Lock<T> for SpinLock<T, I> {
    fn new(value: T) -> Self {
        Self::new(value)
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _off = Off::<I>::new();
        let _taken = self.take();
        // SAFETY: the lock is taken until the closure has ended.
        f(unsafe { &mut *self.value.get() })
    }

    #[inline]
    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let _off = Off::<I>::new();
        let _taken = self.try_take()?;
        // SAFETY: as above.
        Some(f(unsafe { &mut *self.value.get() }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Lock, SpinLock};
    use crate::platform::NoInterrupts;

    #[test]
    fn the_ready_lock_lets_one_thread_in() {
        static COUNT: SpinLock<usize, NoInterrupts> = SpinLock::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..100_000).for_each(|_| COUNT.with(|count| *count += 1)));
            }
        });
        assert_eq!(COUNT.with(|count| *count), 200_000);
    }
}
