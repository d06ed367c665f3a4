//! What a mapping promises of bytes, of write-back and of giving back.

mod common;

use std::sync::atomic::Ordering::SeqCst;

use common::{PAGE, adopt, cache, disk, lock, old, pass, read, show, sync, write};
use kapi::Errno;
use kapi::mm::own::PageRef;
use kapi::mm::space::{FaultAccess, ObjectError};
use kapi::mm::{GfpFlags, ZoneKind};
use kapi::testing::{Host, fail_after, in_use, machine, stop_failing};
use pagecache::{BdFlush, Condition, Direction, Kind, NotInserted};

#[test]
fn bytes_are_read_once_and_found_again() {
    let _machine = machine();
    let cache = cache();
    // The table of mappings stays.
    drop(disk(cache, Kind::Device, PAGE));
    let before = in_use();
    let (disk, mapping) = disk(cache, Kind::Device, 10 * PAGE + 512);
    assert_eq!(read(&mapping, 100, 5000).expect("it reads"), (100..5100).map(old).collect::<Vec<_>>());
    let reads = disk.count(Direction::Read);
    assert_eq!(read(&mapping, 0, 2 * PAGE).expect("it reads").len(), 2 * PAGE);
    assert_eq!(disk.count(Direction::Read), reads);
    // The last page is no whole one.
    assert_eq!(read(&mapping, 10 * PAGE as u64 + 500, 100).expect("it reads").len(), 12);
    assert_eq!(read(&mapping, 11 * PAGE as u64, 100).expect("the end"), []);
    assert_eq!(read(&mapping, u64::MAX, 100).expect("the end"), []);
    assert_eq!(cache.stats().buffers, mapping.pages());
    assert!(cache.stats().events.hits > 0);
    cache.validate().expect("valid");
    drop(mapping);
    drop(disk);
    assert_eq!((in_use(), cache.stats().buffers), (before, 0));
}

#[test]
fn who_reads_in_order_is_read_ahead_for() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 400 * PAGE);
    for index in 0..100 {
        read(&mapping, index * PAGE as u64, PAGE).expect("it reads");
    }
    let (hits, events) = (cache.stats().events.hits, cache.stats().events);
    assert!(hits >= 94, "{events:?}");
    assert_eq!(events.reads - events.read_ahead, 1, "{events:?}");
    // A window of 31 pages is ahead of the reader, no more.
    assert!(mapping.pages() <= 100 + 2 * 31, "{}", mapping.pages());
    let before = disk.count(Direction::Read);
    read(&mapping, 300 * PAGE as u64, PAGE).expect("it reads");
    assert_eq!(disk.count(Direction::Read), before + 1);
}

#[test]
fn a_whole_page_is_written_unread_and_a_part_is_merged() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 8 * PAGE);
    assert_eq!(write(&mapping, PAGE as u64, &[1; PAGE]), Ok(PAGE));
    assert_eq!(disk.count(Direction::Read), 0);
    assert_eq!(write(&mapping, 3 * PAGE as u64 + 10, &[2; 20]), Ok(20));
    assert_eq!(disk.count(Direction::Read), 1);
    assert_eq!(cache.stats().dirty, 2);
    assert_eq!(disk.count(Direction::Write), 0);
    sync(&mapping).expect("it writes");
    assert_eq!((cache.stats().dirty, disk.count(Direction::Write)), (0, 2));
    let bytes = lock(&disk.bytes);
    assert_eq!(bytes[PAGE..2 * PAGE], [1; PAGE]);
    let at = 3 * PAGE;
    assert_eq!(
        (bytes[at + 9], bytes[at + 10], bytes[at + 29], bytes[at + 30]),
        (old(at as u64 + 9), 2, 2, old(at as u64 + 30))
    );
    cache.validate().expect("valid");
}

#[test]
fn a_device_keeps_its_size_and_a_file_grows() {
    let _machine = machine();
    let cache = cache();
    let (_disk, device) = disk(cache, Kind::Device, PAGE + 512);
    assert_eq!(write(&device, PAGE as u64, &[1; PAGE]), Ok(512));
    assert_eq!(write(&device, PAGE as u64 + 512, &[1; 10]), Ok(0));
    let (disk, file) = disk(cache, Kind::File, 10);
    assert_eq!(write(&file, 5000, &[3; 10]), Ok(10));
    assert_eq!(file.size(), 5010);
    assert_eq!(read(&file, 4990, 100).expect("it reads")[..10], [0; 10]);
    assert_eq!(file.page(2, FaultAccess::Read), Err(ObjectError::Beyond));
    assert_eq!(write(&file, 1 << 45, &[1]), Err(Errno::EFBIG));
    sync(&file).expect("it writes");
    assert_eq!(lock(&disk.bytes).len(), 5010);
    assert_eq!(cache.mapping(disk, 1 << 45, "huge").err(), Some(Errno::EFBIG));
}

