//! Lookaside caches: constructors, colours, flags, empty slabs, destroying.

mod common;

use core::cell::{Cell, RefCell};
use core::ptr::NonNull;

use common::{ATOMIC, KERNEL, Kernel, at_rest, boot, give, hoard};
use mm::objects::Geometry;
use mm::testing::HostPlatform;
use mm::{
    AllocError, CacheFlags, CacheRef, CacheSpec, CacheStats, Context, CreateError, CtorFlags, DestroyError, PAGE_SIZE,
    VirtAddr, ZoneKind,
};

const PLAIN: CacheSpec<'static> =
    CacheSpec { name: "test", size: 200, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };

thread_local! {
    static CALLS: RefCell<Vec<(usize, CtorFlags)>> = const { RefCell::new(Vec::new()) };
    static DESTROYED: Cell<usize> = const { Cell::new(0) };
}

fn construct(object: NonNull<u8>, name: &str, flags: CtorFlags) {
    assert_eq!(name, "test");
    CALLS.with_borrow_mut(|calls| calls.push((object.as_ptr() as usize, flags)));
}

fn destruct(object: NonNull<u8>, name: &str, flags: CtorFlags) {
    assert!(name == "test" && flags.is_empty());
    CALLS.with_borrow_mut(|calls| calls.retain(|&(at, _)| at != object.as_ptr() as usize));
    DESTROYED.set(DESTROYED.get() + 1);
}

fn both(object: NonNull<u8>, name: &str, flags: CtorFlags) {
    if flags.contains(CtorFlags::CONSTRUCTOR) { construct(object, name, flags) } else { destruct(object, name, flags) }
}

fn create(memory: Kernel, spec: &CacheSpec<'_>) -> CacheRef<HostPlatform> {
    memory.kmem_cache_create(spec).expect("a cache")
}

fn take(memory: Kernel, cache: CacheRef<HostPlatform>, count: usize) -> Vec<NonNull<u8>> {
    (0..count).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect()
}

fn put(memory: Kernel, cache: CacheRef<HostPlatform>, objects: impl IntoIterator<Item = NonNull<u8>>) {
    for object in objects {
        memory.kmem_cache_free(cache, object).expect("a right free");
    }
}

fn stats(memory: Kernel, name: &str) -> CacheStats {
    memory.objects().caches().find(|cache| cache.name.as_str() == name).expect("listed")
}

fn per_slab(spec: &CacheSpec<'_>) -> usize {
    Geometry::for_cache(spec.size, spec.offset, spec.flags).expect("a legal cache").objects
}

#[test]
fn a_constructor_runs_once_per_object_when_its_slab_is_made() {
    // Shows: S26, S27, S29
    for (ctor, dtor) in [(construct as mm::objects::Ctor, destruct as mm::objects::Dtor), (both, both)] {
        let memory = boot(16);
        let spec = CacheSpec { ctor: Some(ctor), dtor: Some(dtor), ..PLAIN };
        let (cache, count) = (create(*memory, &spec), per_slab(&spec));
        assert_eq!(CALLS.take(), [], "creating a cache makes no objects");
        let mut objects = take(*memory, cache, 1);
        assert_eq!(CALLS.with_borrow(Vec::len), count, "all objects of the slab");
        assert!(CALLS.with_borrow(|calls| calls.iter().all(|call| call.1 == CtorFlags::CONSTRUCTOR)));
        objects.extend(take(*memory, cache, count - 1));
        assert_eq!(CALLS.with_borrow(Vec::len), count, "none for an object of an old slab");
        objects.extend(take(*memory, cache, 4 * count));
        let mut constructed: Vec<_> = CALLS.with_borrow(|calls| calls.iter().map(|call| call.0).collect());
        let mut taken: Vec<_> = objects.iter().map(|object| object.as_ptr() as usize).collect();
        constructed.sort_unstable();
        taken.sort_unstable();
        assert_eq!(constructed, taken, "each object once");
        put(*memory, cache, objects);
        assert_eq!(DESTROYED.take(), 0, "a free destroys nothing");
        memory.kmem_cache_destroy(cache).expect("empty");
        assert_eq!((DESTROYED.take(), CALLS.take()), (5 * count, vec![]), "each object once");
        at_rest(*memory);
    }
}

