//! Timers: a call in interrupt context, once, when some time has passed.
//!
//! Key types: [`Timer`]. The caller owns the timer, which is a static, so that nothing is allocated; pending ones are
//! on one list, the nearest first. Callbacks run as a soft interrupt after the tick: they may allocate with GFP_ATOMIC,
//! and must not sleep. (Chapter: "The Flags Argument", on kernel timers.)

use core::ptr;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;

use crate::sync::SpinLock;
use crate::sync::list::{Link, Linked, List};
use crate::sync::preempt::in_interrupt;
use crate::time::{self, Ticks};

/// A call that is made later.
pub struct Timer {
    link: Link<Self>,
    deadline: AtomicU64,
    callback: fn(usize),
    argument: AtomicUsize,
}

struct Pending {
    by_deadline: List<Timer>,
    /// The timer whose callback runs now, or null.
    running: *const Timer,
}

// SAFETY: `running` is only compared, never followed.
unsafe impl Send for Pending {}

static PENDING: SpinLock<Pending> = SpinLock::new(Pending { by_deadline: List::new(), running: ptr::null() });

impl Timer {
    /// A timer that will call `callback`.
    pub const fn new(callback: fn(usize)) -> Self {
        Self { link: Link::new(), deadline: AtomicU64::new(0), callback, argument: AtomicUsize::new(0) }
    }

    /// Has the callback called with `argument` once `delay` has passed (whole ticks, rounded up). A pending timer is
    /// moved. Any context, the callback included.
    pub fn add(&'static self, delay: Duration, argument: usize) {
        self.add_at(time::deadline(delay), argument);
    }

    /// As [`add`](Self::add), at a tick.
    pub fn add_at(&'static self, deadline: Ticks, argument: usize) {
        PENDING.with(|pending| {
            pending.by_deadline.remove(self);
            self.deadline.store(deadline.0, Ordering::Relaxed);
            self.argument.store(argument, Ordering::Relaxed);
            pending.by_deadline.insert_before(self, |other| other.deadline() > deadline.0);
        });
    }

    /// Takes the timer down, and says whether it was pending. From a thread: waits, spinning, for a callback that runs
    /// on another CPU, so that none runs after this. Any context.
    pub fn cancel(&self) -> bool {
        loop {
            let (was_pending, is_running) =
                PENDING.with(|pending| (pending.by_deadline.remove(self), ptr::eq(pending.running, self)));
            if !is_running || in_interrupt() {
                return was_pending;
            }
            core::hint::spin_loop();
        }
    }

    /// Whether the callback is still to come.
    pub fn is_pending(&self) -> bool {
        self.link.is_on_list()
    }

    fn deadline(&self) -> u64 {
        self.deadline.load(Ordering::Relaxed)
    }
}

impl Linked<0> for Timer {
    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

/// Calls the callbacks of all timers whose time has come. Soft interrupt.
pub(crate) fn run() {
    let now = time::ticks();
    while let Some((timer, argument)) = PENDING.with(|pending| pending.take_due(now)) {
        (timer.callback)(argument);
    }
}

impl Pending {
    /// The next timer that is due, taken off the list and marked as running.
    fn take_due(&mut self, now: Ticks) -> Option<(&'static Timer, usize)> {
        self.running = ptr::null();
        let timer = self.by_deadline.first().filter(|timer| timer.deadline() <= now.0)?;
        self.by_deadline.pop();
        self.running = timer;
        Some((timer, timer.argument.load(Ordering::Relaxed)))
    }
}