#[test]
fn memory_costs_nothing_to_read_and_keeps_what_is_written() {
    let _machine = machine();
    let cache = cache();
    let (disk, file) = disk(cache, Kind::Memory, 0);
    file.set_size(1 << 30).expect("it is sparse");
    assert_eq!(read(&file, 1 << 29, PAGE).expect("zeros"), [0; PAGE]);
    assert_eq!((file.pages(), disk.count(Direction::Read)), (0, 0));
    write(&file, 1 << 20, b"kept").expect("there is memory");
    sync(&file).expect("nothing to do");
    cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 1000);
    cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 1000);
    assert_eq!(read(&file, 1 << 20, 4).expect("it is there"), b"kept");
    assert_eq!(disk.count(Direction::Write), 0);
    // A page that was only looked at may go.
    let frame = file.page(7, FaultAccess::Read).expect("zeros");
    drop(adopt(frame));
    assert_eq!(file.pages(), 2);
    cache.invalidate();
    assert_eq!((file.pages(), cache.stats().cached), (1, 1));
    cache.validate().expect("valid");
}

#[test]
fn a_failed_read_leaves_nothing_and_a_failed_write_stays_dirty() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 20 * PAGE);
    lock(&disk.bad_reads).insert(1);
    assert_eq!(read(&mapping, 0, 4 * PAGE).expect("the first page").len(), PAGE);
    assert_eq!(read(&mapping, PAGE as u64, 10), Err(Errno::EIO));
    assert_eq!(mapping.page(1, FaultAccess::Read), Err(ObjectError::Io));
    lock(&disk.bad_reads).clear();
    assert_eq!(read(&mapping, PAGE as u64, 1).expect("it reads"), [old(PAGE as u64)]);

    lock(&disk.bad_writes).insert(9);
    let (mut seen, mut other) = (mapping.errors(), mapping.errors());
    write(&mapping, 9 * PAGE as u64, &[1; PAGE]).expect("there is memory");
    assert_eq!(mapping.sync(0..u64::MAX, &mut seen), Err(Errno::EIO));
    assert_eq!(cache.stats().dirty, 1);
    // Each open file is told once.
    lock(&disk.bad_writes).clear();
    assert_eq!(mapping.sync(0..u64::MAX, &mut seen), Ok(()));
    assert_eq!(mapping.sync(0..u64::MAX, &mut other), Err(Errno::EIO));
    assert_eq!(mapping.sync(0..u64::MAX, &mut other), Ok(()));
    assert_eq!(lock(&disk.bytes)[9 * PAGE], 1);
    assert_eq!(cache.stats().dirty, 0);
    disk.bad_flush.store(true, SeqCst);
    assert_eq!(sync(&mapping), Err(Errno::EIO));
    assert_eq!(cache.sync(), Err(Errno::EIO));
}

#[test]
fn a_page_that_cannot_be_written_is_lost_at_last_and_that_is_told() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 20 * PAGE);
    lock(&disk.bad_writes).insert(2);
    write(&mapping, 2 * PAGE as u64, &[1; PAGE]).expect("there is memory");
    // bdflush and kupdated do not hurry.
    cache.bdflush_round();
    cache.bdflush_round();
    assert_eq!((cache.stats().dirty, cache.stats().events.write_errors), (1, 1));
    for _ in 0..2 {
        pass(3001);
        cache.kupdate_round();
    }
    let stats = cache.stats();
    assert_eq!((stats.dirty, stats.events.write_errors, stats.events.lost), (0, 3, 1));
    assert_eq!(read(&mapping, 2 * PAGE as u64, 1).expect("as it was"), [old(2 * PAGE as u64)]);
    let log = kapi::testing::take_log();
    assert!(
        log.last().is_some_and(|line| line == "disk: page 2 could not be written (Input/output error): it is lost"),
        "{log:?}"
    );
    // Who opens the file now is told: nobody was.
    assert_eq!(sync(&mapping), Err(Errno::EIO));
}

#[test]
fn a_lost_page_stays_one_page_as_long_as_it_is_mapped() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 20 * PAGE);
    lock(&disk.bad_writes).insert(2);
    let frame = mapping.page(2, FaultAccess::Write).expect("it is there");
    let mapped = adopt(frame);
    for _ in 0..3 {
        assert_eq!(cache.stats().events.lost, 0);
        write(&mapping, 2 * PAGE as u64, b"new").expect("there is memory");
        assert_eq!(sync(&mapping), Err(Errno::EIO));
    }
    assert_eq!((cache.stats().events.lost, cache.stats().dirty), (1, 0));
    assert_eq!(read(&mapping, 2 * PAGE as u64, 3).expect("it is there"), b"new");
    write(&mapping, 2 * PAGE as u64, b"more").expect("there is memory");
    assert_eq!(show(frame, |page| page[..4].to_vec()), b"more");
    lock(&disk.bad_writes).clear();
    assert_eq!(sync(&mapping), Ok(()));
    assert_eq!(lock(&disk.bytes)[2 * PAGE..][..4], *b"more");
    drop(mapped);
}

