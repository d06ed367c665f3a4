//! Calls that their owners put off: whose, when due, which one runs.
//!
//! Key types: [`Call`], [`CallList`]. The list knows each call from its owner's `add` to its `close`; so a call that is
//! put off needs no memory, and what an owner forgot is found ([`CallList::of`]). A list has one runner at a time: a
//! soft interrupt or a thread. It finds what is due by looking at all: drivers have few of them. None of it is inlined:
//! it is cold, and used in many places.
//!
//! Invariants, all under the list's lock:
//! - (a) a call that is due is on the list, and is not closed.
//! - (b) `running` is the call whose function the runner is in.
//!
//! Lock order: a list's lock, then those of timers and memory.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::hint::spin_loop;
use core::ops::Range;
use core::panic::Location;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use ::mm::{AllocError, GfpFlags};
use kapi::WrongContext;

use crate::mm::KVec;
use crate::sched::{WaitQueue, may_sleep};
use crate::sync::SpinLock;
use crate::sync::preempt::in_interrupt;

/// Of a call that is not put off.
const NEVER: u64 = u64::MAX;

/// What a call does. It gets itself, to put itself off again.
pub type Function = dyn Fn(&Arc<Call>) + Send + Sync;

/// A call that can be put off.
pub struct Call {
    /// When it is due: a number whose meaning is the list's.
    due: AtomicU64,
    /// How long after that again; 0 for not at all.
    period: AtomicU64,
    /// Its owner is gone.
    closed: AtomicBool,
    caller: &'static Location<'static>,
    function: Box<Function>,
}

/// Calls of one kind.
pub struct CallList {
    calls: SpinLock<Calls>,
    /// Woken when a call has ended, and when one is taken down.
    ended: WaitQueue,
}

struct Calls {
    known: KVec<Arc<Call>>,
    running: Option<Arc<Call>>,
    /// Counts what was queued.
    queued: u64,
}

impl Call {
    /// Whether it is put off. Any context.
    pub fn is_pending(&self) -> bool {
        self.due.load(Relaxed) != NEVER
    }

    /// Makes the call. The runner's context.
    pub fn run(self: &Arc<Self>) {
        (self.function)(self);
    }

    fn is_due(&self, now: u64) -> bool {
        self.is_pending() && self.due.load(Relaxed) <= now
    }
}

impl Default for CallList {
    fn default() -> Self {
        Self::new()
    }
}

impl CallList {
    /// A list that knows no call.
    pub const fn new() -> Self {
        let calls = Calls { known: KVec::new(), running: None, queued: 0 };
        Self { calls: SpinLock::new(calls), ended: WaitQueue::new() }
    }

    /// A call that the list knows, not put off. Process context; may sleep for memory.
    pub fn add(&self, function: Box<Function>, caller: &'static Location<'static>) -> Result<Arc<Call>, AllocError> {
        let call = Arc::try_new(Call {
            due: AtomicU64::new(NEVER),
            period: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            caller,
            function,
        });
        let call = call.map_err(|_| AllocError)?;
        self.calls.with(|calls| calls.known.push(call.clone(), GfpFlags::ATOMIC))?;
        Ok(call)
    }

    /// Puts `call` off until `due`, and by `period` each time that it was made; 0: once. Any context.
    #[inline(never)]
    pub fn put_off(&self, call: &Call, due: u64, period: u64) {
        self.calls.with(|_| {
            if !call.closed.load(Relaxed) {
                call.due.store(due.min(NEVER - 1), Relaxed);
                call.period.store(period, Relaxed);
            }
        });
    }

    /// Puts `call` behind all that were queued before; says false, and leaves it there, if it is queued. Any context.
    #[inline(never)]
    pub fn queue(&self, call: &Call) -> bool {
        self.calls.with(|calls| {
            let free = !call.closed.load(Relaxed) && !call.is_pending();
            if free {
                call.due.store(calls.queued, Relaxed);
                calls.queued += 1;
            }
            free
        })
    }

