//! Memory of every owner, freed by everybody else: refused.

mod common;

use common::{ATOMIC, KERNEL, Kernel, at_rest, boot, boot_high, order, state};
use mm::own::{Buffer, IoMem, VmArea};
use mm::testing::TestKernel;
use mm::{CacheFlags, CacheSpec, FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, PhysAddr, Tag, VirtAddr};

/// A wrong free changes nothing, and is reported once.
fn refused(memory: Kernel, error: FreeError, what: &str, free: impl FnOnce() -> Result<(), FreeError>) {
    let before = state(memory);
    assert_eq!(free(), Err(error), "{what}");
    let reports = memory.platform().take_reports();
    assert_eq!(reports.len(), 1, "{what}: {reports:?}");
    assert_eq!(state(memory), before, "{what} changed something");
    assert_eq!(memory.validate(), Ok(()), "{what}");
}

/// The first address of a frame of low memory.
fn at(memory: Kernel, frame: Pfn) -> VirtAddr {
    memory.page_address(frame).expect("low memory")
}

#[test]
fn a_block_is_freed_by_its_own_order_only() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    for own in Order::all() {
        let block = memory.alloc_pages(KERNEL, own).expect("memory");
        for wrong in Order::all().filter(|&wrong| wrong != own) {
            let what = format!("{own:?} as {wrong:?}");
            refused(memory, FreeError::WrongOrder, &what, || memory.free_frames(block, wrong));
            refused(memory, FreeError::WrongOrder, &what, || memory.free_pages(at(memory, block), wrong));
        }
        for page in 1..own.pages() {
            for wrong in [Order::ZERO, own] {
                let free = || memory.free_frames(block.add(page), wrong);
                assert_eq!(free(), Err(FreeError::Interior), "page {page} of {own:?}");
            }
        }
        memory.platform().take_reports();
        memory.free_frames(block, own).expect("its own order");
        for again in Order::all() {
            refused(memory, FreeError::DoubleFree, "it is free", || memory.free_frames(block, again));
        }
    }
    at_rest(memory);
}

#[test]
fn free_pages_wherever_they_wait_are_free_already() {
    let memory = boot(32);
    let memory: Kernel = *memory;
    let twice = |what: &str, frame: Pfn| {
        refused(memory, FreeError::DoubleFree, what, || memory.free_frames(frame, Order::ZERO));
        refused(memory, FreeError::DoubleFree, what, || memory.kfree(at(memory, frame).as_mut_ptr()));
    };
    // A magazine, then the depot.
    let pages: Vec<Pfn> = (0..300).map(|_| memory.alloc_pages(KERNEL, Order::ZERO).expect("memory")).collect();
    pages.iter().for_each(|&page| memory.free_frames(page, Order::ZERO).expect("a right free"));
    assert!(common::zones(memory).iter().any(|zone| zone.depot > 0 && zone.cached > 0));
    pages.iter().step_by(50).for_each(|&page| twice("magazine or depot", page));
    // The pool of cleared pages.
    let wanted = memory.get_zeroed_page(KERNEL).expect("memory");
    memory.free_page(wanted).expect("a right free");
    assert!(memory.pages().clear_ahead());
    pages.iter().for_each(|&page| assert!(memory.free_frames(page, Order::ZERO).is_err()));
    memory.platform().take_reports();
    memory.drop_caches();
    twice("buddy lists", pages[0]);
    at_rest(memory);
}

#[test]
fn a_page_with_references_is_freed_by_as_many() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let page = memory.alloc_pages(KERNEL, order(1)).expect("memory");
    assert!(memory.get_page(page) && memory.get_page(page));
    for _ in 0..3 {
        refused(memory, FreeError::WrongOrder, "referenced", || memory.free_frames(page, order(0)));
        refused(memory, FreeError::NotSlab, "referenced", || memory.kfree(at(memory, page).as_mut_ptr()));
        memory.free_frames(page, order(1)).expect("one of the references");
    }
    refused(memory, FreeError::DoubleFree, "after the last", || memory.free_frames(page, order(1)));
    at_rest(memory);
}

