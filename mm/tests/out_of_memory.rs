//! Page allocation fails at every n-th time, and nothing else breaks.
//!
//! Each call returns its error, leaks nothing, and works afterwards.

mod common;

use core::ptr::NonNull;

use common::{ATOMIC, DMA, KERNEL, Kernel, blocks, boot, boot_high, give, order};
use mm::own::{IoMem, KBox, KBytes, KString, KVec, KmemCache, PageBlock, VmArea};
use mm::testing::{Rng, TestKernel};
use mm::{
    AllocError, Buffer, CacheFlags, CacheSpec, CreateError, DestroyError, GfpFlags, LastResort, Order, PAGE_SIZE, Pfn,
    PhysAddr,
};

/// Runs `call`, which undoes what it does, with ever more page allocations granted until it succeeds; returns how many
/// it needed.
fn fails_cleanly(what: &str, call: impl Fn(Kernel) -> Result<(), AllocError>) -> i64 {
    fails_cleanly_at(0..2000, what, call)
}

/// The same with these numbers of granted allocations.
fn fails_cleanly_at(
    grants: impl IntoIterator<Item = i64>,
    what: &str,
    call: impl Fn(Kernel) -> Result<(), AllocError>,
) -> i64 {
    let memory = boot(40);
    call(*memory).expect("memory");
    memory.drop_caches();
    let start = blocks(*memory);
    for granted in grants {
        memory.platform().fail_after(granted);
        let result = call(*memory);
        memory.platform().fail_never();
        let reports = memory.platform().take_reports();
        let expected = usize::from(result.is_err());
        assert_eq!(reports.len(), expected, "{what}, {granted} granted: {reports:?}");
        memory.drop_caches();
        memory.validate().expect(what);
        assert_eq!(blocks(*memory), start, "{what}, {granted} granted: pages leaked");
        assert!(
            memory.objects().caches().all(|cache| cache.active_objects == 0 || cache.name.as_str() == "kmem_cache"),
            "{what}"
        );
        assert_eq!(memory.areas().iter().count(), 0, "{what}");
        if result.is_ok() {
            return granted;
        }
    }
    panic!("{what} never succeeds");
}

#[test]
fn raw_calls_fail_cleanly() {
    // Shows: S43
    let block = |gfp: GfpFlags, log2| {
        fails_cleanly("alloc_pages", |memory| {
            memory.alloc_pages(gfp, order(log2)).map(|frame| memory.free_frames(frame, order(log2)).expect("right"))
        })
    };
    assert_eq!((block(KERNEL, 0), block(ATOMIC, 9), block(KERNEL | DMA, 4)), (1, 1, 1));
    let zeroed = |memory: Kernel| memory.get_zeroed_page(KERNEL).map(|page| memory.free_page(page).expect("right"));
    assert_eq!(fails_cleanly("get_zeroed_page", zeroed), 1);
    for gfp in [KERNEL, ATOMIC, ATOMIC | DMA] {
        for size in [1, 256, 512, 4000, 131_072] {
            let pages = fails_cleanly("kmalloc", |memory| {
                memory.kzalloc(size, gfp).map(|object| memory.kfree(object.as_ptr()).expect("right"))
            });
            assert_eq!(pages, if size < 512 { 1 } else { 2 }, "a slab, and from 512 bytes on its descriptor's");
        }
    }
    let vmalloc = |pages: usize| {
        move |memory: Kernel| memory.vmalloc(pages * PAGE_SIZE).map(|area| memory.vfree(area).expect("right"))
    };
    assert_eq!(fails_cleanly("vmalloc", vmalloc(30)), 1 + 30 + 2, "descriptor's slab, pages, page tables");
    // A table is missing after the first 64 pages, two at once, and after 576.
    let edges = [1, 2, 65, 66, 67, 68, 515, 516, 579, 580, 581, 603, 604];
    assert_eq!(fails_cleanly_at(edges, "vmalloc", vmalloc(600)), 1 + 600 + 3, "three page tables");
    let device = PhysAddr::new(0xfe00_0000);
    let ioremap = |memory: Kernel| memory.ioremap(device, PAGE_SIZE).map(|at| memory.iounmap(at).expect("right"));
    assert_eq!(fails_cleanly("ioremap", ioremap), 3, "descriptor's slab, page tables");
}

#[test]
fn a_bulk_call_is_granted_as_many_pages_as_it_gets() {
    // High memory is short: the last pages come singly, from the next zone.
    let memory = boot_high(40, 39);
    for granted in [0, 1, 63, 64, 65, 130, 255, 256, 257, 299] {
        let mut pages = [Pfn::new(0); 300];
        memory.platform().fail_after(granted);
        let got = memory.pages().alloc_pages_bulk(ATOMIC | GfpFlags::HIGHMEM, &mut pages);
        memory.platform().fail_never();
        assert_eq!((got as i64, memory.platform().take_reports().len()), (granted, 1));
        give(*memory, pages.into_iter().take(got));
    }
    memory.validate().expect("valid");
}

