//! Boot-time memory: a linked-in driver takes it, before the hand-over only.
//!
//! Machine:
//! Machine: MEM=24M
//! Machine: FIRMWARE=uefi CPU=max APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::slice;

use common::{DMA_LIMIT, KERNEL, Log};
use kernel::arch::layout::{DIRECT_MAP, direct};
use kernel::mm::bootmem::{
    BootDriver, alloc_bootmem, alloc_bootmem_at, alloc_bootmem_low, alloc_bootmem_low_pages, alloc_bootmem_pages,
    free_bootmem, reserve_bootmem,
};
use kernel::mm::tables;
use kernel::sync::SpinLock;
use kernel::testing::memory;
use mm::{BootmemError, FreeError, Order, PAGE_SIZE, PhysAddr, VirtAddr};

/// More than the largest order, and no power of two.
const LARGE: usize = (3 << 20) + 1;
const LARGE_PAGES: usize = 769;

static DRIVERS: [BootDriver; 2] = [
    BootDriver { name: "camera", reserve: take_buffers },
    BootDriver { name: "greedy", reserve: || alloc_bootmem_low(17 << 20).map(|_| ()) },
];

kernel::test_kernel!(test_main, boot_drivers = DRIVERS);

/// What the driver took.
#[derive(Clone, Copy)]
struct Buffers {
    large: VirtAddr,
    low: VirtAddr,
    small: [VirtAddr; 3],
    small_low: VirtAddr,
    /// Reserved twice, given back and taken again.
    page: VirtAddr,
    wrong: [BootmemError; 3],
}

static BUFFERS: SpinLock<Option<Buffers>> = SpinLock::new(None);

fn take_buffers() -> Result<(), BootmemError> {
    let large = alloc_bootmem_pages(LARGE)?;
    let page = alloc_bootmem_pages(1)?;
    reserve_bootmem(phys(page), 1)?;
    free_bootmem(phys(page), PAGE_SIZE)?;
    let wrong = [
        free_bootmem(phys(page), PAGE_SIZE).unwrap_err(),
        free_bootmem(PhysAddr::new(1 << 40), PAGE_SIZE).unwrap_err(),
        reserve_bootmem(phys(page), 0).unwrap_err(),
    ];
    let buffers = Buffers {
        large,
        page: alloc_bootmem_at(PAGE_SIZE, PAGE_SIZE, phys(page), PhysAddr::new(u64::MAX))?,
        low: alloc_bootmem_low_pages(PAGE_SIZE + 1)?,
        small: [alloc_bootmem(100)?, alloc_bootmem(200)?, alloc_bootmem(5000)?],
        small_low: alloc_bootmem_low(100)?,
        wrong,
    };
    BUFFERS.with(|slot| *slot = Some(buffers));
    Ok(())
}

fn phys(addr: VirtAddr) -> PhysAddr {
    PhysAddr::new((addr.as_usize() - DIRECT_MAP.as_usize()) as u64)
}

fn buffers() -> Buffers {
    BUFFERS.with(|slot| *slot).unwrap()
}

#[test_case]
fn a_buffer_may_have_any_number_of_pages() {
    // Shows: S65, S67
    let large = buffers().large;
    assert!(large.is_aligned(PAGE_SIZE));
    for page in 0..LARGE_PAGES {
        let at = large.add(page * PAGE_SIZE);
        assert_eq!(tables::translate(at), phys(large).frame().map(|first| first.add(page as u32)));
    }
    // SAFETY: the pages are this driver's for good.
    let bytes = unsafe { slice::from_raw_parts_mut(large.as_mut_ptr::<u8>(), LARGE_PAGES * PAGE_SIZE) };
    assert!(bytes.iter().all(|&byte| byte == 0));
    bytes.fill(0x5a);
}

#[test_case]
fn low_memory_lies_below_16_mib_and_the_other_prefers_what_is_above() {
    // Shows: S67, K9
    let Buffers { large, low, small_low, page, .. } = buffers();
    assert!(low.is_aligned(PAGE_SIZE) && phys(low).as_u64() + 2 * PAGE_SIZE as u64 <= DMA_LIMIT);
    assert!(phys(small_low).as_u64() + 100 <= DMA_LIMIT);
    for (addr, bytes) in [(large, LARGE_PAGES * PAGE_SIZE), (page, PAGE_SIZE)] {
        let fell_back = Log::whole().shows("none free above 1000000");
        assert!(phys(addr).as_u64() >= DMA_LIMIT || fell_back, "{bytes} bytes");
    }
}

