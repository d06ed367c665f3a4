//! The sleeping lock: for data that only threads share.
//!
//! Key types: [`Mutex`], [`MutexGuard`]. The holder may sleep. Locking is refused in a context that may not sleep even
//! when the lock is free; [`Mutex::try_lock`] works everywhere.
//!
//! Each thread has a chain of the mutexes that it holds, the newest first. When it dies instead of giving them back,
//! they are *broken*: the value may be half changed, so nobody gets it any more, and whoever asks is told so
//! ([`LockError::Broken`]). What an interrupt takes is on no chain.
//!
//! Nobody looks at the wait queue of a mutex for which nobody has waited: a thread that finds it taken marks it
//! *wanted* before it sleeps, and takes it as wanted, since there may be others; who gives back a wanted one wakes a
//! waiter (Drepper, "Futexes are tricky", the second mutex there).
//!
//! Invariants:
//! - (a) a mutex is on a chain exactly while a guard of a thread exists; it is on that thread's.
//! - (b) a chain is only touched by the thread that it belongs to.
//! - (c) a mutex on a chain stays where it is: its guard borrows it, or was forgotten, and then [`Drop`] takes it off.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::panic::Location;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};

use kapi::LockError;

use super::may_sleep::may_sleep;
use super::task::{self, Task, ThreadState};
use super::wait::WaitQueue;
use crate::sync::preempt::in_interrupt;

const FREE: u8 = 0;
const TAKEN: u8 = 1;
/// Taken, and there may be waiters.
const WANTED: u8 = 2;
const BROKEN: u8 = 3;

/// A value that one thread at a time may touch.
pub struct Mutex<T> {
    lock: RawMutex,
    /// Not dropped with a broken lock: it may be half changed.
    value: UnsafeCell<ManuallyDrop<T>>,
}

/// A mutex without its value: the same code for all values.
struct RawMutex {
    state: AtomicU8,
    waiters: WaitQueue,
    /// Whether it is on its holder's chain.
    held: AtomicBool,
    /// The mutex that the holder took before this one.
    next: AtomicPtr<RawMutex>,
    /// Where the holder took it, or null.
    taken_at: AtomicPtr<Location<'static>>,
}

// SAFETY: `lock` lets one thread at a time have the guard, and the guard is the only way to the value.
unsafe impl<T: Send> Sync for Mutex<T> {}
// SAFETY: a mutex owns its value.
unsafe impl<T: Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self { lock: RawMutex::new(), value: UnsafeCell::new(ManuallyDrop::new(value)) }
    }

    /// Takes the lock, sleeping until it is free; ^C ends the wait, and so does the holder's death. Process context.
    #[track_caller]
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, LockError> {
        may_sleep("Mutex::lock")?;
        self.lock.lock(ThreadState::Interruptible, Location::caller())?;
        Ok(self.guard())
    }

    /// Takes the lock, sleeping until it is free, whatever comes but the holder's death. Process context.
    #[track_caller]
    pub fn lock_uninterruptible(&self) -> Result<MutexGuard<'_, T>, LockError> {
        may_sleep("Mutex::lock_uninterruptible")?;
        self.lock.lock(ThreadState::Sleeping, Location::caller())?;
        Ok(self.guard())
    }

    /// Takes the lock if it is free at once. Any context.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.lock.try_lock(Location::caller()).then(|| self.guard())
    }

    /// The guard of the lock, which the caller has taken.
    const fn guard(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, _not_send: PhantomData }
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        if self.lock.retire() {
            // SAFETY: the value is not touched after this.
            unsafe { ManuallyDrop::drop(self.value.get_mut()) };
        }
    }
}

