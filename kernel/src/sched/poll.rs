//! Waiting for several things at once.
//!
//! Key types: [`PollTable`], what a thread that polls has; [`Watch`], its place on one wait queue. Whoever wakes a queue
//! tells its watches as well. The poller enters itself first and looks after; a wake-up after the look is remembered in
//! the table's signal until the table waits, so none is lost.
//!
//! Lock order: the lock of a queue that is watched, then that of the signal's queue, which nobody watches.

use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use core::time::Duration;

use kapi::LockError;
use mm::AllocError;

use super::wait::{WaitQueue, Watches};
use crate::sync::list::{Link, Linked};

/// What wakes a poller.
struct Signal {
    woken: AtomicBool,
    sleeper: WaitQueue,
}

/// A poller's place on a queue.
pub(super) struct Watch {
    signal: Arc<Signal>,
    queue: ptr::NonNull<WaitQueue>,
    link: Link<Self>,
    /// The one that the table has entered before.
    before: Option<Arc<Self>>,
}

// SAFETY: `queue` is only used by the table, which borrows it; all else is of threads anyway.
unsafe impl Send for Watch {}
// SAFETY: as above.
unsafe impl Sync for Watch {}

impl Linked<0> for Watch {
    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

impl Watch {
    /// Tells the poller that the queue was woken. Any context.
    pub(super) fn tell(&self) {
        self.signal.woken.store(true, SeqCst);
        self.signal.sleeper.wake_all();
    }
}

/// A thread's wait for several queues, which it looks at first.
///
/// ```text
/// let mut table = PollTable::new()?;
/// loop {
///     let events = file.poll(&mut table); // enters the file's queues the first time
///     if !events.is_empty() || !table.wait(limit)? {
///         break;
///     }
/// }
/// ```
pub struct PollTable<'q> {
    signal: Arc<Signal>,
    /// All watches, the last first.
    last: Option<Arc<Watch>>,
    progress: Progress,
    _queues: PhantomData<&'q WaitQueue>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Queues are being entered.
    Entering,
    /// One could not be.
    NoMemory,
    /// All are there.
    Entered,
}

impl<'q> PollTable<'q> {
    /// A table that watches nothing yet. Process context; may sleep for memory.
    ///
    /// # Errors
    /// No memory.
    pub fn new() -> Result<Self, AllocError> {
        let signal = Signal { woken: AtomicBool::new(false), sleeper: WaitQueue::new() };
        let signal = Arc::try_new(signal).map_err(|_| AllocError)?;
        Ok(Self { signal, last: None, progress: Progress::Entering, _queues: PhantomData })
    }

    /// Watches `queue` from now on. Call it before each look at what the queue's waker changes; after the first
    /// [`wait`](Self::wait) it does nothing, since all queues are watched then. Without memory the wait fails.
    pub fn watch(&mut self, queue: &'q WaitQueue) {
        if self.progress == Progress::Entered {
            return;
        }
        let (signal, before) = (self.signal.clone(), self.last.take());
        let watch = Watch { signal, queue: ptr::NonNull::from(queue), link: Link::new(), before };
        match Arc::try_new(watch) {
            Ok(watch) => {
                queue.watches(|watches| enter(watches, &watch));
                self.last = Some(watch);
            }
            Err(_) => self.progress = Progress::NoMemory,
        }
    }

    /// Sleeps until one of the queues has been woken since the last wait, or since it is watched; `limit` at most. Says
    /// whether one was. ^C ends the wait. Process context.
    ///
    /// # Errors
    /// `Interrupted`, `WrongContext`; `Broken` when a queue could not be watched for lack of memory.
    #[track_caller]
    pub fn wait(&mut self, limit: Option<Duration>) -> Result<bool, LockError> {
        if self.progress == Progress::NoMemory {
            return Err(LockError::Broken);
        }
        self.progress = Progress::Entered;
        let signal = &*self.signal;
        let woken = || signal.woken.swap(false, SeqCst);
        match limit {
            Some(limit) => signal.sleeper.wait_timeout_interruptible(woken, limit),
            None => signal.sleeper.wait_until_interruptible(woken).map(|()| true),
        }
    }
}

fn enter(watches: &mut Watches, watch: &Arc<Watch>) {
    // SAFETY: it stays where it is, and is taken off before it goes: by the table's end, or never if that is lost.
    watches.push(unsafe { &*Arc::as_ptr(watch) });
}

impl Drop for PollTable<'_> {
    fn drop(&mut self) {
        let mut last = self.last.take();
        while let Some(watch) = last {
            // SAFETY: the table borrows its queues.
            let queue = unsafe { watch.queue.as_ref() };
            queue.watches(|watches| watches.remove(&watch));
            // The table alone has it.
            last = Arc::into_inner(watch).and_then(|watch| watch.before);
        }
    }
}
