//! Every wrong free: its error, one report, and nothing changed.

mod common;

use core::ptr::NonNull;

use common::{ATOMIC, KERNEL, Kernel, boot, order, state};
use mm::page::PageState;
use mm::testing::{Booted, HostPlatform};
use mm::{
    CacheFlags, CacheRef, CacheSpec, Context, DestroyError, FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, PhysAddr, Tag,
    VirtAddr,
};

/// One of each: what the wrong frees below are aimed at.
struct Targets {
    memory: Booted,
    block: VirtAddr,
    page: VirtAddr,
    freed_block: VirtAddr,
    small: VirtAddr,
    freed_small: VirtAddr,
    large: VirtAddr,
    object: VirtAddr,
    freed_object: VirtAddr,
    cache: CacheRef<HostPlatform>,
    other: CacheRef<HostPlatform>,
    area: VirtAddr,
    freed_area: VirtAddr,
    device: VirtAddr,
    never: VirtAddr,
    wild: VirtAddr,
}

fn cache(memory: Kernel, name: &str) -> CacheRef<HostPlatform> {
    let spec = CacheSpec { name, size: 100, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    memory.kmem_cache_create(&spec).expect("a cache")
}

fn targets() -> Targets {
    let memory = boot(32);
    let addr = |object: Result<NonNull<u8>, _>| VirtAddr::from_ptr(object.expect("memory").as_ptr());
    let freed_block = memory.get_free_pages(KERNEL, order(2)).expect("memory");
    let page = memory.get_free_pages(KERNEL, Order::ZERO).expect("memory");
    let block = memory.get_free_pages(KERNEL, order(3)).expect("memory");
    // The neighbours stay allocated, so the slab of the freed objects stays.
    let (small, freed_small) = (addr(memory.kmalloc(64, KERNEL)), addr(memory.kmalloc(64, KERNEL)));
    memory.kfree(freed_small.as_mut_ptr()).expect("a right free");
    let large = addr(memory.kmalloc(40_000, KERNEL));
    let (one, other) = (cache(*memory, "one"), cache(*memory, "other"));
    let (object, freed_object) =
        (addr(memory.kmem_cache_alloc(one, KERNEL)), addr(memory.kmem_cache_alloc(one, KERNEL)));
    memory.kfree(freed_object.as_mut_ptr()).expect("kfree knows every cache");
    let (area, freed_area) =
        (memory.vmalloc(3 * PAGE_SIZE).expect("memory"), memory.vmalloc(PAGE_SIZE).expect("memory"));
    let device = memory.ioremap(PhysAddr::new(0xfe00_0123), 2 * PAGE_SIZE).expect("addresses");
    memory.vfree(freed_area).expect("a right free");
    memory.free_pages(freed_block, order(2)).expect("a right free");
    Targets {
        block,
        page,
        freed_block,
        small,
        freed_small,
        large,
        object,
        freed_object,
        cache: one,
        other,
        area,
        freed_area,
        device,
        never: memory.page_address(Pfn::new(0)).expect("low memory"),
        wild: VirtAddr::new(0xdead_beef_f000),
        memory,
    }
}

impl Targets {
    /// Performs a free that must be refused with `error`, reported once, and change nothing.
    fn refused(&self, error: FreeError, what: &str, free: impl FnOnce(Kernel) -> Result<(), FreeError>) {
        let before = state(*self.memory);
        let counted = self.memory.pages().events().bad_frees;
        assert_eq!(free(*self.memory), Err(error), "{what}");
        let reports = self.memory.platform().take_reports();
        assert_eq!(reports.len(), 1, "{what}: {reports:?}");
        assert_eq!(state(*self.memory), before, "{what} changed something");
        assert_eq!(self.memory.pages().events().bad_frees, counted + 1, "{what}");
        assert_eq!(self.memory.validate(), Ok(()), "{what}");
    }

    fn pages(&self, error: FreeError, what: &str, addr: VirtAddr, log2: usize) {
        self.refused(error, what, |memory| memory.free_pages(addr, order(log2)));
    }

    fn kfree(&self, error: FreeError, what: &str, addr: VirtAddr) {
        self.refused(error, what, |memory| memory.kfree(addr.as_mut_ptr()));
    }

    fn to_cache(&self, error: FreeError, what: &str, addr: VirtAddr) {
        let object = NonNull::new(addr.as_mut_ptr()).expect("not null");
        self.refused(error, what, |memory| memory.kmem_cache_free(self.cache, object));
    }

    fn vfree(&self, error: FreeError, what: &str, addr: VirtAddr) {
        self.refused(error, what, |memory| memory.vfree(addr));
    }

    fn iounmap(&self, error: FreeError, what: &str, addr: VirtAddr) {
        self.refused(error, what, |memory| memory.iounmap(addr));
    }

    /// Frees everything rightly: the wrong frees have broken nothing.
    fn release(self) {
        let memory = &self.memory;
        memory.free_pages(self.block, order(3)).expect("still allocated");
        memory.free_page(self.page).expect("still allocated");
        memory.kfree(self.small.as_mut_ptr()).expect("still allocated");
        memory.kfree(self.large.as_mut_ptr()).expect("still allocated");
        memory.kfree(self.object.as_mut_ptr()).expect("still allocated");
        memory.vfree(self.area).expect("still allocated");
        memory.iounmap(self.device).expect("still mapped");
        memory.kmem_cache_destroy(self.cache).expect("all objects are back");
        memory.kmem_cache_destroy(self.other).expect("never used");
        common::at_rest(**memory);
    }
}

#[test]
fn wrong_frees_of_pages_are_refused() {
    // Shows: K4, S42
    let t = targets();
    t.pages(FreeError::WrongOrder, "smaller order", t.block, 2);
    t.pages(FreeError::WrongOrder, "larger order", t.block, 4);
    t.pages(FreeError::WrongOrder, "a page as a block", t.page, 1);
    t.pages(FreeError::Interior, "second page of a block", t.block.add(PAGE_SIZE), 0);
    t.pages(FreeError::Interior, "second half of a block", t.block.add(4 * PAGE_SIZE), 2);
    t.pages(FreeError::Misaligned, "inside a page", t.page.add(8), 0);
    t.pages(FreeError::DoubleFree, "double free", t.freed_block, 2);
    t.pages(FreeError::DoubleFree, "double free of a part", t.freed_block.add(PAGE_SIZE), 0);
    t.pages(
        FreeError::DoubleFree,
        "free memory that was never allocated",
        t.memory.page_address(Pfn::new(2048)).expect("low memory"),
        0,
    );
    t.pages(FreeError::Reserved, "reserved page", t.never, 0);
    t.pages(FreeError::SlabPage, "page of a slab", t.small.page_down(), 0);
    t.pages(FreeError::SlabPage, "first page of a large slab", t.large, 4);
    t.pages(FreeError::SlabPage, "further page of a large slab", t.large.add(PAGE_SIZE), 0);
    t.pages(FreeError::Wild, "vmalloc address", t.area, 0);
    t.pages(FreeError::Wild, "ioremap address", t.device.page_down(), 0);
    t.pages(FreeError::Wild, "wild address", t.wild, 0);
    t.pages(FreeError::Wild, "the end of the address space", VirtAddr::new(usize::MAX & !0xfff), 0);
    let last = t.memory.page_address(Pfn::new(32 * 256 - 1)).expect("low memory");
    t.pages(FreeError::Wild, "behind the last page", last.add(PAGE_SIZE), 0);
    t.release();
}

#[test]
fn wrong_frees_by_frame_are_refused() {
    // Shows: K4, S42
    let t = targets();
    let frame = t.memory.frame_of(t.block).expect("in the direct map");
    let free = |error, what, frame, log2| t.refused(error, what, |memory| memory.free_frames(frame, order(log2)));
    free(FreeError::WrongOrder, "smaller order", frame, 0);
    free(FreeError::WrongOrder, "larger order", frame, 9);
    free(FreeError::Interior, "inside", frame.add(1), 0);
    free(FreeError::Wild, "beyond memory", Pfn::new(u32::MAX), 0);
    free(FreeError::Reserved, "reserved", Pfn::new(0), 0);
    assert!(
        !t.memory.get_page(Pfn::new(0)) && !t.memory.get_page(frame.add(1)) && !t.memory.get_page(Pfn::new(u32::MAX))
    );
    let slab = t.memory.frame_of(t.small).expect("in the direct map");
    assert!(!t.memory.get_page(slab), "a slab's page has no further owners");
    t.release();
}

#[test]
fn a_wrong_order_with_references_is_refused() {
    let t = targets();
    let frame = t.memory.frame_of(t.block).expect("in the direct map");
    assert!(t.memory.get_page(frame));
    t.pages(FreeError::WrongOrder, "referenced", t.block, 0);
    let free = t.memory.pages().free_pages_total();
    t.memory.free_pages(t.block, order(3)).expect("one of two references");
    assert_eq!(t.memory.pages().free_pages_total(), free);
    t.release();
}

/// The first frame whose block bears this tag.
fn tagged(memory: Kernel, tag: Tag) -> Pfn {
    let map = memory.pages().map();
    let is_tagged = |frame: &Pfn| map.get(*frame).is_some_and(|page| page.tag() == tag);
    (0..map.frames()).map(Pfn::new).find(is_tagged).expect("there is one")
}

#[test]
fn what_areas_and_page_tables_own_is_freed_by_nobody_else() {
    // Shows: K4
    let t = targets();
    let huge = t.memory.areas().vmalloc_huge(2 << 20).expect("memory");
    let stack = t.memory.areas().vmalloc_tagged(PAGE_SIZE, Tag::KernelStack).expect("memory");
    let page = t.memory.areas().frame_at(t.area).expect("it is mapped");
    let block = t.memory.areas().frame_at(huge).expect("it is mapped");
    let table = tagged(*t.memory, Tag::PageTable);
    let owned = [
        (page, 0, Tag::Vmalloc, "page of an area"),
        (page, 1, Tag::Vmalloc, "page of an area by a wrong order"),
        (block, 9, Tag::Vmalloc, "large block of an area"),
        (t.memory.areas().frame_at(stack).expect("it is mapped"), 0, Tag::KernelStack, "page of a stack"),
        (table, 0, Tag::PageTable, "page table"),
    ];
    for (frame, log2, tag, what) in owned {
        let error = FreeError::Owned(tag);
        t.refused(error, what, |memory| memory.free_frames(frame, order(log2)));
        t.pages(error, what, t.memory.page_address(frame).expect("low memory"), log2);
    }
    assert_eq!(t.memory.free_pages_bulk(&[page, table]), 2);
    assert_eq!(t.memory.platform().take_reports().len(), 2);
    t.vfree(FreeError::Owned(Tag::KernelStack), "stack of a thread", stack);
    assert_eq!(t.memory.vfree(huge), Ok(()));
    assert_eq!(t.memory.areas().vfree_tagged(stack, Tag::KernelStack), Ok(()));
    t.memory.vm_unmap_aliases();
    t.release();
}

#[test]
fn a_reference_to_an_areas_page_outlives_the_area() {
    let t = targets();
    let area = t.memory.vmalloc(PAGE_SIZE).expect("memory");
    let page = t.memory.areas().frame_at(area).expect("it is mapped");
    let free = |memory: Kernel| memory.free_frames(page, Order::ZERO);
    assert!(t.memory.get_page(page) && t.memory.get_page(page));
    free(*t.memory).expect("one of the references beside the area's");
    t.memory.vfree(area).expect("a right free");
    t.memory.vm_unmap_aliases();
    assert_eq!(t.memory.pages().map().get(page).map(|page| (page.count(), page.tag())), Some((1, Tag::None)));
    free(*t.memory).expect("the last reference");
    t.refused(FreeError::DoubleFree, "after the last reference", free);
    t.release();
}

#[test]
fn wrong_kfrees_are_refused() {
    // Shows: K4
    let t = targets();
    t.kfree(FreeError::DoubleFree, "double free", t.freed_small);
    t.kfree(FreeError::DoubleFree, "object that was never allocated", t.freed_small.add(64));
    t.kfree(FreeError::Interior, "inside an object", t.small.add(8));
    t.kfree(FreeError::Interior, "inside a large object", t.large.add(2 * PAGE_SIZE));
    t.kfree(FreeError::Interior, "the slab's own descriptor", t.small.page_down().add(PAGE_SIZE - 64));
    t.kfree(FreeError::NotSlab, "a page", t.page);
    t.kfree(FreeError::NotSlab, "a block", t.block);
    t.kfree(FreeError::NotSlab, "second page of a block", t.block.add(PAGE_SIZE));
    t.kfree(FreeError::DoubleFree, "a free block", t.freed_block);
    t.kfree(FreeError::DoubleFree, "a part of a free block", t.freed_block.add(PAGE_SIZE));
    t.kfree(FreeError::Reserved, "a reserved page", t.never);
    t.kfree(FreeError::Wild, "vmalloc address", t.area);
    t.kfree(FreeError::Wild, "ioremap address", t.device);
    t.kfree(FreeError::Wild, "wild address", t.wild.add(1));
    t.kfree(FreeError::Wild, "the last address", VirtAddr::new(usize::MAX));
    t.release();
}

#[test]
fn wrong_frees_to_a_cache_are_refused() {
    // Shows: K4
    let t = targets();
    t.to_cache(FreeError::DoubleFree, "double free", t.freed_object);
    t.to_cache(FreeError::Interior, "inside an object", t.object.add(4));
    t.to_cache(FreeError::WrongCache, "kmalloc's object", t.small);
    t.to_cache(FreeError::NotSlab, "a page", t.page);
    t.to_cache(FreeError::Wild, "vmalloc address", t.area);
    t.to_cache(FreeError::Wild, "wild address", t.wild);
    let object = NonNull::new(t.object.as_mut_ptr()).expect("not null");
    t.refused(FreeError::WrongCache, "object of another cache", |memory| memory.kmem_cache_free(t.other, object));
    let stale = cache(*t.memory, "stale");
    t.memory.kmem_cache_destroy(stale).expect("empty");
    t.refused(FreeError::WrongCache, "cache that is gone", |memory| memory.kmem_cache_free(stale, object));
    t.release();
}

#[test]
fn a_report_names_cache_and_address() {
    let t = targets();
    assert!(t.memory.kfree(t.freed_object.as_mut_ptr()).is_err());
    let expected = format!("kfree: {:016x}: memory is free already (cache one)", t.freed_object.as_usize());
    assert_eq!(t.memory.platform().take_reports(), [expected]);
    assert!(t.memory.free_pages(t.block, order(1)).is_err());
    let expected = format!("free_pages: {:016x}: wrong order", t.block.as_usize());
    assert_eq!(t.memory.platform().take_reports(), [expected]);
    assert!(t.memory.vfree(t.freed_area).is_err());
    let expected = format!("Trying to vfree() nonexistent vm area ({:016x})", t.freed_area.as_usize());
    assert_eq!(t.memory.platform().take_reports(), [expected]);
    assert!(t.memory.vfree(t.area.add(1)).is_err());
    let expected = format!("Trying to vfree() bad address ({:016x})", t.area.as_usize() + 1);
    assert_eq!(t.memory.platform().take_reports(), [expected]);
}

#[test]
fn the_allocators_own_objects_cannot_be_freed() {
    // Shows: K4
    let t = targets();
    // Descriptors of areas, of large slabs and of caches lie in slabs too; kfree frees none of them.
    let mut own = 0;
    let slabs = (1..32 * 256).map(Pfn::new).filter(|&frame| in_slab(*t.memory, frame));
    let addresses = slabs.flat_map(|frame| (0..PAGE_SIZE).step_by(8).map(move |offset| (frame, offset)));
    for addr in addresses.map(|(frame, offset)| t.memory.page_address(frame).expect("low memory").add(offset)) {
        if t.memory.objects().ksize(addr.as_mut_ptr()).is_some() && ![t.small, t.large, t.object].contains(&addr) {
            t.kfree(FreeError::WrongCache, "a descriptor", addr);
            own += 1;
        }
    }
    assert!(own > 26 + 2, "{own}: every kmalloc class, two caches, areas");
    t.release();
}

fn in_slab(memory: Kernel, frame: Pfn) -> bool {
    memory.pages().map().get(frame).is_some_and(|page| page.state() == PageState::Slab)
}

#[test]
fn wrong_vfrees_are_refused() {
    // Shows: K4
    let t = targets();
    t.vfree(FreeError::Misaligned, "misaligned", t.area.add(1));
    t.vfree(FreeError::NoArea, "second page", t.area.add(PAGE_SIZE));
    t.vfree(FreeError::NoArea, "guard page", t.area.add(3 * PAGE_SIZE));
    t.vfree(FreeError::NoArea, "twice", t.freed_area);
    t.vfree(FreeError::NoArea, "a page", t.page);
    t.vfree(FreeError::Misaligned, "inside an object", t.small.add(1));
    t.vfree(FreeError::NoArea, "wild address", t.wild);
    t.vfree(FreeError::NoArea, "a device", t.device.page_down());
    t.vfree(FreeError::Misaligned, "a device's first byte", t.device);
    t.iounmap(FreeError::NoArea, "vmalloc's area", t.area);
    t.iounmap(FreeError::NoArea, "second page of a device", t.device.add(PAGE_SIZE));
    t.iounmap(FreeError::NoArea, "a page", t.page);
    t.iounmap(FreeError::NoArea, "wild address", t.wild);
    t.release();
}

#[test]
fn freeing_nothing_does_nothing() {
    // Shows: K4
    let t = targets();
    let before = state(*t.memory);
    let null = VirtAddr::new(0);
    assert_eq!(t.memory.free_pages(null, order(3)), Ok(()));
    assert_eq!(t.memory.free_page(null), Ok(()));
    assert_eq!(t.memory.kfree(core::ptr::null()), Ok(()));
    assert_eq!(t.memory.vfree(null), Ok(()));
    assert_eq!(t.memory.iounmap(null), Ok(()));
    assert_eq!(state(*t.memory), before);
    t.release();
}

#[test]
fn vfree_in_interrupt_context_is_refused() {
    // Shows: K11
    let t = targets();
    let before = state(*t.memory);
    t.memory.platform().in_context(Context::Interrupt, || {
        assert_eq!(t.memory.vfree(t.area), Err(FreeError::WrongContext));
        assert_eq!(t.memory.iounmap(t.device), Err(FreeError::WrongContext));
        assert_eq!(t.memory.kmem_cache_destroy(t.other), Err(DestroyError::WrongContext));
        assert_eq!(t.memory.kmem_cache_shrink(t.cache), 0);
        assert!(t.memory.ioremap(PhysAddr::new(0xfe00_0000), 1).is_err());
        for gfp in [KERNEL, GfpFlags::BUFFER, GfpFlags::USER, GfpFlags::HIGHUSER] {
            assert!(t.memory.kmem_cache_alloc(t.cache, gfp).is_err());
            assert!(t.memory.get_zeroed_page(gfp).is_err());
        }
    });
    assert_eq!(t.memory.platform().take_reports().len(), 5 + 8);
    assert_eq!(state(*t.memory), before);
    assert!(t.memory.kmem_cache_alloc(t.cache, ATOMIC).is_ok_and(|object| t.memory.kfree(object.as_ptr()).is_ok()));
    t.release();
}
