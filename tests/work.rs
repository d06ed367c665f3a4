//! Calls that drivers put off: work, in a thread and in interrupts.
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

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use common::{conserves, counter};
use kapi::{SpinLock, TaskQueue, Work, WrongContext};
use kernel::mm::Kernel;
use kernel::sched;
use kernel::testing::expect_oops;
use mm::Context;
use mm::own::KArc;

kernel::test_kernel!(test_main);

#[test_case]
fn work_runs_in_the_context_of_its_queue_and_is_flushed_when_it_goes() {
    let queues = [
        (TaskQueue::Scheduler, Context::Process),
        (TaskQueue::Immediate, Context::Interrupt),
        (TaskQueue::Timer, Context::Interrupt),
    ];
    // The thread stays.
    drop(<Kernel as kapi::Kernel>::Work::new(TaskQueue::Scheduler, |_| {}));
    conserves(|| {
        for (queue, context) in queues {
            let count = counter();
            let counted = count.clone();
            let work = <Kernel as kapi::Kernel>::Work::new(queue, move |work| {
                assert_eq!(sched::context(), context);
                if context == Context::Process {
                    sched::sleep(Duration::from_millis(10)).unwrap();
                }
                if counted.fetch_add(1, SeqCst) == 0 {
                    assert!(work.queue() && !work.queue());
                }
            });
            let work = work.unwrap();
            assert!(work.queue());
            work.flush().unwrap();
            assert_eq!(count.load(SeqCst), 2, "{queue:?}");
            // Queued in an interrupt, flushed by the drop.
            in_interrupt_queues(&work);
            drop(work);
            assert_eq!((count.load(SeqCst), KArc::owners(&count)), (3, 1), "{queue:?}");
        }
    });
}

/// Queues work with a spinlock held, as a handler would.
fn in_interrupt_queues(work: &impl Work) {
    let lock: <Kernel as kapi::Kernel>::SpinLock<()> = SpinLock::new(());
    lock.with(|()| assert!(work.queue() && !work.queue()));
}

#[test_case]
fn work_does_not_wait_for_itself() {
    static ANSWER: AtomicU32 = AtomicU32::new(0);
    let work = <Kernel as kapi::Kernel>::Work::new(TaskQueue::Scheduler, |work| {
        ANSWER.store(if work.flush() == Err(WrongContext) { 1 } else { 2 }, SeqCst);
    });
    let work = work.unwrap();
    work.queue();
    work.flush().unwrap();
    assert_eq!(ANSWER.load(SeqCst), 1);
}

#[test_case]
fn the_thread_of_work_that_dies_has_a_successor() {
    expect_oops("work that fails");
    let fatal = <Kernel as kapi::Kernel>::Work::new(TaskQueue::Scheduler, |_| panic!("work that fails"));
    let fatal = fatal.unwrap();
    fatal.queue();
    fatal.flush().unwrap();
    drop(fatal);
    let count = counter();
    let counted = count.clone();
    let work = <Kernel as kapi::Kernel>::Work::new(TaskQueue::Scheduler, move |_| {
        counted.fetch_add(1, SeqCst);
    });
    let work = work.unwrap();
    work.queue();
    drop(work);
    assert_eq!(count.load(SeqCst), 1);
}