#[test]
fn destructors_run_when_slabs_are_shrunk_or_reaped() {
    // Shows: S27
    let memory = boot(16);
    let spec = CacheSpec { ctor: Some(construct), dtor: Some(destruct), ..PLAIN };
    let (cache, count) = (create(*memory, &spec), per_slab(&spec));
    let mut objects = take(*memory, cache, 3 * count);
    put(*memory, cache, objects.drain(count..));
    let pages = stats(*memory, "test").pages_per_slab;
    assert_eq!(memory.kmem_cache_shrink(cache), 2 * pages);
    assert_eq!(DESTROYED.take(), 2 * count);
    put(*memory, cache, objects.drain(..1));
    assert_eq!((memory.kmem_cache_shrink(cache), DESTROYED.take()), (0, 0), "a slab in use stays");
    put(*memory, cache, objects);
    assert!(memory.pages().reclaim(KERNEL) >= pages);
    assert_eq!((DESTROYED.take(), stats(*memory, "test").slabs), (count, 0));
    memory.kmem_cache_destroy(cache).expect("empty");
}

#[test]
fn reaping_spares_who_asks_for_it_and_those_who_may_not_sleep_get_nothing() {
    // Shows: S22, K11
    let memory = boot(16);
    let spared = create(*memory, &CacheSpec { name: "spared", flags: CacheFlags::NO_REAP, ..PLAIN });
    let reaped = create(*memory, &PLAIN);
    for cache in [spared, reaped] {
        put(*memory, cache, take(*memory, cache, 3));
    }
    assert_eq!(memory.kmem_cache_reap(ATOMIC), 0);
    memory.platform().in_context(Context::Interrupt, || assert_eq!(memory.kmem_cache_reap(KERNEL), 0));
    assert_eq!(memory.platform().take_reports(), ["kmem_cache_reap: may sleep, called in interrupt context"]);
    assert!(memory.kmem_cache_reap(KERNEL) >= stats(*memory, "test").pages_per_slab);
    assert_eq!((stats(*memory, "spared").slabs, stats(*memory, "test").slabs), (1, 0));
    at_rest(*memory);
}

#[test]
fn dropping_caches_counts_each_page_once_and_only_a_caller_who_may_sleep_does_it() {
    let memory = boot(64);
    memory.drop_caches();
    let cache = create(*memory, &PLAIN);
    let at_hand = || ZoneKind::ALL.map(|kind| memory.pages().zone_stats(kind)).map(|zone| zone.free - zone.cached);
    put(*memory, cache, take(*memory, cache, 1000));
    memory.vfree(memory.vmalloc(5 * PAGE_SIZE).expect("memory")).expect("a right free");
    memory.platform().in_context(Context::Atomic, || assert_eq!(memory.drop_caches(), 0));
    assert_eq!(memory.platform().take_reports(), ["drop_caches: may sleep, called in atomic context"]);
    let before: usize = at_hand().iter().sum();
    let pages = memory.drop_caches();
    // Slabs of the allocators' own that go on the way are not counted.
    assert!((1000 * PLAIN.size / PAGE_SIZE..=at_hand().iter().sum::<usize>() - before).contains(&pages));
    memory.kmem_cache_destroy(cache).expect("empty");
}

#[test]
fn a_constructor_is_told_not_to_sleep_when_the_request_may_not() {
    // Shows: S28
    let memory = boot(16);
    let cache = create(*memory, &CacheSpec { ctor: Some(construct), ..PLAIN });
    let object = memory.kmem_cache_alloc(cache, ATOMIC).expect("memory");
    let told = CtorFlags::CONSTRUCTOR | CtorFlags::ATOMIC;
    assert!(CALLS.take().iter().all(|call| call.1 == told));
    put(*memory, cache, [object]);
}

