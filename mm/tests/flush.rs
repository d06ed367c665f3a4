//! When TLBs are flushed, and where a flush may wait for other CPUs.

mod common;

use common::{ATOMIC, Kernel, at_rest, boot, boot_high, give};
use mm::testing::TestKernel;
use mm::{AddressSpace, Context, Cpus, GfpFlags, KernelTables, MustFlush, Order, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};

const WRONG_PLACE: &str = "flushed the TLBs of other CPUs where that cannot be waited for";

const START: VirtAddr = VirtAddr::new(0xffff_c900_0000_0000);

fn token() -> MustFlush {
    MustFlush::new(AddressSpace::Kernel, START, 1)
}

#[test]
fn a_token_that_is_dropped_without_a_flush_is_found() {
    assert!(std::panic::catch_unwind(|| drop(token())).is_err());
    token().flushed();
    let merged = token().merge(MustFlush::new(AddressSpace::Kernel, START.add(3 * PAGE_SIZE), 2));
    assert_eq!((merged.space(), merged.start(), merged.pages()), (AddressSpace::Kernel, START, 5));
    merged.flushed();
}

#[test]
fn the_host_tells_of_a_flush_in_the_wrong_place() {
    let memory = boot(8);
    let platform = memory.platform();
    platform.flush(token());
    assert!(platform.take_reports().is_empty(), "process context, not pinned, no lock");
    platform.in_context(Context::Interrupt, || platform.flush(token()));
    platform.in_context(Context::Atomic, || platform.flush(token()));
    let pin = platform.pin().expect("a CPU");
    platform.flush(token());
    platform.flush_local(token());
    drop(pin);
    assert_eq!(platform.take_reports(), [WRONG_PLACE; 3]);
    platform.flush_local(token());
    assert_eq!(platform.take_reports(), ["flushed the TLB of a CPU without being pinned to it"]);
}

#[test]
fn what_waits_for_a_flush_is_out_of_reach_for_an_interrupt() {
    // Shows: K17
    let memory = boot(8);
    let area = memory.vmalloc(20 * PAGE_SIZE).expect("memory");
    memory.vfree(area).expect("a right free");
    let (lazy, flushes) = (memory.areas().lazy_pages(), memory.platform().flushes());
    assert_eq!(lazy, 20);
    let all = || core::iter::from_fn(|| memory.alloc_pages(ATOMIC, Order::ZERO).ok()).collect::<Vec<Pfn>>();
    let mut pages = memory.platform().in_context(Context::Interrupt, all);
    assert_eq!((memory.areas().lazy_pages(), memory.platform().flushes()), (lazy, flushes));
    let more = all();
    assert!(more.len() >= lazy, "a thread may wait for the flush: {}", more.len());
    assert_eq!(memory.areas().lazy_pages(), 0);
    assert_eq!(memory.platform().take_reports().len(), 2, "each ended with a failure");
    pages.extend(more);
    give(*memory, pages);
    at_rest(*memory);
}

#[test]
fn high_memory_is_cleared_in_any_context_by_a_flush_of_this_cpu() {
    let memory = boot_high(48, 32);
    let held: Vec<_> = (0..4).map(|_| memory.alloc_pages(GfpFlags::HIGHUSER, Order::ZERO).expect("memory")).collect();
    let used = memory.alloc_pages(GfpFlags::HIGHUSER, Order::ZERO).expect("memory");
    let shown = memory.kmap_atomic(used).expect("a window");
    // SAFETY: the page is ours, and shows there.
    unsafe { shown.addr().as_mut_ptr::<u8>().write_bytes(0xff, PAGE_SIZE) };
    drop(shown);
    // It is the next to be taken.
    memory.free_frames(used, Order::ZERO).expect("a right free");
    let cleared = memory.platform().in_context(Context::Interrupt, || {
        // All windows of kmap_atomic are in use: clearing has some of its own.
        let shown: Vec<_> = held.iter().map(|&page| memory.kmap_atomic(page).expect("a window")).collect();
        let cleared = memory.pages().alloc_zeroed_page(ATOMIC | GfpFlags::HIGHMEM);
        shown.into_iter().rev().for_each(drop);
        cleared
    });
    let cleared = cleared.expect("memory");
    assert_eq!(cleared, used);
    let shown = memory.kmap_atomic(cleared).expect("a window");
    // SAFETY: as above.
    let bytes = unsafe { core::slice::from_raw_parts(shown.addr().as_mut_ptr::<u8>(), PAGE_SIZE) };
    assert!(bytes.iter().all(|&byte| byte == 0));
    drop(shown);
    give(*memory, held.into_iter().chain([cleared]));
    at_rest(*memory);
}

