//! Waiting for several things at once.
//!
//! Key type: [`PollTable`], what a thread that polls has. Whoever wakes a queue tells its watches as well. The poller
//! enters itself first and looks after; a wake-up after the look is remembered in the table's signal until the table
//! waits, so none is lost.
//!
//! Lock order: the lock of a queue that is watched, then that of the signal's queue, which nobody watches.

use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ptr;
use core::time::Duration;

use kapi::LockError;
use mm::AllocError;

use super::wait::{Signal, WaitQueue, Watch, Watches};

/// A poller's place on a queue.
struct Place {
    watch: Watch,
    queue: ptr::NonNull<WaitQueue>,
    /// The one that the table has entered before.
    before: Option<Arc<Self>>,
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
    last: Option<Arc<Place>>,
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
        let signal = Arc::try_new(Signal::new()).map_err(|_| AllocError)?;
        Ok(Self { signal, last: None, progress: Progress::Entering, _queues: PhantomData })
    }

    /// Watches `queue` from now on. Call it before each look at what the queue's waker changes; after the first
    /// [`wait`](Self::wait) it does nothing, since all queues are watched then. Without memory the wait fails.
    pub fn watch(&mut self, queue: &'q WaitQueue) {
        if self.progress == Progress::Entered {
            return;
        }
        // What was entered before stays the table's, whatever comes of this: the queues lead to it.
        let (watch, before) = (Watch::new(self.signal.clone()), self.last.clone());
        match Arc::try_new(Place { watch, queue: ptr::NonNull::from(queue), before }) {
            Ok(place) => {
                queue.watches(|watches| enter(watches, &place));
                self.last = Some(place);
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
        self.signal.wait(limit)
    }
}

fn enter(watches: &mut Watches, place: &Arc<Place>) {
    // SAFETY: it stays where it is, and is taken off before it goes: by the table's end, or never if that is lost.
    watches.push(unsafe { &*ptr::from_ref(&place.watch) });
}

impl Drop for PollTable<'_> {
    fn drop(&mut self) {
        let mut last = self.last.take();
        while let Some(place) = last {
            // SAFETY: the table borrows its queues.
            let queue = unsafe { place.queue.as_ref() };
            queue.watches(|watches| watches.remove(&place.watch));
            // The table alone has it.
            last = Arc::into_inner(place).and_then(|place| place.before);
        }
    }
}