impl RawMutex {
    const fn new() -> Self {
        Self {
            state: AtomicU8::new(FREE),
            waiters: WaitQueue::new(),
            held: AtomicBool::new(false),
            next: AtomicPtr::new(ptr::null_mut()),
            taken_at: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Takes the lock, sleeping in state `sleep` until it is free. The caller may sleep.
    #[inline(never)]
    fn lock(&self, sleep: ThreadState, at: &'static Location<'static>) -> Result<(), LockError> {
        if !self.acquire() {
            return self.await_turn(sleep, at);
        }
        self.join_chain(at);
        Ok(())
    }

    #[cold]
    fn await_turn(&self, sleep: ThreadState, at: &'static Location<'static>) -> Result<(), LockError> {
        let ended = || self.acquire_as_wanted() || self.is_broken();
        match sleep {
            ThreadState::Interruptible => self.waiters.wait_until_interruptible(ended)?,
            _ => self.waiters.wait_until(ended)?,
        }
        if self.is_broken() {
            return Err(LockError::Broken);
        }
        self.join_chain(at);
        Ok(())
    }

    /// Takes the lock if it is free at once.
    #[inline(never)]
    fn try_lock(&self, at: &'static Location<'static>) -> bool {
        let taken = self.acquire();
        if taken {
            self.join_chain(at);
        }
        taken
    }

    /// Gives the lock back and wakes one waiter.
    #[inline(never)]
    fn unlock(&self) {
        self.leave_chain();
        if self.state.swap(FREE, Ordering::Release) == WANTED {
            self.waiters.wake_one();
        }
    }

    /// The mutex is about to go; whether its value may be dropped.
    #[inline(never)]
    fn retire(&self) -> bool {
        self.leave_chain();
        !self.is_broken()
    }

    fn acquire(&self) -> bool {
        self.state.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the lock for one who waits, or else marks it as wanted: it is not given back without a wake-up then.
    fn acquire_as_wanted(&self) -> bool {
        loop {
            match self.state.compare_exchange(FREE, WANTED, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                // Given back in between: look again.
                Err(TAKEN) if self.want().is_err() => {}
                Err(_) => return false,
            }
        }
    }

    fn want(&self) -> Result<u8, u8> {
        self.state.compare_exchange(TAKEN, WANTED, Ordering::Relaxed, Ordering::Relaxed)
    }

    fn is_broken(&self) -> bool {
        self.state.load(Ordering::Relaxed) == BROKEN
    }

    /// Puts the mutex, which the caller has just acquired, on the running thread's chain.
    fn join_chain(&self, at: &'static Location<'static>) {
        let Some(task) = task::try_current().filter(|_| !in_interrupt()) else { return };
        self.taken_at.store(ptr::from_ref(at).cast_mut(), Ordering::Relaxed);
        self.next.store(newest(task), Ordering::Relaxed);
        self.held.store(true, Ordering::Relaxed);
        set_newest(task, ptr::from_ref(self).cast_mut());
    }

    /// Takes the mutex off its chain, if it is on one: the running thread's, by (a), since guards do not move between
    /// threads.
    fn leave_chain(&self) {
        let Some(task) = task::try_current().filter(|_| self.held.load(Ordering::Relaxed)) else { return };
        self.held.store(false, Ordering::Relaxed);
        let this = ptr::from_ref(self).cast_mut();
        let after = self.next.load(Ordering::Relaxed);
        if newest(task) == this {
            return set_newest(task, after);
        }
        let mut at = newest(task);
        // SAFETY: by (c) what a chain leads to is there.
        while let Some(mutex) = unsafe { at.as_ref() } {
            at = mutex.next.load(Ordering::Relaxed);
            if at == this {
                return mutex.next.store(after, Ordering::Relaxed);
            }
        }
    }
}

/// The mutex that `task` took last, or null.
fn newest(task: &Task) -> *mut RawMutex {
    ptr::with_exposed_provenance_mut(task.newest_mutex.load(Ordering::Relaxed))
}

fn set_newest(task: &Task, mutex: *mut RawMutex) {
    task.newest_mutex.store(mutex.expose_provenance(), Ordering::Relaxed);
}

/// Breaks all mutexes that the running thread holds, wakes those who wait for them, and calls `tell` with the place
/// where each was taken.
pub(super) fn break_held(mut tell: impl FnMut(&'static Location<'static>)) {
    let task = task::current();
    // SAFETY: by (c) what a chain leads to is there.
    while let Some(mutex) = unsafe { newest(task).as_ref() } {
        mutex.leave_chain();
        mutex.state.store(BROKEN, Ordering::Release);
        mutex.waiters.wake_all();
        // SAFETY: null, or set from a reference for good.
        if let Some(at) = unsafe { mutex.taken_at.load(Ordering::Relaxed).as_ref() } {
            tell(at);
        }
    }
}

/// A taken [`Mutex`]: the way to its value. Dropping it gives the lock back and wakes one waiter.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    // The thread that took a lock gives it back.
    _not_send: PhantomData<*mut ()>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one of a lock that is taken.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the borrow of the guard makes the reference unique.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.mutex.lock.unlock();
    }
}
