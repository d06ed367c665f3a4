//! The driver `allocator`: RAM that mem= hides is handed out and used.
//!
//! It is mapped by ioremap; no other memory is handed out.
//!
//! Machine: APPEND="mem=126M"
//! Machine: MEM=96M APPEND="mem=64M" FIRMWARE=uefi
//! Machine: APPEND="mem=exactmap mem=640K@0 mem=47M@1M mem=32M@64M"
//! Machine: APPEND="mem=126M highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::{ATOMIC, DMA_LIMIT, KERNEL, Log};
use drivers::Allocator;
use kapi::{Errno, OpenFlags, Param};
use kernel::mm::firmware::{self, Kind};
use kernel::mm::{IoMem, Kernel, hidden_ram};
use kernel::modules::{Pinned, insmod, pin_as, rmmod};
use kernel::sync::SpinLock;
use kernel::testing::memory;
use kernel::{fs, options};
use mm::{AllocError, Order, PAGE_SIZE, PfnRange, PhysAddr};

kernel::test_kernel!(test_main);

/// The first address that `mem=` hid.
fn first_hidden() -> PhysAddr {
    hidden_ram().next().unwrap().start.phys()
}

fn hidden_bytes() -> usize {
    hidden_ram().map(|range| range.frames() * PAGE_SIZE).sum()
}

fn himem(value: &str) -> [Param<'_>; 1] {
    [Param { name: "allocator_himem", value }]
}

/// The driver, which is attached.
fn allocator() -> Pinned<Allocator<Kernel>> {
    pin_as("allocator").unwrap()
}

/// Attaches the driver, runs `f`, and checks that it can go: nothing is allocated any more.
fn attached(f: impl FnOnce()) {
    assert_eq!(insmod("allocator", &[]), Ok(()));
    f();
    assert_eq!(rmmod("allocator"), Ok(()));
    assert_eq!(memory().validate(), Ok(()));
}

#[test_case]
fn hidden_memory_is_ram_by_the_firmwares_map_and_not_the_kernels() {
    // Shows: S73, K10
    assert!(hidden_bytes() > 1 << 20, "{}", hidden_bytes());
    let kept = options::get().memory.mem.frames();
    for range in hidden_ram() {
        assert!(kept.gaps(range).eq([range]));
        for frame in (range.start.as_u32()..range.end.as_u32()).map(mm::Pfn::new) {
            let usable = |region: firmware::Region| {
                region.kind == Kind::Usable && region.start <= frame.phys() && frame.add(1).phys() <= region.end
            };
            assert!(firmware::regions().any(usable), "{frame:?}");
            assert!(memory().pages().map().block_of(frame).is_none(), "{frame:?}");
        }
    }
    // All else of the firmware's free RAM is hidden, and none of it is managed.
    let usable = firmware::regions().filter(|region| region.kind == Kind::Usable);
    let frames = |region: firmware::Region| PfnRange::new(region.start.frame().unwrap(), region.end.frame().unwrap());
    let rest = usable.map(|region| kept.gaps(frames(region)).map(PfnRange::frames).sum::<usize>());
    assert_eq!(rest.sum::<usize>() * PAGE_SIZE, hidden_bytes());
}

#[test_case]
fn a_block_is_used_through_ioremap_as_a_device_would() {
    // Shows: S74
    attached(|| {
        const BYTES: usize = 300 << 10;
        let block = allocator().allocate_dma(BYTES, KERNEL).unwrap();
        let other = allocator().allocate_dma(1, KERNEL).unwrap();
        assert!(block == first_hidden() && other.as_u64() == block.as_u64() + BYTES as u64);
        let (free, tables) = (memory().pages().free_pages_total(), memory().tables().count());
        let device = IoMem::map(block, BYTES).unwrap();
        let neighbour = IoMem::map(other, PAGE_SIZE).unwrap();
        neighbour.writeq(0, 77).unwrap();
        (0..BYTES).step_by(8).for_each(|at| device.writeq(at, !(at as u64)).unwrap());
        // Another mapping of the same memory: what the driver reads after the transfer.
        let driver = IoMem::map(block, BYTES).unwrap();
        assert!((0..BYTES).step_by(8).all(|at| driver.readq(at) == Some(!(at as u64))));
        assert_eq!(neighbour.readq(0), Some(77));
        assert!(
            free - memory().pages().free_pages_total() <= memory().tables().count() - tables,
            "only tables were allocated"
        );
        drop((device, driver, neighbour));
        assert_eq!(allocator().free_dma(block), Ok(()));
        assert_eq!(allocator().free_dma(other), Ok(()));
    });
}

#[test_case]
fn memory_that_is_managed_stays_out_of_reach_of_ioremap() {
    // Shows: K10
    attached(|| {
        let page = memory().alloc_pages(KERNEL, Order::ZERO).unwrap();
        assert!(IoMem::map(page.phys(), 1).is_err());
        memory().free_frames(page, Order::ZERO).unwrap();
    });
}

