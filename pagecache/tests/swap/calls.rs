//! Calls one by one.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use kapi::Errno;
use kapi::mm::space::Scan;
use kapi::mm::testing::HostUser;
use kapi::mm::{GfpFlags, PAGE_SIZE};
use kapi::testing::{machine, spawn, take_log};
use pagecache::Direction;
use pagecache::swap::{Header, Totals};

use crate::common::{PAGE, lock};
use crate::world::{World, at};

fn write(program: &mut crate::world::Program, page: usize, byte: u8) {
    program.copy_in(at(page, 7), &[byte]).expect("memory");
}

fn read(program: &mut crate::world::Program, page: usize) -> u8 {
    let mut byte = [0];
    program.copy_out(at(page, 7), &mut byte).expect("the page");
    byte[0]
}

#[test]
fn pages_go_in_a_row_and_come_back_in_rows() {
    let _machine = machine();
    let world = World::new(&[65 * PAGE_SIZE]);
    let mut program = world.program(32);
    (0..32).for_each(|page| write(&mut program, page, page as u8 + 1));
    while program.usage().resident > 0 {
        world.press(32);
    }
    while world.cache.stats().swap_cached > 0 {
        world.press(64);
    }
    assert_eq!(program.usage().swapped, 32);
    assert_eq!(world.swap.totals(), Totals { slots: 64, free: 32 });
    let disk = &world.disks[0];
    assert_eq!(disk.count(Direction::Write), 32);
    // Eight at once, as far as there are some.
    let before = disk.count(Direction::Read);
    assert_eq!(read(&mut program, 12), 13);
    assert!((2..=8).contains(&(disk.count(Direction::Read) - before)));
    assert!((0..32).all(|page| read(&mut program, page) == page as u8 + 1));
    assert_eq!(disk.count(Direction::Read) - before, 32);
    // What was not written to since keeps its slot, and is not written again.
    while program.usage().resident > 0 {
        world.press(32);
    }
    assert_eq!(disk.count(Direction::Write), 32);
    drop(program);
    assert_eq!(world.swap.totals().free, 64);
    world.finish();
}

#[test]
fn slots_of_pages_in_memory_are_given_up_where_slots_are_scarce() {
    let _machine = machine();
    let world = World::new(&[33 * PAGE_SIZE]);
    let mut program = world.program(24);
    (0..24).for_each(|page| write(&mut program, page, 9));
    while program.usage().resident > 0 {
        world.press(32);
    }
    assert_eq!(world.swap.totals().free, 8);
    assert!((0..24).all(|page| read(&mut program, page) == 9));
    // Down to a half.
    assert_eq!(world.swap.totals().free, 16);
    drop(program);
    world.finish();
}

#[test]
fn full_swap_leaves_the_rest_in_memory() {
    let _machine = machine();
    let world = World::new(&[9 * PAGE_SIZE]);
    let mut program = world.program(20);
    (0..20).for_each(|page| write(&mut program, page, page as u8));
    (0..8).for_each(|_| _ = world.press(32));
    assert_eq!((world.swap.totals().free, program.usage().swapped), (0, 8));
    assert_eq!(program.usage().resident, 12);
    assert!((0..20).all(|page| read(&mut program, page) == page as u8));
    drop(program);
    world.finish();
}

#[test]
fn areas_fill_by_priority_and_equal_ones_together() {
    let _machine = machine();
    let world = World::new(&[17 * PAGE_SIZE, 17 * PAGE_SIZE, 17 * PAGE_SIZE]);
    for disk in 0..3 {
        assert_eq!(world.swapoff(disk), Ok(()));
    }
    for (disk, priority) in [(0, None), (1, Some(5)), (2, Some(5))] {
        assert_eq!(world.swapon(disk, priority), Ok(()));
    }
    let mut program = world.program(20);
    (0..20).for_each(|page| write(&mut program, page, 1));
    while program.usage().resident > 0 {
        world.press(32);
    }
    let mut text = String::new();
    world.swap.write_areas(&mut text).expect("a string takes all");
    let expected = "Filename\t\t\tType\t\tSize\tUsed\tPriority\n\
        /dev/one                        partition\t64\t0\t-1\n\
        /dev/two                        partition\t64\t40\t5\n\
        /dev/three                      partition\t64\t40\t5\n";
    assert_eq!(text, expected);
    drop(program);
    world.finish();
}

#[test]
fn what_cannot_be_an_area_is_refused_and_the_log_says_why() {
    let _machine = machine();
    let world = World::new(&[9 * PAGE_SIZE]);
    assert_eq!(world.swapon(0, None), Err(Errno::EBUSY));
    assert_eq!(world.swapoff(0), Ok(()));
    assert_eq!(world.swapoff(0), Err(Errno::EINVAL));
    let mut header = [0; PAGE];
    assert_eq!(world.open(0, &header, 9, None), Err(Errno::EINVAL));
    assert!(Header::write(&mut header, 10));
    assert_eq!(world.open(0, &header, 9, None), Err(Errno::EINVAL));
    let log = take_log().concat();
    assert!(log.contains("/dev/one: Unable to find swap-space signature"), "{log}");
    assert!(log.contains("/dev/one: Swap area shorter than signature indicates: 9 pages instead of 10"), "{log}");
    world.finish();
}

