//! Disks in memory: when data moves, what goes wrong, losses of power.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Host, fail_after, in_use, machine, params, stop_failing, take_log};
use drivers::{Medium, MemDisk, MemDiskSettings, NullDisk, Order, RamDisk};
use kapi::block::{BlockQueue, SECTOR_SIZE, Segment};
use kapi::mm::own::{Buffer, PageRef, VmArea};
use kapi::mm::{GfpFlags, PAGE_SIZE, Pfn, PfnRange};
use kapi::testing::{disk, hide_ram, insmod, pass};
use kapi::{BlockDriver, BlockError, BlockOp, BlockRequest, Busy, Completer, Errno, Module};

const TICK: Duration = Duration::from_millis(10);

/// Remembers what has ended.
#[derive(Default)]
struct Ends(Mutex<Vec<(u16, Result<(), BlockError>)>>);

impl BlockQueue for Ends {
    fn complete(&self, tag: u16, result: Result<(), BlockError>) {
        self.0.lock().expect("no panic").push((tag, result));
    }
}

impl Ends {
    fn take(&self) -> Vec<(u16, Result<(), BlockError>)> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

/// A disk of 64 sectors that takes three ticks and works at two requests.
fn slow_disk(cache: usize) -> (MemDisk<Host>, Arc<Ends>) {
    let ends = Arc::new(Ends::default());
    let queue: std::sync::Weak<Ends> = Arc::downgrade(&ends);
    let mut area = VmArea::<Host>::new(64 * SECTOR_SIZE).expect("memory");
    area.bytes_mut().fill(0);
    let settings = MemDiskSettings { sectors: 64, depth: 2, latency: 3, cache };
    (MemDisk::new(Medium::Area(area), settings, Completer::new(queue)).expect("memory"), ends)
}

fn filled(byte: u8) -> PageRef<Host> {
    let mut page = PageRef::of_file(GfpFlags::KERNEL).expect("memory");
    page.show_mut(|bytes| bytes.fill(byte)).expect("a thread");
    page
}

fn start(disk: &MemDisk<Host>, tag: u16, op: BlockOp, sector: u64, page: &PageRef<Host>) -> Result<(), Busy> {
    let segment = Segment::new(page.frame(), 0, PAGE_SIZE).expect("a page");
    disk.start(BlockRequest { tag, op, sector, segments: &[segment] })
}

fn byte_at(disk: &MemDisk<Host>, sector: u64) -> u8 {
    let mut bytes = [0xee; SECTOR_SIZE];
    disk.peek(sector, &mut bytes).expect("a sector");
    assert!(bytes.iter().all(|&byte| byte == bytes[0]), "a torn sector");
    bytes[0]
}

#[test]
fn data_moves_when_the_time_has_come() {
    let _machine = machine();
    let (disk, ends) = slow_disk(0);
    let (first, second) = (filled(1), filled(2));
    assert_eq!(start(&disk, 0, BlockOp::Write, 0, &first), Ok(()));
    pass(TICK);
    assert_eq!(start(&disk, 1, BlockOp::Write, 8, &second), Ok(()));
    assert_eq!(start(&disk, 2, BlockOp::Write, 16, &second), Err(Busy), "it works at two");
    pass(TICK);
    assert_eq!((ends.take(), byte_at(&disk, 0)), (vec![], 0), "a machine that stops now has written nothing");
    pass(TICK);
    assert_eq!((ends.take(), byte_at(&disk, 0), byte_at(&disk, 8)), (vec![(0, Ok(()))], 1, 0));
    // The second one was asked for a tick later, and is answered so.
    pass(TICK);
    assert_eq!((ends.take(), byte_at(&disk, 8)), (vec![(1, Ok(()))], 2));
}

#[test]
fn what_was_given_up_moves_nothing() {
    let _machine = machine();
    let (disk, ends) = slow_disk(0);
    let page = filled(1);
    assert_eq!(disk.control("hang 1"), Ok(()));
    assert_eq!(start(&disk, 5, BlockOp::Write, 0, &page), Ok(()));
    pass(TICK * 100);
    disk.abort(5);
    pass(TICK * 10);
    assert_eq!((ends.take(), byte_at(&disk, 0)), (vec![], 0));
    assert_eq!(start(&disk, 5, BlockOp::Write, 0, &page), Ok(()));
    pass(TICK * 3);
    assert_eq!(ends.take(), [(5, Ok(()))]);
}

#[test]
fn half_of_a_short_request_is_done() {
    let _machine = machine();
    let (disk, ends) = slow_disk(0);
    assert_eq!(disk.control("short 1"), Ok(()));
    let page = filled(1);
    assert_eq!(start(&disk, 0, BlockOp::Write, 0, &page), Ok(()));
    pass(TICK * 3);
    assert_eq!(ends.take(), [(0, Err(BlockError::Io))]);
    assert_eq!([0, 3, 4, 7].map(|sector| byte_at(&disk, sector)), [1, 1, 0, 0]);
}

#[test]
fn a_loss_of_power_undoes_what_was_not_flushed() {
    let _machine = machine();
    let (disk, ends) = slow_disk(20);
    assert_eq!(disk.control("latency 0"), Ok(()));
    assert!(disk.has_write_cache());
    let write = |byte, sector| assert_eq!(start(&disk, 0, BlockOp::Write, sector, &filled(byte)), Ok(()));
    write(1, 0);
    assert_eq!(disk.start(BlockRequest { tag: 1, op: BlockOp::Flush, sector: 0, segments: &[] }), Ok(()));
    assert_eq!(disk.unflushed(), 0);
    write(2, 0);
    write(3, 4);
    assert_eq!(disk.unflushed(), 16);
    // Each prefix: the first write whole, and three sectors of the second.
    assert_eq!(disk.obey(Order::Cut(11)), Ok(()));
    assert_eq!([0, 3, 4, 6, 7, 8].map(|sector| byte_at(&disk, sector)), [2, 2, 3, 3, 2, 0]);
    assert_eq!(disk.control("cut"), Ok(()));
    assert_eq!([0, 7, 8].map(|sector| byte_at(&disk, sector)), [1, 1, 0]);
    // A cache that is full writes its oldest sectors out.
    (0..4).for_each(|nth| write(10 + nth, u64::from(nth) * 8));
    assert_eq!(disk.unflushed(), 20);
    assert_eq!(disk.control("cut"), Ok(()));
    assert_eq!([0, 8, 11, 12, 16].map(|sector| byte_at(&disk, sector)), [10, 11, 11, 0, 0]);
    assert!(ends.take().iter().all(|(_, result)| result.is_ok()));
}

#[test]
fn what_a_disk_works_at_fails_when_it_goes() {
    let _machine = machine();
    let (disk, ends) = slow_disk(0);
    let page = filled(1);
    assert_eq!(start(&disk, 0, BlockOp::Write, 0, &page), Ok(()));
    assert_eq!(disk.control("gone"), Ok(()));
    pass(TICK);
    assert_eq!(ends.take(), [(0, Err(BlockError::Gone))]);
    assert_eq!(start(&disk, 1, BlockOp::Read, 0, &page), Ok(()));
    pass(TICK * 3);
    assert_eq!((ends.take(), byte_at(&disk, 0)), (vec![(1, Err(BlockError::Gone))], 0));
}

#[test]
fn a_disk_says_what_it_was_asked_for() {
    let _machine = machine();
    let (disk, _ends) = slow_disk(8);
    let page = filled(1);
    for line in ["fail 2", "busy 1", "hang sectors 60 63", "readonly 1"] {
        assert_eq!(disk.control(line), Ok(()), "{line}");
    }
    assert_eq!(start(&disk, 0, BlockOp::Read, 0, &page), Err(Busy));
    assert_eq!(start(&disk, 0, BlockOp::Read, 0, &page), Ok(()));
    pass(TICK * 3);
    let mut text = String::new();
    disk.show(&mut text).expect("room");
    let expected = [
        "  read-only",
        "  latency: 3 ticks; at work: 0 requests; not flushed: 0 sectors",
        "  planned: hang sectors 60 63",
        "  read 0+8: the disk reports an error",
    ];
    assert!(text.lines().eq(expected), "{text}");
    assert_eq!(disk.control("what"), Err(Errno::EINVAL));
    let plans = (0..20).take_while(|_| disk.control("fail 100").is_ok()).count();
    assert_eq!((plans, disk.control("fail 1")), (7, Err(Errno::ENOSPC)));
}

#[test]
fn disks_lie_in_hidden_ram_or_say_why_not() {
    let _machine = machine();
    let refused = |line: &[&str]| (insmod::<RamDisk<Host>>(line).err(), take_log().pop().unwrap_or_default());
    let none = "ramdisk: the kernel option mem= hides no RAM for disks";
    assert_eq!(refused(&["sizes=1M"]), (Some(Errno::ENOMEM), none.into()));
    hide_ram(PfnRange::new(Pfn::new(0x8000), Pfn::new(0x8100)));
    let little = "ramdisk: no 2048 KiB of the RAM that mem= hides are free in one piece: the longest has 1024";
    assert_eq!(refused(&["sizes=2M"]), (Some(Errno::ENOMEM), little.into()));
    let sizes = "ram: sizes=: expects up to 8 sizes of whole sectors of 512 bytes, as 64M,1M";
    for line in ["sizes=", "sizes=0", "sizes=1000", "sizes=1M,,1M", "sizes=x"] {
        assert_eq!(refused(&[line]), (Some(Errno::EINVAL), sizes.into()), "{line}");
    }
    for line in ["depth=0", "depth=65", "latency=x", "memory=high", "size=1M"] {
        assert_eq!(refused(&["sizes=1M", line]).0, Some(Errno::EINVAL), "{line}");
    }
    // Two of them, one behind the other; a third finds no room.
    let first: RamDisk<Host> = insmod(&["sizes=512K,256K"]).expect("room");
    assert_eq!(disk("ram0").map(|disk| disk.driver().sectors()), Some(1024));
    assert_eq!(disk("ram1").map(|disk| disk.driver().sectors()), Some(512));
    drop(first);
    assert!(disk("ram0").is_none() && disk("ram1").is_none());
}

#[test]
fn disks_of_modules_keep_what_is_written_or_nothing() {
    let _machine = machine();
    let before = in_use();
    let module: RamDisk<Host> = insmod(&["sizes=8K,512", "memory=vmalloc", "latency=2"]).expect("memory");
    let (ram, small) = (disk("ram0").expect("there"), disk("ram1").expect("there"));
    assert_eq!(ram.write(5, &[9; 1024]), Ok(()));
    assert_eq!((ram.read(6, 1), ram.read(7, 1)), (Ok(vec![9; 512]), Ok(vec![0; 512])));
    assert_eq!((small.write(0, &[1; 512]), small.read(1, 1)), (Ok(()), Err(BlockError::Beyond)));
    assert_eq!(ram.driver().control("hang 1"), Ok(()));
    assert_eq!(ram.read(0, 1), Err(BlockError::Timeout));
    assert_eq!(insmod::<RamDisk<Host>>(&["sizes=8K", "memory=vmalloc"]).err(), Some(Errno::EEXIST));
    drop((ram, small, module));
    let module: NullDisk<Host> = insmod(&["sizes=1G"]).expect("memory");
    let null = disk("nullb0").expect("there");
    assert_eq!((null.write(0, &[1; 512]), null.read(0, 1), null.flush()), (Ok(()), Ok(vec![0; 512]), Ok(())));
    drop((null, module));
    assert_eq!(in_use(), before);
}

#[test]
fn without_memory_no_disk_is_left() {
    let _machine = machine();
    let line = params(&["sizes=64K,64K", "memory=vmalloc", "cache=64"]);
    let before = in_use();
    for nth in 0.. {
        fail_after(nth);
        let values = kapi::Values::read(RamDisk::<Host>::PARAMS, &line).expect("a good line");
        let made = RamDisk::<Host>::load(&values);
        stop_failing();
        let failed = made.as_ref().err().copied();
        drop(made);
        assert_eq!(in_use(), before, "after {nth}");
        match failed {
            None => return assert!(nth > 3, "{nth}"),
            Some(error) => assert_eq!(error, Errno::ENOMEM),
        }
    }
}
