//! Which buffers ISA DMA reaches.

use mm::testing::{Machine, TestKernel};
use mm::{CacheFlags, CacheSpec, GfpFlags, Order, PAGE_SIZE, Pfn, PhysAddr, Platform, VirtAddr};
use services::isa::{DmaError, Transfer};

const DMA: GfpFlags = GfpFlags::KERNEL.union(GfpFlags::DMA);

fn at(start: u64, bytes: usize) -> Result<Transfer, DmaError> {
    Transfer::new(PhysAddr::new(start), bytes)
}

#[test]
fn a_transfer_is_split_as_the_controller_wants_it() {
    let transfer = at(0x12_3456, 0x1000).expect("within 64 KiB");
    assert_eq!((transfer.page(), transfer.offset(), transfer.count()), (0x12, 0x3456, 0xfff));
    let whole = at(0xff_0000, 0x1_0000).expect("the last 64 KiB");
    assert_eq!((whole.page(), whole.offset(), whole.count()), (0xff, 0, 0xffff));
}

#[test]
fn what_the_controller_cannot_reach_is_refused() {
    // Shows: S75
    assert_eq!(at(0x100_0000, 1), Err(DmaError::TooHigh));
    assert_eq!(at(0xff_ffff, 2), Err(DmaError::TooHigh));
    assert_eq!(at(u64::MAX, 1), Err(DmaError::TooHigh));
    assert_eq!(at(u64::MAX, 2), Err(DmaError::TooHigh));
    assert_eq!(at(0, usize::MAX), Err(DmaError::TooHigh));
    assert_eq!(at(0x1_ffff, 2), Err(DmaError::CrossesBoundary));
    assert_eq!(at(0x1_0000, 0x1_0001), Err(DmaError::CrossesBoundary));
    assert_eq!(at(0x1_0000, 0), Err(DmaError::Empty));
}

#[test]
fn dma_memory_of_each_kind_is_reached_and_never_crosses() {
    // Shows: S10, S24, S39
    let memory = TestKernel::boot(&Machine::with_mib(48));
    for log2 in 5..=16 {
        let object = memory.kmalloc(1 << log2, DMA).expect("memory");
        assert!(Transfer::of_buffer(*memory, VirtAddr::from_ptr(object.as_ptr()), 1 << log2).is_ok());
    }
    let flags = CacheFlags::CACHE_DMA;
    let spec = CacheSpec { name: "sectors", size: 700, offset: 0, flags, ctor: None, dtor: None };
    let cache = memory.kmem_cache_create(&spec).expect("memory");
    for _ in 0..100 {
        let object = memory.kmem_cache_alloc(cache, GfpFlags::KERNEL).expect("memory");
        assert!(Transfer::of_buffer(*memory, VirtAddr::from_ptr(object.as_ptr()), 700).is_ok());
    }
    for log2 in 0..=4 {
        let order = Order::new(log2).expect("small");
        let pages = memory.get_dma_pages(GfpFlags::KERNEL, order).expect("memory");
        assert!(Transfer::of_buffer(*memory, pages, order.bytes()).is_ok());
    }
}

#[test]
fn other_memory_is_refused() {
    // Shows: S54, S75
    let memory = TestKernel::boot(&Machine::with_mib(48));
    let refused = |addr, bytes| Transfer::of_buffer(*memory, addr, bytes).expect_err("out of reach");
    let area = memory.vmalloc(PAGE_SIZE).expect("memory");
    assert_eq!(refused(area, 512), DmaError::NotDirect);
    let normal = memory.get_free_pages(GfpFlags::KERNEL, Order::ZERO).expect("memory");
    assert_eq!(refused(normal, 512), DmaError::TooHigh);
    let huge = memory.get_dma_pages(GfpFlags::KERNEL, Order::MAX).expect("memory");
    assert_eq!(refused(huge, Order::MAX.bytes()), DmaError::CrossesBoundary);
    let local = 0;
    assert_eq!(refused(VirtAddr::from_ptr(&raw const local), 4), DmaError::NotDirect);
    assert_eq!(memory.vfree(area), Ok(()));
}

#[test]
fn high_memory_is_refused_shown_or_not() {
    // Shows: K5, S54
    let machine = Machine { highmem_start: Pfn::new(32 * 256), ..Machine::with_mib(48) };
    let memory = TestKernel::boot(&machine);
    let page = memory.alloc_pages(GfpFlags::HIGHUSER, Order::ZERO).expect("high memory");
    let would_be = memory.platform().direct_map().add(page.phys().as_u64() as usize);
    let shown = memory.kmap(page).expect("a window");
    for addr in [would_be, shown] {
        assert_eq!(Transfer::of_buffer(*memory, addr, 512), Err(DmaError::NotDirect));
    }
    memory.kunmap(page).expect("shown");
    memory.free_frames(page, Order::ZERO).expect("ours");
}