#[test]
fn slabs_of_a_cache_start_at_different_colours() {
    // Shows: S21
    for (offset, step) in [(0, 64), (24, 24), (100, 104)] {
        let spec = CacheSpec { offset, size: 320, ..PLAIN };
        let geometry = Geometry::for_cache(spec.size, offset, spec.flags).expect("a legal cache");
        assert!(geometry.colour_step == step && geometry.colours > 0, "{geometry:?}");
        let memory = boot(16);
        let cache = create(*memory, &spec);
        let first = |objects: Vec<NonNull<u8>>| objects[0].as_ptr() as usize % geometry.bytes();
        let starts: Vec<_> =
            (0..2 * geometry.colours + 2).map(|_| first(take(*memory, cache, geometry.objects))).collect();
        let expected: Vec<_> = (0..=geometry.colours).chain(0..=geometry.colours).map(|colour| colour * step).collect();
        assert_eq!(starts, expected);
    }
}

#[test]
fn caches_grow_by_single_pages_where_no_larger_block_is_left() {
    // Shows: S28, K3
    let memory = boot(16);
    let small = create(*memory, &PLAIN);
    assert!(stats(*memory, "test").pages_per_slab > 1);
    memory.drop_caches();
    let (single, held): (Vec<_>, Vec<_>) = hoard(*memory, ATOMIC).into_iter().partition(|page| page.as_u32() % 2 == 1);
    give(*memory, single);
    let objects: Vec<_> = (0..100).map(|_| memory.kmem_cache_alloc(small, ATOMIC).expect("single pages")).collect();
    let pages: Vec<_> = (0..100).map(|_| memory.kmalloc(4096, ATOMIC).expect("single pages")).collect();
    for cache in ["test", "size-4096"].map(|name| stats(*memory, name)) {
        assert_eq!((cache.active_objects, cache.pages), (100, cache.slabs), "{cache:?}");
    }
    assert!(pages.iter().all(|page| (page.as_ptr() as usize).is_multiple_of(4096)), "aligned to their class");
    memory.validate().expect("sound");
    give(*memory, held);
    let slabs = stats(*memory, "size-4096").slabs;
    let large: Vec<_> = (0..200).map(|_| memory.kmalloc(4096, ATOMIC).expect("memory")).collect();
    let grown = stats(*memory, "size-4096");
    assert!(grown.pages - slabs > grown.slabs - slabs, "larger slabs beside the small ones: {grown:?}");
    pages.into_iter().chain(large).for_each(|page| memory.kfree(page.as_ptr()).expect("a right free"));
    put(*memory, small, objects);
    memory.drop_caches();
    for cache in ["test", "size-4096"].map(|name| stats(*memory, name)) {
        assert_eq!((cache.slabs, cache.pages, cache.objects), (0, 0, 0), "{cache:?}");
    }
    at_rest(*memory);
}

#[test]
fn a_free_leaves_at_most_two_slabs_that_no_object_is_out_of() {
    let memory = boot(16);
    for (size, name) in [(64, "a"), (700, "b"), (4096, "c"), (30_000, "d")] {
        let spec = CacheSpec { name, size, ..PLAIN };
        let (cache, count) = (create(*memory, &spec), per_slab(&spec));
        memory.drop_caches();
        let free = memory.pages().free_pages_total();
        let objects = take(*memory, cache, 30 * count);
        assert_eq!(stats(*memory, name).active_objects, 30 * count);
        put(*memory, cache, objects);
        let left = stats(*memory, name);
        assert_eq!(left.active_objects, 0);
        assert!(left.slabs <= 2 + left.active_slabs && left.active_slabs <= left.cached, "{left:?}");
        assert!(left.cached <= 1024 + 128 && left.cached * size <= 9 << 19, "{left:?}");
        assert_eq!(memory.kmem_cache_shrink(cache), left.slabs * left.pages_per_slab);
        memory.drop_caches();
        assert_eq!(memory.pages().free_pages_total(), free);
    }
}

#[test]
fn the_last_object_freed_is_the_first_allocated() {
    // Shows: S1
    let memory = boot(16);
    let cache = create(*memory, &PLAIN);
    let objects = take(*memory, cache, 10);
    put(*memory, cache, objects[3..7].iter().copied());
    let again = take(*memory, cache, 4);
    assert!(again.iter().eq(objects[3..7].iter().rev()));
}

