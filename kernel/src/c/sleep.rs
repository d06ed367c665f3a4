//! Semaphores, wait queues, `schedule`: what threads of C sleep on.
//!
//! C's objects are numbers: how many may come in, how often a queue was woken. Who sleeps is on a queue of the kernel's
//! own, found by the object's address, together with those of a few other objects; all of them look again when one is
//! woken. So no list leads into a module's memory, and all zero is an object in order.

use core::ffi::{c_int, c_long, c_ulong};
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use core::time::Duration;

use kapi::LockError;

use super::layout::Semaphore;
use crate::export;
use crate::sched::{self, View, WaitEntry, WaitQueue};
use crate::time;

/// A signal came, and the call is to be made again, or to end with `EINTR`.
const ERESTARTSYS: c_int = 512;
const EINTR: c_int = 4;

/// The state of a thread that a signal wakes.
const INTERRUPTIBLE: i64 = 1;
/// What `schedule_timeout` takes for no limit.
const FOREVER: c_long = c_long::MAX;

/// Where threads sleep.
static BUCKETS: [WaitQueue; 64] = [const { WaitQueue::new() }; 64];
/// Where those sleep that wait by `schedule`, for any of several queues.
static SCHEDULED: WaitQueue = WaitQueue::new();
static SCHEDULING: AtomicUsize = AtomicUsize::new(0);