#[test]
fn memory_from_either_allocator_fails_cleanly() {
    let free = |memory: Kernel, at: NonNull<u8>| {
        // SAFETY: the test has it from kvmalloc, and uses it no more.
        unsafe { memory.kvfree(at.as_ptr()) }.expect("right");
    };
    let kvmalloc =
        |size, gfp| fails_cleanly("kvmalloc", |memory| memory.kvzalloc(size, gfp).map(|at| free(memory, at)));
    assert_eq!((kvmalloc(100, KERNEL), kvmalloc(5000, KERNEL), kvmalloc(5000, ATOMIC)), (1, 2, 2), "by kmalloc");
    assert_eq!(kvmalloc(30 * PAGE_SIZE, KERNEL), 2, "kmalloc comes first");
    assert_eq!(kvmalloc(40 * PAGE_SIZE, KERNEL), 1 + 40 + 2, "descriptor's slab, pages, page tables");
    let aligned = |memory: Kernel| {
        let area = memory.vmalloc_aligned(3 * PAGE_SIZE, 1 << 20, KERNEL)?;
        memory.vfree(area).expect("right");
        Ok(())
    };
    assert_eq!(fails_cleanly("vmalloc_aligned", aligned), 1 + 3 + 2);
    // On failure the memory is as it was, wherever it would have moved.
    for sizes in [[100, 3000], [4000, 100_000], [100, 200_000], [200_000, 300_000]] {
        fails_cleanly("kvrealloc", |memory| {
            let old = memory.kvzalloc(sizes[0], KERNEL)?;
            // SAFETY: it has so many bytes.
            unsafe { old.write_bytes(5, sizes[0]) };
            // SAFETY: only the test uses it.
            let grown = unsafe { memory.kvrealloc_zeroed(old.as_ptr(), sizes[0], sizes[1], KERNEL) };
            let kept = grown.unwrap_or(old);
            // SAFETY: as above.
            let bytes = unsafe { core::slice::from_raw_parts(kept.as_ptr(), sizes[0]) };
            assert!(bytes.iter().all(|&byte| byte == 5));
            free(memory, kept);
            grown.map(|_| ())
        });
    }
}

#[test]
fn caches_fail_cleanly() {
    for (size, flags) in
        [(100, CacheFlags::HWCACHE_ALIGN), (5000, CacheFlags::empty()), (30_000, CacheFlags::CACHE_DMA)]
    {
        fails_cleanly("kmem_cache_alloc", |memory| {
            let spec = CacheSpec { name: "test", size, offset: 0, flags, ctor: None, dtor: None };
            let cache = memory.kmem_cache_create(&spec).expect("room for a cache");
            let result = memory.kmem_cache_alloc(cache, KERNEL);
            let done = result.map(|object| memory.kmem_cache_free(cache, object).expect("right"));
            memory.kmem_cache_destroy(cache).expect("empty");
            done
        });
    }
}

#[test]
fn a_cache_without_memory_is_not_created() {
    let memory = boot(16);
    memory.platform().fail_after(0);
    let create = |name: &str| {
        let flags = CacheFlags::empty();
        memory.kmem_cache_create(&CacheSpec { name, size: 64, offset: 0, flags, ctor: None, dtor: None })
    };
    let mut caches = Vec::new();
    let error = loop {
        match create(&format!("cache-{}", caches.len())) {
            Ok(cache) => caches.push(cache),
            Err(error) => break error,
        }
    };
    assert_eq!(error, CreateError::NoMemory);
    let before = memory.objects().caches().count();
    memory.platform().fail_never();
    let last = create("last").expect("memory");
    assert_eq!(memory.objects().caches().count(), before + 1);
    memory.kmem_cache_destroy(last).expect("empty");
    assert!(caches.into_iter().all(|cache| memory.kmem_cache_destroy(cache).is_ok()));
    memory.validate().expect("valid");
}

#[test]
fn owned_values_fail_cleanly() {
    fails_cleanly("KBox", |_| KBox::<_, TestKernel>::new([7_u64; 600], KERNEL).map(drop));
    fails_cleanly("KBytes", |_| KBytes::<TestKernel>::new(9000, ATOMIC).map(drop));
    fails_cleanly("PageBlock", |_| PageBlock::<TestKernel>::new(order(5), KERNEL).map(drop));
    fails_cleanly("zeroed PageBlock", |_| PageBlock::<TestKernel>::zeroed(KERNEL).map(drop));
    fails_cleanly("VmArea", |_| VmArea::<TestKernel>::new(20 * PAGE_SIZE).map(drop));
    fails_cleanly("IoMem", |_| IoMem::<TestKernel>::map(PhysAddr::new(0xfe00_0123), 5000).map(drop));
    fails_cleanly("nested boxes", |_| {
        let inner = KBox::<_, TestKernel>::new([1_u8; 2000], KERNEL)?;
        KBox::<_, TestKernel>::new((inner, KBytes::<TestKernel>::new(70_000, KERNEL)?), KERNEL).map(drop)
    });
    fails_cleanly("KString", |_| KString::<TestKernel>::try_format(format_args!("{:>5000}{:>500}", 1, 2)).map(drop));
}

