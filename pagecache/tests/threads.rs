//! Several threads, a disk that answers later, reclaim and syncs beside them.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use common::{PAGE, cache, disk, lock, old, pass, read, sync, write};
use kapi::mm::space::FaultAccess;
use kapi::mm::testing::Rng;
use kapi::mm::{GfpFlags, ZoneKind};
use kapi::testing::{machine, spawn};
use pagecache::{BdFlush, Kind};

/// Pages that belong to each writer.
const PAGES: usize = 60;
const WRITERS: usize = 3;

#[test]
fn writers_readers_reclaim_and_syncs_share_a_slow_disk() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, WRITERS * PAGES * PAGE);
    cache.set_bdflush(BdFlush::new([0, 50, 0, 0, 500, 3000, 0, 0, 0]).expect("in range"));
    let mapping = Arc::new(mapping);
    disk.holds.store(true, SeqCst);
    let (stop, left) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(WRITERS)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (mapping, left) = (mapping.clone(), left.clone());
            spawn(move || {
                let mut rng = Rng::new(writer as u64 + 1);
                let start = writer * PAGES * PAGE;
                let mut bytes: Vec<_> = (start..start + PAGES * PAGE).map(|at| old(at as u64)).collect();
                for _ in 0..600 {
                    let at = rng.below(bytes.len());
                    let count = rng.below(2 * PAGE).min(bytes.len() - at);
                    let position = (start + at) as u64;
                    if rng.one_in(2) {
                        let value = rng.next_u64() as u8;
                        assert_eq!(write(&mapping, position, &vec![value; count]), Ok(count));
                        bytes[at..at + count].fill(value);
                    } else {
                        assert_eq!(read(&mapping, position, count).as_deref(), Ok(&bytes[at..at + count]));
                    }
                    if rng.one_in(60) {
                        mapping.sync(position..position + count as u64, &mut mapping.errors()).expect("no fault");
                    }
                }
                left.fetch_sub(1, SeqCst);
                bytes
            })
        })
        .collect();
    let server = spawn({
        let (disk, stop) = (disk.clone(), stop.clone());
        move || {
            while !stop.load(SeqCst) {
                std::thread::yield_now();
                disk.let_go();
            }
        }
    });
    let others: Vec<_> = (0..2)
        .map(|which| {
            let (mapping, left) = (mapping.clone(), left.clone());
            spawn(move || {
                while left.load(SeqCst) > 0 {
                    if which == 0 {
                        cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 16);
                        pass(1);
                    } else {
                        cache.kupdate_round();
                        cache.bdflush_round();
                        cache.sync().expect("no fault");
                        _ = mapping.page(3, FaultAccess::Read).map(common::adopt);
                    }
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    let bytes: Vec<_> = writers.into_iter().flat_map(|writer| writer.join()).collect();
    others.into_iter().for_each(|other| other.join());
    sync(&mapping).expect("no fault");
    assert_eq!(common::difference(&lock(&disk.bytes), &bytes), None);
    cache.validate().expect("valid");
    drop(Arc::into_inner(mapping));
    stop.store(true, SeqCst);
    server.join();
    cache.validate().expect("valid");
    assert_eq!(cache.stats().buffers, 0);
}

#[test]
fn a_mapping_goes_when_its_requests_have_ended() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 50 * PAGE);
    for index in 0..10 {
        write(&mapping, index * PAGE as u64, &[1; PAGE]).expect("there is memory");
    }
    disk.holds.store(true, SeqCst);
    pass(10_000);
    assert_eq!(cache.kupdate_round(), 10);
    mapping.read_ahead(20..30);
    assert_eq!((cache.stats().writeback, lock(&disk.held).len()), (10, 20));
    let dropper = spawn(move || drop(mapping));
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(cache.stats().buffers >= 20);
    assert_eq!(disk.let_go(), 20);
    dropper.join();
    assert_eq!(cache.stats().buffers, 0);
    assert_eq!(lock(&disk.bytes)[..PAGE], [1; PAGE]);
    cache.validate().expect("valid");
}

#[test]
fn who_writes_to_a_page_on_its_way_waits_and_who_maps_it_makes_it_dirty_again() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 50 * PAGE);
    write(&mapping, 0, &[1; PAGE]).expect("there is memory");
    let frame = mapping.page(0, FaultAccess::Read).expect("it is there");
    let mapped = common::adopt(frame);
    disk.holds.store(true, SeqCst);
    pass(10_000);
    cache.kupdate_round();
    let mapping = Arc::new(mapping);
    let writer = spawn({
        let mapping = mapping.clone();
        move || write(&mapping, 0, &[2; 10])
    });
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(common::show(frame, |page| page[0]), 1);
    cache.note_dirty(frame);
    disk.let_go();
    assert_eq!(writer.join(), Ok(10));
    assert_eq!((lock(&disk.bytes)[0], cache.stats().dirty), (1, 1));
    disk.holds.store(false, SeqCst);
    sync(&mapping).expect("no fault");
    assert_eq!(lock(&disk.bytes)[0], 2);
    drop(mapped);
    cache.validate().expect("valid");
}

#[test]
fn a_mapped_page_that_changes_on_its_way_is_dirty_again_and_a_sync_covers_it() {
    let _machine = machine();
    let cache = cache();
    let (disk, mapping) = disk(cache, Kind::Device, 50 * PAGE);
    let frame = mapping.page(0, FaultAccess::Write).expect("it is there");
    let mapped = common::adopt(frame);
    disk.holds.store(true, SeqCst);
    pass(10_000);
    for byte in [7, 8] {
        cache.kupdate_round();
        common::show_mut(frame, |page| page.fill(byte));
        cache.note_dirty(frame);
        assert_eq!((disk.let_go(), cache.stats().dirty), (1, 1));
        pass(10_000);
    }
    cache.kupdate_round();
    common::show_mut(frame, |page| page.fill(9));
    cache.note_dirty(frame);
    let mapping = Arc::new(mapping);
    let syncs = [0..u64::MAX, 0..10].map(|range| {
        let mapping = mapping.clone();
        spawn(move || mapping.sync(range, &mut mapping.errors()))
    });
    let done = Arc::new(AtomicBool::new(false));
    let server = spawn({
        let (disk, done) = (disk.clone(), done.clone());
        move || {
            while !done.load(SeqCst) {
                std::thread::sleep(std::time::Duration::from_millis(5));
                disk.let_go();
            }
        }
    });
    syncs.into_iter().for_each(|sync| assert_eq!(sync.join(), Ok(())));
    assert_eq!((lock(&disk.bytes)[0], cache.stats().dirty), (9, 0));
    done.store(true, SeqCst);
    server.join();
    drop(mapped);
    cache.validate().expect("valid");
}