#[test]
fn flags_place_objects() {
    // Shows: S23, S24
    let memory = boot(32);
    for size in [8, 24, 60, 100, 500, 700, 3000, 20_000] {
        let spec = CacheSpec { name: "lines", size, flags: CacheFlags::HWCACHE_ALIGN, ..PLAIN };
        let cache = create(*memory, &spec);
        let objects = take(*memory, cache, 3 * per_slab(&spec));
        let line = if size > 31 { 64 } else { size.next_power_of_two().max(16) };
        assert!(objects.iter().all(|object| (object.as_ptr() as usize).is_multiple_of(line)), "{size}");
        put(*memory, cache, objects);
        memory.kmem_cache_destroy(cache).expect("empty");
        let spec = CacheSpec { name: "low", size, flags: CacheFlags::CACHE_DMA, ..PLAIN };
        let cache = create(*memory, &spec);
        let low = |object: &NonNull<u8>| memory.frame_of(VirtAddr::from_ptr(object.as_ptr())) < Some(mm::DMA_END);
        let objects = take(*memory, cache, 3 * per_slab(&spec));
        assert!(objects.iter().all(low), "{size}");
        put(*memory, cache, objects);
        memory.kmem_cache_destroy(cache).expect("empty");
    }
}

#[test]
fn a_cache_with_live_objects_is_not_destroyed() {
    // Shows: S31, K15
    let memory = boot(16);
    let cache = create(*memory, &PLAIN);
    let mut objects = take(*memory, cache, 3);
    assert_eq!(memory.kmem_cache_destroy(cache), Err(DestroyError::Busy(3)));
    assert_eq!(memory.platform().take_reports(), ["kmem_cache_destroy: Can't free all objects of test: 3 left"]);
    assert_eq!(stats(*memory, "test").active_objects, 3);
    objects.extend(take(*memory, cache, 100));
    put(*memory, cache, objects);
    assert_eq!(memory.kmem_cache_destroy(cache), Ok(()));
    assert!(memory.objects().caches().all(|cache| cache.name.as_str() != "test"));
    at_rest(*memory);
}

#[test]
fn illegal_caches_are_refused_and_reported() {
    // Shows: S20, S25, K13, K4
    let memory = boot(16);
    create(*memory, &CacheSpec { name: "nineteen-characters", ..PLAIN });
    let name = |name| CacheSpec { name, ..PLAIN };
    let rows = [
        (name("twenty-characters-xx"), CreateError::BadName),
        (name(""), CreateError::BadName),
        (name("two words"), CreateError::BadName),
        (name("bell\u{7}"), CreateError::BadName),
        (name("gr\u{fc}n"), CreateError::BadName),
        (name("nineteen-characters"), CreateError::DuplicateName),
        (name("size-32"), CreateError::DuplicateName),
        (name("size-131072(DMA)"), CreateError::DuplicateName),
        (name("kmem_cache"), CreateError::DuplicateName),
        (CacheSpec { size: 0, ..PLAIN }, CreateError::BadSize),
        (CacheSpec { size: 7, ..PLAIN }, CreateError::BadSize),
        (CacheSpec { size: 131_073, ..PLAIN }, CreateError::BadSize),
        (CacheSpec { offset: 201, ..PLAIN }, CreateError::BadOffset),
        (CacheSpec { dtor: Some(destruct), ..PLAIN }, CreateError::DestructorAlone),
        (CacheSpec { flags: CacheFlags::from_bits_retain(1), ..PLAIN }, CreateError::BadFlags),
    ];
    let before = common::blocks(*memory);
    for (spec, error) in rows {
        let count = memory.objects().caches().count();
        assert_eq!(memory.kmem_cache_create(&spec).err(), Some(error), "{}", spec.name);
        let expected = format!("kmem_cache_create: {}", error.reason());
        assert_eq!(memory.platform().take_reports(), [expected]);
        assert_eq!((memory.objects().caches().count(), common::blocks(*memory)), (count, before));
    }
    assert_eq!(memory.kmalloc(131_073, KERNEL), Err(AllocError));
    assert_eq!(memory.platform().take_reports().len(), 1);
    at_rest(*memory);
}

