//! The scull drivers on the real allocators: threads, and timer callbacks.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use kapi::{Errno, Minor, OpenDevice, OpenFlags, Param, Whence};
use kernel::fs::{self, OpenFile};
use kernel::modules::{self, Pinned};
use kernel::sched;
use kernel::sync::SpinLock;
use kernel::testing::memory;
use kernel::timer::Timer;

kernel::test_kernel!(test_main);

const NAMES: [&str; 4] = ["scull", "scullc", "scullp", "scullv"];

/// What /proc/scull_limit says: bytes in use, and how many may be, 0 for no limit.
fn scull_limit() -> (u64, u64) {
    let mut bytes = [0; 128];
    let file = fs::open(&fs::Place::root(), "/proc/scull_limit", OpenFlags::READ, 0o666).unwrap();
    let len = read_full(&file, &mut bytes);
    let text = core::str::from_utf8(&bytes[..len]).unwrap();
    let mut numbers = text.lines().map(|line| line.split_whitespace().nth(1).and_then(|word| word.parse().ok()));
    let (limit, used) = (numbers.next().unwrap().unwrap_or(0), numbers.next().unwrap().unwrap());
    (used, limit)
}

/// Opens device `minor` of a driver.
fn open(name: &str, minor: u16, flags: OpenFlags) -> Result<OpenFile, Errno> {
    let path = kernel::mm::KString::try_format(format_args!("/dev/{name}{minor}"))?;
    fs::open(&fs::Place::root(), &path, flags, 0o666)
}

/// `cat from > to`.
fn copy(from: &OpenFile, to: &OpenFile) -> Result<usize, Errno> {
    let mut chunk = [0; 4096];
    let mut copied = 0;
    loop {
        let n = from.read_bytes(&mut chunk)?;
        if n == 0 {
            return Ok(copied);
        }
        to.write_all(&chunk[..n])?;
        copied += n;
    }
}

/// Reads exactly `bytes.len()` bytes, or fewer at the end.
fn read_full(file: &OpenFile, bytes: &mut [u8]) -> usize {
    let mut len = 0;
    while len < bytes.len() {
        match file.read_bytes(&mut bytes[len..]).unwrap() {
            0 => break,
            n => len += n,
        }
    }
    len
}

/// `cmp a b`.
fn is_same(a: &OpenFile, b: &OpenFile) -> bool {
    let (mut left, mut right) = ([0; 4096], [0; 4096]);
    loop {
        let (m, n) = (read_full(a, &mut left), read_full(b, &mut right));
        if left[..m] != right[..n] {
            return false;
        }
        if m == 0 {
            return true;
        }
    }
}

/// Pages in use once all caches are empty; page tables stay once they are made.
fn pages_in_use() -> usize {
    memory().drop_caches();
    memory().pages().managed_pages() - memory().pages().free_pages_total() - memory().tables().count()
}

fn bigfile() -> OpenFile {
    fs::open(&fs::Place::root(), "/tmp/bigfile", OpenFlags::READ, 0o666).unwrap()
}

/// The text of a driver's /proc file, up to 64 KiB.
fn with_proc_text<R>(name: &str, f: impl FnOnce(&str) -> R) -> R {
    let path = kernel::mm::KString::try_format(format_args!("/proc/{name}mem")).unwrap();
    let file = fs::open(&fs::Place::root(), &path, OpenFlags::READ, 0o666).unwrap();
    let mut bytes = kernel::mm::KVec::new();
    bytes.resize(1 << 16, 0, mm::GfpFlags::KERNEL).unwrap();
    let n = read_full(&file, &mut bytes);
    f(core::str::from_utf8(&bytes[..n]).unwrap())
}

/// The 16-digit number behind the last `separator` of a line.
fn pointer(line: &str, separator: char) -> usize {
    let digits = line.rsplit(separator).next().unwrap();
    assert_eq!(digits.len(), 16, "{line}");
    usize::from_str_radix(digits, 16).unwrap()
}

#[test_case]
fn all_drivers_copy_the_big_file_and_give_everything_back() {
    // Shows: S45, S47, S63
    let before = pages_in_use();
    for name in NAMES {
        let copied = copy(&bigfile(), &open(name, 0, OpenFlags::WRITE).unwrap()).unwrap();
        assert_eq!(copied, 1_048_576, "{name}");
        let first = open(name, 0, OpenFlags::READ).unwrap();
        copy(&first, &open(name, 1, OpenFlags::WRITE).unwrap()).unwrap();
        let (first, second) = (open(name, 0, OpenFlags::READ).unwrap(), open(name, 1, OpenFlags::READ).unwrap());
        assert!(is_same(&first, &bigfile()), "{name}");
        assert!(is_same(&second, &bigfile()), "{name}");
        first.llseek(0, Whence::Start).unwrap();
        second.llseek(0, Whence::Start).unwrap();
        assert!(is_same(&first, &second), "{name}");
    }
    for name in NAMES {
        drop((open(name, 0, OpenFlags::WRITE).unwrap(), open(name, 1, OpenFlags::WRITE).unwrap()));
    }
    assert_eq!(pages_in_use(), before);
}

