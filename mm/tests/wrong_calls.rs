//! Calls with impossible arguments: refused, reported, and nothing changed.

mod common;

use common::{KERNEL, Kernel, at_rest, boot, order, state, with_ram};
use mm::objects::{DebugFlags, Geometry, NO_BYTES};
use mm::testing::{Machine, TestKernel};
use mm::{
    AddressSpace, AllocError, CacheFlags, CacheSpec, CreateError, FreeError, GfpFlags, MustFlush, Order, PAGE_SIZE,
    Pfn, PfnRange, PhysAddr, ReleaseError, VirtAddr,
};

/// Runs a call that must be refused with one report and change nothing.
fn refused<T: core::fmt::Debug + PartialEq>(memory: Kernel, expected: T, what: &str, call: impl FnOnce() -> T) {
    let before = state(memory);
    assert_eq!(call(), expected, "{what}");
    let reports = memory.platform().take_reports();
    assert_eq!(reports.len(), 1, "{what}: {reports:?}");
    assert_eq!(state(memory), before, "{what} changed something");
    assert_eq!(memory.validate(), Ok(()), "{what}");
}

fn range(start: u32, end: u32) -> PfnRange {
    PfnRange::new(Pfn::new(start), Pfn::new(end))
}

#[test]
fn frames_are_handed_over_once() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let block = memory.alloc_pages(KERNEL, order(3)).expect("memory");
    let object = memory.kmalloc(100, KERNEL).expect("memory");
    let slab = memory.frame_of(VirtAddr::from_ptr(object.as_ptr())).expect("low memory");
    let area = memory.vmalloc(PAGE_SIZE).expect("memory");
    let mapped = memory.areas().frame_at(area).expect("it is mapped");
    let one = |frame: Pfn| PfnRange::new(frame, frame.add(1));
    let twice = Err(ReleaseError::AlreadyReleased);
    for (what, frames) in [
        ("an allocated block", PfnRange::new(block, block.add(8))),
        ("a page inside a block", one(block.add(5))),
        ("a slab's page", one(slab)),
        ("a page of an area", one(mapped)),
        ("all memory", range(1, 16 * 256)),
        ("a free page", one(Pfn::new(16 * 256 - 1))),
        ("the first page, which is not memory, with the second", range(0, 2)),
    ] {
        refused(memory, twice, what, || memory.release(frames));
    }
    for (what, frames) in [
        ("the frame behind the last", range(16 * 256, 16 * 256 + 1)),
        ("memory and what is behind it", range(16 * 256 - 1, 16 * 256 + 600)),
        ("the last frames that have numbers", range(u32::MAX - 1, u32::MAX)),
        ("all frames", PfnRange::ALL),
    ] {
        refused(memory, Err(ReleaseError::NotRam), what, || memory.release(frames));
    }
    let free = memory.pages().free_pages_total();
    assert_eq!((memory.release(range(9, 9)), memory.release(range(9, 3))), (Ok(()), Ok(())), "no frames");
    assert_eq!(memory.pages().free_pages_total(), free);
    memory.free_frames(block, order(3)).expect("a right free");
    memory.kfree(object.as_ptr()).expect("a right free");
    memory.vfree(area).expect("a right free");
    at_rest(memory);
}

#[test]
fn memory_that_comes_later_is_handed_over_once_too() {
    let memory = TestKernel::boot(&with_ram(&[(1, 3000), (3100, 4096)]));
    let memory: Kernel = *memory;
    let free = memory.pages().free_pages_total();
    refused(memory, Err(ReleaseError::AlreadyReleased), "a part is there", || memory.release(range(3050, 3101)));
    assert_eq!(memory.release(range(3000, 3050)), Ok(()));
    assert_eq!(memory.pages().free_pages_total(), free + 50);
    refused(memory, Err(ReleaseError::AlreadyReleased), "again", || memory.release(range(3049, 3050)));
    at_rest(memory);
}

