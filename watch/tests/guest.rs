//! The reader on a machine that was made up, whole and damaged.

mod common;

use common::{Changing, FRAMES, HEADER, Machine, Random};
use mm::outside::Class;
use watch::about::about;
use watch::guest::{Guest, NoPicture};

#[test]
fn every_frame_is_what_the_machine_has_there() {
    let picture = Guest::new(Machine::new().bytes).picture().expect("a kernel");
    assert_eq!((picture.swap.slots, picture.swap.free, picture.events.rounds), (1024, 1000, 0));
    assert_eq!((picture.torn, picture.ticks, picture.cells.len()), (0, 1234, FRAMES));
    let class = |frame: usize| picture.cells[frame].class();
    assert_eq!([1023, 1024, 1279, 1280].map(class), [Class::Boot, Class::Image, Class::Image, Class::Boot]);
    for order in 0..10 {
        let first = 2048 + (1 << order);
        let block = &picture.cells[first..first + (1 << order)];
        assert!(block.iter().all(|cell| cell.class() == Class::Free && cell.order() == order), "order {order}");
        assert!(block[0].is_first() && !block[1..].iter().any(|cell| cell.is_first()));
    }
    assert_eq!(picture.blocks(), [1; 10]);
    let tagged: Vec<Class> = (1536..1546).map(class).collect();
    assert_eq!(tagged[..4], [Class::Block, Class::Vmalloc, Class::PageTable, Class::KernelStack]);
    assert_eq!((class(1700), class(1701)), (Class::Cached, Class::Cleared));
    assert_eq!(picture.cache_of(picture.cells[1600]).map(|cache| cache.name.as_str()), Some("size-64"));
    assert_eq!(picture.largest_caches().first().map(|(_, pages)| *pages), Some(8));
    let areas: Vec<_> = picture.areas.iter().map(|area| (area.first, area.pages)).collect();
    assert_eq!(areas, [(0x900, 2), (0x910, 1)]);
}

#[test]
fn a_frame_is_told_with_all_that_is_known_of_it() {
    let picture = Guest::new(Machine::new().bytes).picture().expect("a kernel");
    let told = about(&picture, 1602);
    assert_eq!(told[0], "frame 1602 (000642000)");
    assert!(told.iter().any(|line| line == "cache size-64, objects of 64"), "{told:?}");
    let has = |told: &[String], line: &str| assert!(told.iter().any(|told| told == line), "{line}: {told:?}");
    has(&told, "slab of 8 pages from 1600");
    has(&told, "3 of 500 objects live, 1 in magazines");
    // The first object lies 64 bytes behind the start of the slab.
    has(&about(&picture, 1600), "here 0 to 62: L live, ',' magazine, '.' free");
    has(&about(&picture, 1600), &format!("L,{}", ".".repeat(61)));
    has(&about(&picture, 1601), &format!("{}L", ".".repeat(63)));
    has(&about(&picture, 1536), "by driver.rs:12");
    let told = about(&picture, 0x910);
    has(&told, "vmalloc, page at ffffc90000003000");
    has(&told, "by driver.rs:12");
    assert!(told.iter().any(|line| line == "at ffffc90000003000"), "{told:?}");
    assert_eq!(about(&picture, 99_999), ["frame 99999: none"]);
}

#[test]
fn a_block_that_contradicts_its_neighbours_is_told_and_does_no_harm() {
    let mut machine = Machine::new();
    // A free page inside a free block of order 9, and a block of order 5 that starts where none can.
    machine.entry(2048 + 512 + 7, 0, 1);
    machine.entry(1901, 0, 1 | 5 << 4);
    let picture = Guest::new(machine.bytes).picture().expect("a kernel");
    assert!(picture.torn >= 2, "{}", picture.torn);
}

/// The block of order 9 was taken.
fn after() -> Vec<u8> {
    let mut machine = Machine::new();
    machine.entry(2048 + 512, 0, 2 | 9 << 4 | 1 << 32);
    machine.set_listed(511);
    machine.bytes
}

