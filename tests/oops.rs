//! Oopses: a thread dies alone, and what it held or had open is settled.
//!
//! Machine:
//! Machine: CPU=qemu64 APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(allocator_api, custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;

use alloc::sync::Arc;
use core::fmt;
use core::hint::black_box;
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use core::time::Duration;

use common::{Log, nap};
use kapi::{Errno, LockError, OpenFlags};
use kernel::fs::{self, FileTable, OpenFile};
use kernel::sched::{self, DIED, FramesGone, Heir, Mutex, Owned, WaitQueue, spawn};
use kernel::sync::SpinLock;
use kernel::testing::expect_oops;

kernel::test_kernel!(test_main);

/// Dies of a fault.
#[inline(never)]
fn fault() -> i32 {
    let null_page = black_box(ptr::without_provenance::<i32>(8));
    // SAFETY: none: the address is not mapped, and that is the point.
    unsafe { null_page.read_volatile() }
}

/// Runs `f` in a thread of its own, which is to die.
fn dies(f: impl FnOnce() -> i32 + Send + 'static) {
    assert_eq!(spawn("doomed", f).unwrap().join(), Ok(DIED));
}

#[test_case]
fn faults_and_panics_end_their_thread_alone() {
    expect_oops("");
    dies(fault);
    dies(|| panic!("on purpose"));
    dies(|| i32::from([1u8, 2, 3][black_box(3)]));
    // Divides by zero, and executes no instruction, below what the language checks.
    // SAFETY: none.
    dies(|| unsafe {
        core::arch::asm!("div {0:r}", in(reg) 0u64, inout("rax") 1u64 => _, out("rdx") _);
        0
    });
    // SAFETY: none.
    dies(|| unsafe {
        core::arch::asm!("ud2");
        0
    });
    // SAFETY: none: a non-canonical address.
    dies(|| unsafe { ptr::without_provenance::<i32>(black_box(0x1234_5678_9abc_def0)).read_volatile() });
    assert_eq!(spawn("next", || 5).unwrap().join(), Ok(5));
}

#[inline(never)]
fn hands_a_bad_pointer_to_memset() -> i32 {
    let (target, len) = (black_box(ptr::without_provenance_mut::<u8>(8)), black_box(100));
    // SAFETY: none.
    unsafe { target.write_bytes(0, len) };
    1
}

#[inline(never)]
fn calls_what_is_no_function() -> i32 {
    // SAFETY: none.
    let wild: fn() -> i32 = unsafe { core::mem::transmute(black_box(0x1000usize)) };
    wild() + 1
}

#[inline(never)]
fn asks_for_a_file_with_a_bad_name() -> i32 {
    // SAFETY: none.
    let path = unsafe { core::slice::from_raw_parts(black_box(ptr::without_provenance::<u8>(0x2000)), 64) };
    // SAFETY: none.
    i32::from(fs::stat(&fs::Place::root(), unsafe { core::str::from_utf8_unchecked(path) }).is_ok())
}