#[test]
fn vmap_shows_what_the_page_allocator_gave_away_and_nothing_else() {
    // A hole in a section, and one of whole sections.
    let memory = TestKernel::boot(&with_ram(&[(1, 3000), (3050, 4096), (8192, 9000)]));
    let memory: Kernel = *memory;
    let block = memory.alloc_pages(KERNEL, order(2)).expect("memory");
    let freed = memory.alloc_pages(KERNEL, Order::ZERO).expect("memory");
    memory.free_frames(freed, Order::ZERO).expect("a right free");
    for (what, frame) in [
        ("frame 0", Pfn::new(0)),
        ("a hole in a section", Pfn::new(3010)),
        ("a hole of sections", Pfn::new(5000)),
        ("behind the last frame of a section", Pfn::new(9010)),
        ("behind all memory", Pfn::new(60_000)),
        ("the last frame that has a number", Pfn::new(u32::MAX)),
        ("a page in a magazine", freed),
        ("a free page", Pfn::new(4095)),
    ] {
        refused(memory, Err(AllocError), what, || memory.vmap(&[frame]));
        refused(memory, Err(AllocError), what, || memory.vmap(&[block, block.add(1), frame]));
    }
    refused(memory, Err(AllocError), "no pages", || memory.vmap(&[]));
    let area = memory.vmap(&[block.add(3), block, block]).expect("its owner's pages");
    memory.vunmap(area).expect("a right free");
    memory.free_frames(block, order(2)).expect("a right free");
    memory.drop_caches();
    at_rest(memory);
}

#[test]
fn frames_that_are_no_memory_have_no_address_and_no_window() {
    // High memory with a hole.
    let machine = Machine {
        ram: vec![range(1, 5120), range(5200, 6000)],
        highmem_start: Pfn::new(4096),
        ..Machine::with_mib(24)
    };
    let memory = TestKernel::boot(&machine);
    let memory: Kernel = *memory;
    for (what, frame) in [
        ("a hole", Pfn::new(5150)),
        ("behind the last", Pfn::new(6001)),
        ("far behind the last", Pfn::new(100_000)),
        ("the last that has a number", Pfn::new(u32::MAX)),
    ] {
        assert_eq!(memory.page_address(frame), None, "{what}");
        refused(memory, Err(AllocError), what, || memory.kmap(frame));
        refused(memory, Err(AllocError), what, || memory.kmap_atomic(frame).map(drop));
        refused(memory, Err(FreeError::DoubleFree), what, || memory.kunmap(frame));
        assert!(!memory.get_page(frame), "{what}");
    }
    let page = memory.alloc_pages(GfpFlags::HIGHUSER, Order::ZERO).expect("memory");
    let shown = memory.kmap(page).expect("a window");
    refused(memory, Err(FreeError::Wild), "the address of a window", || memory.free_page(shown));
    refused(memory, Err(FreeError::NoArea), "the address of a window", || memory.vfree(shown));
    refused(memory, Err(FreeError::Wild), "the address of a window", || memory.kfree(shown.as_mut_ptr()));
    memory.kunmap(page).expect("it is shown");
    memory.free_frames(page, Order::ZERO).expect("a right free");
    at_rest(memory);
}

