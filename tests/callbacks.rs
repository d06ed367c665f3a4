//! What drivers are called by and wait for: queues, timers, shared lines.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(allocator_api, custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;

use alloc::sync::Arc;
use core::panic::Location;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use common::{ATOMIC, KERNEL, Log, conserves, counter, in_interrupt, nap};
use kapi::{
    CharDriver, Errno, Interrupt, IoBuf, IrqLine, IrqReturn, LockError, OpenDevice, OpenFlags, Sharing, SleepLock,
    SpinLock, TaskQueue, Timer,
};
use kapi::{WaitQueue, Work};
use kernel::chrdev::{self, Major, Nodes, Users};
use kernel::driver_api::held::{Held, take_back};
use kernel::fs;
use kernel::mm::{KVec, Kernel};
use kernel::sched::{self, spawn};
use kernel::testing::expect_panic;
use mm::Context;
use mm::own::KArc;

kernel::test_kernel!(test_main);

type Lock<T> = <Kernel as kapi::Kernel>::SpinLock<T>;
type Mutex<T> = <Kernel as kapi::Kernel>::Mutex<T>;
type Queue = <Kernel as kapi::Kernel>::WaitQueue;

/// A line that no device uses, raised by its vector.
const FREE_LINE: IrqLine = IrqLine(3);