#[test_case]
fn proc_shows_the_chapters_transcript() {
    // Shows: S64, K12, K14
    for name in ["scullp", "scullv"] {
        copy(&bigfile(), &open(name, 0, OpenFlags::WRITE).unwrap()).unwrap();
    }
    with_proc_text("scullp", |text| {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(""));
        assert_eq!(lines.next(), Some("Device 0: qset 500, order 0, sz 1048576"));
        assert_eq!(pointer(lines.next().unwrap(), ' ') % 4096, 0, "the quantum set is one of size-4096");
        let quanta = lines.by_ref().take_while(|line| line.starts_with("    "));
        assert!(quanta.inspect(|line| assert_eq!(pointer(line, ':') % 4096, 0)).count() >= 255);
    });
    with_proc_text("scullv", |text| {
        let mut lines = text.lines().skip(1);
        assert_eq!(lines.next(), Some("Device 0: qset 500, order 4, sz 1048576"));
        lines.next();
        let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
        assert!(first.starts_with("       0:") && second.starts_with("       1:"));
        assert_eq!(pointer(second, ':') - pointer(first, ':'), 0x11000);
    });
    for name in ["scullp", "scullv"] {
        drop(open(name, 0, OpenFlags::WRITE).unwrap());
    }
}

/// Bytes of a record that an interrupt writes.
const RECORD: usize = 16;
/// From one record to the next: each needs a quantum of its own, up to scullv's.
const STRIDE: u64 = 65_536;

/// What the timer callback writes to, and how its writes ended.
static TARGET: SpinLock<Option<Pinned>> = SpinLock::new(None);
static WRITTEN: AtomicU32 = AtomicU32::new(0);
static REFUSED: AtomicU32 = AtomicU32::new(0);
static TIMER: Timer = Timer::new(write_record);

/// Writes the next record, in interrupt context.
fn write_record(_: usize) {
    assert!(sched::in_interrupt());
    let position = u64::from(WRITTEN.load(SeqCst)) * STRIDE;
    let written = TARGET.with(|module| module.as_ref().unwrap().write_atomic(Minor(0), position, &[0xc3; RECORD]));
    match written {
        Ok(RECORD) => WRITTEN.fetch_add(1, SeqCst),
        Err(Errno::EAGAIN) => REFUSED.fetch_add(1, SeqCst),
        other => panic!("{other:?}"),
    };
    TIMER.add(Duration::from_millis(10), 0);
}

/// Lets the callback write to device 0 of a driver for a while; how many writes went through and how many did not.
fn write_from_interrupts(module: usize) -> (u32, u32) {
    let pinned = modules::pin(modules::FAMILY[module].name).unwrap();
    TARGET.with(|target| *target = Some(pinned));
    WRITTEN.store(0, SeqCst);
    REFUSED.store(0, SeqCst);
    TIMER.add(Duration::from_millis(10), 0);
    sched::sleep(Duration::from_millis(200)).unwrap();
    TIMER.cancel();
    drop(TARGET.with(Option::take));
    (WRITTEN.load(SeqCst), REFUSED.load(SeqCst))
}

/// Writes from interrupts, and looks whether all that was written is there.
fn interrupts_write(module: usize) {
    let before = pages_in_use();
    let (written, _) = write_from_interrupts(module);
    assert!(written > 5, "{written}");
    let file = open(NAMES[module], 0, OpenFlags::READ).unwrap();
    for record in 0..written {
        let mut bytes = [0; RECORD];
        file.llseek(i64::from(record) * STRIDE as i64, Whence::Start).unwrap();
        assert_eq!((read_full(&file, &mut bytes), bytes), (RECORD, [0xc3; RECORD]), "record {record}");
    }
    drop(file);
    drop(open(NAMES[module], 0, OpenFlags::WRITE).unwrap());
    assert_eq!(pages_in_use(), before);
}

#[test_case]
fn interrupts_write_to_scull() {
    interrupts_write(0);
}

#[test_case]
fn interrupts_write_to_scullc() {
    interrupts_write(1);
}

#[test_case]
fn interrupts_write_to_scullp() {
    interrupts_write(2);
}

#[test_case]
fn interrupts_are_refused_by_scullv() {
    // Shows: S61
    let (written, refused) = write_from_interrupts(3);
    assert_eq!(written, 0);
    assert!(refused > 5, "{refused}");
    assert_eq!(open("scullv", 0, OpenFlags::READ).unwrap().llseek(0, Whence::End), Ok(0));
}

