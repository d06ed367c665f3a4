//! vmalloc's kin: other zones, cleared memory, large pages, given pages.

mod common;

use common::{ATOMIC, KERNEL, Kernel, at_rest, blocks, boot, give, hoard};
use mm::testing::{Machine, Rng, TestKernel};
use mm::{AllocError, FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, VirtAddr};

fn pages(count: usize) -> usize {
    count * PAGE_SIZE
}

/// The pages of an area.
fn frames_of(memory: Kernel, area: VirtAddr, count: usize) -> Vec<Pfn> {
    (0..count).map(|page| memory.areas().frame_at(area.add(pages(page))).expect("mapped")).collect()
}

/// Whether a frame is where a call may take it from, given where Normal memory starts and ends.
type Fits = fn(Pfn, Pfn, Pfn) -> bool;

#[test]
fn areas_are_aligned_as_asked() {
    let memory = boot(64);
    let start = blocks(*memory);
    // Ranges at hand, which are not aligned.
    let near: Vec<VirtAddr> = (0..5).map(|_| memory.vmalloc(PAGE_SIZE).expect("memory")).collect();
    near.into_iter().for_each(|area| memory.vfree(area).expect("a right free"));
    let mut rng = Rng::new(0x616c_6967_6e65_6421);
    let mut areas = Vec::new();
    for round in 0..200 {
        let (size, align) = (1 + rng.below(40 * PAGE_SIZE), 1 << rng.below(25));
        let area = memory.vmalloc_aligned(size, align, KERNEL).expect("memory");
        assert!(area.is_aligned(align.max(PAGE_SIZE)), "{size} bytes at {area:?}, not at a multiple of {align:#x}");
        // SAFETY: the test owns the area.
        unsafe { area.as_mut_ptr::<u8>().write_bytes(round as u8, size) };
        areas.push((area, size, round as u8));
        if rng.one_in(2) {
            let (area, size, value) = areas.swap_remove(rng.below(areas.len()));
            // SAFETY: as above.
            let bytes = unsafe { core::slice::from_raw_parts(area.as_mut_ptr::<u8>().cast_const(), size) };
            assert!(bytes.iter().all(|&byte| byte == value));
            memory.vfree(area).expect("a right free");
        }
        memory.validate().expect("valid");
    }
    areas.into_iter().for_each(|(area, ..)| memory.vfree(area).expect("a right free"));
    memory.drop_caches();
    assert_eq!(blocks(*memory), start);
    for align in [0, 3, PAGE_SIZE + 1, usize::MAX] {
        assert_eq!(memory.vmalloc_aligned(100, align, KERNEL), Err(AllocError));
        assert_eq!(memory.platform().take_reports(), ["vmalloc_aligned: the alignment is no power of two"]);
    }
    for align in [1 << 40, 1 << 63] {
        assert_eq!(memory.vmalloc_aligned(100, align, KERNEL), Err(AllocError));
        assert_eq!(memory.platform().take_reports(), ["vmalloc_aligned: no room in the address range"]);
    }
    for size in [0, usize::MAX] {
        assert_eq!(memory.vmalloc_aligned(size, 1 << 21, KERNEL), Err(AllocError));
        assert_eq!(memory.platform().take_reports().len(), 1);
    }
    memory.drop_caches();
    assert_eq!(blocks(*memory), start, "no more than a descriptor's slab was taken");
    at_rest(*memory);
}

#[test]
fn a_gap_that_is_aligned_by_chance_serves() {
    let large = 2 << 20;
    let memory = TestKernel::boot(&Machine { vmalloc_pages: 3 * 512, ..Machine::with_mib(16) });
    let first = memory.areas().start();
    // What is left begins at a multiple of 2 MiB, and is smaller than any place would have to be.
    let below = memory.vmalloc(large - PAGE_SIZE).expect("memory");
    let above = memory.vmalloc_aligned(PAGE_SIZE, 2 * large, KERNEL).expect("memory");
    assert_eq!((below, above), (first, first.add(2 * large)));
    let between = memory.vmalloc_aligned(large - PAGE_SIZE, large, KERNEL);
    assert_eq!(between, Ok(first.add(large)), "the gap is as large as area and guard page");
    for area in [below, above, first.add(large)] {
        memory.vfree(area).expect("a right free");
    }
    at_rest(*memory);
}