fn raise_free_line() {
    // SAFETY: the vector is that of a line whose handlers are ours.
    unsafe { core::arch::asm!("int {}", const 32 + FREE_LINE.0) };
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Bytes that arrive in interrupts, and readers that wait for them.
struct Arriving {
    bytes: Lock<KVec<u8>>,
    arrived: Queue,
}

fn arriving() -> KArc<Arriving, Kernel> {
    let bytes = SpinLock::new(KVec::with_capacity(16, KERNEL).unwrap());
    KArc::new(Arriving { bytes, arrived: WaitQueue::new() }, KERNEL).unwrap()
}

#[test_case]
fn readers_wait_while_a_queue_that_an_interrupt_fills_is_empty() {
    conserves(|| {
        let queue = arriving();
        let readers = [(); 3].map(|()| {
            let queue = queue.clone();
            let take = move || queue.arrived.wait_for(|| queue.bytes.with(KVec::pop));
            spawn("reader", move || take().map_or(-1, i32::from)).unwrap()
        });
        nap(30);
        let (filled, next) = (queue.clone(), AtomicU32::new(1));
        let timer = <Kernel as kapi::Kernel>::Timer::new(move |_| {
            let byte = next.fetch_add(1, SeqCst) as u8;
            filled.bytes.with(|bytes| bytes.push(byte, ATOMIC)).unwrap();
            filled.arrived.wake_one();
        });
        let timer = timer.unwrap();
        timer.start_every(millis(20));
        let mut sum = 0;
        readers.iter().for_each(|reader| sum += reader.join().unwrap());
        drop(timer);
        assert_eq!(sum, 1 + 2 + 3);
        // One that nobody wakes ends by ^C, and one with a limit by itself.
        let waiting = queue.clone();
        let reader =
            spawn("reader", move || i32::from(waiting.arrived.wait_until(|| false) == Err(LockError::Interrupted)));
        nap(20);
        let reader = reader.unwrap();
        reader.interrupt();
        assert_eq!(reader.join(), Ok(1));
        assert_eq!(queue.arrived.wait_timeout(|| false, millis(30)), Ok(false));
        assert_eq!(queue.arrived.wait_timeout(|| true, millis(30)), Ok(true));
        drop(reader);
        drop(queue);
    });
}

#[test_case]
fn a_queue_under_a_sleeping_lock_is_waited_for_too() {
    static HELD: AtomicU32 = AtomicU32::new(0);
    conserves(|| {
        let shared: KArc<(Mutex<KVec<u8>>, Queue), Kernel> =
            KArc::new((SleepLock::new(KVec::new()), WaitQueue::new()), KERNEL).unwrap();
        let readers = [(); 3].map(|()| {
            let shared = shared.clone();
            let take = move || {
                shared.1.wait_with(&shared.0, |bytes| {
                    // What holds a sleeping lock may sleep.
                    sched::sleep(millis(10)).unwrap();
                    HELD.fetch_add(1, SeqCst);
                    bytes.pop()
                })
            };
            spawn("reader", move || take().map_or(-1, i32::from)).unwrap()
        });
        nap(50);
        for byte in [4, 5, 6] {
            shared.0.with(|bytes| bytes.push(byte, KERNEL).unwrap()).unwrap();
            shared.1.wake_one();
        }
        let mut sum = 0;
        readers.iter().for_each(|reader| sum += reader.join().unwrap());
        assert_eq!(sum, 4 + 5 + 6);
        assert!(HELD.load(SeqCst) >= 6, "each looked once in vain");
    });
}

#[test_case]
fn a_condition_that_would_sleep_is_refused() {
    let (outer, inner): (Queue, Queue) = (WaitQueue::new(), WaitQueue::new());
    let log = Log::from_here();
    let mut looks = 0;
    outer
        .wait_until(|| {
            looks += 1;
            // The first look comes before the thread is half asleep.
            looks > 1 && inner.wait_until(|| false) == Err(LockError::WrongContext)
        })
        .unwrap();
    assert!(log.shows("a condition that is waited for would sleep itself"));
    assert!(in_interrupt_refused());
    // Reports name the driver's own place.
    for call in ["Timer::new", "Work::new"] {
        assert!(log.line_after(call).contains("tests/callbacks.rs"), "{call}");
    }
}

fn in_interrupt_refused() -> bool {
    static REFUSED: AtomicBool = AtomicBool::new(false);
    in_interrupt(|| {
        let queue: Queue = WaitQueue::new();
        let timer = <Kernel as kapi::Kernel>::Timer::new(|_| {}).is_err();
        let work = <Kernel as kapi::Kernel>::Work::new(TaskQueue::Scheduler, |_| {}).is_err();
        let waited = queue.wait_until(|| true) == Err(LockError::WrongContext);
        REFUSED.store(timer && work && waited, SeqCst);
    });
    REFUSED.load(SeqCst)
}

#[test_case]
fn timers_come_once_or_again_and_not_after_they_were_dropped() {
    conserves(|| {
        let count = counter();
        let counted = count.clone();
        let timer = <Kernel as kapi::Kernel>::Timer::new(move |timer| {
            assert_eq!(sched::context(), Context::Interrupt);
            // Three times, each time a little later.
            let times = counted.fetch_add(1, SeqCst) + 1;
            if times < 3 {
                timer.start(millis(u64::from(times) * 10));
            }
        });
        let timer = timer.unwrap();
        assert!(!timer.is_pending() && !timer.cancel());
        timer.start(millis(10));
        assert!(timer.is_pending());
        nap(100);
        assert_eq!((count.load(SeqCst), timer.is_pending()), (3, false));
        timer.start_every(Duration::ZERO);
        nap(100);
        let before = count.load(SeqCst);
        assert!((10..=15).contains(&before), "{before}");
        assert_eq!(KArc::owners(&count), 2);
        drop(timer);
        nap(50);
        assert_eq!((count.load(SeqCst), KArc::owners(&count)), (before, 1));
    });
}

#[test_case]
fn a_timer_may_be_dropped_by_its_own_callback() {
    type Place = KArc<Lock<Option<<Kernel as kapi::Kernel>::Timer>>, Kernel>;
    conserves(|| {
        let place: Place = KArc::new(SpinLock::new(None), KERNEL).unwrap();
        let (inside, count) = (place.clone(), counter());
        let counted = count.clone();
        let timer = <Kernel as kapi::Kernel>::Timer::new(move |_| {
            drop(inside.with(Option::take));
            counted.fetch_add(1, SeqCst);
        });
        let timer = timer.unwrap();
        timer.start_every(millis(10));
        place.with(|slot| *slot = Some(timer));
        nap(60);
        assert_eq!((count.load(SeqCst), KArc::owners(&count)), (1, 1));
    });
}

#[test_case]
fn lines_are_shared_and_freed_with_their_handles() {
    conserves(|| {
        let counts = [counter(), counter()];
        let [first, second] = [0, 1].map(|index| {
            let counted = counts[index].clone();
            <Kernel as kapi::Kernel>::Interrupt::request(FREE_LINE, Sharing::Shared, "shared", move || {
                counted.fetch_add(1, SeqCst);
                IrqReturn::Handled
            })
            .unwrap()
        });
        raise_free_line();
        drop(first);
        raise_free_line();
        drop(second);
        raise_free_line();
        assert_eq!(counts.each_ref().map(|count| count.load(SeqCst)), [1, 2]);
        assert_eq!(counts.each_ref().map(KArc::owners), [1, 1]);
    });
    let beyond =
        <Kernel as kapi::Kernel>::Interrupt::request(IrqLine(16), Sharing::Shared, "none", || IrqReturn::NotMine);
    assert_eq!(beyond.err(), Some(Errno::EINVAL));
}

/// Makes one thing of each kind that counts, as if the caller had, and forgets them.
#[track_caller]
fn forget_each(count: &KArc<AtomicU32, Kernel>) -> &'static Location<'static> {
    let [timer, work, handler] = [(); 3].map(|()| count.clone());
    let timer = <Kernel as kapi::Kernel>::Timer::new(move |_| {
        timer.fetch_add(1, SeqCst);
    });
    let work = <Kernel as kapi::Kernel>::Work::new(TaskQueue::Timer, move |_| {
        work.fetch_add(1, SeqCst);
    });
    let handler = <Kernel as kapi::Kernel>::Interrupt::request(FREE_LINE, Sharing::Shared, "lost", move || {
        handler.fetch_add(1, SeqCst);
        IrqReturn::Handled
    });
    let (timer, work) = (timer.unwrap(), work.unwrap());
    timer.start_every(millis(10));
    work.queue();
    core::mem::forget((timer, work, handler.unwrap()));
    Location::caller()
}

#[test_case]
fn what_was_forgotten_is_taken_back() {
    let count = counter();
    let place = forget_each(&count);
    nap(30);
    raise_free_line();
    assert!(count.load(SeqCst) >= 3);
    let place = ptr::from_ref(place).addr();
    let mut kinds = (0, 0, 0);
    take_back(&(place..place + 1), &mut |held, caller| {
        assert!(caller.file().ends_with("callbacks.rs"), "{caller}");
        match held {
            Held::Timer => kinds.0 += 1,
            Held::Work(TaskQueue::Timer) => kinds.1 += 1,
            Held::Interrupt(_) => kinds.2 += 1,
            Held::Work(queue) => panic!("{queue:?}"),
        }
    });
    assert_eq!(kinds, (1, 1, 1));
    let before = count.load(SeqCst);
    nap(30);
    raise_free_line();
    assert_eq!(count.load(SeqCst), before);
}

/// Reads wait for bytes, unless the file says that they should not; each file counts its own.
struct Slow {
    queue: KArc<Arriving, Kernel>,
    released: KArc<AtomicU32, Kernel>,
}

impl CharDriver for Slow {
    fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
        Ok(file.set_private_data::<Kernel, _>(AtomicU32::new(0))?)
    }

    fn release(&self, file: &OpenDevice) {
        let reads: &AtomicU32 = file.private_data().unwrap();
        self.released.fetch_add(reads.load(SeqCst), SeqCst);
    }

    fn read(&self, file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let reads: &AtomicU32 = file.private_data()?;
        assert!(file.private_data::<u64>().is_err());
        let attempt = || self.queue.bytes.with(KVec::pop);
        let byte = match file.is_nonblocking() {
            true => attempt().ok_or(Errno::EAGAIN)?,
            false => self.queue.arrived.wait_for(attempt)?,
        };
        reads.fetch_add(1, SeqCst);
        buf.put(&[byte])
    }

    fn is_stream(&self) -> bool {
        true
    }
}