#[test_case]
fn small_requests_share_pages() {
    // Shows: S70
    let [first, second, third] = buffers().small;
    assert_eq!(second, first.add(128), "from one cache line to the next");
    assert_eq!(third, second.add(256), "goes on in the same page");
}

#[test_case]
fn too_large_a_request_is_refused_and_boot_goes_on() {
    // Shows: K9
    assert!(Log::whole().shows("bootmem alloc of 17825792 bytes failed! (no free range is large enough)"));
    assert!(Log::whole().shows("greedy: no boot-time memory: no free range is large enough"));
}

#[test_case]
fn a_page_that_is_reserved_twice_is_named() {
    let Buffers { page, wrong, .. } = buffers();
    let mut line = [0; 64];
    let text = format(&mut line, phys(page).as_u64());
    assert!(Log::whole().shows(text), "{text}");
    assert_eq!(wrong, [BootmemError::AlreadyFree, BootmemError::NotRam, BootmemError::BadRequest]);
}

fn format(buf: &mut [u8; 64], page: u64) -> &str {
    let mut hex = *b"hm, page 00000000 reserved twice.";
    for (place, digit) in hex[9..17].iter_mut().rev().zip(0..) {
        *place = b"0123456789abcdef"[(page >> (4 * digit) & 0xf) as usize];
    }
    buf[..hex.len()].copy_from_slice(&hex);
    core::str::from_utf8(&buf[..hex.len()]).unwrap()
}

#[test_case]
fn boot_time_memory_never_joins_the_pool() {
    // Shows: S68
    let Buffers { large, low, .. } = buffers();
    for page in 0..LARGE_PAGES {
        let at = large.add(page * PAGE_SIZE);
        assert!(memory().pages().map().block_of(phys(at).frame().unwrap()).is_none());
    }
    assert_eq!(memory().free_pages(large, Order::ZERO), Err(FreeError::Reserved));
    assert_eq!(memory().free_pages(low, Order::ZERO), Err(FreeError::Reserved));
    assert!(memory().kfree(large.as_mut_ptr()).is_err());
    // Whoever asks for all memory gets none of it.
    let mut hoard = common::Hoard::new();
    hoard.fill(common::EVERYTHING);
    let taken = |frame| (phys(large).frame().unwrap()..phys(large.add(LARGE)).frame().unwrap()).contains(&frame);
    assert!(!hoard.pages().iter().any(|&page| taken(page)));
    drop(hoard);
    // SAFETY: the pages are this driver's for good.
    let bytes = unsafe { slice::from_raw_parts(large.as_mut_ptr::<u8>(), LARGE_PAGES * PAGE_SIZE) };
    assert!(bytes.iter().all(|&byte| byte == 0x5a), "nobody wrote there");
}

#[test_case]
fn after_the_hand_over_every_call_is_refused() {
    // Shows: S66, K9
    let free = memory().pages().free_pages_total();
    let log = Log::from_here();
    let over = Err(BootmemError::HandedOver);
    assert_eq!(alloc_bootmem(100), over);
    assert_eq!(alloc_bootmem_low(100), over);
    assert_eq!(alloc_bootmem_pages(PAGE_SIZE), over);
    assert_eq!(alloc_bootmem_low_pages(PAGE_SIZE), over);
    assert_eq!(alloc_bootmem_at(1, 1, PhysAddr::new(0), PhysAddr::new(u64::MAX)), over);
    assert!(log.shows("bootmem alloc of 100 bytes failed! (the page allocator has taken over)"));
    let page = memory().get_free_pages(KERNEL, Order::ZERO).unwrap();
    assert_eq!(reserve_bootmem(phys(page), PAGE_SIZE), Err(BootmemError::HandedOver));
    assert_eq!(free_bootmem(phys(buffers().large), PAGE_SIZE), Err(BootmemError::HandedOver));
    assert_eq!(memory().free_pages(page, Order::ZERO), Ok(()));
    assert_eq!(memory().pages().free_pages_total(), free);
    assert_eq!(direct(phys(page)), page);
}