#[test]
fn old_pages_are_written_by_kupdated_and_many_by_bdflush() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 12_000 * PAGE);
    write(&mapping, 0, &[1; PAGE]).expect("there is memory");
    pass(2000);
    write(&mapping, 5 * PAGE as u64, &[1; PAGE]).expect("there is memory");
    cache.kupdate_round();
    assert_eq!(disk.count(Direction::Write), 0);
    pass(1000);
    cache.kupdate_round();
    assert_eq!((disk.count(Direction::Write), cache.stats().dirty), (1, 1));
    for index in 10..3010 {
        write(&mapping, index * PAGE as u64, &[2; PAGE]).expect("there is memory");
    }
    cache.set_bdflush(BdFlush::new([10, 100, 0, 0, 500, 3000, 60, 5, 0]).expect("in range"));
    assert!(cache.bdflush_round() > 2000);
    let stats = cache.stats();
    assert!(stats.dirty < 1000 && stats.dirty > 500, "{stats:?}");
    assert_eq!(BdFlush::new([10, 100, 0, 0, 500, 3000, 60, 5, 1]), None);
}

#[test]
fn who_writes_too_much_writes_back_himself() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 16_000 * PAGE);
    cache.set_bdflush(BdFlush::new([5, 500, 0, 0, 500, 3000, 10, 2, 0]).expect("in range"));
    for index in 0..6000 {
        write(&mapping, index * PAGE as u64, &[2; PAGE]).expect("there is memory");
    }
    let stats = cache.stats();
    assert!(stats.events.throttled > 50 && stats.dirty < 2000, "{stats:?}");
    assert!(disk.count(Direction::Write) > 4000);
    cache.validate().expect("valid");
}

#[test]
fn shrinking_takes_clean_pages_and_writes_dirty_ones_only_with_io() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 500 * PAGE);
    for index in 0..40 {
        read(&mapping, (400 - 7 * index) * PAGE as u64, PAGE).expect("it reads");
    }
    for index in 0..100 {
        write(&mapping, index * PAGE as u64, &[2; PAGE]).expect("there is memory");
    }
    let pages = mapping.pages();
    let freed: usize = (0..10).map(|_| cache.shrink(GfpFlags::BUFFER, &ZoneKind::ALL, 32)).sum();
    assert_eq!((freed, disk.count(Direction::Write)), (pages - 100, 0));
    assert_eq!(mapping.pages(), 100);
    let freed: usize = (0..12).map(|_| cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 32)).sum();
    assert_eq!((freed, disk.count(Direction::Write), mapping.pages()), (100, 100, 0));
    assert_eq!(lock(&disk.bytes)[..PAGE], [2; PAGE]);
    assert_eq!(cache.shrink(GfpFlags::ATOMIC, &ZoneKind::ALL, 32), 0);
    cache.validate().expect("valid");
}

#[test]
fn what_is_used_often_stays_longer() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 2000 * PAGE);
    let often = |count: usize| (0..count).for_each(|_| _ = read(&mapping, 77 * PAGE as u64, 8));
    often(2);
    for index in 100..600 {
        read(&mapping, index * PAGE as u64, PAGE).expect("it reads");
        often(1);
        if index % 20 == 0 {
            cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 32);
        }
    }
    let before = disk.count(Direction::Read);
    often(1);
    assert_eq!(disk.count(Direction::Read), before);
}

#[test]
fn mapped_pages_stay_and_what_is_cut_off_is_zero_for_who_maps_it() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::File, 5 * PAGE);
    let frame = mapping.page(3, FaultAccess::Write).expect("it is there");
    let held = adopt(frame);
    assert_eq!(cache.stats().dirty, 1);
    for _ in 0..5 {
        cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 32);
    }
    assert_eq!(mapping.pages(), 1);
    mapping.set_size(PAGE as u64 + 100).expect("it can be cut");
    assert_eq!(show(frame, |page| page.to_vec()), [0; PAGE]);
    assert_eq!(mapping.page(3, FaultAccess::Read), Err(ObjectError::Beyond));
    assert_eq!(cache.stats().dirty, 0);
    // The file gets longer: both see the same page.
    mapping.set_size(5 * PAGE as u64).expect("it can grow");
    write(&mapping, 3 * PAGE as u64, b"again").expect("there is memory");
    assert_eq!(show(frame, |page| page[..5].to_vec()), b"again");
    drop(held);
    assert_eq!(
        read(&mapping, PAGE as u64 + 98, 4).expect("it reads")[..2],
        [old(PAGE as u64 + 98), old(PAGE as u64 + 99)]
    );
    mapping.set_size(0).expect("it can be cut");
    assert_eq!(mapping.pages(), 0);
    drop(disk);
    cache.validate().expect("valid");
}

