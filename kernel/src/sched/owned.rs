//! A place for what one thread has, which is found when that thread dies.
//!
//! Key types: [`Owned`]. The thread that puts a value in is its owner, and uses it by reference; no other thread sees
//! it. When the owner dies, whoever winds up its end takes the value out, though a use of it never returned.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};

use super::task::{self, FramesGone};
use crate::sync::preempt::in_interrupt;

/// The place has no owner, and is empty.
const NOBODY: u32 = u32::MAX;

/// A place for a value of one thread.
pub struct Owned<T> {
    /// Number of the thread whose value this is.
    owner: AtomicU32,
    /// How many calls of [`Owned::with`] are under way.
    uses: AtomicU32,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: `owner` lets one thread at a time reach the value, which goes from thread to thread with the place.
unsafe impl<T: Send> Sync for Owned<T> {}

impl<T> Owned<T> {
    /// An empty place.
    pub const fn empty() -> Self {
        Self { owner: AtomicU32::new(NOBODY), uses: AtomicU32::new(0), value: UnsafeCell::new(None) }
    }

    /// Puts `value` here for the running thread; gives it back when the place is taken. Process context, as all calls.
    pub fn put(&self, value: T) -> Result<(), T> {
        if in_interrupt() {
            return Err(value);
        }
        let me = task::current().id;
        if self.owner.compare_exchange(NOBODY, me, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return Err(value);
        }
        // SAFETY: the place was nobody's and is this thread's now; no reference to an empty place is kept.
        unsafe { *self.value.get() = Some(value) };
        Ok(())
    }

    /// Runs `f` with the running thread's value, if there is one here.
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        if !self.is_mine() {
            return None;
        }
        self.uses.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the value is this thread's, and stays while `uses` says so.
        let result = unsafe { &*self.value.get() }.as_ref().map(f);
        self.uses.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Takes the running thread's value out, unless it is in use.
    pub fn take(&self) -> Option<T> {
        let free = self.is_mine() && self.uses.load(Ordering::Relaxed) == 0;
        free.then(|| self.vacate()).flatten()
    }

    /// Takes out the value of the running thread, which died, in use or not.
    pub fn take_over(&self, _: &FramesGone) -> Option<T> {
        if !self.is_mine() {
            return None;
        }
        self.uses.store(0, Ordering::Relaxed);
        self.vacate()
    }

    /// Whether the running thread is the owner. An interrupt is no thread.
    fn is_mine(&self) -> bool {
        !in_interrupt() && self.owner.load(Ordering::Relaxed) == task::current().id
    }

    /// Takes the value out. The caller owns it, and no call of `with` will return.
    fn vacate(&self) -> Option<T> {
        // SAFETY: by the words above nobody refers to the value.
        let value = unsafe { (*self.value.get()).take() };
        self.owner.store(NOBODY, Ordering::Release);
        value
    }
}
