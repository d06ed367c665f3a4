//! The driver over a device that is a model.
//!
//! What it is told, what comes of that, and devices that do not play along.

mod common;

use common::{
    Bench, Device, FLUSH, Model, Page, READ_ONLY, SECTOR, SECTORS, TABLES, VERSION_1, attach, fail_after, in_use,
    machine, stop_failing, take_log, try_attach,
};
use kapi::IrqReturn;
use kapi::block::{BlockDriver, BlockError, BlockOp, Busy, MAX_SEGMENTS, Segment};
use kapi::mm::Pfn;
use virtio::{ENTRIES, Unusable};
use virtio_drivers::transport::DeviceType;

/// Numbers that look random, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn what_is_written_is_read_back_from_pages_anywhere() {
    let _machine = machine();
    let bench = attach(&Device::default());
    let (first, second) = (Page::new(), Page::new());
    first.fill(0, 4096, 1);
    second.fill(1024, 1536, 2);
    bench.start(5, BlockOp::Write, 10, &[second.part(1024, 1536), first.part(0, 4096)]).expect("room");
    assert_eq!(bench.device.lock().told, 1);
    bench.device.lock().work();
    assert_eq!(bench.interrupt(), [(5, Ok(()))]);
    let content = bench.device.lock().content.clone();
    let (before, rest) = content.split_at(10 * SECTOR);
    assert!(before.iter().all(|&byte| byte == 0) && rest[..1536].iter().all(|&byte| byte == 2));
    assert!(rest[1536..1536 + 4096].iter().all(|&byte| byte == 1) && rest[1536 + 4096] == 0);
    first.fill(0, 4096, 0);
    bench.start(5, BlockOp::Read, 11, &[first.part(512, 3584)]).expect("room");
    bench.start(6, BlockOp::Flush, 0, &[]).expect("room");
    bench.device.lock().work();
    assert_eq!(bench.interrupt(), [(5, Ok(())), (6, Ok(()))]);
    assert!(first.holds(0, 512, 0) && first.holds(512, 1024, 2) && first.holds(1536, 2560, 1));
    assert_eq!(bench.device.lock().flushes, 1);
}

#[test]
fn a_page_of_high_memory_needs_no_address() {
    let _machine = machine();
    let bench = attach(&Device::default());
    let high = Segment::new(Pfn::new(0x0fff_ffff), 512, 1024).expect("whole sectors");
    bench.start(0, BlockOp::Read, 0, &[high]).expect("room");
    assert_eq!(bench.device.lock().fetch(), 1);
}

#[test]
fn every_entry_is_used_at_once_and_answers_come_in_any_order() {
    let _machine = machine();
    let bench = attach(&Device::default());
    assert_eq!(bench.disk.depth(), ENTRIES);
    let pages: Vec<Page> = (0..ENTRIES).map(|_| Page::new()).collect();
    let mut numbers = Numbers(1);
    // Indices wrap at 65,536.
    for round in 0..1100_u32 {
        let wants = round % 2 == 0;
        bench.device.lock().want_notice(wants);
        let told = bench.device.lock().told;
        for (page, tag) in pages.iter().zip(0..) {
            page.fill(511, 1, tag as u8 ^ round as u8);
            bench.start(tag, BlockOp::Write, u64::from(tag), &[page.part(0, SECTOR)]).expect("room");
            assert_eq!(bench.start(tag, BlockOp::Flush, 0, &[]), Err(Busy), "under way");
        }
        assert_eq!(bench.device.lock().told - told, if wants { ENTRIES as u32 } else { 0 });
        let mut left = bench.device.lock().fetch();
        let mut ended = Vec::new();
        while left > 0 {
            let mut device = bench.device.lock();
            for _ in 0..=numbers.below(left) {
                device.answer(numbers.below(left));
                left -= 1;
            }
            drop(device);
            ended.extend(bench.interrupt());
        }
        ended.sort_by_key(|(tag, _)| *tag);
        assert!(ended.iter().copied().eq((0..ENTRIES as u16).map(|tag| (tag, Ok(())))));
    }
    let content = &bench.device.lock().content;
    assert!((0..ENTRIES).all(|sector| content[sector * SECTOR + 511] == sector as u8 ^ 1099_u32 as u8));
}