#[test]
fn without_memory_nothing_is_lost() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::File, 20 * PAGE);
    write(&mapping, 0, &[1; PAGE]).expect("there is memory");
    fail_after(0);
    assert_eq!(read(&mapping, 5 * PAGE as u64, 10), Err(Errno::ENOMEM));
    assert_eq!(write(&mapping, 7 * PAGE as u64, &[1; PAGE]), Err(Errno::ENOMEM));
    assert_eq!(mapping.page(9, FaultAccess::Read), Err(ObjectError::NoMemory));
    assert_eq!(sync(&mapping), Ok(()));
    stop_failing();
    assert_eq!(lock(&disk.bytes)[..PAGE], [1; PAGE]);
    assert_eq!(read(&mapping, 7 * PAGE as u64, 1).expect("as it was"), [old(7 * PAGE as u64)]);
    cache.validate().expect("valid");
}

#[test]
fn pages_of_processes_come_and_go_as_swap_wants() {
    let _machine = machine();
    let cache = cache();
    drop(disk(cache, Kind::Device, PAGE));
    let before = in_use();
    let (disk, area) = disk(cache, Kind::Swap, 10 * PAGE);
    let mut page = PageRef::<Host>::of_process(GfpFlags::HIGHUSER).expect("there is memory");
    page.show_mut(|bytes| bytes.fill(9)).expect("process context");
    let frame = page.frame();
    assert_eq!(area.insert(4, frame, Condition::Dirty), Ok(()));
    assert_eq!(area.insert(5, frame, Condition::Dirty), Err(NotInserted::Busy));
    assert_eq!(cache.place_of(frame), Some((area.number(), 4)));
    assert_eq!((cache.stats().swap_cached, cache.stats().dirty, cache.stats().swap_dirty), (1, 0, 1));
    // Neither kupdated nor sync writes it, and reclaim only when nobody maps it.
    pass(10_000);
    cache.kupdate_round();
    cache.sync().expect("nothing to do");
    cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 32);
    assert_eq!(disk.count(Direction::Write), 0);
    assert!(!area.remove(frame, 1, &mut |_| true));
    drop(page);
    cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 32);
    cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 32);
    assert_eq!((disk.count(Direction::Write), area.pages()), (1, 0));
    let frame = area.page(4, FaultAccess::Read).expect("it is read");
    assert_eq!(show(frame, |page| page.to_vec()), [9; PAGE]);
    assert!(area.remove_at(4, 2, &mut |index| index == 4));
    drop(adopt(frame));
    drop((area, disk));
    cache.validate().expect("valid");
    assert_eq!(in_use(), before);
}

#[test]
fn thousands_of_mappings_share_a_cache() {
    let _machine = machine();
    let cache = cache();
    let before = in_use();
    let disk = common::Disk::new(Kind::File, 3 * PAGE);
    let mappings: Vec<_> =
        (0..5000).map(|_| cache.mapping(disk.clone(), 3 * PAGE as u64, "one").expect("there is memory")).collect();
    for (number, mapping) in mappings.iter().enumerate().filter(|(number, _)| number % 3 == 0) {
        write(mapping, 10, &[number as u8; 4]).expect("there is memory");
    }
    for (number, mapping) in mappings.iter().enumerate().filter(|(number, _)| number % 3 == 0) {
        assert_eq!(read(mapping, 10, 4).expect("it is there"), [number as u8; 4]);
    }
    cache.validate().expect("valid");
    cache.sync().expect("it writes");
    assert_eq!(disk.count(Direction::Write), 5000_usize.div_ceil(3));
    drop(mappings);
    drop(cache.mapping(disk, 0, "another").expect("there is memory"));
    // The table of mappings stays.
    assert!(in_use().0 - before.0 < 400, "{:?} {:?}", in_use(), before);
    cache.validate().expect("valid");
}

#[test]
fn to_keep_a_page_and_to_lock_one_needs_no_memory() {
    let _machine = machine();
    let cache = cache();
    let (_disk, mapping) = disk(cache, Kind::Device, 4 * PAGE);
    let page = PageRef::<Host>::of_file(GfpFlags::KERNEL).expect("there is memory");
    fail_after(0);
    // It has a lock before it is kept anywhere.
    let lock = cache.try_lock_page(&page).expect("it is free");
    assert!(cache.try_lock_page(&page).is_none());
    drop(lock);
    let inserted = mapping.insert(2, page.frame(), Condition::Clean);
    stop_failing();
    assert_eq!((inserted, cache.wait_written(&page)), (Ok(()), Ok(())));
    cache.validate().expect("valid");
}
