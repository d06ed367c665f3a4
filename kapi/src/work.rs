//! Work: calls that are put off, to a thread or to the end of the interrupt.

use mm::AllocError;

use crate::context::WrongContext;

/// Where work runs. The names are those of Linux 2.4's predefined task queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskQueue {
    /// In process context, on a thread of the kernel's: such work may sleep. All such work takes turns.
    Scheduler,
    /// In interrupt context, as soon as the interrupt ends.
    Immediate,
    /// In interrupt context, at the next tick.
    Timer,
}

/// A call that is put off. [`Kernel::Work`](crate::Kernel::Work) is a kernel's own.
///
/// The call gets the work itself, to queue it again. Dropping the work flushes it: what is queued runs first. Where the
/// dropper may not sleep, or is work of the same queue, what is queued is called off instead. Either way nothing of the
/// call runs after the drop. (A call that drops its own work runs to its end.)
///
/// ```
/// use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
/// use kapi::testing::{self, Host};
/// use kapi::{Kernel, TaskQueue, Work};
///
/// static DONE: AtomicU32 = AtomicU32::new(0);
///
/// let _machine = testing::machine();
/// let work = <Host as Kernel>::Work::new(TaskQueue::Scheduler, |_| {
///     DONE.fetch_add(1, SeqCst);
/// })?;
/// assert!(work.queue());
/// work.flush().expect("process context");
/// assert_eq!(DONE.load(SeqCst), 1);
/// work.queue();
/// drop(work);
/// assert_eq!(DONE.load(SeqCst), 2);
/// # Ok::<(), kapi::mm::AllocError>(())
/// ```
pub trait Work: Send + Sync + Sized {
    /// Work that will make `call` on `queue`. Process context; may sleep for memory, and for the thread.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    fn new(queue: TaskQueue, call: impl Fn(&Self) + Send + Sync + 'static) -> Result<Self, AllocError>;

    /// Has the call made once, behind all that is queued already; says false, and leaves it there, if it is queued. Any
    /// context, the call included; needs no memory.
    fn queue(&self) -> bool;

    /// Sleeps until what is queued has run. Process context, but not within work of the same queue; may
    /// sleep.
    ///
    /// # Errors
    /// Where the caller may not sleep, or would wait for itself.
    #[track_caller]
    fn flush(&self) -> Result<(), WrongContext>;
}