#[test_case]
fn a_busy_module_stays() {
    let file = open("scullp", 2, OpenFlags::READ).unwrap();
    assert_eq!(modules::rmmod("scullp"), Err(Errno::EBUSY));
    assert_eq!(modules::insmod("scullp", &[]), Err(Errno::EEXIST));
    drop(file);
    assert_eq!(modules::rmmod("scullp"), Ok(()));
    assert_eq!(modules::rmmod("scullp"), Err(Errno::ENOENT));
    assert_eq!(open("scullp", 0, OpenFlags::READ).err(), Some(Errno::ENOENT));
    assert_eq!(fs::stat(&fs::Place::root(), "/proc/scullpmem").err(), Some(Errno::ENOENT));
    let bad = Param { name: "scullp_order", value: "10" };
    assert_eq!(modules::insmod("scullp", &[bad]), Err(Errno::EINVAL));
    let good = [Param { name: "scullp_order", value: "1" }, Param { name: "scullp_nr_devs", value: "2" }];
    assert_eq!(modules::insmod("scullp", &good), Ok(()));
    with_proc_text("scullp", |text| assert!(text.contains("\nDevice 1: qset 500, order 1, sz 0\n")));
    assert_eq!(open("scullp", 2, OpenFlags::READ).err(), Some(Errno::ENOENT));
    modules::rmmod("scullp").unwrap();
    modules::insmod("scullp", &[]).unwrap();
}

#[test_case]
fn scullc_has_its_cache_while_it_is_attached() {
    // Shows: S35, S32
    let objects =
        || memory().objects().caches().find(|cache| cache.name.as_str() == "scullc").map(|cache| cache.active_objects);
    copy(&bigfile(), &open("scullc", 0, OpenFlags::WRITE).unwrap()).unwrap();
    assert_eq!(objects(), Some(263));
    drop(open("scullc", 0, OpenFlags::WRITE).unwrap());
    assert_eq!(objects(), Some(0));
    modules::rmmod("scullc").unwrap();
    assert_eq!(objects(), None);
    modules::insmod("scullc", &[]).unwrap();
}

#[test_case]
fn a_hog_is_stopped_and_its_memory_comes_back() {
    // Shows: S45, K8, D12
    let before = pages_in_use();
    let device = open("scull", 0, OpenFlags::WRITE).unwrap();
    let hog = || loop {
        if let Err(error) = device.write_all(&[0x11; 4000]) {
            return error;
        }
    };
    assert_eq!(hog(), Errno::ENOSPC, "at half of the RAM");
    let size = open("scull", 0, OpenFlags::READ).unwrap().llseek(0, Whence::End).unwrap();
    let ram = memory().pages().low_pages() as u64 * 4096;
    // A quantum of 4000 bytes costs a page, and a little for its slab and in its item.
    let cost = size.div_ceil(4000) * 4130;
    assert!((ram / 2 - ram / 100..=ram / 2 + ram / 200).contains(&cost), "{size} of {ram}");
    let (used, limit) = scull_limit();
    assert!(used <= limit && used > limit - 16_384 && limit == ram / 2, "{used} of {limit}");
    drop(device);
    drop(open("scull", 0, OpenFlags::WRITE).unwrap());
    assert_eq!(pages_in_use(), before);
}

#[test_case]
fn without_the_limit_the_hog_gets_enomem() {
    // Shows: S45, K8
    modules::rmmod("scull").unwrap();
    modules::insmod("scull", &[Param { name: "scull_limit", value: "0" }]).unwrap();
    let before = pages_in_use();
    let device = open("scull", 0, OpenFlags::WRITE).unwrap();
    let error = loop {
        if let Err(error) = device.write_all(&[0x22; 4000]) {
            break error;
        }
    };
    assert_eq!(error, Errno::ENOMEM);
    // Trimming needs no memory, and gives it all back.
    drop(device);
    let module = modules::pin("scull").unwrap();
    module.open(&mut OpenDevice::new(Minor(0), OpenFlags::WRITE)).unwrap();
    module.release(&OpenDevice::new(Minor(0), OpenFlags::WRITE));
    assert_eq!(pages_in_use(), before);
    assert_eq!(scull_limit().1, 0);
    drop(module);
    modules::rmmod("scull").unwrap();
    modules::insmod("scull", &[]).unwrap();
    assert_eq!(scull_limit().1, memory().pages().low_pages() as u64 * 2048, "the limit went with its load");
}

#[test_case]
fn small_quanta_are_charged_what_they_cost() {
    // Shows: K8
    modules::rmmod("scull").unwrap();
    let params = [Param { name: "scull_quantum", value: "1" }, Param { name: "scull_limit", value: "500000" }];
    modules::insmod("scull", &params).unwrap();
    let before = pages_in_use();
    let device = open("scull", 0, OpenFlags::WRITE).unwrap();
    let error = (0..).find_map(|_| device.write_all(b"x").err());
    assert_eq!(error, Some(Errno::ENOSPC));
    let held = (pages_in_use() - before) * 4096;
    assert!((440_000..560_000).contains(&held), "{held} bytes are held");
    drop(device);
    modules::rmmod("scull").unwrap();
    modules::insmod("scull", &[]).unwrap();
}
