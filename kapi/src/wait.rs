//! Wait queues: sleeping until a condition holds.

use core::time::Duration;

use crate::context::{LockError, WrongContext};
use crate::lock::SleepLock;

/// Threads that wait for one kind of event. [`Kernel::WaitQueue`](crate::Kernel::WaitQueue) is a kernel's own.
///
/// Whoever makes a condition true does so first and wakes afterwards; so no wake-up is lost. Conditions run with the
/// thread half asleep: they may take a spinlock, and may not sleep. A call that would sleep there is refused.
///
/// A queue whose readers wait while it is empty:
///
/// ```
/// use kapi::testing::Host;
/// use kapi::{Kernel, LockError, SpinLock, WaitQueue};
///
/// struct Bytes<K: Kernel> {
///     held: K::SpinLock<Option<u8>>,
///     arrived: K::WaitQueue,
/// }
///
/// impl<K: Kernel> Bytes<K> {
///     /// Interrupt context, too.
///     fn put(&self, byte: u8) {
///         self.held.with(|held| *held = Some(byte));
///         self.arrived.wake_one();
///     }
///
///     fn take(&self) -> Result<u8, LockError> {
///         self.arrived.wait_for(|| self.held.with(Option::take))
///     }
/// }
///
/// let bytes = Bytes::<Host> { held: SpinLock::new(None), arrived: WaitQueue::new() };
/// std::thread::scope(|threads| {
///     let reader = threads.spawn(|| bytes.take());
///     bytes.put(7);
///     assert_eq!(reader.join().expect("the reader ends"), Ok(7));
/// });
/// ```
pub trait WaitQueue: Send + Sync + Sized {
    /// A queue without waiters.
    fn new() -> Self;

    /// Sleeps until `ready` holds; ^C ends the wait. When both are so, `ready` wins. Process context; may sleep.
    ///
    /// # Errors
    /// `WrongContext`, `Interrupted`.
    #[track_caller]
    fn wait_until(&self, ready: impl FnMut() -> bool) -> Result<(), LockError>;

    /// [`wait_until`](Self::wait_until), but ^C does not end the wait: for what is sure to come soon.
    ///
    /// # Errors
    /// Where the caller may not sleep.
    #[track_caller]
    fn wait_until_uninterruptible(&self, ready: impl FnMut() -> bool) -> Result<(), WrongContext>;

    /// Sleeps until `ready` holds, `limit` at most (in whole ticks, rounded up); ^C ends the wait. Says whether `ready`
    /// holds. Process context; may sleep.
    ///
    /// # Errors
    /// `WrongContext`, `Interrupted`.
    #[track_caller]
    fn wait_timeout(&self, ready: impl FnMut() -> bool, limit: Duration) -> Result<bool, LockError>;

    /// Wakes the thread that has waited longest; it looks at its condition again. Any context.
    fn wake_one(&self);

    /// Wakes all threads that wait. Any context.
    fn wake_all(&self);

    /// How often the queue has been woken so far. Any context.
    fn wakes(&self) -> u64;

    /// Sleeps until `attempt` comes back with something; ^C ends the wait. Process context; may sleep.
    ///
    /// # Errors
    /// `WrongContext`, `Interrupted`.
    #[track_caller]
    fn wait_for<R>(&self, mut attempt: impl FnMut() -> Option<R>) -> Result<R, LockError> {
        let mut got = None;
        self.wait_until(|| {
            got = attempt();
            got.is_some()
        })?;
        got.ok_or(LockError::Interrupted)
    }

    /// [`wait_for`](Self::wait_for) where what is waited for is under a sleeping lock. The lock is free while the
    /// caller sleeps. `attempt` runs with the thread awake: it may sleep.
    ///
    /// ```
    /// use kapi::testing::Host;
    /// use kapi::{Kernel, SleepLock, WaitQueue};
    ///
    /// let queue: <Host as Kernel>::Mutex<Vec<u8>> = SleepLock::new(vec![]);
    /// let arrived: <Host as Kernel>::WaitQueue = WaitQueue::new();
    /// std::thread::scope(|threads| {
    ///     let reader = threads.spawn(|| arrived.wait_with(&queue, |queue| queue.pop()));
    ///     queue.with(|queue| queue.push(7)).expect("process context");
    ///     arrived.wake_one();
    ///     assert_eq!(reader.join().expect("the reader ends"), Ok(7));
    /// });
    /// ```
    ///
    /// # Errors
    /// As those of the lock, and `Interrupted`.
    #[track_caller]
    fn wait_with<T: Send, R, L: SleepLock<T>>(
        &self,
        lock: &L,
        mut attempt: impl FnMut(&mut T) -> Option<R>,
    ) -> Result<R, LockError> {
        let mut look = || {
            loop {
                let seen = self.wakes();
                if let Some(got) = lock.with(&mut attempt)? {
                    return Ok(got);
                }
                self.wait_until(|| self.wakes() != seen)?;
            }
        };
        // A wake-up that came to a caller who gives up is passed on.
        look().inspect_err(|_| self.wake_one())
    }
}
