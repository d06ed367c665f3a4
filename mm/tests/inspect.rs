//! What is said of a frame and of an object, whatever state they are in.

mod common;

use common::{KERNEL, Kernel, at_rest, boot, with_ram};
use mm::objects::{DebugChoice, DebugFlags, Whereabouts};
use mm::page::PageState;
use mm::testing::{Machine, TestKernel};
use mm::{CacheFlags, CacheSpec, Order, PAGE_SIZE, Pfn, PfnRange, PhysAddr, Tag, VirtAddr, ZoneKind};

fn block(start: Pfn, pages: u32) -> PfnRange {
    PfnRange::new(start, start.add(pages))
}

#[test]
fn each_frame_of_a_block_names_the_block() {
    let memory = boot(32);
    let memory: Kernel = *memory;
    let info = |frame| memory.pages().frame_info(frame).expect("RAM");
    for order in Order::all() {
        let head = memory.alloc_pages(KERNEL, order).expect("memory");
        assert!(memory.get_page(head));
        for frame in [head, head.add(order.pages() / 2), head.add(order.pages() - 1)] {
            let seen = info(frame);
            assert_eq!((seen.frame, seen.block), (frame, block(head, order.pages())));
            assert_eq!((seen.state, seen.tag, seen.references), (PageState::Allocated(order), Tag::None, 2));
            assert_eq!(seen.zone, ZoneKind::Normal);
        }
        memory.free_frames(head, order).expect("a reference");
        assert_eq!(info(head).references, 1);
        memory.free_frames(head, order).expect("its owner");
        let seen = info(head);
        assert!(matches!(seen.state, PageState::Cached(_) | PageState::Free(_)), "{seen:?}");
        assert!(seen.block.start <= head && head < seen.block.end && seen.references == 0);
    }
    let area = memory.areas().vmalloc_tagged(PAGE_SIZE, Tag::Prompt).expect("memory");
    let frame = memory.areas().frame_at(area).expect("it is mapped");
    assert_eq!((info(frame).tag, memory.areas().area_at(area).map(|area| area.tag)), (Tag::Prompt, Some(Tag::Prompt)));
    assert_eq!(memory.areas().vfree_tagged(area, Tag::Prompt), Ok(()));
    at_rest(memory);
}

#[test]
fn what_is_no_memory_of_the_allocators_is_named_as_that() {
    let machine = with_ram(&[(1, 2048), (8192, 10240)]);
    let memory = TestKernel::boot(&machine);
    let memory: Kernel = *memory;
    assert_eq!(memory.pages().frame_info(Pfn::new(4096)), None, "a hole");
    assert_eq!(memory.pages().frame_info(Pfn::new(u32::MAX)), None);
    let of_boot = memory.pages().frame_info(Pfn::new(0)).expect("it has an entry");
    assert_eq!((of_boot.state, of_boot.block), (PageState::Inner, block(Pfn::new(0), 1)));
    assert_eq!(of_boot.zone, ZoneKind::Dma);
}

#[test]
fn an_object_is_known_by_any_of_its_bytes() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let spec = CacheSpec { name: "seen", size: 700, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    let cache = memory.kmem_cache_create(&spec).expect("memory");
    let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
    let addr = VirtAddr::from_ptr(object.as_ptr());
    let info = |addr| memory.objects().object_info(addr).expect("an object");
    for inside in [0, 1, 699] {
        let seen = info(addr.add(inside));
        assert_eq!((seen.cache.as_str(), seen.start, seen.usable), ("seen", addr, 700));
        assert_eq!((seen.whereabouts, seen.is_own), (Whereabouts::Live, false));
        assert!(seen.number < seen.objects && seen.out > 0 && seen.out <= seen.objects);
        assert_eq!((seen.allocated, seen.freed), (None, None), "not debugged");
    }
    let neighbour = info(addr.add(700));
    assert_eq!(neighbour.start, addr.add(700));
    assert_eq!(neighbour.number.abs_diff(info(addr).number), 1);
    let frame = memory.frame_of(addr).expect("low memory");
    let slab = memory.pages().frame_info(frame).expect("RAM");
    assert_eq!(slab.state, PageState::Slab);
    assert!(slab.block.start <= frame && frame < slab.block.end);
    memory.kmem_cache_free(cache, object).expect("its owner");
    assert_eq!(info(addr).whereabouts, Whereabouts::Cached);
    memory.kmem_cache_shrink(cache);
    assert_eq!(memory.objects().object_info(addr), None, "the slab is gone");
    memory.kmem_cache_destroy(cache).expect("empty");
    let page = memory.get_zeroed_page(KERNEL).expect("memory");
    assert_eq!(memory.objects().object_info(page), None, "a page block");
    assert_eq!(memory.objects().object_info(VirtAddr::new(8)), None, "no memory at all");
    memory.free_page(page).expect("its owner");
    at_rest(memory);
}

#[test]
fn the_allocators_own_objects_are_told_apart() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let mapped = memory.ioremap(PhysAddr::new(0xfe00_0000), PAGE_SIZE).expect("addresses");
    let frames = 0..memory.pages().direct().map().frames();
    let slab_pages = frames
        .map(Pfn::new)
        .filter(|&frame| memory.pages().frame_info(frame).is_some_and(|info| info.state == PageState::Slab));
    let own: Vec<&str> = slab_pages
        .filter_map(|frame| memory.objects().object_info(memory.page_address(frame)?.add(PAGE_SIZE / 2)))
        .filter(|info| info.is_own)
        .map(|info| if info.cache.as_str() == "vm_area" { "vm_area" } else { "another" })
        .collect();
    assert!(own.contains(&"vm_area") && own.contains(&"another"), "{own:?}");
    memory.iounmap(mapped).expect("its owner");
}

#[test]
fn users_and_requested_bytes_are_known_where_they_are_remembered() {
    let flags = DebugFlags::USERS | DebugFlags::RED_ZONE;
    let machine = Machine { debug: DebugChoice { all: flags, ..DebugChoice::NONE }, ..Machine::with_mib(16) };
    let memory = TestKernel::boot(&machine);
    let memory: Kernel = *memory;
    let object = memory.kmalloc(18, KERNEL).expect("memory");
    let addr = VirtAddr::from_ptr(object.as_ptr());
    let info = || memory.objects().object_info(addr).expect("an object");
    assert_eq!((info().usable, info().allocated.map(|at| at.file()), info().freed), (18, Some(file!()), None));
    memory.kfree(object.as_ptr()).expect("its owner");
    assert_eq!(info().freed.map(|at| at.file()), Some(file!()));
    assert_eq!(info().whereabouts, Whereabouts::InSlab, "a debugged cache has no magazines");
}

#[test]
fn mappings_with_a_tag_are_undone_by_it_alone() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let device = PhysAddr::new(0xfe00_0120);
    assert!(memory.areas().ioremap_tagged(device, 8, Tag::Value).is_err());
    let mapped = memory.areas().ioremap_tagged(device, 8, Tag::Prompt).expect("addresses");
    assert_eq!(mapped.page_offset(), 0x120);
    assert!(memory.iounmap(mapped).is_err() && memory.vfree(mapped).is_err());
    assert!(memory.areas().iounmap_tagged(mapped, Tag::Driver).is_err());
    assert!(memory.areas().iounmap_tagged(mapped, Tag::Value).is_err());
    assert_eq!(memory.areas().iounmap_tagged(mapped, Tag::Prompt), Ok(()));
    memory.platform().take_reports();
    at_rest(memory);
}
