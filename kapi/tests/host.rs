//! The host as a kernel: what drivers' tests rely on.

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use kapi::mm::own::{KArc, KBox};
use kapi::mm::{AllocError, GfpFlags};
use kapi::testing::{self, Host, HostMutex, HostSpinLock, HostTimer, HostWaitQueue, HostWork, raise};
use kapi::{Interrupt, IrqLine, IrqReturn, Kernel, LockError, Sharing, SleepLock, SpinLock, TaskQueue, Timer};
use kapi::{WaitQueue, Work, WrongContext};

const LINE: IrqLine = IrqLine(5);

type Handler = <Host as Kernel>::Interrupt;

/// A function that counts its calls, and what it counts.
fn counting() -> (impl Fn() + Clone + Send + Sync + 'static, KArc<AtomicU32, Host>) {
    let count = KArc::<_, Host>::new(AtomicU32::new(0), GfpFlags::KERNEL).expect("memory");
    let counted = count.clone();
    let call = move || {
        counted.fetch_add(1, SeqCst);
    };
    (call, count)
}

#[test]
fn a_timer_comes_when_the_test_lets_time_pass_and_not_after_its_drop() {
    let _machine = testing::machine();
    let (call, count) = counting();
    let timer = HostTimer::new(move |timer| {
        call();
        timer.start(Duration::from_millis(30));
    });
    let timer = timer.expect("memory");
    timer.start(Duration::from_millis(15));
    testing::pass(Duration::from_millis(10));
    assert_eq!((count.load(SeqCst), timer.is_pending()), (0, true));
    testing::pass(Duration::from_millis(10));
    assert_eq!(count.load(SeqCst), 1);
    testing::pass(Duration::from_millis(30));
    assert_eq!(count.load(SeqCst), 2);
    timer.start_every(Duration::from_millis(20));
    assert!(timer.cancel() && !timer.cancel());
    timer.start(Duration::from_millis(10));
    drop(timer);
    testing::pass(Duration::from_secs(1));
    assert_eq!((count.load(SeqCst), KArc::owners(&count)), (2, 1));
}

#[test]
fn what_runs_in_interrupts_may_not_sleep() {
    let _machine = testing::machine();
    let mutex = HostMutex::new(());
    let waiters = HostWaitQueue::new();
    testing::in_interrupt(|| {
        assert!(KBox::<_, Host>::new(1, GfpFlags::KERNEL).is_err());
        assert!(KBox::<_, Host>::new(1, GfpFlags::ATOMIC).is_ok());
        assert_eq!(mutex.with(|()| ()), Err(LockError::WrongContext));
        assert_eq!(mutex.try_with(|()| ()), Some(()));
        assert_eq!(waiters.wait_until(|| true), Err(LockError::WrongContext));
        assert_eq!(HostTimer::new(|_| {}).err(), Some(AllocError));
    });
    HostSpinLock::new(()).with(|()| {
        assert!(KBox::<_, Host>::new(1, GfpFlags::KERNEL).is_err());
        assert_eq!(waiters.wait_timeout(|| true, Duration::ZERO), Err(LockError::WrongContext));
    });
    assert_eq!(testing::reports().len(), 2);
}

#[test]
fn work_runs_when_its_turn_comes_and_before_its_drop_ends() {
    let _machine = testing::machine();
    for queue in [TaskQueue::Scheduler, TaskQueue::Timer] {
        let (call, count) = counting();
        let work = HostWork::new(queue, move |_| call()).expect("memory");
        assert!(work.queue() && !work.queue());
        assert_eq!(count.load(SeqCst), 0);
        testing::pass(Duration::from_millis(10));
        assert_eq!(count.load(SeqCst), 1);
        work.queue();
        drop(work);
        assert_eq!((count.load(SeqCst), KArc::owners(&count)), (2, 1));
    }
    let (call, count) = counting();
    let work = HostWork::new(TaskQueue::Immediate, move |_| call()).expect("memory");
    let seen = testing::in_interrupt(|| {
        work.queue();
        count.load(SeqCst)
    });
    assert_eq!((seen, count.load(SeqCst)), (0, 1), "behind the interrupt");
    // Where the dropper may not sleep, what is queued is called off.
    testing::in_interrupt(|| {
        work.queue();
        drop(work);
    });
    assert_eq!((count.load(SeqCst), KArc::owners(&count)), (1, 1));
}

