//! kvmalloc and its kin: memory from kmalloc or from vmalloc, whichever has it.

mod common;

use core::ptr::NonNull;

use common::{ATOMIC, KERNEL, Kernel, at_rest, blocks, boot, boot_high, give, hoard, state};
use mm::objects::NO_BYTES;
use mm::testing::Rng;
use mm::{AllocError, Context, FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, VirtAddr, ZoneKind};

fn is_area(memory: Kernel, at: NonNull<u8>) -> bool {
    memory.areas().area_at(VirtAddr::from_ptr(at.as_ptr())).is_some()
}

fn free(memory: Kernel, at: NonNull<u8>) {
    // SAFETY: the test has it from kvmalloc, and uses it no more.
    unsafe { memory.kvfree(at.as_ptr()) }.expect("a right free");
}

fn fill(at: NonNull<u8>, bytes: usize, value: u8) {
    // SAFETY: the test owns so many bytes there.
    unsafe { at.write_bytes(value, bytes) };
}

fn holds(at: NonNull<u8>, bytes: core::ops::Range<usize>, value: u8) -> bool {
    // SAFETY: the test owns these bytes, and has written them.
    let all = unsafe { core::slice::from_raw_parts(at.as_ptr(), bytes.end) };
    all[bytes].iter().all(|&byte| byte == value)
}

/// Has no block of more than one page left.
fn fragment(memory: Kernel) -> Vec<Pfn> {
    let (kept, given): (Vec<Pfn>, Vec<Pfn>) =
        hoard(memory, ATOMIC).into_iter().partition(|page| page.as_u32() % 2 == 0);
    give(memory, given);
    kept
}

fn refused<T: PartialEq + core::fmt::Debug>(memory: Kernel, expected: T, report: &str, call: impl FnOnce() -> T) {
    let before = state(memory);
    assert_eq!(call(), expected, "{report}");
    let reports = memory.platform().take_reports();
    assert!(matches!(&reports[..], [one] if one.contains(report)), "{report}: {reports:?}");
    assert_eq!(state(memory), before, "{report}: something changed");
}

#[test]
fn small_memory_comes_from_kmalloc_and_large_from_vmalloc() {
    let memory = boot(32);
    let start = blocks(*memory);
    for (size, from_area) in [(0, false), (1, false), (4096, false), (131_072, false), (131_073, true), (3 << 20, true)]
    {
        let at = memory.kvmalloc(size, KERNEL).expect("memory");
        assert_eq!(is_area(*memory, at), from_area, "{size}");
        fill(at, size, 7);
        free(*memory, at);
        let at = memory.kvzalloc(size, KERNEL).expect("memory");
        assert!(holds(at, 0..size, 0), "{size}");
        free(*memory, at);
    }
    let vmalloced = memory.vmalloc(5000).expect("memory");
    free(*memory, NonNull::new(vmalloced.as_mut_ptr()).expect("an address"));
    // SAFETY: null is nobody's.
    assert_eq!(unsafe { memory.kvfree(core::ptr::null()) }, Ok(()));
    memory.drop_caches();
    assert_eq!(blocks(*memory), start);
    at_rest(*memory);
}

#[test]
fn without_contiguous_memory_vmalloc_serves_in_silence() {
    let memory = boot(32);
    memory.platform().set_nap(core::time::Duration::ZERO);
    let kept = fragment(*memory);
    let at = memory.kvmalloc(100_000, KERNEL).expect("single pages will do");
    assert!(is_area(*memory, at));
    assert_eq!(memory.platform().take_reports(), Vec::<String>::new(), "kmalloc's failure is no news");
    free(*memory, at);
    // These flags allow no vmalloc, and kmalloc says that it has failed.
    for gfp in [ATOMIC, GfpFlags::BUFFER] {
        assert_eq!(memory.kvmalloc(100_000, gfp), Err(AllocError));
        assert_eq!(memory.platform().take_reports().len(), 1);
    }
    assert_eq!(memory.kvmalloc(100_000, KERNEL | GfpFlags::DMA).map(|at| free(*memory, at)), Ok(()));
    give(*memory, kept);
    at_rest(*memory);
}