#[test]
fn kin_of_vmalloc_take_pages_from_the_zones_they_name() {
    let memory = common::boot_high(64, 48);
    let (dma_end, high) = (Pfn::new(4096), memory.pages().direct().highmem_start());
    type Call = fn(Kernel) -> Result<VirtAddr, AllocError>;
    let rows: [(Call, Fits); 5] = [
        (|memory| memory.vmalloc(pages(3)), |frame, _, high| frame >= high),
        (|memory| memory.vzalloc(pages(3)), |frame, _, high| frame >= high),
        (|memory| memory.vmalloc_32(pages(3)), |frame, _, high| frame < high),
        (|memory| memory.vmalloc_dma(pages(3)), |frame, dma_end, _| frame < dma_end),
        (|memory| memory.__vmalloc(pages(3), GfpFlags::HIGHUSER), |frame, _, high| frame >= high),
    ];
    for (call, right) in rows {
        let area = call(*memory).expect("memory");
        assert!(frames_of(*memory, area, 3).into_iter().all(|frame| right(frame, dma_end, high)));
        memory.vfree(area).expect("a right free");
    }
    for (call, name) in [
        ((|memory| memory.vzalloc(0)) as Call, "vzalloc"),
        (|memory| memory.vmalloc_dma(usize::MAX), "vmalloc_dma"),
        (|memory| memory.areas().vmalloc_huge(usize::MAX >> 4), "vmalloc_huge"),
    ] {
        assert_eq!(call(*memory), Err(AllocError));
        let expected = format!("{name}: size is zero or exceeds the machine's memory");
        assert_eq!(memory.platform().take_reports(), [expected]);
    }
    at_rest(*memory);
}

#[test]
fn vzalloc_clears_what_was_there() {
    let memory = boot(64);
    let bytes = |area: VirtAddr| {
        // SAFETY: the area has five pages and is ours.
        unsafe { core::slice::from_raw_parts_mut(area.as_mut_ptr::<u8>(), pages(5)) }
    };
    let area = memory.vmalloc(pages(5)).expect("memory");
    bytes(area).fill(0xaa);
    memory.vfree(area).expect("a right free");
    memory.vm_unmap_aliases();
    let area = memory.vzalloc(pages(5) - 7).expect("memory");
    assert!(bytes(area).iter().all(|&byte| byte == 0));
    memory.vfree(area).expect("a right free");
    at_rest(*memory);
}

#[test]
fn vmalloc_huge_takes_blocks_and_falls_back_to_pages() {
    // Shows: K16
    let memory = boot(64);
    let before = blocks(*memory);
    let count = 2 * 512 + 3;
    let area = memory.areas().vmalloc_huge(pages(count)).expect("memory");
    let frames = frames_of(*memory, area, count);
    assert!(area.is_aligned(2 << 20));
    for block in frames[..1024].chunks(512) {
        assert!(block[0].is_aligned(512) && block.windows(2).all(|two| two[0].add(1) == two[1]));
    }
    // SAFETY: the area is ours.
    unsafe { core::ptr::write_bytes(area.as_mut_ptr::<u8>(), 0x77, pages(count)) };
    memory.vfree(area).expect("a right free");
    assert_eq!(memory.areas().lazy_pages(), 0, "more than may wait");
    // No block is left, but pages are.
    let (even, odd): (Vec<Pfn>, Vec<Pfn>) = hoard(*memory, ATOMIC).into_iter().partition(|page| page.is_aligned(2));
    give(*memory, odd);
    let area = memory.areas().vmalloc_huge(pages(600)).expect("single pages");
    assert!(frames_of(*memory, area, 600).windows(2).all(|two| two[0].add(1) != two[1]));
    memory.vfree(area).expect("a right free");
    give(*memory, even);
    memory.drop_caches();
    assert_eq!((blocks(*memory), memory.tables().count()), (before, 0));
    at_rest(*memory);
}

#[test]
fn vmap_shows_pages_that_stay_their_owners() {
    let memory = boot(64);
    let block = memory.alloc_pages(KERNEL, Order::MAX).expect("memory");
    let run: Vec<Pfn> = (0..512).map(|page| block.add(page)).collect();
    let (large, reversed) = (memory.vmap(&run).expect("addresses"), run.iter().rev().copied().collect::<Vec<_>>());
    let small = memory.vmap(&reversed).expect("addresses");
    assert!(large.is_aligned(2 << 20));
    assert_eq!((frames_of(*memory, large, 512), frames_of(*memory, small, 512)), (run.clone(), reversed));
    // SAFETY: the pages are ours.
    unsafe { large.add(5).as_mut_ptr::<u8>().write(99) };
    // SAFETY: the last page of the one mapping is the first of the other.
    assert_eq!(unsafe { small.add(pages(511) + 5).as_mut_ptr::<u8>().read() }, 99);
    for wrong in [memory.vfree(large), memory.iounmap(large), memory.vunmap(large.add(pages(1)))] {
        assert_eq!(wrong, Err(FreeError::NoArea));
    }
    assert_eq!(memory.vunmap(large.add(1)), Err(FreeError::Misaligned));
    assert_eq!(memory.platform().take_reports().len(), 4);
    assert!(memory.vunmap(large).is_ok() && memory.vunmap(small).is_ok() && memory.vunmap(VirtAddr::new(0)).is_ok());
    memory.free_frames(block, Order::MAX).expect("the block is still ours, and shows nowhere else");
    for pages in [&[][..], &run[..1], &[Pfn::new(u32::MAX)]] {
        assert_eq!(memory.vmap(pages), Err(AllocError));
        assert_eq!(memory.platform().take_reports().len(), 1);
    }
    at_rest(*memory);
}