#[test]
fn who_finds_nothing_lazy_does_not_rely_on_a_flush_that_is_under_way() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    memory.platform().hold_next_flush();
    std::thread::scope(|scope| {
        let freeing = scope.spawn(|| {
            TestKernel::enter(memory);
            let areas: Vec<VirtAddr> = (0..64).map(|_| memory.vmalloc(1).expect("memory")).collect();
            areas.into_iter().for_each(|area| memory.vfree(area).expect("a right free"));
        });
        while !memory.platform().is_flush_held() {
            std::thread::yield_now();
        }
        assert_eq!(memory.areas().lazy_pages(), 0, "all are taken out");
        let before = memory.platform().flushes();
        memory.vm_unmap_aliases();
        assert_eq!(memory.platform().flushes(), before + 1, "a flush of its own");
        memory.platform().release_flush();
        freeing.join().expect("no panic");
    });
    let before = memory.platform().flushes();
    memory.vm_unmap_aliases();
    assert_eq!(memory.platform().flushes(), before, "nothing is lazy, and no flush under way");
    at_rest(memory);
}

/// Runs `call` with ever more page allocations granted, until it succeeds. A call that fails has undone all of it: the
/// `frames` that it was given are freed at once, and no TLB shows one of them.
fn leaves_nothing_to_flush(what: &str, pages: usize, call: impl Fn(Kernel, &[Pfn]) -> bool) {
    let memory = boot(40);
    // The page table of the next areas is there, and almost full.
    let first = memory.vmalloc(510 * PAGE_SIZE).expect("memory");
    for granted in 0.. {
        let frames: Vec<Pfn> =
            (0..pages).map(|_| memory.alloc_pages(GfpFlags::KERNEL, Order::ZERO).expect("memory")).collect();
        memory.platform().fail_after(granted);
        let done = call(*memory, &frames);
        memory.platform().fail_never();
        give(*memory, frames);
        let reports = memory.platform().take_reports();
        assert_eq!(reports.len(), usize::from(!done), "{what}, {granted} granted: {reports:?}");
        memory.drop_caches();
        at_rest(*memory);
        if done {
            break;
        }
    }
    memory.vfree(first).expect("a right free");
}

#[test]
fn a_call_that_fails_leaves_no_translation_behind() {
    let vmap = |memory: Kernel, frames: &[Pfn]| memory.vmap(frames).is_ok_and(|area| memory.vunmap(area).is_ok());
    let scattered = |memory: Kernel, frames: &[Pfn]| vmap(memory, &frames.iter().rev().copied().collect::<Vec<_>>());
    for pages in [1, 8, 520, 1100] {
        leaves_nothing_to_flush("vmap", pages, vmap);
        leaves_nothing_to_flush("vmap of scattered pages", pages, scattered);
    }
    leaves_nothing_to_flush("vmalloc", 0, |memory, _| {
        memory.vmalloc(70 * PAGE_SIZE).is_ok_and(|area| memory.vfree(area).is_ok())
    });
    leaves_nothing_to_flush("vmalloc_huge", 0, |memory, _| {
        memory.areas().vmalloc_huge(520 * PAGE_SIZE).is_ok_and(|area| memory.vfree(area).is_ok())
    });
    leaves_nothing_to_flush("ioremap", 0, |memory, _| {
        let device = memory.ioremap(PhysAddr::new(0xfe00_1000), 1300 * PAGE_SIZE);
        device.is_ok_and(|area| memory.iounmap(area).is_ok())
    });
}