#[test]
fn what_kmalloc_cannot_have_is_refused_where_vmalloc_may_not_be_called() {
    let memory = boot(32);
    let reason = "kvmalloc: size exceeds 131072 bytes, and flags without WAIT and IO allow no vmalloc";
    for gfp in [ATOMIC, GfpFlags::BUFFER, ATOMIC | GfpFlags::DMA] {
        refused(*memory, Err(AllocError), reason, || memory.kvmalloc(131_073, gfp));
    }
    let in_interrupt = |gfp| {
        let platform = memory.platform();
        platform.in_context(Context::Interrupt, || memory.kvmalloc(1 << 20, gfp))
    };
    refused(*memory, Err(AllocError), reason, || in_interrupt(ATOMIC));
    refused(*memory, Err(AllocError), "kvmalloc: may sleep, called in interrupt context", || in_interrupt(KERNEL));
    refused(*memory, Err(AllocError), "exceeds the machine's memory", || memory.kvmalloc(1 << 30, KERNEL));
    refused(*memory, Err(AllocError), "exceeds the address space", || memory.kvmalloc(usize::MAX, KERNEL));
    at_rest(*memory);
}

#[test]
fn large_memory_is_high_and_small_is_not() {
    let memory = boot_high(32, 24);
    let gfp = KERNEL | GfpFlags::HIGHMEM;
    let (small, large) =
        (memory.kvmalloc(3000, gfp).expect("memory"), memory.kvmalloc(1 << 20, KERNEL).expect("memory"));
    assert!(!is_area(*memory, small), "kmalloc takes none of the flag");
    let frame = memory.areas().frame_at(VirtAddr::from_ptr(large.as_ptr())).expect("it is mapped");
    assert_eq!(memory.pages().direct().zone_of(frame), ZoneKind::HighMem);
    [small, large].into_iter().for_each(|at| free(*memory, at));
    let low = memory.kvmalloc(1 << 20, KERNEL | GfpFlags::DMA).expect("memory");
    let frame = memory.areas().frame_at(VirtAddr::from_ptr(low.as_ptr())).expect("it is mapped");
    assert_eq!(memory.pages().direct().zone_of(frame), ZoneKind::Dma);
    free(*memory, low);
    at_rest(*memory);
}

#[test]
fn wrong_frees_and_resizes_are_refused() {
    let memory = boot(32);
    let memory: Kernel = *memory;
    let (small, large) =
        (memory.kvmalloc(3000, KERNEL).expect("memory"), memory.kvmalloc(200_000, KERNEL).expect("memory"));
    fill(small, 4096, 1);
    fill(large, 200_704, 2);
    let stack = 0u64;
    let device = memory.ioremap(mm::PhysAddr::new(0xfe00_0000), PAGE_SIZE).expect("addresses");
    for (what, at, error) in [
        ("inside an object", small.as_ptr().wrapping_add(32), FreeError::Interior),
        ("inside a page of an area", large.as_ptr().wrapping_add(64), FreeError::Misaligned),
        ("another page of an area", large.as_ptr().wrapping_add(PAGE_SIZE), FreeError::NoArea),
        ("device memory", device.as_mut_ptr(), FreeError::NoArea),
        ("not of the allocators", (&raw const stack).cast_mut().cast(), FreeError::Wild),
    ] {
        // SAFETY: these are wrong, and so refused.
        refused(memory, Err(error), "", || unsafe { memory.kvfree(at) });
        // SAFETY: as above.
        refused(memory, Err(error), "", || unsafe { memory.kvfree_sensitive(at) });
        for size in [0, 100, 1 << 20] {
            // SAFETY: as above.
            let resize = || unsafe { memory.kvrealloc(at, size, KERNEL) };
            refused(memory, Err(AllocError), "", resize);
            // SAFETY: as above.
            let resize = || unsafe { memory.kvrealloc_zeroed(at, 0, size, KERNEL) };
            refused(memory, Err(AllocError), "", resize);
        }
        assert!(holds(small, 0..4096, 1) && holds(large, 0..200_704, 2), "{what}");
    }
    memory.iounmap(device).expect("a right free");
    let in_interrupt = |call: &mut dyn FnMut()| memory.platform().in_context(Context::Interrupt, call);
    let sleeps = "may sleep";
    // SAFETY: it is the test's.
    let grow = |gfp| unsafe { memory.kvrealloc(large.as_ptr(), 300_000, gfp) };
    in_interrupt(&mut || {
        // SAFETY: it is the test's, and refused.
        refused(memory, Err(FreeError::WrongContext), "", || unsafe { memory.kvfree(large.as_ptr()) });
        // SAFETY: as above.
        refused(memory, Err(FreeError::WrongContext), "", || unsafe { memory.kvfree_sensitive(large.as_ptr()) });
        refused(memory, Err(AllocError), sleeps, || grow(KERNEL));
        refused(memory, Err(AllocError), sleeps, || grow(ATOMIC));
        // SAFETY: it is the test's.
        assert_eq!(unsafe { memory.kvrealloc(large.as_ptr(), 200_704, ATOMIC) }, Ok(large), "it has as many");
    });
    for (at, held) in [(small, 4096), (large, 200_704)] {
        // SAFETY: it is the test's.
        let resize = |used| unsafe { memory.kvrealloc_zeroed(at.as_ptr(), used, 1 << 20, KERNEL) };
        refused(memory, Err(AllocError), "more bytes are in use", || resize(held + 1));
    }
    // SAFETY: null is nobody's.
    let of_null = || unsafe { memory.kvrealloc_zeroed(core::ptr::null_mut(), 1, 100, KERNEL) };
    refused(memory, Err(AllocError), "more bytes are in use", of_null);
    assert!(holds(large, 0..200_704, 2));
    [small, large].into_iter().for_each(|at| free(memory, at));
    at_rest(memory);
}