#[test]
fn sizes_and_addresses_at_the_ends_of_their_types_are_refused() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let no = Err(AllocError);
    for size in [0, 17 << 20, 1 << 40, usize::MAX - PAGE_SIZE, usize::MAX - 1, usize::MAX] {
        let what = format!("{size} bytes");
        refused(memory, Err(AllocError), &what, || memory.vmalloc(size));
        refused(memory, Err(AllocError), &what, || memory.vzalloc(size));
        refused(memory, Err(AllocError), &what, || memory.areas().vmalloc_huge(size));
    }
    for size in [131_073, 1 << 31, 1 << 32, usize::MAX / 2, usize::MAX] {
        let what = format!("{size} bytes");
        refused(memory, no, &what, || memory.kmalloc(size, KERNEL));
        refused(memory, no, &what, || memory.kzalloc(size, KERNEL));
        refused(memory, no, &what, || memory.krealloc(core::ptr::null_mut(), size, KERNEL));
        refused(memory, no, &what, || memory.objects().kmalloc_array(size, 1 << 33, KERNEL));
        refused(memory, no, &what, || memory.objects().kcalloc(2, size, KERNEL));
        assert!(memory.objects().kmem_find_general_cachep(size, KERNEL).is_none());
    }
    let device = 0xfe00_0000;
    for (phys, size) in [
        (device, 0),
        (device, usize::MAX),
        (device, usize::MAX - device as usize),
        (u64::MAX, 1),
        (u64::MAX, 2),
        (u64::MAX - 4095, 4096),
        ((1 << 44) - 1, 2),
        (1 << 44, 1),
        ((1 << 44) - 4096, 4096),
        (0x1000, 1),
        ((16 << 20) - 1, 2),
        (0, 1 << 40),
    ] {
        let what = format!("{size:#x} bytes at {phys:#x}");
        refused(memory, Err(AllocError), &what, || memory.ioremap(PhysAddr::new(phys), size));
    }
    // Before it is refused, free ranges are looked for.
    assert_eq!(memory.ioremap(PhysAddr::new(device), 1 << 40), Err(AllocError));
    assert_eq!(memory.platform().take_reports(), ["ioremap: no room in the address range"]);
    let area = memory.vmalloc(PAGE_SIZE).expect("memory");
    let top = VirtAddr::new(usize::MAX & !(PAGE_SIZE - 1));
    for (at, pages) in [(area, usize::MAX), (area, 1 << 52), (top, 1), (top, 2), (VirtAddr::new(0), 1), (area, 2)] {
        let what = format!("{pages} pages at {at:?}");
        refused(memory, Err(AllocError), &what, || memory.set_memory_ro(at, pages));
        refused(memory, Err(AllocError), &what, || memory.areas().set_memory_rw(at, pages));
    }
    for addr in [1, PAGE_SIZE, usize::MAX, usize::MAX - 4095, area.as_usize() + 1] {
        let at = VirtAddr::new(addr);
        let is_inside = at.page_offset() != 0;
        let error = if is_inside { FreeError::Misaligned } else { FreeError::NoArea };
        refused(memory, Err(error), "vfree", || memory.vfree(at));
        refused(memory, Err(error), "vunmap", || memory.vunmap(at));
        refused(memory, Err(FreeError::NoArea), "iounmap", || memory.iounmap(at));
        refused(memory, Err(FreeError::Wild), "free_page", || memory.free_page(at));
        refused(memory, Err(FreeError::Wild), "kfree", || memory.kfree(at.as_mut_ptr()));
        refused(memory, Err(AllocError), "krealloc", || memory.krealloc(at.as_mut_ptr(), 10, KERNEL));
        assert_eq!((memory.frame_of(at), memory.objects().ksize(at.as_mut_ptr())), (None, None));
    }
    memory.vfree(area).expect("a right free");
    at_rest(memory);
}

#[test]
fn caches_of_impossible_objects_are_not_made() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    // The memory of the first cache's descriptor stays.
    let spec = CacheSpec { name: "odd", size: 64, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    let first = memory.kmem_cache_create(&spec).expect("memory");
    memory.kmem_cache_destroy(first).expect("no object is left");
    for (size, offset) in [(0, 0), (7, 0), (131_073, 0), (usize::MAX, 0), (64, 65), (64, usize::MAX), (usize::MAX, 1)] {
        let before = state(memory);
        assert!(memory.kmem_cache_create(&CacheSpec { size, offset, ..spec }).is_err(), "{size} {offset}");
        assert_eq!((memory.platform().take_reports().len(), state(memory)), (1, before), "{size} {offset}");
    }
    for size in [8, 9, 131_072] {
        for offset in [0, 1, 8, size] {
            let cache = memory.kmem_cache_create(&CacheSpec { size, offset, ..spec }).expect("a right size");
            let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
            memory.kmem_cache_free(cache, object).expect("a right free");
            memory.kmem_cache_destroy(cache).expect("no object is left");
        }
    }
    at_rest(memory);
}

