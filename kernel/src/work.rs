//! Calls that were put off, in the order in which they were queued.
//!
//! Key types: [`Work`], [`WorkList`]. The queuer owns the work, a static; nothing is allocated.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::SpinLock;
use crate::sync::list::{Link, Linked, List};

/// A call to be made later.
pub struct Work {
    link: Link<Self>,
    call: fn(usize),
    argument: AtomicUsize,
}

impl Work {
    /// Work that will call `call`.
    pub const fn new(call: fn(usize)) -> Self {
        Self { link: Link::new(), call, argument: AtomicUsize::new(0) }
    }
}

impl Linked<0> for Work {
    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

/// Work that waits for one soft interrupt.
pub struct WorkList {
    waiting: SpinLock<List<Work>>,
}

/// What runs as soon as the current interrupt ends.
pub static IMMEDIATE: WorkList = WorkList::new();
/// What runs at the next tick.
pub static TICK: WorkList = WorkList::new();

impl WorkList {
    const fn new() -> Self {
        Self { waiting: SpinLock::new(List::new()) }
    }

    /// Adds `work`, to be called with `argument`, once; says false, and leaves it as it was, if it is queued already.
    /// Any context.
    #[inline]
    pub(crate) fn add(&self, work: &'static Work, argument: usize) -> bool {
        self.waiting.with(|waiting| {
            let queued = waiting.push(work);
            if queued {
                work.argument.store(argument, Ordering::Relaxed);
            }
            queued
        })
    }

    /// Calls what was added before the call; work that queues itself again runs the next time.
    pub(crate) fn run(&self) {
        let mut batch = self.waiting.with(core::mem::take);
        while let Some((work, argument)) = self.waiting.with(|_| take(&mut batch)) {
            (work.call)(argument);
        }
    }
}

/// The next work, off its list: from here on it can be queued again.
fn take(batch: &mut List<Work>) -> Option<(&'static Work, usize)> {
    let work = batch.pop()?;
    Some((work, work.argument.load(Ordering::Relaxed)))
}