#[test]
fn swapoff_without_memory_loses_nothing() {
    let _machine = machine();
    let world = World::new(&[65 * PAGE_SIZE]);
    let mut program = world.program(40);
    (0..40).for_each(|page| write(&mut program, page, page as u8));
    while program.usage().resident > 0 {
        world.press(64);
    }
    world.press(64);
    kapi::testing::fail_after(5);
    assert_eq!(world.swapoff(0), Err(Errno::ENOMEM));
    kapi::testing::stop_failing();
    assert!((1..40).contains(&program.usage().swapped), "{:?}", program.usage());
    // It is used as before.
    while program.usage().resident > 0 {
        world.press(64);
    }
    assert!((0..40).all(|page| read(&mut program, page) == page as u8));
    assert_eq!(world.swapoff(0), Ok(()));
    assert!((0..40).all(|page| read(&mut program, page) == page as u8));
    drop(program);
    world.finish();
}

#[test]
fn a_page_that_cannot_be_written_stays_and_its_slot_goes() {
    let _machine = machine();
    let world = World::new(&[33 * PAGE_SIZE]);
    let mut program = world.program(8);
    (0..8).for_each(|page| write(&mut program, page, page as u8));
    lock(&world.disks[0].bad_writes).extend(0..4);
    (0..8).for_each(|_| _ = world.press(32));
    lock(&world.disks[0].bad_writes).clear();
    assert_eq!(world.cache.stats().swap_cached, 3);
    assert!(take_log().concat().contains("swap: page 1 of /dev/one cannot be written; failures so far: 1"));
    assert!((0..8).all(|page| read(&mut program, page) == page as u8));
    (0..8).for_each(|page| write(&mut program, page, 77));
    drop(program);
    assert_eq!(world.swap.totals(), Totals { slots: 29, free: 29 });
    assert_eq!(world.cache.shrink(GfpFlags::HIGHUSER, GfpFlags::HIGHUSER.zones(), 99), 0);
    world.finish();
}

#[test]
fn a_page_whose_program_ends_before_its_write_fails_goes_too() {
    let _machine = machine();
    let world = World::new(&[33 * PAGE_SIZE]);
    let mut program = world.program(4);
    (0..4).for_each(|page| write(&mut program, page, 1));
    lock(&world.disks[0].bad_writes).extend(0..33);
    world.disks[0].holds.store(true, SeqCst);
    while program.usage().resident > 0 {
        world.spaces.swap_out(GfpFlags::HIGHUSER, 4);
    }
    let begun = spawn(|| _ = world.cache.shrink(GfpFlags::HIGHUSER, GfpFlags::HIGHUSER.zones(), 4));
    while lock(&world.disks[0].held).len() < 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(program);
    world.disks[0].holds.store(false, SeqCst);
    assert_eq!(world.disks[0].let_go(), 4);
    begun.join();
    assert_eq!((world.cache.stats().swap_cached, world.swap.totals()), (0, Totals { slots: 28, free: 28 }));
    take_log();
    world.finish();
}

#[test]
fn a_page_that_cannot_be_read_is_an_error_and_the_others_come() {
    let _machine = machine();
    let world = World::new(&[33 * PAGE_SIZE]);
    let mut program = world.program(16);
    (0..16).for_each(|page| write(&mut program, page, page as u8));
    while program.usage().resident > 0 {
        world.press(32);
    }
    world.press(32);
    lock(&world.disks[0].bad_reads).insert(5);
    let failed = (0..16).filter(|&page| program.copy_out(at(page, 7), &mut [0]).is_err()).count();
    assert_eq!((failed, program.usage().swapped), (1, 1));
    assert_eq!(world.swapoff(0), Err(Errno::EIO));
    lock(&world.disks[0].bad_reads).clear();
    assert!((0..16).all(|page| read(&mut program, page) == page as u8));
    drop(program);
    world.finish();
}

#[test]
fn a_page_that_is_copied_on_its_way_out_keeps_no_slot() {
    let _machine = machine();
    let world = World::new(&[33 * PAGE_SIZE]);
    let mut program = world.program(4);
    (0..4).for_each(|page| write(&mut program, page, page as u8));
    world.disks[0].holds.store(true, SeqCst);
    while program.usage().resident > 0 {
        world.spaces.swap_out(GfpFlags::HIGHUSER, 4);
    }
    let begun = spawn(|| _ = world.cache.shrink(GfpFlags::HIGHUSER, GfpFlags::HIGHUSER.zones(), 4));
    while lock(&world.disks[0].held).len() < 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    // It may not change on its way.
    write(&mut program, 2, 9);
    world.disks[0].holds.store(false, SeqCst);
    assert_eq!(world.disks[0].let_go(), 4);
    begun.join();
    assert_eq!(world.swap.totals(), Totals { slots: 32, free: 29 });
    assert_eq!((0..4).map(|page| read(&mut program, page)).collect::<Vec<_>>(), [0, 1, 9, 3]);
    drop(program);
    world.finish();
}

#[test]
fn a_page_that_is_read_ahead_for_who_has_ended_keeps_no_slot() {
    let _machine = machine();
    let world = World::new(&[33 * PAGE_SIZE]);
    let mut programs = [world.program(3), world.program(3)];
    for program in &mut programs {
        (0..3).for_each(|page| write(program, page, page as u8));
        while program.usage().resident > 0 {
            world.press(4);
        }
    }
    while world.cache.stats().swap_cached > 0 {
        world.press(8);
    }
    world.disks[0].holds.store(true, SeqCst);
    let [mut reads, ends] = programs;
    let reader = spawn(move || {
        HostUser.set_swap(Some(world.swap));
        assert_eq!(read(&mut reads, 1), 1);
        reads
    });
    while lock(&world.disks[0].held).len() < 6 {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(ends);
    world.disks[0].holds.store(false, SeqCst);
    assert_eq!(world.disks[0].let_go(), 6);
    let reads = reader.join();
    assert_eq!(world.swap.totals(), Totals { slots: 32, free: 29 });
    drop(reads);
    world.finish();
}
