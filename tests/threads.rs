//! Threads: preemption, waiting, locks, and where sleeping is refused.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use common::{EVERYTHING, Hoard, Log};
use kapi::{LockError, WrongContext};
use kernel::sched::{self, Mutex, Thread, WaitQueue, spawn, yield_now};
use kernel::sync::{SpinLock, without_interrupts};
use kernel::testing::memory;
use kernel::time;
use mm::Context;

kernel::test_kernel!(test_main);

const LONG: Duration = Duration::from_secs(60);

/// Waits, without sleeping or yielding, until `flag` is set; false after a second.
fn spin_until_set(flag: &AtomicBool) -> bool {
    let start = time::uptime();
    while !flag.load(SeqCst) {
        if time::uptime() - start > Duration::from_secs(1) {
            return false;
        }
    }
    true
}

#[test_case]
fn threads_that_never_yield_are_preempted() {
    static FIRST_RAN: AtomicBool = AtomicBool::new(false);
    static SECOND_RAN: AtomicBool = AtomicBool::new(false);
    // Each needs the other to run before it can end.
    let first = spawn("first", || {
        FIRST_RAN.store(true, SeqCst);
        i32::from(spin_until_set(&SECOND_RAN))
    });
    let second = spawn("second", || {
        SECOND_RAN.store(true, SeqCst);
        i32::from(spin_until_set(&FIRST_RAN))
    });
    assert_eq!(first.unwrap().join(), Ok(1));
    assert_eq!(second.unwrap().join(), Ok(1));
}

#[test_case]
fn no_preemption_while_it_is_switched_off() {
    static RAN: AtomicBool = AtomicBool::new(false);
    let guard = sched::preempt_disable();
    let before = time::ticks();
    drop(guard);
    let other = spawn("other", || {
        RAN.store(true, SeqCst);
        0
    })
    .unwrap();
    // Not preempted between here and the spawn, unless a tick came: then the thread is gone already.
    let guard = sched::preempt_disable();
    let ran_early = RAN.load(SeqCst);
    while time::ticks().0 < before.0 + 4 {}
    assert_eq!(RAN.load(SeqCst), ran_early);
    drop(guard);
    // The ticks that came meanwhile take effect at once.
    assert!(RAN.load(SeqCst));
    assert_eq!(other.join(), Ok(0));
}

#[test_case]
fn join_returns_the_exit_code_and_frees_the_stack() {
    // More threads, one after the other, than stacks fit in memory if none came back.
    for code in 0..300 {
        assert_eq!(spawn("short", move || code).unwrap().join(), Ok(code));
    }
}

/// Free pages once nothing is cached.
fn free_pages() -> usize {
    memory().drop_caches();
    memory().pages().free_pages_total()
}

#[test_case]
fn threads_leave_no_memory_behind() {
    let run = || assert_eq!(spawn("short", || 0).unwrap().join(), Ok(0));
    run();
    let before = free_pages();
    for _ in 0..50 {
        run();
    }
    assert_eq!(free_pages(), before);
}

#[test_case]
fn spawn_without_memory_fails_and_leaves_nothing_behind() {
    let before = free_pages();
    let mut hoard = Hoard::new();
    hoard.fill(EVERYTHING);
    assert!(spawn("refused", || 0).is_err());
    drop(hoard);
    assert_eq!(free_pages(), before);
    assert_eq!(spawn("granted", || 1).unwrap().join(), Ok(1));
}

#[test_case]
fn mutex_lets_one_thread_in_at_a_time() {
    static COUNTER: Mutex<u32> = Mutex::new(0);
    const ROUNDS: u32 = 200;
    fn count() -> i32 {
        for _ in 0..ROUNDS {
            let mut counter = COUNTER.lock().unwrap();
            let seen = *counter;
            yield_now().unwrap();
            *counter = seen + 1;
        }
        0
    }
    let threads: [Thread; 4] = core::array::from_fn(|_| spawn("counter", count).unwrap());
    for thread in threads {
        assert_eq!(thread.join(), Ok(0));
    }
    assert_eq!(*COUNTER.lock().unwrap(), 4 * ROUNDS);
}

#[test_case]
fn wake_one_wakes_one_and_wake_all_the_rest() {
    static QUEUE: WaitQueue = WaitQueue::new();
    static TICKETS: AtomicU32 = AtomicU32::new(0);
    static THROUGH: AtomicU32 = AtomicU32::new(0);
    fn take_ticket() -> i32 {
        let take = || TICKETS.fetch_update(SeqCst, SeqCst, |tickets| tickets.checked_sub(1)).is_ok();
        QUEUE.wait_until(take).unwrap();
        THROUGH.fetch_add(1, SeqCst);
        0
    }
    let threads: [Thread; 3] = core::array::from_fn(|_| spawn("waiter", take_ticket).unwrap());
    let nap = || sched::sleep(Duration::from_millis(50)).unwrap();
    nap();
    assert_eq!(THROUGH.load(SeqCst), 0);
    // Tickets for all, but one wake-up.
    TICKETS.store(3, SeqCst);
    QUEUE.wake_one();
    nap();
    assert_eq!(THROUGH.load(SeqCst), 1);
    QUEUE.wake_all();
    for thread in threads {
        assert_eq!(thread.join(), Ok(0));
    }
}