#[test]
fn a_handle_of_a_cache_that_is_gone_is_refused() {
    // Shows: K4
    let memory = boot(16);
    let names: Vec<String> = (0..200).map(|nth| format!("cache-{nth}")).collect();
    let stale: Vec<_> = names.iter().map(|name| create(*memory, &CacheSpec { name, ..PLAIN })).collect();
    let slabs = stats(*memory, "kmem_cache").slabs;
    for &cache in &stale {
        memory.kmem_cache_destroy(cache).expect("empty");
    }
    memory.drop_caches();
    assert_eq!(stats(*memory, "kmem_cache").slabs, slabs, "stale handles lead there");
    // The new caches take the places of old ones; the old handles do not lead to them.
    let fresh: Vec<_> = names[..100].iter().map(|name| create(*memory, &CacheSpec { name, ..PLAIN })).collect();
    for &cache in &stale {
        assert_eq!(memory.kmem_cache_alloc(cache, KERNEL), Err(AllocError));
        assert_eq!(memory.kmem_cache_destroy(cache), Err(DestroyError::NoSuchCache));
        assert_eq!(memory.kmem_cache_shrink(cache), 0);
        assert_eq!(memory.platform().take_reports().len(), 2);
    }
    assert!(fresh.iter().all(|&cache| memory.kmem_cache_destroy(cache).is_ok()));
    at_rest(*memory);
}

#[test]
fn flags_matter_only_when_the_cache_grows() {
    // Shows: S30
    let memory = boot(8);
    let count = per_slab(&PLAIN);
    let cache = create(*memory, &PLAIN);
    let object = take(*memory, cache, 1);
    let pages = hoard(*memory, ATOMIC);
    let before = memory.pages().events();
    let mut objects = take(*memory, cache, count - 1);
    assert_eq!(memory.pages().events(), before, "a slab with free objects needs no pages");
    assert_eq!(memory.kmem_cache_alloc(cache, ATOMIC), Err(AllocError));
    assert_eq!(memory.kmem_cache_alloc(cache, KERNEL), Err(AllocError));
    assert_eq!((memory.platform().take_reports().len(), stats(*memory, "test").errors), (2, 2));
    give(*memory, pages);
    objects.extend(take(*memory, cache, 1));
    put(*memory, cache, objects.into_iter().chain(object));
    memory.kmem_cache_destroy(cache).expect("empty");
    at_rest(*memory);
}

#[test]
fn a_slab_may_be_a_run_of_pages_whose_rest_goes_back() {
    let memory = boot(16);
    for (size, pages) in [(19_000, 5), (70_000, 18), (90_000, 22), (131_072, 32)] {
        let spec = CacheSpec { name: "run", size, ..PLAIN };
        let cache = create(*memory, &spec);
        memory.drop_caches();
        let start = (common::blocks(*memory), memory.pages().free_pages_total());
        let objects = take(*memory, cache, 3);
        let made = stats(*memory, "run");
        assert_eq!(made.pages_per_slab, pages);
        memory.drop_caches();
        let taken = start.1 - memory.pages().free_pages_total();
        assert!((made.slabs * pages..=made.slabs * pages + 3).contains(&taken), "{size}: {taken} pages, {made:?}");
        put(*memory, cache, objects);
        memory.drop_caches();
        assert_eq!((common::blocks(*memory), memory.pages().free_pages_total()), start, "{size}");
        memory.kmem_cache_destroy(cache).expect("empty");
    }
    at_rest(*memory);
}

#[test]
fn a_cache_packs_3000_bytes_denser_than_kmalloc() {
    // Shows: S36, K18
    let density = |g: Geometry| 3000 * g.objects * 100 / g.bytes();
    let cache = Geometry::for_cache(3000, 0, CacheFlags::HWCACHE_ALIGN).expect("a legal size");
    assert!(density(cache) >= 91 && density(Geometry::for_class(4096, mm::objects::DebugFlags::empty())) == 73);
    let memory = boot(32);
    let pages = |take: &dyn Fn()| {
        let free = memory.pages().free_pages_total();
        (0..1000).for_each(|_| take());
        (free - memory.pages().free_pages_total()) * PAGE_SIZE
    };
    let handle = create(*memory, &CacheSpec { size: 3000, flags: CacheFlags::HWCACHE_ALIGN, ..PLAIN });
    let by_cache = pages(&|| assert!(memory.kmem_cache_alloc(handle, KERNEL).is_ok()));
    let by_kmalloc = pages(&|| assert!(memory.kmalloc(3000, KERNEL).is_ok()));
    assert!(by_cache * 5 < by_kmalloc * 4, "{by_cache} {by_kmalloc}");
}