#[test]
fn a_vector_without_memory_stays_as_it_was() {
    fails_cleanly("KVec", |_| {
        let mut vec = KVec::<u32, TestKernel>::new();
        for value in 0..3000 {
            let pushed = vec.push(value, KERNEL);
            if let Err(error) = pushed {
                assert!(vec.iter().copied().eq(0..value));
                return Err(error);
            }
        }
        Ok(())
    });
    fails_cleanly("KVec of boxes", |_| {
        let mut vec = KVec::<KBox<u64, TestKernel>, TestKernel>::new();
        (0..100).try_for_each(|value| vec.push(KBox::new(value, KERNEL)?, KERNEL))
    });
}

#[test]
fn a_cache_with_a_live_object_survives_its_handle() {
    // Shows: S31, K15
    let memory = boot(16);
    let cache = KmemCache::<TestKernel>::create("owned", 100, 0, CacheFlags::empty()).expect("a cache");
    let mut object = cache.alloc(KERNEL).expect("memory");
    assert_eq!(cache.destroy(), Err(DestroyError::Busy(1)));
    assert!(memory.objects().caches().any(|cache| cache.name.as_str() == "owned"));
    object.bytes_mut().fill(1);
    drop(object);
    let reports = memory.platform().take_reports();
    assert_eq!(reports, ["kmem_cache_destroy: Can't free all objects of owned: 1 left"]);
}

#[test]
fn random_failures_lose_nothing() {
    let memory = boot(16);
    let start = blocks(*memory);
    let mut rng = Rng::new(11);
    for _ in 0..30 {
        memory.platform().fail_after(rng.below(12) as i64);
        let mut held = Vec::new();
        for _ in 0..30 {
            let size = 1 + rng.below(20_000);
            held.push(KBytes::<TestKernel>::new(size, ATOMIC).map(|bytes| Box::new(bytes) as Box<dyn Buffer>));
            held.push(VmArea::<TestKernel>::new(size).map(|area| Box::new(area) as Box<dyn Buffer>));
            held.push(PageBlock::<TestKernel>::new(Order::ZERO, KERNEL).map(|page| Box::new(page) as Box<dyn Buffer>));
        }
        held.iter_mut().flatten().for_each(|memory| memory.bytes_mut().fill(3));
    }
    memory.platform().fail_never();
    memory.platform().take_reports();
    memory.drop_caches();
    common::at_rest(*memory);
    assert_eq!(blocks(*memory), start);
}

#[test]
fn a_mapping_that_fails_gives_its_tables_back() {
    let memory = boot(40);
    let tables = memory.tables().count();
    // Off the boundaries of large pages: a table for every 2 MiB.
    let ioremap = || memory.ioremap(PhysAddr::new(0xe000_1000), 64 << 20);
    memory.platform().fail_after(20);
    assert_eq!(ioremap(), Err(AllocError));
    memory.platform().fail_never();
    assert_eq!(memory.tables().count(), tables);
    memory.platform().take_reports();
    let mapped = ioremap().expect("addresses");
    memory.iounmap(mapped).expect("its owner");
}

#[test]
fn the_kernel_is_asked_before_a_request_fails() {
    let memory = boot(40);
    let shortages = |gfp, order| {
        let frame = memory.alloc_pages(gfp, order);
        (memory.platform().take_shortages(), frame.ok())
    };
    let mut held: Vec<Pfn> = core::iter::from_fn(|| memory.alloc_pages(KERNEL, Order::ZERO).ok()).collect();
    assert_eq!(memory.platform().take_shortages(), 1);
    // Who may not sleep, wants no retries, or only what ISA DMA reaches, is refused as ever; so is who starts no I/O.
    for gfp in [KERNEL | GfpFlags::NORETRY, KERNEL | DMA, GfpFlags::BUFFER] {
        assert_eq!(shortages(gfp, Order::ZERO), (0, None), "{gfp:?}");
    }
    memory.platform().answer_shortages(&[LastResort::TryAgain, LastResort::TryAgain]);
    assert_eq!(shortages(KERNEL, Order::ZERO), (3, None), "it tries on until it is refused");
    memory.platform().answer_shortages(&[LastResort::UseReserve]);
    let (count, frame) = shortages(GfpFlags::HIGHUSER, Order::ZERO);
    assert_eq!((count, frame.is_some()), (1, true), "the reserve has pages");
    held.extend(frame);
    // Memory that is there, but in pieces, is not out.
    let (back, kept): (Vec<_>, Vec<_>) = held.into_iter().partition(|frame| frame.as_u32().is_multiple_of(2));
    back.into_iter().for_each(|frame| memory.free_frames(frame, Order::ZERO).expect("right"));
    assert_eq!(shortages(KERNEL, order(9)), (0, None));
    kept.into_iter().for_each(|frame| memory.free_frames(frame, Order::ZERO).expect("right"));
    memory.platform().take_reports();
    memory.validate().expect("nothing is lost");
}