#[test_case]
fn sleep_lasts_as_long_as_asked() {
    let start = time::uptime();
    sched::sleep(Duration::from_millis(50)).unwrap();
    let slept = time::uptime() - start;
    assert!(slept >= Duration::from_millis(50), "{slept:?}");
    assert!(slept <= Duration::from_millis(80), "{slept:?}");
}

#[test_case]
fn timed_wait_ends_with_the_condition_or_the_time() {
    static QUEUE: WaitQueue = WaitQueue::new();
    static READY: AtomicBool = AtomicBool::new(false);
    assert_eq!(QUEUE.wait_timeout(|| READY.load(SeqCst), Duration::from_millis(30)), Ok(false));
    let waker = spawn("waker", || {
        sched::sleep(Duration::from_millis(30)).unwrap();
        READY.store(true, SeqCst);
        QUEUE.wake_all();
        0
    });
    let start = time::uptime();
    assert_eq!(QUEUE.wait_timeout(|| READY.load(SeqCst), LONG), Ok(true));
    assert!(time::uptime() - start < Duration::from_secs(1));
    assert_eq!(waker.unwrap().join(), Ok(0));
}

#[test_case]
fn interrupt_ends_sleeps_that_allow_it_and_no_others() {
    static QUEUE: WaitQueue = WaitQueue::new();
    static OPEN: AtomicBool = AtomicBool::new(false);
    let light = spawn("light", || match sched::sleep(LONG) {
        Err(LockError::Interrupted) => 1,
        _ => 2,
    })
    .unwrap();
    let deep = spawn("deep", || {
        QUEUE.wait_until(|| OPEN.load(SeqCst)).unwrap();
        if sched::interrupted() { 3 } else { 4 }
    })
    .unwrap();
    yield_now().unwrap();
    light.interrupt();
    deep.interrupt();
    assert_eq!(light.join(), Ok(1));
    assert!(!deep.is_finished());
    OPEN.store(true, SeqCst);
    QUEUE.wake_all();
    assert_eq!(deep.join(), Ok(3));
}

#[test_case]
fn interrupted_wait_for_a_mutex_leaves_it_usable() {
    static MUTEX: Mutex<()> = Mutex::new(());
    let held = MUTEX.lock().unwrap();
    let waiter = spawn("waiter", || i32::from(matches!(MUTEX.lock(), Err(LockError::Interrupted)))).unwrap();
    yield_now().unwrap();
    waiter.interrupt();
    assert_eq!(waiter.join(), Ok(1));
    drop(held);
    assert!(MUTEX.lock().is_ok());
}

#[test_case]
fn sleeping_with_a_spinlock_held_is_refused_and_reported() {
    // Shows: K11
    static SPIN: SpinLock<()> = SpinLock::new(());
    static MUTEX: Mutex<()> = Mutex::new(());
    let thread = spawn("short", || 0).unwrap();
    assert_eq!(sched::context(), Context::Process);
    let log = Log::from_here();
    SPIN.with(|()| {
        assert_eq!(sched::context(), Context::Atomic);
        // None of these would have to sleep.
        assert!(matches!(MUTEX.lock(), Err(LockError::WrongContext)));
        assert!(matches!(MUTEX.lock_uninterruptible(), Err(LockError::WrongContext)));
        assert_eq!(WaitQueue::new().wait_until(|| true), Err(WrongContext));
        assert_eq!(sched::sleep(Duration::ZERO), Err(LockError::WrongContext));
        assert_eq!(thread.join(), Err(LockError::WrongContext));
        assert_eq!(yield_now(), Err(WrongContext));
        assert!(spawn("refused", || 0).is_err());
        assert!(MUTEX.try_lock().is_some());
    });
    assert_eq!(sched::context(), Context::Process);
    for call in ["Mutex::lock", "wait_until", "sleep", "join", "yield_now", "spawn"] {
        assert!(log.shows(call), "{call} was not reported");
    }
    assert!(log.shows("may sleep, called in atomic context at "));
    assert!(log.shows("tests/threads.rs"));
    assert_eq!(thread.join(), Ok(0));
}

#[test_case]
fn sleeping_with_preemption_or_interrupts_off_is_refused() {
    // Shows: K11
    let guard = sched::preempt_disable();
    assert_eq!(sched::context(), Context::Atomic);
    assert_eq!(yield_now(), Err(WrongContext));
    drop(guard);
    let off = without_interrupts(|| (sched::context(), yield_now()));
    assert_eq!(off, (Context::Atomic, Err(WrongContext)));
    assert_eq!(yield_now(), Ok(()));
}

#[test_case]
fn thread_list_shows_names_and_states() {
    let sleeper = spawn("a name that is far too long", || i32::from(sched::sleep(LONG).is_err())).unwrap();
    yield_now().unwrap();
    let mut found = false;
    let mut ids = [0; 16];
    let mut count = 0;
    sched::threads(|info| {
        ids[count] = info.id;
        count += 1;
        if info.id == sleeper.id() {
            found = info.name.as_str() == "a name that is " && info.state.letter() == 'S';
        }
    });
    assert!(found);
    assert!(ids[..count].is_sorted());
    assert_eq!(ids[..2], [0, 1]);
    sleeper.interrupt();
    assert_eq!(sleeper.join(), Ok(1));
}