/// Where whoever waits for the object at this address sleeps.
pub(super) fn bucket(at: usize) -> &'static WaitQueue {
    // Fibonacci hashing (Knuth, 6.4): the upper bits are spread best.
    &BUCKETS[((at as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize]
}

export! {
    /// Comes in; waits for that, whatever signals come.
    extern "C" fn down(semaphore: *const Semaphore) {
        let wait: Wait = |bucket, ready| bucket.wait_until(ready).map_err(LockError::from);
        if wait_for(semaphore, wait).is_err() {
            // Where it may not sleep, that was reported. C has no word for it: it is in, if it can be.
            take(&known(semaphore).count);
        }
    }

    /// Comes in, unless a signal comes.
    extern "C" fn down_interruptible(semaphore: *const Semaphore) -> c_int {
        wait_for(semaphore, |bucket, ready| bucket.wait_until_interruptible(ready)).map_or(-EINTR, |()| 0)
    }

    /// Comes in if it can at once: 0.
    extern "C" fn down_trylock(semaphore: *const Semaphore) -> c_int {
        (!take(&known(semaphore).count)).into()
    }

    /// Lets the next one in.
    extern "C" fn up(semaphore: *const Semaphore) {
        known(semaphore).count.fetch_add(1, SeqCst);
        if known(semaphore).__sleepers.load(SeqCst) > 0 {
            bucket(semaphore.addr()).wake_all();
        }
    }

    /// Wakes all who sleep on a queue.
    extern "C" fn wake_up(queue: *const AtomicU64) {
        wakes(queue).fetch_add(1, SeqCst);
        bucket(queue.addr()).wake_all();
        if SCHEDULING.load(SeqCst) > 0 {
            SCHEDULED.wake_all();
        }
    }

    /// The same: the others look again, and sleep on.
    extern "C" fn wake_up_interruptible(queue: *const AtomicU64) {
        wake_up(queue);
    }

    /// Sleeps until the queue was woken more often than `seen` says.
    extern "C" fn __wait_since(queue: *const AtomicU64, seen: c_ulong, interruptible: c_int) -> c_int {
        let woken = || wakes(queue).load(SeqCst) != seen;
        let waited = match interruptible {
            0 => bucket(queue.addr()).wait_until(woken).map_err(LockError::from),
            _ => bucket(queue.addr()).wait_until_interruptible(woken),
        };
        waited.map_or(-ERESTARTSYS, |()| 0)
    }

    /// Sleeps until the next wake-up.
    extern "C" fn sleep_on(queue: *const AtomicU64) {
        let _: c_int = __wait_since(queue, wakes(queue).load(SeqCst), 0);
    }

    /// Sleeps until the next wake-up or a signal.
    extern "C" fn interruptible_sleep_on(queue: *const AtomicU64) {
        let _: c_int = __wait_since(queue, wakes(queue).load(SeqCst), 1);
    }

    /// Sleeps until the next wake-up, for so many ticks at most; what is left of them.
    extern "C" fn sleep_on_timeout(queue: *const AtomicU64, ticks: c_long) -> c_long {
        let seen = wakes(queue).load(SeqCst);
        limited(ticks, |limit| {
            let _ = bucket(queue.addr()).wait_timeout(|| wakes(queue).load(SeqCst) != seen, limit);
        })
    }

    /// The same; a signal ends it too.
    extern "C" fn interruptible_sleep_on_timeout(queue: *const AtomicU64, ticks: c_long) -> c_long {
        let seen = wakes(queue).load(SeqCst);
        limited(ticks, |limit| {
            let _ = bucket(queue.addr()).wait_timeout_interruptible(|| wakes(queue).load(SeqCst) != seen, limit);
        })
    }

    /// The thread wants to be woken by this queue too, when it calls `schedule`.
    extern "C" fn add_wait_queue(queue: *const AtomicU64, entry: *mut WaitEntry) {
        let view = sched::view();
        // SAFETY: the entry is on the thread's own stack; the view is the running thread's.
        let first = unsafe { &mut (*view).waits };
        let own = WaitEntry { task: view, queue: queue.cast(), seen: wakes(queue).load(SeqCst), next: *first };
        // SAFETY: as above.
        unsafe { entry.write(own) };
        *first = entry;
    }

    /// It does not any more.
    extern "C" fn remove_wait_queue(_queue: *const AtomicU64, entry: *mut WaitEntry) {
        // SAFETY: the view is the running thread's.
        let mut at = unsafe { &mut (*sched::view()).waits };
        // SAFETY: the list leads along entries on the thread's own stack.
        while let Some(listed) = unsafe { at.as_mut() } {
            if ptr::eq(listed, entry) {
                *at = listed.next;
                return;
            }
            at = &mut listed.next;
        }
    }

    /// Sleeps, if the state says so, until one of the thread's queues is woken.
    extern "C" fn schedule() {
        let _: c_long = schedule_timeout(FOREVER);
    }

    /// The same, for so many ticks at most; what is left of them.
    extern "C" fn schedule_timeout(ticks: c_long) -> c_long {
        let view = sched::view();
        // SAFETY: the view is the running thread's.
        let state = unsafe { (*view).state };
        if state == 0 {
            // Where it may not be, that is reported.
            let _ = sched::yield_now();
            return ticks;
        }
        SCHEDULING.fetch_add(1, SeqCst);
        let left = limited(ticks, |limit| sleep(view, state == INTERRUPTIBLE, (ticks != FOREVER).then_some(limit)));
        SCHEDULING.fetch_sub(1, SeqCst);
        // SAFETY: as above.
        unsafe { (*view).state = 0 };
        left
    }
}

/// Sleeps until one of the thread's queues is woken.
fn sleep(view: *mut View, interruptible: bool, limit: Option<Duration>) {
    let woken = || any_woken(view);
    // What ends the sleep shows in what the thread looks at next.
    match (interruptible, limit) {
        (false, None) => drop(SCHEDULED.wait_until(woken)),
        (false, Some(limit)) => drop(SCHEDULED.wait_timeout(woken, limit)),
        (true, None) => drop(SCHEDULED.wait_until_interruptible(woken)),
        (true, Some(limit)) => drop(SCHEDULED.wait_timeout_interruptible(woken, limit)),
    }
}

/// Whether one of the thread's queues was woken since the last look. Each look counts.
fn any_woken(view: *mut View) -> bool {
    let mut woken = false;
    // SAFETY: the view is the running thread's, and the list leads along entries on its own stack.
    let mut at = unsafe { (*view).waits };
    // SAFETY: as above.
    while let Some(entry) = unsafe { at.as_mut() } {
        let count = wakes(entry.queue.cast()).load(SeqCst);
        woken |= count != entry.seen;
        entry.seen = count;
        at = entry.next;
    }
    woken
}

/// Runs `sleep` with so many ticks as a limit and returns how many of them are left.
fn limited(ticks: c_long, sleep: impl FnOnce(Duration)) -> c_long {
    let begun = time::ticks().0;
    let count = u32::try_from(ticks.max(0)).unwrap_or(u32::MAX);
    sleep(time::TICK.saturating_mul(count));
    let passed = c_long::try_from(time::ticks().0 - begun).unwrap_or(c_long::MAX);
    if ticks == FOREVER { ticks } else { (ticks - passed).max(0) }
}

/// How a thread waits on a queue.
type Wait = fn(&WaitQueue, &mut dyn FnMut() -> bool) -> Result<(), LockError>;

fn wait_for(semaphore: *const Semaphore, wait: Wait) -> Result<(), LockError> {
    sched::may_sleep("down")?;
    if take(&known(semaphore).count) {
        return Ok(());
    }
    known(semaphore).__sleepers.fetch_add(1, SeqCst);
    let waited = wait(bucket(semaphore.addr()), &mut || take(&known(semaphore).count));
    known(semaphore).__sleepers.fetch_sub(1, SeqCst);
    waited
}

/// One less may come in, if one may.
fn take(count: &AtomicI32) -> bool {
    count.fetch_update(SeqCst, SeqCst, |count| (count > 0).then(|| count - 1)).is_ok()
}

fn known<'a>(semaphore: *const Semaphore) -> &'a Semaphore {
    // SAFETY: it is a semaphore of the caller's, which stays as long as the call.
    unsafe { &*semaphore }
}

fn wakes<'a>(queue: *const AtomicU64) -> &'a AtomicU64 {
    // SAFETY: it is a queue of the caller's, which stays as long as the call.
    unsafe { &*queue }
}
