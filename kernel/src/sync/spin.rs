//! The one lock for data that interrupts share.
//!
//! It spins, with interrupts and preemption off. Key types: [`SpinLock`], [`SpinGuard`]. Access by closure
//! ([`SpinLock::with`]) is the rule; a guard must be dropped in reverse order of locking, since each puts back the
//! interrupt flag that it found.

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use spin::mutex::{SpinMutex, SpinMutexGuard};
use x86_64::instructions::interrupts;

use super::preempt;
use crate::arch::preempt::preempt_point;

/// A value that one CPU at a time may touch, in any context, interrupts included.
pub struct SpinLock<T: ?Sized> {
    inner: SpinMutex<T>,
}

impl<T> SpinLock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self { inner: SpinMutex::new(value) }
    }

    /// Takes the lock, spinning while another CPU has it. Until the guard is dropped the context is atomic.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        let section = Section::enter();
        SpinGuard { value: self.inner.lock(), _section: section }
    }

    /// Takes the lock if it is free at once.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        let section = Section::enter();
        self.inner.try_lock().map(|value| SpinGuard { value, _section: section })
    }

    /// Runs `f` with the value, alone.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.lock())
    }

    /// Gives back a lock whose guard lies on the stack of a thread that does not run now.
    ///
    /// # Safety
    /// The caller's CPU holds the lock, no guard of it will be dropped for this taking, and the caller answers for the
    /// interrupt flag: it is left off.
    pub(crate) unsafe fn release_taken_over(&self) {
        // SAFETY: the caller holds the lock.
        unsafe { self.inner.force_unlock() };
        preempt::leave_section();
    }
}

// SAFETY: the spinlock has one holder, and interrupts are off on its CPU.
unsafe impl<T: Send> mm::Lock<T> for SpinLock<T> {
    fn new(value: T) -> Self {
        Self::new(value)
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        Self::with(self, f)
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.try_lock().map(|mut value| f(&mut value))
    }
}

impl<T> fmt::Debug for SpinLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpinLock")
    }
}

/// A taken [`SpinLock`]: the way to its value. Dropping it gives the lock back.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct SpinGuard<'a, T> {
    // Fields drop in this order: the lock is free before interrupts come back.
    value: SpinMutexGuard<'a, T>,
    _section: Section,
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Runs `f` with interrupts and preemption off: to keep this CPU's own interrupts away from something. Any context.
#[inline]
pub fn without_interrupts<R>(f: impl FnOnce() -> R) -> R {
    let _section = Section::enter();
    f()
}

/// A stretch of code with interrupts and preemption off.
struct Section {
    interrupts_were_on: bool,
    // A section ends on the CPU where it began.
    _not_send: PhantomData<*mut ()>,
}

impl Section {
    #[inline]
    fn enter() -> Self {
        let interrupts_were_on = interrupts::are_enabled();
        interrupts::disable();
        preempt::enter_section();
        Self { interrupts_were_on, _not_send: PhantomData }
    }
}

impl Drop for Section {
    #[inline]
    fn drop(&mut self) {
        preempt::leave_section();
        if self.interrupts_were_on {
            interrupts::enable();
            preempt_point();
        }
    }
}

/// Interrupts and preemption go off, until [`leave`] is told what this returns: whether interrupts were on. For those
/// who cannot have a guard. Any context.
pub(crate) fn enter() -> bool {
    let interrupts_were_on = interrupts::are_enabled();
    core::mem::forget(Section::enter());
    interrupts_were_on
}

/// The end of what [`enter`] has begun.
pub(crate) fn leave(interrupts_were_on: bool) {
    drop(Section { interrupts_were_on, _not_send: PhantomData });
}
