//! The calls as the chapter describes them, one behaviour a test.

use mm::own::{KBox, KBytes, KString, KVec, KmemCache, PageBlock, VmArea};
use mm::testing::{Machine, Rng, TestKernel};
use mm::{AllocError, Buffer, CacheFlags, Context, DestroyError, GfpFlags, Order, PAGE_SIZE, ZoneKind};

const KERNEL: GfpFlags = GfpFlags::KERNEL;
const ATOMIC: GfpFlags = GfpFlags::ATOMIC;

fn order(log2: usize) -> Order {
    Order::new(log2).expect("an order")
}

#[test]
fn blocks_are_aligned_and_come_back() {
    // Shows: S38, S41
    let memory = TestKernel::boot(&Machine::with_mib(64));
    let free = memory.pages().free_pages_total();
    for order in Order::all() {
        let block = memory.get_free_pages(KERNEL, order).expect("fresh memory has every order");
        assert!(block.is_aligned(order.bytes()));
        assert_eq!(memory.free_pages(block, order), Ok(()));
    }
    assert_eq!(memory.pages().free_pages_total(), free);
    memory.validate().expect("valid");
}

#[test]
fn kmalloc_is_rounded_aligned_and_not_cleared() {
    // Shows: S1, S2, S14, K18
    let memory = TestKernel::boot(&Machine::with_mib(64));
    for size in [1, 32, 33, 4000, 4096, 131_072] {
        let object = memory.kmalloc(size, KERNEL).expect("memory");
        let real = memory.objects().ksize(object.as_ptr()).expect("a live object");
        assert!(real >= size && (size < 33 || real < 2 * size));
        assert_eq!(object.as_ptr() as usize % real, 0, "natural alignment");
        // SAFETY: the test owns the object, which is `real` bytes long.
        unsafe { object.write_bytes(0xa5, real) };
        memory.kfree(object.as_ptr()).expect("a right free");
        let again = memory.kmalloc(size, KERNEL).expect("memory");
        assert_eq!(again, object, "last freed, first allocated");
        // SAFETY: as above.
        let bytes = unsafe { core::slice::from_raw_parts(again.as_ptr(), real) };
        assert!(bytes.iter().all(|&byte| byte == 0xa5), "content was touched");
        memory.kfree(again.as_ptr()).expect("a right free");
    }
    memory.validate().expect("valid");
}

#[test]
fn the_cache_behind_kmalloc_can_be_found() {
    // Shows: K3
    let memory = TestKernel::boot(&Machine::with_mib(32));
    for (size, gfp, name) in
        [(0, KERNEL, "size-32"), (33, ATOMIC, "size-64"), (4097, KERNEL | GfpFlags::DMA, "size-8192(DMA)")]
    {
        let cache = memory.objects().kmem_find_general_cachep(size, gfp).expect("a class");
        assert_eq!(memory.objects().kmem_cache_name(cache).expect("it lives").as_str(), name);
        let (own, other) = (memory.kmem_cache_alloc(cache, KERNEL), memory.kmalloc(size, gfp));
        memory.kfree(own.expect("memory").as_ptr()).expect("a right free");
        memory.kmem_cache_free(cache, other.expect("memory")).expect("a right free");
    }
    assert!(memory.objects().kmem_find_general_cachep(131_073, KERNEL).is_none());
    let class = memory.objects().kmem_find_general_cachep(131_072, KERNEL).expect("a class");
    assert_eq!(memory.kmem_cache_destroy(class), Err(DestroyError::NoSuchCache), "kmalloc's own stay");
    assert_eq!(memory.platform().take_reports().len(), 1);
    memory.validate().expect("valid");
}

#[test]
fn vmalloc_areas_are_seventeen_pages_apart() {
    // Shows: K12, S51, S52, S59
    let memory = TestKernel::boot(&Machine::with_mib(64));
    let free = memory.pages().free_pages_total();
    let first = VmArea::<TestKernel>::new(16 * PAGE_SIZE).expect("memory");
    let mut second = VmArea::<TestKernel>::new(15 * PAGE_SIZE + 1).expect("memory");
    assert_eq!(second.addr().as_usize() - first.addr().as_usize(), 17 * PAGE_SIZE);
    assert_eq!(second.bytes().len(), 16 * PAGE_SIZE);
    second.bytes_mut().fill(7);
    assert!(second.bytes().iter().all(|&byte| byte == 7));
    assert!(memory.validate().is_ok());
    drop((first, second));
    memory.drop_caches();
    assert_eq!(memory.pages().free_pages_total(), free);
}