#[test]
fn work_does_not_wait_for_itself() {
    let _machine = testing::machine();
    let answers = KArc::<HostMutex<Vec<_>>, Host>::new(HostMutex::new(vec![]), GfpFlags::KERNEL).expect("memory");
    let told = answers.clone();
    let work = HostWork::new(TaskQueue::Scheduler, move |work| {
        told.with(|told| told.push(work.flush())).expect("process context");
    });
    let work = work.expect("memory");
    work.queue();
    testing::run_work();
    assert_eq!(answers.with(|answers| answers.clone()), Ok(vec![Err(WrongContext)]));
}

#[test]
fn lines_are_shared_by_those_who_agree() {
    let _machine = testing::machine();
    let (call, count) = counting();
    let request = |sharing, answer| Handler::request(LINE, sharing, "test", move || answer);
    let deaf = request(Sharing::Shared, IrqReturn::NotMine).expect("a free line");
    assert_eq!(request(Sharing::Exclusive, IrqReturn::Handled).err(), Some(kapi::Errno::EBUSY));
    assert_eq!(raise(LINE), IrqReturn::NotMine);
    let good = Handler::request(LINE, Sharing::Shared, "good", move || {
        call();
        IrqReturn::Handled
    });
    let good = good.expect("all share");
    assert_eq!((raise(LINE), count.load(SeqCst)), (IrqReturn::Handled, 1));
    drop(good);
    assert_eq!((raise(LINE), KArc::owners(&count)), (IrqReturn::NotMine, 1));
    drop(deaf);
    let alone = request(Sharing::Exclusive, IrqReturn::Handled).expect("the line is free");
    assert_eq!(request(Sharing::Shared, IrqReturn::Handled).err(), Some(kapi::Errno::EBUSY));
    drop(alone);
    let beyond = Handler::request(IrqLine(16), Sharing::Shared, "none", || IrqReturn::Handled);
    assert_eq!(beyond.err(), Some(kapi::Errno::EINVAL));
}

#[test]
fn a_line_that_nobody_handles_is_held_back_and_named() {
    let _machine = testing::machine();
    let (call, count) = counting();
    let request = |name| {
        let call = call.clone();
        Handler::request(LINE, Sharing::Shared, name, move || {
            call();
            IrqReturn::NotMine
        })
    };
    let handlers = [request("deaf").expect("a free line"), request("dumb").expect("a shared line")];
    (0..1001).for_each(|_| assert_eq!(raise(LINE), IrqReturn::NotMine));
    assert_eq!(count.load(SeqCst), 2000, "the last one did not come through");
    let line = "irq 5: nobody handled 1000 interrupts in a row, held back (deaf, dumb)";
    assert_eq!(testing::take_log(), [line]);
    drop(handlers);
}

#[test]
fn threads_wait_for_each_other() {
    let _machine = testing::machine();
    let shared: KArc<(HostMutex<u32>, HostWaitQueue), Host> =
        KArc::new((HostMutex::new(0), HostWaitQueue::new()), GfpFlags::KERNEL).expect("memory");
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let shared = shared.clone();
            testing::spawn(move || {
                let (lock, waiters) = &*shared;
                waiters.wait_with(lock, |left| left.checked_sub(1).inspect(|&less| *left = less)).map(|_| ())
            })
        })
        .collect();
    for _ in 0..3 {
        shared.0.with(|left| *left += 1).expect("process context");
        shared.1.wake_one();
    }
    while shared.0.with(|left| *left) != Ok(0) {
        std::thread::yield_now();
    }
    takers.iter().for_each(testing::TestThread::interrupt);
    let outcomes: Vec<_> = takers.into_iter().map(testing::TestThread::join).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    assert_eq!(outcomes.iter().filter(|&outcome| *outcome == Err(LockError::Interrupted)).count(), 1);
}

#[test]
fn time_passes_while_a_thread_waits_with_a_limit() {
    let _machine = testing::machine();
    let (call, count) = counting();
    let timer = HostTimer::new(move |_| call()).expect("memory");
    timer.start(Duration::from_millis(50));
    let waiters = HostWaitQueue::new();
    assert_eq!(waiters.wait_timeout(|| count.load(SeqCst) > 0, Duration::from_secs(1)), Ok(true));
    assert_eq!(waiters.wait_timeout(|| false, Duration::from_millis(20)), Ok(false));
}
