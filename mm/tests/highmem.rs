//! High memory has no address: what would need one is refused.
//!
//! The rest of the calls take it.

mod common;

use core::ptr::NonNull;

use common::{ATOMIC, KERNEL, Kernel, at_rest, blocks, boot_high};
use mm::own::{KBox, KBytes, KString, KVec, PageBlock, UserPage};
use mm::testing::TestKernel;
use mm::{
    AllocError, CacheFlags, CacheRef, CacheSpec, FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, Platform, VirtAddr,
    ZoneKind,
};

const HIGHUSER: GfpFlags = GfpFlags::HIGHUSER;
const HIGH_ATOMIC: GfpFlags = GfpFlags::ATOMIC.union(GfpFlags::HIGHMEM);
const REFUSAL: &str = "high memory has no address";

/// A cache that holds no slab.
fn empty_cache(memory: Kernel) -> CacheRef<mm::testing::HostPlatform> {
    let spec = CacheSpec { name: "c", size: 64, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    memory.kmem_cache_create(&spec).expect("a cache")
}

/// Where the direct map would show `frame` if it were low memory.
fn would_be(memory: Kernel, frame: Pfn) -> VirtAddr {
    memory.platform().direct_map().add(frame.phys().as_u64() as usize)
}

#[test]
fn requests_for_an_address_are_refused() {
    // Shows: K5
    let memory = boot_high(48, 32);
    let cache = empty_cache(*memory);
    let before = blocks(*memory);
    let mut objects = [NonNull::dangling(); 4];
    for gfp in [HIGHUSER, HIGH_ATOMIC, KERNEL | GfpFlags::HIGHMEM] {
        let refused = [
            memory.get_free_pages(gfp, Order::ZERO).is_err(),
            memory.get_free_pages(gfp, Order::MAX).is_err(),
            memory.get_zeroed_page(gfp).is_err(),
            memory.kmalloc(1, gfp).is_err(),
            memory.kmalloc(131_072, gfp).is_err(),
            memory.kzalloc(64, gfp).is_err(),
            memory.objects().kmalloc_array(3, 5, gfp).is_err(),
            memory.objects().kcalloc(3, 5, gfp).is_err(),
            memory.krealloc(core::ptr::null_mut(), 64, gfp).is_err(),
            memory.kmem_cache_alloc(cache, gfp).is_err(),
            memory.objects().kmem_cache_alloc_bulk(cache, gfp, &mut objects) == 0,
        ];
        assert_eq!(refused, [true; 11], "{gfp:?}");
        let reports = memory.platform().take_reports();
        assert!(reports.len() == refused.len() && reports.iter().all(|line| line.ends_with(REFUSAL)), "{reports:?}");
        assert_eq!(blocks(*memory), before);
    }
    let dma = memory.get_dma_pages(HIGHUSER, Order::ZERO).expect("DMA wins over high memory");
    memory.free_page(dma).expect("a right free");
    memory.kmem_cache_destroy(cache).expect("empty");
    at_rest(*memory);
}

#[test]
fn owned_memory_is_refused_too() {
    // Shows: K5
    let memory = boot_high(48, 32);
    TestKernel::enter(*memory);
    let before = blocks(*memory);
    assert!(KBytes::<TestKernel>::new(100, HIGHUSER).is_err());
    assert!(PageBlock::<TestKernel>::new(Order::ZERO, HIGHUSER).is_err());
    assert!(PageBlock::<TestKernel>::zeroed(HIGHUSER).is_err());
    assert!(KBox::<u64, TestKernel>::new(1, HIGHUSER).is_err());
    assert!(KVec::<u8, TestKernel>::with_capacity(10, HIGHUSER).is_err());
    let mut text = KString::<TestKernel>::new();
    assert!(text.push_str("x", HIGHUSER).is_err());
    let reports = memory.platform().take_reports();
    assert!(reports.len() == 6 && reports.iter().all(|line| line.ends_with(REFUSAL)), "{reports:?}");
    assert_eq!(blocks(*memory), before);
    let page = UserPage::<TestKernel>::zeroed(HIGHUSER).expect("shown by kmap");
    assert_eq!(memory.pages().direct().zone_of(page.frame()), ZoneKind::HighMem);
}

#[test]
fn an_object_that_cannot_grow_into_high_memory_stays() {
    let memory = boot_high(48, 32);
    let object = memory.kmalloc(32, KERNEL).expect("memory");
    // SAFETY: the object is ours and has 32 bytes.
    unsafe { object.write_bytes(0x5a, 32) };
    assert_eq!(memory.krealloc(object.as_ptr(), 33, HIGHUSER), Err(AllocError));
    assert_eq!(memory.krealloc(object.as_ptr(), 32, HIGHUSER), Ok(object), "nothing was asked for");
    // SAFETY: as above.
    assert!(unsafe { core::slice::from_raw_parts(object.as_ptr(), 32) }.iter().all(|&byte| byte == 0x5a));
    assert_eq!(memory.platform().take_reports().len(), 1);
    memory.kfree(object.as_ptr()).expect("a right free");
    at_rest(*memory);
}

#[test]
fn a_high_page_has_no_address_to_free_or_transfer() {
    // Shows: K4, K5
    let memory = boot_high(48, 32);
    let cache = empty_cache(*memory);
    let held = memory.alloc_pages(HIGHUSER, Order::ZERO).expect("high memory");
    let free = Pfn::new(40 * 256);
    for frame in [held, free] {
        let addr = would_be(*memory, frame);
        let object = NonNull::new(addr.as_mut_ptr::<u8>()).expect("not null");
        let before = blocks(*memory);
        assert_eq!((memory.page_address(frame), memory.frame_of(addr)), (None, None));
        assert_eq!(memory.free_page(addr), Err(FreeError::Wild));
        assert_eq!(memory.free_pages(addr, Order::MAX), Err(FreeError::Wild));
        assert_eq!(memory.kfree(addr.as_mut_ptr()), Err(FreeError::Wild));
        assert_eq!(memory.kmem_cache_free(cache, object), Err(FreeError::Wild));
        assert_eq!(memory.objects().kmem_cache_free_bulk(cache, &[object]), 1);
        assert_eq!(memory.krealloc(addr.as_mut_ptr(), 8, KERNEL), Err(AllocError));
        assert_eq!(memory.ioremap(frame.phys(), PAGE_SIZE), Err(AllocError), "it is the allocators'");
        assert_eq!(memory.platform().take_reports().len(), 7);
        assert_eq!(memory.objects().ksize(addr.as_mut_ptr()), None);
        assert_eq!(blocks(*memory), before);
    }
    // Wrong frees by frame name the page by its physical address.
    assert_eq!(memory.free_frames(free, Order::ZERO), Err(FreeError::DoubleFree));
    assert!(memory.platform().take_reports()[0].contains("2800000"));
    memory.free_frames(held, Order::ZERO).expect("ours");
    memory.kmem_cache_destroy(cache).expect("empty");
    at_rest(*memory);
}

#[test]
fn the_window_of_a_high_page_is_no_direct_address() {
    // Shows: K5, S54
    let memory = boot_high(48, 32);
    let page = memory.alloc_pages(HIGHUSER, Order::ZERO).expect("high memory");
    let shown = memory.kmap(page).expect("a window");
    assert_eq!(memory.frame_of(shown), None);
    assert_eq!(memory.free_page(shown), Err(FreeError::Wild));
    assert_eq!(memory.kfree(shown.as_mut_ptr()), Err(FreeError::Wild));
    assert!(memory.vfree(shown).is_err() && memory.vunmap(shown).is_err() && memory.iounmap(shown).is_err());
    assert_eq!(memory.platform().take_reports().len(), 5);
    memory.kunmap(page).expect("shown");
    memory.free_frames(page, Order::ZERO).expect("ours");
    at_rest(*memory);
}

#[test]
fn calls_that_need_no_address_take_high_memory_first() {
    // Shows: K5, S9
    let memory = boot_high(48, 32);
    let zone_behind = |area| memory.pages().direct().zone_of(memory.areas().frame_at(area).expect("mapped"));
    let mut pages = [Pfn::new(0); 4];
    assert_eq!(memory.pages().alloc_pages_bulk(HIGHUSER, &mut pages), 4);
    assert!(pages.iter().all(|&page| memory.pages().direct().zone_of(page) == ZoneKind::HighMem));
    let mapped = memory.vmap(&pages).expect("memory");
    assert_eq!(zone_behind(mapped), ZoneKind::HighMem);
    for area in [memory.vmalloc(1), memory.vzalloc(1), memory.areas().vmalloc_huge(1), memory.__vmalloc(1, HIGHUSER)] {
        let area = area.expect("memory");
        assert_eq!(zone_behind(area), ZoneKind::HighMem);
        memory.vfree(area).expect("a right free");
    }
    for area in [memory.vmalloc_32(1), memory.vmalloc_dma(1), memory.__vmalloc(1, KERNEL)] {
        let area = area.expect("memory");
        assert_ne!(zone_behind(area), ZoneKind::HighMem);
        memory.vfree(area).expect("a right free");
    }
    memory.vunmap(mapped).expect("a right call");
    assert_eq!(memory.free_pages_bulk(&pages), 0);
    let last = memory.alloc_pages(ATOMIC, Order::ZERO).expect("memory");
    assert_ne!(memory.pages().direct().zone_of(last), ZoneKind::HighMem, "only who asks for it gets it");
    memory.free_frames(last, Order::ZERO).expect("ours");
    at_rest(*memory);
}