#[test_case]
fn an_open_file_says_how_it_was_opened_and_keeps_what_its_driver_wants() {
    let (queue, released) = (arriving(), counter());
    let driver = Slow { queue: queue.clone(), released: released.clone() };
    let users = Users::new().unwrap();
    chrdev::register_for(&users, "slow", Major::Any, Nodes::Numbered(1), Arc::try_new(driver).unwrap()).unwrap();
    let hasty = fs::open(&fs::Place::root(), "/dev/slow0", OpenFlags::READ | OpenFlags::NONBLOCK, 0o666).unwrap();
    let mut byte = [0];
    assert_eq!(hasty.read_bytes(&mut byte), Err(Errno::EAGAIN));
    let reader = spawn("reader", || {
        let patient = fs::open(&fs::Place::root(), "/dev/slow0", OpenFlags::READ, 0o666).unwrap();
        let mut byte = [0];
        patient.read_bytes(&mut byte).map_or(-1, |read| (read as i32) << 8 | i32::from(byte[0]))
    });
    nap(30);
    let put = |byte| {
        queue.bytes.with(|bytes| bytes.push(byte, ATOMIC)).unwrap();
        queue.arrived.wake_one();
    };
    put(7);
    assert_eq!(reader.unwrap().join(), Ok(1 << 8 | 7));
    assert_eq!(released.load(SeqCst), 1);
    put(8);
    put(9);
    assert_eq!((hasty.read_bytes(&mut byte), hasty.read_bytes(&mut byte)), (Ok(1), Ok(1)));
    drop(hasty);
    assert_eq!(released.load(SeqCst), 3);
    chrdev::unregister(&users).unwrap();
}

/// The last one, by its name: it does not return.
#[test_case]
fn yet_another_taking_of_a_spinlock_by_its_holder_is_a_panic() {
    fn twice<L: SpinLock<()>>(lock: &L) {
        lock.with(|()| lock.with(|()| ()));
    }
    expect_panic("a spinlock is taken again by who holds it");
    twice::<Lock<()>>(&SpinLock::new(()));
}