    /// Calls `set` with when the next call is due, if one is: under the lock, so that of two times the earlier one
    /// stays. Any context.
    pub fn at_next_due(&self, set: impl FnOnce(u64)) {
        self.calls.with(|calls| {
            let next = calls.known.iter().map(|call| call.due.load(Relaxed)).min();
            if let Some(due) = next.filter(|&due| due != NEVER) {
                set(due);
            }
        });
    }

    /// A number above those of all that is queued now. Any context.
    pub fn queued(&self) -> u64 {
        self.calls.with(|calls| calls.queued)
    }

    /// Makes all calls that are due at `now`, in order. The list's runner alone.
    pub fn run_due(&self, now: u64) {
        while let Some(call) = self.begin(now) {
            call.run();
            self.end();
        }
    }

    /// The next call that is due, which runs from here until [`end`](Self::end).
    #[inline(never)]
    pub fn begin(&self, now: u64) -> Option<Arc<Call>> {
        self.calls.with(|calls| {
            let due = calls.known.iter().filter(|call| call.is_due(now));
            let call = due.min_by_key(|call| call.due.load(Relaxed))?.clone();
            let again = match call.period.load(Relaxed) {
                0 => NEVER,
                period => now.saturating_add(period),
            };
            call.due.store(again, Relaxed);
            calls.running = Some(call.clone());
            Some(call)
        })
    }

    /// The call that ran has ended, or died.
    pub fn end(&self) {
        let ended = self.calls.with(|calls| calls.running.take());
        self.ended.wake_all();
        // Perhaps the last reference: what the function has is dropped without the lock.
        drop(ended);
    }

    /// Takes `call` down and says whether it was put off. Any context.
    #[inline(never)]
    pub fn take_down(&self, call: &Call) -> bool {
        let was_pending = self.calls.with(|_| call.due.swap(NEVER, Relaxed) != NEVER);
        self.ended.wake_all();
        was_pending
    }

    /// Waits, spinning, for the end of `call` if it runs at this moment; not in an interrupt, which may be what runs.
    pub fn spin_until_ended(&self, call: &Arc<Call>) {
        while !in_interrupt() && self.is_running(call) {
            spin_loop();
        }
    }

    /// Sleeps until `call` is neither put off nor running. Process context, but not the list's runner.
    #[track_caller]
    pub fn flush(&self, call: &Arc<Call>) -> Result<(), WrongContext> {
        may_sleep("flush")?;
        self.ended.wait_until(|| !call.is_pending() && !self.is_running(call))
    }

    /// Whether `call` runs at this moment. Any context.
    #[inline(never)]
    pub fn is_running(&self, call: &Arc<Call>) -> bool {
        self.calls.with(|calls| calls.running.as_ref().is_some_and(|running| Arc::ptr_eq(running, call)))
    }

    /// From here on `call` is put off no more. Any context.
    #[inline(never)]
    pub fn close(&self, call: &Call) {
        self.calls.with(|_| call.closed.store(true, Relaxed));
    }

    /// The list forgets `call`, which is closed and taken down. Any context.
    #[inline(never)]
    pub fn forget(&self, call: &Arc<Call>) {
        let gone = self.calls.with(|calls| {
            let index = calls.known.iter().position(|known| Arc::ptr_eq(known, call))?;
            calls.known.swap_remove(index)
        });
        drop(gone);
    }

    /// A call whose maker stands in `range`: one that its owner forgot, when that is gone. Any context.
    #[inline(never)]
    pub fn of(&self, range: &Range<usize>) -> Option<(Arc<Call>, &'static Location<'static>)> {
        self.calls.with(|calls| {
            let is_there = |call: &&Arc<Call>| range.contains(&core::ptr::from_ref(call.caller).addr());
            calls.known.iter().find(is_there).map(|call| (call.clone(), call.caller))
        })
    }
}