/// What faults, and the name that is to be blamed for it.
type Culprit = (fn() -> i32, &'static str);

#[test_case]
fn blame_goes_to_whoever_called_in() {
    expect_oops("page fault: ");
    let guilty: [Culprit; 4] = [
        (fault, "oops::fault+"),
        (hands_a_bad_pointer_to_memset, "oops::hands_a_bad_pointer_to_memset+"),
        (calls_what_is_no_function, "oops::calls_what_is_no_function+"),
        (asks_for_a_file_with_a_bad_name, "oops::asks_for_a_file_with_a_bad_name+"),
    ];
    for (culprit, name) in guilty {
        let log = Log::from_here();
        dies(culprit);
        let blamed = log.line_after("to blame: ");
        assert!(blamed.as_str().contains(name), "{name}: {}", blamed.as_str());
    }
}

#[test_case]
fn locks_of_the_dead_are_broken_and_named() {
    static FIRST: Mutex<u32> = Mutex::new(1);
    static SECOND: Mutex<u32> = Mutex::new(2);
    static THIRD: Mutex<u32> = Mutex::new(3);
    expect_oops("page fault: ");
    let log = Log::from_here();
    dies(|| {
        let first = FIRST.lock().unwrap();
        let second = SECOND.lock_uninterruptible().unwrap();
        let third = THIRD.try_lock().unwrap();
        // Not in the order of locking.
        drop(second);
        fault() + (*first + *third) as i32
    });
    for broken in [&FIRST, &THIRD] {
        assert!(matches!(broken.lock(), Err(LockError::Broken)));
        assert!(matches!(broken.lock_uninterruptible(), Err(LockError::Broken)));
        assert!(broken.try_lock().is_none());
    }
    assert_eq!(*SECOND.lock().unwrap(), 2);
    assert_eq!(log.count("oops: the lock taken at kernel/../tests/oops.rs:"), 2);
    assert_eq!(Errno::from(LockError::Broken), Errno::EIO);
}

#[test_case]
fn those_who_wait_for_a_broken_lock_are_told() {
    static LOCK: Mutex<()> = Mutex::new(());
    expect_oops("page fault: ");
    let holder = spawn("holder", || {
        let _held = LOCK.lock().unwrap();
        nap(50);
        fault()
    });
    nap(10);
    let waiter = |uninterruptible| {
        move || match if uninterruptible { LOCK.lock_uninterruptible() } else { LOCK.lock() } {
            Err(LockError::Broken) => 7,
            _ => 1,
        }
    };
    let waiters = [true, false, true].map(|how| spawn("waiter", waiter(how)).unwrap());
    assert_eq!(holder.unwrap().join(), Ok(DIED));
    for waiter in waiters {
        assert_eq!(waiter.join(), Ok(7));
    }
}

#[test_case]
fn a_broken_value_is_dropped_by_nobody() {
    struct Noisy(&'static AtomicU32);
    impl Drop for Noisy {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    static DROPS: AtomicU32 = AtomicU32::new(0);
    expect_oops("page fault: ");
    let shared = Arc::try_new(Mutex::new(Noisy(&DROPS))).ok().unwrap();
    let theirs = shared.clone();
    dies(move || {
        let _held = theirs.lock().unwrap();
        fault()
    });
    drop(shared);
    assert_eq!(DROPS.load(SeqCst), 0);
    // A guard that was forgotten leaves no trace either.
    let whole = Mutex::new(Noisy(&DROPS));
    core::mem::forget(whole.lock().unwrap());
    drop(whole);
    assert_eq!(DROPS.load(SeqCst), 1);
    static LOCK: Mutex<()> = Mutex::new(());
    drop(LOCK.lock().unwrap());
}

#[test_case]
fn who_dies_half_asleep_is_woken_by_nobody() {
    static QUEUE: WaitQueue = WaitQueue::new();
    static ASKED: AtomicU32 = AtomicU32::new(0);
    expect_oops("page fault: ");
    dies(|| {
        // The second time it is on the queue, with its alarm set.
        let ready = || ASKED.fetch_add(1, SeqCst) == 1 && fault() == 0;
        i32::from(QUEUE.wait_timeout(ready, Duration::from_millis(20)).is_ok())
    });
    assert_eq!(ASKED.load(SeqCst), 2);
    nap(50);
    QUEUE.wake_all();
    let sleeper = spawn("sleeper", || i32::from(QUEUE.wait_timeout(|| false, Duration::from_millis(20)) == Ok(false)));
    assert_eq!(sleeper.unwrap().join(), Ok(1));
}

#[test_case]
fn what_a_thread_owns_is_found_after_its_death_alone() {
    static PLACE: Owned<u32> = Owned::empty();
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    struct Finder;
    impl Heir for Finder {
        fn write_work(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("owning")
        }
        fn close(&self, gone: &FramesGone) {
            TAKEN.store(PLACE.take_over(gone).unwrap_or(0) as usize, SeqCst);
        }
        fn settle(&self, _: i32) {}
    }
    expect_oops("page fault: ");
    let log = Log::from_here();
    dies(|| {
        sched::set_heir(&Finder);
        PLACE.put(42).unwrap();
        assert_eq!(PLACE.put(43), Err(43));
        assert_eq!(PLACE.with(|value| *value), Some(42));
        let other = spawn("other", || {
            let sees = PLACE.with(|_| ()).is_some() || PLACE.take().is_some() || PLACE.put(1).is_ok();
            i32::from(sees)
        });
        assert_eq!(other.unwrap().join(), Ok(0));
        PLACE.with(|_| {
            // Not while it is in use.
            assert_eq!(PLACE.take(), None);
            fault()
        });
        1
    });
    assert_eq!(TAKEN.load(SeqCst), 42);
    assert!(log.shows("(doomed): owning"));
    // The place is free for the next.
    PLACE.put(44).unwrap();
    assert_eq!(PLACE.take(), Some(44));
}

/// An heir that closes a table of files, and dies itself at first.
struct Clumsy {
    files: FileTable,
    log: SpinLock<(u32, i32)>,
    dies_first: u32,
}

impl Heir for Clumsy {
    fn write_work(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("clumsy")
    }

    fn close(&self, gone: &FramesGone) {
        let before = self.log.with(|log| {
            log.0 += 1;
            log.0
        });
        if before <= self.dies_first {
            fault();
        }
        self.files.close_all(gone);
    }

    fn settle(&self, status: i32) {
        self.log.with(|log| log.1 = status);
    }
}

impl Clumsy {
    const fn new(dies_first: u32) -> Self {
        Self { files: FileTable::empty(), log: SpinLock::new((0, 0)), dies_first }
    }
}

#[test_case]
fn files_are_closed_from_the_table_even_in_the_middle_of_a_read() {
    static HEIR: Clumsy = Clumsy::new(1);
    static PIPE: SpinLock<Option<OpenFile>> = SpinLock::new(None);
    expect_oops("page fault: ");
    let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
    PIPE.with(|pipe| *pipe = Some(writer));
    dies(|| {
        sched::set_heir(&HEIR);
        let writer = PIPE.with(Option::take).unwrap();
        let descriptor = HEIR.files.add(writer).unwrap();
        let again = descriptor.clone();
        drop(descriptor);
        again.with(|file| file.write_all(b"last words")).unwrap();
        again.with(|_| Ok(fault())).unwrap()
    });
    // The heir died once, and was called once more.
    assert_eq!(HEIR.log.with(|log| *log), (2, DIED));
    let mut bytes = [0; 32];
    assert_eq!(reader.read_bytes(&mut bytes), Ok(10));
    assert_eq!(reader.read_bytes(&mut bytes), Ok(0), "the other end is closed");
}

#[test_case]
fn an_heir_that_dies_for_ever_is_given_up() {
    static HEIR: Clumsy = Clumsy::new(u32::MAX);
    expect_oops("page fault: ");
    dies(|| {
        sched::set_heir(&HEIR);
        fault()
    });
    let (calls, status) = HEIR.log.with(|log| *log);
    assert!((2..100).contains(&calls), "{calls}");
    assert_eq!(status, DIED);
}

#[test_case]
fn a_table_of_files_has_an_end() {
    static TABLE: FileTable = FileTable::empty();
    let open = || fs::open(&fs::Place::root(), "/dev/null", OpenFlags::READ, 0o666).unwrap();
    let mut descriptors = [const { None }; 64];
    let mut count = 0;
    for place in &mut descriptors {
        match TABLE.add(open()) {
            Ok(descriptor) => *place = Some(descriptor),
            Err(errno) => {
                assert_eq!(errno, Errno::EMFILE);
                break;
            }
        }
        count += 1;
    }
    assert_eq!(count, 16);
    descriptors[3] = None;
    let last = TABLE.add(open()).unwrap();
    assert_eq!(last.with(|file| file.read_bytes(&mut [0; 4])), Ok(0));
}