#[test]
fn krealloc_to_nothing_frees() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let object = memory.kmalloc(100, KERNEL).expect("memory");
    let neighbour = memory.kmalloc(100, KERNEL).expect("memory");
    let nothing = memory.krealloc(object.as_ptr(), 0, KERNEL).expect("a free never fails");
    assert_eq!(nothing, NO_BYTES);
    refused(memory, Err(FreeError::DoubleFree), "it is free", || memory.kfree(object.as_ptr()));
    refused(memory, Err(AllocError), "it is free", || memory.krealloc(object.as_ptr(), 0, KERNEL));
    // What is no memory is freed and resized like some.
    assert_eq!((memory.kfree(nothing.as_ptr()), memory.objects().ksize(nothing.as_ptr())), (Ok(()), None));
    let again = memory.krealloc(nothing.as_ptr(), 100, KERNEL).expect("memory");
    assert!(memory.objects().ksize(again.as_ptr()).is_some_and(|bytes| bytes >= 100));
    let none = memory.krealloc(core::ptr::null_mut(), 0, KERNEL).expect("memory");
    assert!(memory.objects().ksize(none.as_ptr()).is_some(), "kmalloc of 0 bytes counts as 1");
    for object in [again, neighbour, none] {
        memory.kfree(object.as_ptr()).expect("a right free");
    }
    at_rest(memory);
}

#[test]
fn krealloc_leaves_the_objects_of_other_caches_alone() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let spec = CacheSpec { name: "own", size: 100, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    let cache = memory.kmem_cache_create(&spec).expect("memory");
    let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
    for size in [0, 50, 100, 5000] {
        refused(memory, Err(AllocError), "of another cache", || memory.krealloc(object.as_ptr(), size, KERNEL));
    }
    let inside: *mut u8 = object.as_ptr().wrapping_add(4);
    refused(memory, Err(AllocError), "inside an object", || memory.krealloc(inside, 10, KERNEL));
    assert_eq!(memory.kmem_cache_free(cache, object), Ok(()));
    memory.kmem_cache_destroy(cache).expect("no object is left");
    at_rest(memory);
}

#[test]
fn the_caches_are_made_once() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    refused(memory, Err(CreateError::DuplicateName), "again", || memory.init_caches());
    let area = memory.vmalloc(PAGE_SIZE).expect("memory");
    memory.vfree(area).expect("a right free");
    memory.drop_caches();
    at_rest(memory);
}

#[test]
fn numbers_at_the_ends_of_their_types_are_computed_with() {
    let ends = [0, 1, PAGE_SIZE, usize::MAX / 2, usize::MAX];
    assert_eq!(ends.map(mm::kib), [0, 4, 4 * PAGE_SIZE, usize::MAX, usize::MAX]);
    assert_eq!(ends.map(|addr| VirtAddr::new(addr).is_aligned(0)), [true, false, false, false, false]);
    assert!(Pfn::new(0).is_aligned(0) && !Pfn::new(8).is_aligned(0));
    for size in ends {
        for debug in [DebugFlags::empty(), DebugFlags::all()] {
            let geometry = Geometry::for_class(size, debug);
            assert!(geometry.objects > 0 && geometry.usable.is_power_of_two(), "{size}");
        }
        for start in ends {
            let flush = |start, pages| MustFlush::new(AddressSpace::Kernel, VirtAddr::new(start), pages);
            let merged = flush(start, size).merge(flush(size, start));
            assert_eq!(
                (merged.space(), merged.start()),
                (AddressSpace::Kernel, VirtAddr::new(start.min(size)).page_down())
            );
            assert!(merged.end() <= VirtAddr::new(usize::MAX));
            merged.flushed();
        }
    }
    let mut present = [0];
    mm::page::mark_present(&mut present, range(512, u32::MAX));
    assert_eq!(present, [u64::MAX - 1], "as far as there are bits");
}