#[test]
fn requests_have_up_to_32_segments() {
    let _machine = machine();
    let bench = attach(&Device::default());
    let pages: Vec<Page> = (0..MAX_SEGMENTS).map(|_| Page::new()).collect();
    for (page, value) in pages.iter().zip(0..) {
        page.fill(0, 4096, value);
    }
    let segments: Vec<Segment> = pages.iter().map(|page| page.part(0, 4096)).collect();
    bench.start(63, BlockOp::Write, 1, &segments).expect("room");
    bench.device.lock().work();
    assert_eq!(bench.interrupt(), [(63, Ok(()))]);
    let content = &bench.device.lock().content[SECTOR..];
    assert!(content.chunks(4096).take(MAX_SEGMENTS).zip(0..).all(|(chunk, value)| chunk.iter().all(|&it| it == value)));
}

#[test]
fn errors_are_those_of_the_request() {
    let _machine = machine();
    let bench = attach(&Device::with(|model| model.bad = [7].into()));
    let page = Page::new();
    for (tag, sector) in [(0, 6), (1, 7), (2, 8), (3, SECTORS)] {
        bench.start(tag, BlockOp::Read, sector, &[page.part(0, SECTOR)]).expect("room");
    }
    bench.device.lock().work();
    let ends = [(0, Ok(())), (1, Err(BlockError::Io)), (2, Ok(())), (3, Err(BlockError::Io))];
    assert_eq!(bench.interrupt(), ends);
}

#[test]
fn the_interrupt_of_another_device_is_not_ours() {
    let _machine = machine();
    let bench = attach(&Device::default());
    assert_eq!(bench.disk.interrupt(), IrqReturn::NotMine);
    bench.device.lock().isr = 2;
    assert_eq!(bench.disk.interrupt(), IrqReturn::Handled);
    assert!(take_log().iter().any(|line| line == "vda: its configuration has changed; it goes on as it was"));
    let page = Page::new();
    bench.start(0, BlockOp::Read, 0, &[page.part(0, SECTOR)]).expect("room");
    assert_eq!(bench.disk.interrupt(), IrqReturn::NotMine);
    assert_eq!(bench.ends.take(), []);
}

#[test]
fn an_answer_whose_interrupt_is_lost_is_found_when_it_is_given_up() {
    let _machine = machine();
    let bench = attach(&Device::default());
    let page = Page::new();
    bench.start(3, BlockOp::Read, 0, &[page.part(0, SECTOR)]).expect("room");
    bench.device.lock().work();
    let resets = bench.device.lock().resets;
    bench.disk.abort(3);
    assert_eq!(bench.ends.take(), [(3, Ok(()))]);
    assert_eq!(bench.device.lock().resets, resets);
}

#[test]
fn a_device_that_does_not_answer_is_reset_and_does_the_rest() {
    let _machine = machine();
    let bench = attach(&Device::default());
    let pages: Vec<Page> = (0..4).map(|_| Page::new()).collect();
    for (page, tag) in pages.iter().zip(0..) {
        page.fill(0, SECTOR, 0x10 + tag as u8);
        bench.start(tag, BlockOp::Write, u64::from(tag), &[page.part(0, SECTOR)]).expect("room");
    }
    bench.device.lock().fetch();
    bench.device.lock().answer(2);
    bench.disk.abort(1);
    assert_eq!(bench.ends.take(), [(2, Ok(()))], "what had been answered counts");
    assert!(!bench.slot.is_cut_off());
    pages[1].fill(0, SECTOR, 0xee);
    assert_eq!(bench.device.lock().fetch(), 2, "the rest is offered again");
    bench.device.lock().work();
    assert_eq!(bench.interrupt(), [(0, Ok(())), (3, Ok(()))]);
    let firsts: Vec<u8> = bench.device.lock().content.chunks(SECTOR).take(4).map(|sector| sector[0]).collect();
    assert_eq!(firsts, [0x10, 0, 0x12, 0x13], "what was given up was not done");
    // Its tag is free.
    bench.start(1, BlockOp::Flush, 0, &[]).expect("room");
    bench.device.lock().work();
    assert_eq!(bench.interrupt(), [(1, Ok(()))]);
    assert!(take_log().contains(&"vda: no answer to a request: the device is reset".into()));
}