#[test]
fn what_slabs_are_made_of_is_freed_by_nobody() {
    let memory = boot(32);
    let memory: Kernel = *memory;
    let spec = |name| CacheSpec { name, size: 3000, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    let (own, other) = (memory.kmem_cache_create(&spec("own")), memory.kmem_cache_create(&spec("other")));
    let (own, other) = (own.expect("memory"), other.expect("memory"));
    let cached = memory.kmem_cache_alloc(own, KERNEL).expect("memory");
    let sizes = [1, 100, 600, 4096, 10_000, 40_000, 131_072];
    let objects = sizes.map(|size| memory.kmalloc(size, KERNEL).expect("memory"));
    for object in objects.into_iter().chain([cached]) {
        let addr = VirtAddr::from_ptr(object.as_ptr());
        let page = memory.frame_of(addr).expect("low memory");
        for wrong in Order::all() {
            refused(memory, FreeError::SlabPage, "a slab's page", || memory.free_frames(page, wrong));
        }
        let error = if addr.page_offset() == 0 { FreeError::SlabPage } else { FreeError::Misaligned };
        refused(memory, error, "an object", || memory.free_pages(addr, Order::ZERO));
        refused(memory, FreeError::WrongCache, "an object", || memory.kmem_cache_free(other, object));
        assert!(!memory.get_page(page));
        let misaligned = if addr.page_offset() == 0 { FreeError::NoArea } else { FreeError::Misaligned };
        refused(memory, misaligned, "an object", || memory.vfree(addr));
    }
    objects.iter().for_each(|object| memory.kfree(object.as_ptr()).expect("its owner"));
    memory.kmem_cache_free(own, cached).expect("its owner");
    assert_eq!((memory.kmem_cache_destroy(own), memory.kmem_cache_destroy(other)), (Ok(()), Ok(())));
    at_rest(memory);
}

#[test]
fn an_area_is_freed_by_its_own_call_only() {
    let memory = boot(24);
    let memory: Kernel = *memory;
    let pages = [(); 2].map(|()| memory.alloc_pages(KERNEL, Order::ZERO).expect("memory"));
    let device = PhysAddr::new(0xfe00_0000);
    // More of them than the area index has places.
    for round in 0..3 {
        let others: Vec<VirtAddr> = (0..round * 1500).map(|_| memory.vmalloc(1).expect("memory")).collect();
        let plain = memory.vmalloc(PAGE_SIZE).expect("memory");
        let shown = memory.vmap(&pages).expect("memory");
        let mapped = memory.ioremap(device, PAGE_SIZE).expect("addresses");
        let stack = memory.areas().vmalloc_tagged(4 * PAGE_SIZE, Tag::KernelStack).expect("memory");
        let (value, registers) = (VmArea::<TestKernel>::new(PAGE_SIZE), IoMem::<TestKernel>::map(device, 100));
        let (value, registers) = (value.expect("memory"), registers.expect("addresses"));
        let none = FreeError::NoArea;
        let [of_stack, of_value, of_vmalloc] = [Tag::KernelStack, Tag::Value, Tag::Vmalloc].map(FreeError::Owned);
        for (what, area, [vfree, vunmap, iounmap, as_stack]) in [
            ("vmalloc", plain, [None, Some(none), Some(none), Some(of_vmalloc)]),
            ("vmap", shown, [Some(none), None, Some(none), Some(none)]),
            ("ioremap", mapped, [Some(none), Some(none), None, Some(none)]),
            ("a stack", stack, [Some(of_stack), Some(none), Some(none), None]),
            ("a value", value.addr(), [Some(of_value), Some(none), Some(none), Some(of_value)]),
            ("registers", registers.addr(), [Some(none), Some(none), Some(FreeError::Owned(Tag::Value)), Some(none)]),
        ] {
            let refuse = |error, call: &dyn Fn() -> Result<(), FreeError>| {
                if let Some(error) = error {
                    refused(memory, error, what, call);
                }
            };
            refuse(vfree, &|| memory.vfree(area));
            refuse(vunmap, &|| memory.vunmap(area));
            refuse(iounmap, &|| memory.iounmap(area));
            refuse(as_stack, &|| memory.areas().vfree_tagged(area, Tag::KernelStack));
            refused(memory, FreeError::Wild, what, || memory.kfree(area.as_mut_ptr()));
            refused(memory, FreeError::Wild, what, || memory.free_page(area));
            refused(memory, FreeError::NoArea, what, || memory.vfree(area.add(PAGE_SIZE)));
        }
        drop((value, registers));
        assert_eq!((memory.vfree(plain), memory.vunmap(shown), memory.iounmap(mapped)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(memory.areas().vfree_tagged(stack, Tag::KernelStack), Ok(()));
        others.into_iter().for_each(|area| memory.vfree(area).expect("its owner"));
    }
    common::give(memory, pages);
    memory.drop_caches();
    at_rest(memory);
}

#[test]
fn a_page_that_a_window_shows_is_freed_by_its_owner_alone() {
    let memory = boot_high(24, 16);
    let memory: Kernel = *memory;
    let page = memory.alloc_pages(GfpFlags::HIGHUSER, Order::ZERO).expect("memory");
    let shown = memory.kmap(page).expect("a window");
    let what = "the window's address";
    refused(memory, FreeError::Wild, what, || memory.free_page(shown));
    refused(memory, FreeError::Wild, what, || memory.kfree(shown.as_mut_ptr()));
    refused(memory, FreeError::NoArea, what, || memory.vfree(shown));
    refused(memory, FreeError::NoArea, what, || memory.vunmap(shown));
    refused(memory, FreeError::WrongOrder, "the page", || memory.free_frames(page, order(1)));
    assert_eq!(memory.kunmap(page), Ok(()));
    refused(memory, FreeError::DoubleFree, "once more than shown", || memory.kunmap(page));
    memory.free_frames(page, Order::ZERO).expect("its owner");
    let low = memory.alloc_pages(ATOMIC, Order::ZERO).expect("memory");
    assert_eq!((memory.kunmap(low), memory.free_frames(low, Order::ZERO)), (Ok(()), Ok(())));
    at_rest(memory);
}

#[test]
fn the_tags_of_values_and_of_nobody_are_no_owners_to_name() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    for tag in [Tag::None, Tag::Value] {
        let before = state(memory);
        assert!(memory.areas().vmalloc_tagged(PAGE_SIZE, tag).is_err(), "{tag:?}");
        assert_eq!((memory.platform().take_reports().len(), state(memory)), (1, before), "{tag:?}");
    }
    let value = VmArea::<TestKernel>::new(3 * PAGE_SIZE).expect("memory");
    let start = VirtAddr::from_ptr(value.bytes().as_ptr());
    let freed = || memory.areas().vfree_tagged(start, Tag::Value);
    refused(memory, FreeError::Owned(Tag::Value), "a value, by its own tag", freed);
    drop(value);
    refused(memory, FreeError::NoArea, "a value that is gone", freed);
    at_rest(memory);
}