#[test]
fn atomic_reaches_the_last_page_and_kernel_stops_at_min() {
    // Shows: S4, S5, K1, K17
    let memory = TestKernel::boot(&Machine::with_mib(8));
    let min = memory.pages().zone_stats(ZoneKind::Dma).marks.min;
    let mut held = KVec::<_, TestKernel>::with_capacity(4096, KERNEL).expect("memory");
    while let Ok(page) = memory.alloc_pages(KERNEL, Order::ZERO) {
        held.push(page, KERNEL).expect("room was reserved");
    }
    assert_eq!(memory.pages().zone_stats(ZoneKind::Dma).free, min);
    while let Ok(page) = memory.alloc_pages(ATOMIC, Order::ZERO) {
        held.push(page, ATOMIC).expect("room was reserved");
    }
    assert_eq!(memory.pages().free_pages_total(), 0);
    assert!(
        memory
            .platform()
            .take_reports()
            .iter()
            .all(|line| line.starts_with("__alloc_pages: 0-order allocation failed."))
    );
    for page in held {
        memory.free_frames(page, Order::ZERO).expect("a right free");
    }
    memory.validate().expect("valid");
}

#[test]
fn a_call_that_may_sleep_is_refused_in_interrupt_context() {
    // Shows: K11, S61
    let memory = TestKernel::boot(&Machine::with_mib(8));
    for context in [Context::Interrupt, Context::Atomic] {
        memory.platform().in_context(context, || {
            assert_eq!(memory.kmalloc(64, KERNEL), Err(AllocError));
            assert_eq!(memory.alloc_pages(GfpFlags::USER, Order::ZERO), Err(AllocError));
            assert_eq!(memory.vmalloc(4096), Err(AllocError));
            let object = memory.kmalloc(64, ATOMIC).expect("atomic requests never sleep");
            memory.kfree(object.as_ptr()).expect("frees never sleep");
        });
        assert_eq!(memory.platform().take_reports().len(), 3);
    }
}

#[test]
fn owned_values_free_what_they_hold() {
    let memory = TestKernel::boot(&Machine::with_mib(16));
    let cache = KmemCache::<TestKernel>::create("quanta", 4000, 0, CacheFlags::HWCACHE_ALIGN).expect("a cache");
    let free = memory.pages().free_pages_total();
    {
        let text = KString::<TestKernel>::try_format(format_args!("{} {}", 1, "two")).expect("memory");
        assert_eq!(text.as_str(), "1 two");
        let boxed = KBox::<_, TestKernel>::new(text, KERNEL).expect("memory");
        assert_eq!(boxed.into_inner().as_str(), "1 two");
        let bytes = KBytes::<TestKernel>::new(4000, KERNEL).expect("memory");
        assert_eq!(bytes.bytes().len(), 4096);
        let block = PageBlock::<TestKernel>::new(order(3), KERNEL).expect("memory");
        assert_eq!(block.bytes().len(), 8 * PAGE_SIZE);
        let object = cache.alloc(KERNEL).expect("memory");
        assert_eq!(object.bytes().len(), 4032);
        assert_eq!(size_of::<Option<KBytes<TestKernel>>>(), 8);
        assert_eq!(size_of::<Option<PageBlock<TestKernel>>>(), 8);
        assert_eq!(size_of::<Option<VmArea<TestKernel>>>(), 8);
    }
    cache.destroy().expect("all objects are back");
    memory.drop_caches();
    assert_eq!(memory.pages().free_pages_total(), free);
}

#[test]
fn a_vector_behaves_like_the_standard_one() {
    let _memory = TestKernel::boot(&Machine::with_mib(16));
    let mut ours = KVec::<u64, TestKernel>::new();
    let mut theirs = Vec::new();
    let mut rng = Rng::new(7);
    for step in 0..10_000 {
        let at = rng.below(theirs.len() + 1);
        match rng.below(6) {
            0..=2 => {
                ours.insert(at, step, KERNEL).expect("memory");
                theirs.insert(at, step);
            }
            3 if at < theirs.len() => assert_eq!(ours.remove(at), Some(theirs.remove(at))),
            4 if at < theirs.len() => assert_eq!(ours.swap_remove(at), Some(theirs.swap_remove(at))),
            5 if rng.one_in(20) => {
                ours.truncate(at);
                theirs.truncate(at);
            }
            _ => assert_eq!(ours.pop(), theirs.pop()),
        }
        assert_eq!(&ours[..], &theirs[..]);
    }
    assert!(ours.into_iter().eq(theirs));
}