/// A map with a free page inside of so many free blocks.
fn torn(blocks: usize) -> Vec<u8> {
    let mut machine = Machine::new();
    (0..blocks).for_each(|block| machine.entry(2048 + (512 >> block) + 3, 0, 1));
    machine.bytes
}

#[test]
fn a_picture_during_which_memory_changed_is_taken_again() {
    let memory = Changing::new(vec![Machine::new().bytes, after()]);
    let picture = Guest::new(&memory).picture().expect("a kernel");
    assert_eq!((picture.torn, picture.zones[0].listed, picture.blocks()[9], memory.looks()), (0, 511, 0, 2));
    let memory = Changing::new(vec![torn(1), torn(1), after()]);
    let picture = Guest::new(&memory).picture().expect("a kernel");
    assert_eq!((picture.torn, picture.blocks()[9], memory.looks()), (0, 0, 3));
}

#[test]
fn a_picture_is_torn_when_memory_never_stands_still() {
    let memory = Changing::new(vec![Machine::new().bytes, after(), Machine::new().bytes, after()]);
    assert_eq!(Guest::new(&memory).picture().map(|picture| picture.torn > 0), Ok(true));
    assert_eq!(memory.looks(), 3);
    // Of several the one that contradicts itself least.
    let torn_of = |blocks: &[usize]| {
        let memory = Changing::new(blocks.iter().map(|&blocks| torn(blocks)).collect());
        Guest::new(&memory).picture().expect("a kernel").torn
    };
    assert!(torn_of(&[6]) > torn_of(&[2]));
    for order in [[2, 6, 6, 6], [6, 2, 6, 6], [6, 6, 2, 6]] {
        assert_eq!(torn_of(&order), torn_of(&[2]), "{order:?}");
    }
}

#[test]
fn memory_without_a_kernel_gives_no_picture() {
    assert_eq!(Guest::new(Vec::new()).picture(), Err(NoPicture::NoKernel));
    assert_eq!(Guest::new(vec![0; 1 << 20]).picture(), Err(NoPicture::NoKernel));
    let mut moved = Machine::new().bytes;
    moved.copy_within(HEADER..HEADER + 4096, 0x3f_0000);
    moved[HEADER..HEADER + 4096].fill(0);
    assert_eq!(Guest::new(moved).picture(), Err(NoPicture::NoKernel));
}

#[test]
fn a_marked_moment_has_its_name() {
    let mut machine = Machine::new();
    machine.mark(3, "kswapd");
    let mut guest = Guest::new(machine.bytes);
    assert_eq!(guest.mark().map(|mark| (mark.number, mark.name().to_owned())), Some((3, "kswapd".to_owned())));
}

#[test]
fn a_hostile_machine_does_no_harm() {
    let mut random = Random(0x5eed);
    let whole = Machine::new().bytes;
    // Where the header, the tables, the numbers, the caches, and the page map are.
    let places = [
        (HEADER, 0x1000),
        (0x6000, 0xa000),
        (0x1_8000, 0x2000),
        (0x10_0000, 0x1_0000),
        (0x1_a500, 0x1400),
        (0x2_5000, 80),
    ];
    for round in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..1 + round % 40 {
            let (start, length) = places[random.next() as usize % places.len()];
            // The magic, the version and the place stay: else there is nothing to read.
            let at = start + (random.next() as usize % length).max(if start == HEADER { 24 } else { 0 });
            let value = match random.next() % 4 {
                0 => 0xff,
                1 => 0,
                _ => random.next() as u8,
            };
            bytes[at] = value;
        }
        if let Ok(picture) = Guest::new(bytes).picture() {
            let frame = random.next() as usize % picture.cells.len();
            about(&picture, frame);
        }
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = Random(7);
    for _ in 0..20 {
        let mut bytes: Vec<u8> = (0..1 << 17).flat_map(|_| random.next().to_le_bytes()).collect();
        let header = Machine::new().bytes[HEADER..HEADER + 24].to_vec();
        bytes[HEADER..HEADER + 24].copy_from_slice(&header);
        let _ = Guest::new(bytes).picture();
    }
}