#[test]
fn memory_keeps_its_content_wherever_it_moves() {
    const ROUNDS: usize = 2000;
    let memory = boot(32);
    let (start, mut rng) = (blocks(*memory), Rng::new(0x6b76_6d61_6c6c_6f63));
    // Where it is, how many bytes it was asked for, and what it is filled with.
    let mut all: Vec<(*mut u8, usize, u8)> = vec![(core::ptr::null_mut(), 0, 0); 8];
    for round in 0..ROUNDS {
        let (value, which) = (round as u8 | 1, rng.below(8));
        let (old, used, was) = all[which];
        let size = if rng.one_in(8) { 0 } else { 1 << rng.below(19) | rng.below(64) };
        let zeroed = rng.one_in(2);
        let new = match zeroed {
            // SAFETY: the test owns it, and uses the result from now on.
            true => unsafe { memory.kvrealloc_zeroed(old, used, size, KERNEL) },
            // SAFETY: as above.
            false => unsafe { memory.kvrealloc(old, size, KERNEL) },
        };
        let new = new.expect("memory");
        assert!(holds(new, 0..used.min(size), was), "round {round}: {used} to {size}");
        if size > used && zeroed {
            assert!(holds(new, used..size, 0), "round {round}: {used} to {size}");
        }
        if size == 0 && !old.is_null() {
            assert_eq!(new, NO_BYTES);
        } else if !old.is_null() && size <= used && used > 0 {
            assert_eq!(new.as_ptr(), old, "nothing moves to shrink");
        }
        // All that it has, so that slack is not zero by chance.
        let held = memory.objects().ksize(new.as_ptr()).unwrap_or_else(|| size.next_multiple_of(PAGE_SIZE));
        if new != NO_BYTES {
            fill(new, if is_area(*memory, new) { size } else { held }, value);
        }
        all[which] = (if size == 0 && new == NO_BYTES { core::ptr::null_mut() } else { new.as_ptr() }, size, value);
        if round % 200 == 0 {
            memory.validate().expect("valid");
        }
    }
    for (at, ..) in all {
        // SAFETY: the test owns it, or it is null.
        unsafe { memory.kvfree(at) }.expect("a right free");
    }
    memory.drop_caches();
    assert_eq!(blocks(*memory), start);
    at_rest(*memory);
}

#[test]
fn a_try_reclaims_once_and_does_not_wait() {
    // Free pages in magazines are no block for kmalloc before they are drained.
    let memory = boot(32);
    let all = hoard(*memory, ATOMIC);
    memory.free_pages_bulk(&all);
    let at = memory.kvmalloc(131_072, KERNEL).expect("memory");
    assert!(!is_area(*memory, at));
    free(*memory, at);
    let kept: Vec<Pfn> = hoard(*memory, KERNEL);
    assert_eq!(memory.kmalloc(8192, KERNEL | GfpFlags::NOWARN), Err(AllocError), "no pages at all");
    assert_eq!(memory.platform().take_reports(), Vec::<String>::new(), "as asked");
    let before = memory.pages().events().sleeps;
    assert_eq!(memory.alloc_pages(KERNEL | GfpFlags::NORETRY, Order::ZERO), Err(AllocError));
    assert_eq!(
        (memory.platform().take_reports().len(), memory.pages().events().sleeps),
        (1, before),
        "it did not wait"
    );
    give(*memory, kept);
    at_rest(*memory);
}