#[test]
fn a_device_that_cannot_be_reset_is_cut_off_and_gone() {
    let _machine = machine();
    let bench = attach(&Device::default());
    let page = Page::new();
    for tag in 0..3 {
        bench.start(tag, BlockOp::Read, 0, &[page.part(0, SECTOR)]).expect("room");
    }
    bench.device.lock().never_resets = true;
    bench.disk.abort(1);
    assert!(bench.slot.is_cut_off());
    assert_eq!(bench.ends.take(), [(0, Err(BlockError::Gone)), (2, Err(BlockError::Gone))]);
    assert_eq!(bench.start(5, BlockOp::Flush, 0, &[]), Ok(()));
    assert_eq!(bench.ends.take(), [(5, Err(BlockError::Gone))]);
    assert!(take_log().contains(&"vda: given up, it does not come out of a reset".into()));
    // The end of the test: dropping it waits for a reset.
    bench.device.lock().never_resets = false;
}

#[test]
fn a_device_that_answers_nonsense_is_not_believed_and_starts_again() {
    let _machine = machine();
    for nonsense in [1, 63, 64, 65_536, u32::MAX] {
        let bench = attach(&Device::default());
        let page = Page::new();
        bench.start(0, BlockOp::Read, 0, &[page.part(0, SECTOR)]).expect("room");
        bench.device.lock().fetch();
        bench.device.lock().tell(nonsense);
        bench.device.lock().answer(0);
        assert_eq!(bench.interrupt(), []);
        assert!(take_log().iter().any(|line| line.starts_with("vda: it answers what nobody has asked")));
        bench.start(9, BlockOp::Read, 0, &[page.part(0, SECTOR)]).expect("room");
        bench.disk.abort(0);
        bench.device.lock().work();
        assert_eq!(bench.interrupt(), [(9, Ok(()))]);
    }
}

/// Why a device that is the usual one but for `change` is not used.
fn refusal(change: impl FnOnce(&mut Model)) -> Option<Unusable> {
    try_attach(&Device::with(change)).err().map(|(reason, _)| reason)
}

#[test]
fn devices_that_are_not_as_they_should_be_are_not_used() {
    let _machine = machine();
    let before = in_use();
    assert_eq!(refusal(|model| model.kind = DeviceType::Network), Some(Unusable::NotABlockDevice));
    assert_eq!(refusal(|model| model.offers &= !VERSION_1), Some(Unusable::NoAgreement));
    assert_eq!(refusal(|model| model.refuses_features = true), Some(Unusable::NoAgreement));
    assert_eq!(refusal(|model| model.offers &= !TABLES), Some(Unusable::NoTables));
    assert_eq!(refusal(|model| model.most_entries = 0), Some(Unusable::NoQueue));
    assert_eq!(refusal(|model| model.has_configuration = false), Some(Unusable::NoCapacity));
    let few = |model: &mut Model| (model.offers, model.seg_max) = (model.offers | 1 << 2, 31);
    assert_eq!(refusal(few), Some(Unusable::TooFewSegments));
    assert_eq!(refusal(|model| (model.offers, model.seg_max) = (model.offers | 1 << 2, 32)), None);
    let device = Device::with(|model| (model.never_resets, model.status) = (true, 1));
    // Its last breath was not heard: it may still run.
    assert!(try_attach(&device).is_err_and(|(reason, slot)| reason == Unusable::NoReset && slot.is_cut_off()));
    assert_eq!(in_use(), before);
}

#[test]
fn without_memory_nothing_is_left_behind() {
    let _machine = machine();
    let before = in_use();
    let failures = (0..64).take_while(|&after| {
        fail_after(after);
        let outcome = try_attach(&Device::default());
        stop_failing();
        assert!(outcome.as_ref().is_err_and(|(reason, _)| *reason == Unusable::NoMemory) || outcome.is_ok());
        outcome.is_err()
    });
    assert!((1..64).contains(&failures.count()));
    assert_eq!(in_use(), before);
}

#[test]
fn what_the_device_says_of_itself_is_passed_on() {
    let _machine = machine();
    let facts = |bench: &Bench| (bench.disk.sectors(), bench.disk.is_read_only(), bench.disk.has_write_cache());
    assert_eq!(facts(&attach(&Device::default())), (SECTORS, false, true));
    let odd = Device::with(|model| (model.offers, model.capacity) = (VERSION_1 | TABLES | READ_ONLY, 0x1_0000_0003));
    assert_eq!(facts(&attach(&odd)), (0x1_0000_0003, true, false));
    let empty = Device::with(|model| (model.offers, model.capacity) = (VERSION_1 | TABLES | FLUSH | READ_ONLY, 0));
    assert_eq!(facts(&attach(&empty)), (0, true, true));
    for (most, depth) in [(1, 1), (3, 2), (32, 32), (1024, 64)] {
        assert_eq!(attach(&Device::with(|model| model.most_entries = most)).disk.depth(), depth);
    }
}
