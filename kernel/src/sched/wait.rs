//! Wait queues: threads that sleep until a condition holds.
//!
//! The sleeper puts itself on the queue first and looks at the condition after; the waker makes the condition true
//! first and looks at the queue after. So one of the two sees the other, and no wake-up is lost.
//!
//! Who waits for several queues at once watches each of them ([`PollTable`](super::PollTable)): all who do so are told
//! whenever the queue is woken.
//!
//! A condition that would sleep itself is refused: its thread is on a queue already.
//!
//! Lock order: a queue's lock, then the run queue's.

use alloc::sync::Arc;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use kapi::{LockError, WrongContext};

use super::may_sleep::may_sleep;
use super::run_queue;
use super::task::{self, Task, ThreadState, WAIT};
use crate::klog;
use crate::sync::SpinLock;
use crate::sync::list::{Link, Linked, List};
use crate::time::{self, Ticks};

/// Threads that wait for one kind of event.
pub struct WaitQueue {
    waiters: SpinLock<Waiters>,
}

/// Who wants to know of a queue's wake-ups and does not sleep on it.
pub(super) type Watches = List<Watch>;

struct Waiters {
    threads: List<Task, WAIT>,
    watches: Watches,
}

impl Waiters {
    fn tell_watches(&self) {
        self.watches.iter().for_each(|watch| watch.signal.tell());
    }
}

/// A poller's place on a queue that it does not sleep on.
pub(super) struct Watch {
    signal: Arc<Signal>,
    link: Link<Self>,
}

impl Watch {
    /// A watch that is on no queue; whose wake-ups go to `signal`.
    pub(super) const fn new(signal: Arc<Signal>) -> Self {
        Self { signal, link: Link::new() }
    }
}

impl Linked<0> for Watch {
    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

/// What wakes a poller, and remembers it until then.
pub(super) struct Signal {
    told: AtomicBool,
    /// Nobody watches this one.
    sleeper: WaitQueue,
}

impl Signal {
    /// Nothing has happened yet.
    pub(super) const fn new() -> Self {
        Self { told: AtomicBool::new(false), sleeper: WaitQueue::new() }
    }

    /// Something that is watched was woken. Any context.
    fn tell(&self) {
        self.told.store(true, Ordering::SeqCst);
        self.sleeper.wake_all();
    }

    /// Sleeps until it is told, or has been since the last wait; `limit` at most. Says whether it was. ^C ends it.
    #[track_caller]
    pub(super) fn wait(&self, limit: Option<Duration>) -> Result<bool, LockError> {
        let told = || self.told.swap(false, Ordering::SeqCst);
        match limit {
            Some(limit) => self.sleeper.wait_timeout_interruptible(told, limit),
            None => self.sleeper.wait_until_interruptible(told).map(|()| true),
        }
    }
}

/// How long a sleeper is willing to wait.
#[derive(Clone, Copy)]
struct Patience {
    sleep: ThreadState,
    deadline: Option<Ticks>,
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Ready,
    Interrupted,
    TimedOut,
    /// The caller is another wait's condition.
    Nested,
}

impl WaitQueue {
    /// A queue without waiters.
    pub const fn new() -> Self {
        Self { waiters: SpinLock::new(Waiters { threads: List::new(), watches: List::new() }) }
    }

    /// Sleeps until `ready` holds. `ready` runs with the thread half asleep: it must not sleep itself.
    #[track_caller]
    pub fn wait_until(&self, mut ready: impl FnMut() -> bool) -> Result<(), WrongContext> {
        may_sleep("wait_until")?;
        match self.wait(&mut ready, Patience { sleep: ThreadState::Sleeping, deadline: None }) {
            Outcome::Nested => Err(WrongContext),
            _ => Ok(()),
        }
    }

    /// Sleeps until `ready` holds or ^C comes. When both are so, `ready` wins.
    #[track_caller]
    pub fn wait_until_interruptible(&self, mut ready: impl FnMut() -> bool) -> Result<(), LockError> {
        may_sleep("wait_until_interruptible")?;
        match self.wait(&mut ready, Patience { sleep: ThreadState::Interruptible, deadline: None }) {
            Outcome::Ready => Ok(()),
            Outcome::Interrupted | Outcome::TimedOut => Err(LockError::Interrupted),
            Outcome::Nested => Err(LockError::WrongContext),
        }
    }