#[test_case]
fn all_of_it_is_handed_out_and_comes_back() {
    // Shows: S74
    attached(|| {
        let mut blocks = [None; 64];
        let mut total = 0;
        for block in &mut blocks {
            let bytes = hidden_bytes() / 60;
            *block = allocator().allocate_dma(bytes, KERNEL).ok();
            total += block.map_or(0, |_| bytes.next_multiple_of(PAGE_SIZE));
        }
        assert!(blocks.last().unwrap().is_none() && total > hidden_bytes() / 2);
        assert_eq!(rmmod("allocator"), Err(Errno::EBUSY), "somebody uses it");
        blocks.iter().flatten().for_each(|&block| assert_eq!(allocator().free_dma(block), Ok(())));
        let largest = hidden_ram().map(|range| range.frames() * PAGE_SIZE).max().unwrap();
        let whole = allocator().allocate_dma(largest, KERNEL).unwrap();
        assert_eq!(allocator().free_dma(whole), Ok(()));
    });
}

#[test_case]
fn a_wrong_free_is_einval_and_changes_nothing() {
    // Shows: D11, K4
    attached(|| {
        let block = allocator().allocate_dma(8 * PAGE_SIZE, KERNEL).unwrap();
        let log = Log::from_here();
        let at = |offset: u64| PhysAddr::new(block.as_u64() + offset);
        for addr in [PhysAddr::new(0), at(1), at(4096), at(8 * 4096), PhysAddr::new(u64::MAX), PhysAddr::new(1 << 20)] {
            assert_eq!(allocator().free_dma(addr), Err(Errno::EINVAL), "{addr:?}");
        }
        assert!(log.shows("allocator: 00000000 is not the start of a block that is allocated"));
        assert_eq!(allocator().free_dma(block), Ok(()));
        assert_eq!(allocator().free_dma(block), Err(Errno::EINVAL));
    });
    assert!(matches!(pin_as::<Allocator<Kernel>>("allocator"), Err(Errno::ENOENT)), "not attached");
}

#[test_case]
fn impossible_sizes_are_refused() {
    attached(|| {
        for bytes in [0, hidden_bytes() + 1, usize::MAX] {
            assert_eq!(allocator().allocate_dma(bytes, KERNEL), Err(AllocError));
        }
    });
}

#[test_case]
fn more_than_is_hidden_is_not_managed() {
    // Shows: K10
    const PAGES: usize = (1 << 20) / PAGE_SIZE;
    let log = Log::from_here();
    assert_eq!(insmod("allocator", &himem("100")), Err(Errno::EINVAL));
    assert!(log.shows("allocator: mem= hides no more than "));
    for value in ["-1", "lots", "", "99999999999999999999"] {
        assert_eq!(insmod("allocator", &himem(value)), Err(Errno::EINVAL));
    }
    assert_eq!(insmod("allocator", &himem("1")), Ok(()));
    assert!(allocator().allocate_dma((1 << 20) + 1, KERNEL).is_err());
    // It need not lie in a row.
    let pages = [(); PAGES].map(|()| allocator().allocate_dma(PAGE_SIZE, KERNEL).unwrap());
    assert_eq!(allocator().allocate_dma(PAGE_SIZE, KERNEL), Err(AllocError), "no more than a MiB");
    pages.into_iter().for_each(|page| assert_eq!(allocator().free_dma(page), Ok(())));
    assert_eq!(rmmod("allocator"), Ok(()));
}

#[test_case]
fn an_interrupt_may_only_ask_without_waiting() {
    // Shows: K11
    static PINNED: SpinLock<Option<Pinned<Allocator<Kernel>>>> = SpinLock::new(None);
    attached(|| {
        let driver = allocator();
        PINNED.with(|pinned| *pinned = Some(driver));
        common::in_interrupt(|| {
            PINNED.with(|pinned| {
                let allocator = pinned.as_ref().unwrap();
                assert_eq!(allocator.allocate_dma(1, KERNEL), Err(AllocError));
                assert!(allocator.allocate_dma(1, ATOMIC).is_ok());
            });
        });
        drop(PINNED.with(Option::take));
        let first = first_hidden();
        assert_eq!(allocator().free_dma(first), Ok(()));
    });
}

#[test_case]
fn it_is_no_memory_for_isa_dma() {
    // Shows: S75
    assert!(hidden_ram().all(|range| range.start.phys().as_u64() >= DMA_LIMIT));
}

#[test_case]
fn the_console_allocates_and_frees_too() {
    // Shows: D11
    attached(|| {
        let write = |line: &[u8]| {
            fs::open(&fs::Place::root(), "/dev/allocator0", OpenFlags::WRITE, 0o666).unwrap().write_all(line)
        };
        assert_eq!(write(b"allocate 5000\n"), Ok(()));
        for line in
            [&b"free 0\n"[..], b"allocate\n", b"allocate 0\n", b"allocate -1", b"free xyz\n", b"\n", &[b'a'; 80]]
        {
            assert_eq!(write(line), Err(Errno::EINVAL));
        }
        assert_eq!(write(b"allocate 9999999999\n"), Err(Errno::ENOMEM));
        let first = first_hidden();
        assert_eq!(allocator().free_dma(first), Ok(()));
    });
}