    /// Sleeps until `ready` holds, `limit` at most (in whole ticks, rounded up). Says whether `ready` holds.
    #[track_caller]
    pub fn wait_timeout(&self, mut ready: impl FnMut() -> bool, limit: Duration) -> Result<bool, WrongContext> {
        may_sleep("wait_timeout")?;
        let deadline = Some(time::deadline(limit));
        match self.wait(&mut ready, Patience { sleep: ThreadState::Sleeping, deadline }) {
            Outcome::Nested => Err(WrongContext),
            outcome => Ok(outcome == Outcome::Ready),
        }
    }

    /// As [`wait_timeout`](Self::wait_timeout), but ^C ends it.
    #[track_caller]
    pub fn wait_timeout_interruptible(
        &self,
        mut ready: impl FnMut() -> bool,
        limit: Duration,
    ) -> Result<bool, LockError> {
        may_sleep("wait_timeout_interruptible")?;
        let deadline = Some(time::deadline(limit));
        match self.wait(&mut ready, Patience { sleep: ThreadState::Interruptible, deadline }) {
            Outcome::Ready => Ok(true),
            Outcome::TimedOut => Ok(false),
            Outcome::Interrupted => Err(LockError::Interrupted),
            Outcome::Nested => Err(LockError::WrongContext),
        }
    }

    /// Wakes the thread that has waited longest; it looks at its condition again. All watches are told. Any context.
    pub fn wake_one(&self) {
        self.waiters.with(|waiters| {
            if let Some(task) = waiters.threads.pop() {
                run_queue::wake(task);
            }
            waiters.tell_watches();
        });
    }

    /// Wakes all threads that wait. Any context.
    pub fn wake_all(&self) {
        self.waiters.with(|waiters| {
            while let Some(task) = waiters.threads.pop() {
                run_queue::wake(task);
            }
            waiters.tell_watches();
        });
    }

    /// Runs `f` with the watches, under the queue's lock.
    pub(super) fn watches<R>(&self, f: impl FnOnce(&mut Watches) -> R) -> R {
        self.waiters.with(|waiters| f(&mut waiters.watches))
    }

    /// The same code for all conditions.
    fn wait(&self, ready: &mut dyn FnMut() -> bool, patience: Patience) -> Outcome {
        if ready() {
            return Outcome::Ready;
        }
        let me = task::current();
        if me.waits_on.load(Ordering::Relaxed) != 0 {
            klog!("a condition that is waited for would sleep itself");
            return Outcome::Nested;
        }
        me.waits_on.store(ptr::from_ref(self).expose_provenance(), Ordering::Relaxed);
        if let Some(deadline) = patience.deadline {
            me.wake_at(deadline);
        }
        let outcome = loop {
            // Both or neither: whoever takes it off the queue finds it asleep, even one that wakes it for others.
            self.waiters.with(|waiters| {
                waiters.threads.push(me);
                me.set_state(patience.sleep);
            });
            let give_up = patience.exhausted(me);
            // A condition may take what it finds, so a yes is never asked for twice.
            let yes = give_up.is_none() && ready();
            if give_up.is_none() && !yes {
                run_queue::schedule();
            }
            me.set_state(ThreadState::Runnable);
            self.waiters.with(|waiters| waiters.threads.remove(me));
            // Off the queue before the last look: a wake-up that came to us now shows in the condition.
            if yes || ready() {
                break Outcome::Ready;
            }
            if let Some(reason) = give_up {
                break reason;
            }
        };
        if patience.deadline.is_some() {
            me.cancel_alarm();
        }
        me.waits_on.store(0, Ordering::Relaxed);
        outcome
    }
}

/// Takes the running thread, which died half asleep, off what would wake it.
pub(super) fn give_up() {
    let me = task::current();
    let queue = ptr::with_exposed_provenance::<WaitQueue>(me.waits_on.swap(0, Ordering::Relaxed));
    // SAFETY: null, or set by `wait` from a reference that lives until `wait` returns, which it never does.
    if let Some(queue) = unsafe { queue.as_ref() } {
        queue.waiters.with(|waiters| waiters.threads.remove(me));
    }
    me.cancel_alarm();
    me.set_state(ThreadState::Runnable);
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl Patience {
    /// Why `me` should wait no longer, if so.
    fn exhausted(self, me: &Task) -> Option<Outcome> {
        if self.sleep == ThreadState::Interruptible && me.is_called() {
            Some(Outcome::Interrupted)
        } else if self.deadline.is_some_and(|deadline| time::ticks() >= deadline) {
            Some(Outcome::TimedOut)
        } else {
            None
        }
    }
}
