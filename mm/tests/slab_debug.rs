//! Debugged caches: a stray write is found, reported and repaired.

mod common;

use core::ptr::NonNull;

use common::{ATOMIC, KERNEL, Kernel, at_rest, boot};
use mm::objects::{CacheName, DebugChoice, DebugFlags};
use mm::testing::HostPlatform;
use mm::{CacheFlags, CacheRef, CacheSpec, CacheStats, FreeError};

const ALL: DebugFlags =
    DebugFlags::CONSISTENCY.union(DebugFlags::RED_ZONE).union(DebugFlags::POISON).union(DebugFlags::USERS);

fn create(memory: Kernel, name: &str, size: usize, flags: CacheFlags) -> CacheRef<HostPlatform> {
    memory.kmem_cache_create(&CacheSpec { name, size, offset: 0, flags, ctor: None, dtor: None }).expect("a cache")
}

fn choose(memory: Kernel, chosen: DebugFlags, only: Option<&str>) {
    let only = only.map(|name| CacheName::new(name).expect("a legal name"));
    memory.set_slab_debug(DebugChoice { all: DebugFlags::empty(), chosen, only });
}

fn stats(memory: Kernel, name: &str) -> CacheStats {
    memory.objects().caches().find(|cache| cache.name.as_str() == name).expect("listed")
}

/// Writes one byte at `at`, counted from the object's start.
fn scribble(object: NonNull<u8>, at: isize, byte: u8) {
    // SAFETY: the byte lies in the object's slab, and the test is the only user of it.
    unsafe { object.as_ptr().wrapping_offset(at).write(byte) };
}

fn peek(object: NonNull<u8>, at: usize) -> u8 {
    // SAFETY: as in `scribble`.
    unsafe { object.as_ptr().wrapping_add(at).read() }
}

#[test]
fn writes_next_to_an_object_are_found_reported_and_repaired() {
    for size in [8, 20, 100, 700, 4000, 131_072] {
        let memory = boot(16);
        choose(*memory, ALL, None);
        let cache = create(*memory, "watched", size, CacheFlags::empty());
        for at in (-8..0).chain(size as isize..size as isize + 8) {
            let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
            scribble(object, at, 0xee);
            assert_eq!(memory.kmem_cache_free(cache, object), Ok(()), "it is a right free all the same");
            let reports = memory.platform().take_reports();
            let what = if at < 0 { "written before its start" } else { "written behind its end" };
            assert_eq!(reports.len(), 1, "{size} {at}: {reports:?}");
            let report = &reports[0];
            assert!(
                report.contains(&format!("slab watched: object {:016x} {what}: byte {at}:", object.as_ptr() as usize))
            );
            assert!(report.contains(" ee") && report.contains("; allocated at ") && report.contains("slab_debug.rs:"));
            let again = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
            memory.kmem_cache_free(cache, again).expect("a right free");
            assert_eq!(memory.platform().take_reports(), Vec::<String>::new(), "it was repaired");
        }
        memory.kmem_cache_destroy(cache).expect("empty");
        at_rest(*memory);
    }
}

#[test]
fn writes_after_free_are_found_when_the_object_is_used_again() {
    let memory = boot(16);
    choose(*memory, ALL, Some("watched"));
    let cache = create(*memory, "watched", 100, CacheFlags::empty());
    for at in [0, 1, 50, 98, 99] {
        let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
        memory.kmem_cache_free(cache, object).expect("a right free");
        scribble(object, at, 0x11);
        let again = memory.kmem_cache_alloc(cache, ATOMIC).expect("memory");
        let reports = memory.platform().take_reports();
        assert!(again == object && reports.len() == 1, "{at}: {reports:?}");
        assert!(reports[0].contains(&format!("written after free: byte {at}: ")) && reports[0].contains("; freed at "));
        memory.kmem_cache_free(cache, again).expect("a right free");
    }
    let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
    memory.kmem_cache_free(cache, object).expect("a right free");
    scribble(object, 7, 0x11);
    assert!(memory.kmem_cache_shrink(cache) > 0);
    assert_eq!(memory.platform().take_reports().len(), 1, "or when its slab goes");
    assert_eq!(memory.kmem_cache_destroy(cache), Ok(()));
    at_rest(*memory);
}

#[test]
fn flags_ask_for_the_same_as_options() {
    let memory = boot(16);
    let zoned = create(*memory, "zoned", 64, CacheFlags::RED_ZONE);
    let poisoned = create(*memory, "poisoned", 64, CacheFlags::POISON | CacheFlags::HWCACHE_ALIGN);
    let plain = create(*memory, "plain", 64, CacheFlags::empty());
    let object = memory.kmem_cache_alloc(zoned, KERNEL).expect("memory");
    scribble(object, 64, 1);
    memory.kmem_cache_free(zoned, object).expect("a right free");
    assert_eq!(memory.platform().take_reports().len(), 1);
    let object = memory.kmem_cache_alloc(poisoned, KERNEL).expect("memory");
    assert!((object.as_ptr() as usize).is_multiple_of(64));
    memory.kmem_cache_free(poisoned, object).expect("a right free");
    assert_eq!((peek(object, 0), peek(object, 62), peek(object, 63)), (0x5a, 0x5a, 0xa5));
    scribble(object, 3, 1);
    assert_eq!(memory.kmem_cache_alloc(poisoned, KERNEL), Ok(object));
    assert_eq!(memory.platform().take_reports().len(), 1);
    memory.kmem_cache_free(poisoned, object).expect("a right free");
    let object = memory.kmem_cache_alloc(plain, KERNEL).expect("memory");
    scribble(object, 63, 1);
    memory.kmem_cache_free(plain, object).expect("a right free");
    assert_eq!((stats(*memory, "plain").cached > 0, stats(*memory, "zoned").cached), (true, 0));
    at_rest(*memory);
}

#[test]
fn wrong_frees_of_watched_objects_are_refused_as_always() {
    // Shows: K4
    let memory = boot(16);
    choose(*memory, ALL, None);
    let cache = create(*memory, "watched", 100, CacheFlags::empty());
    let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
    assert_eq!(
        (memory.objects().ksize(object.as_ptr()), memory.objects().kmem_cache_size(cache)),
        (Some(100), Some(100))
    );
    for at in [-8, -1, 1, 99, 100, 108, 116] {
        assert_eq!(memory.kfree(object.as_ptr().wrapping_offset(at)), Err(FreeError::Interior), "{at}");
    }
    memory.kmem_cache_free(cache, object).expect("a right free");
    assert_eq!(memory.kmem_cache_free(cache, object), Err(FreeError::DoubleFree));
    assert_eq!(memory.platform().take_reports().len(), 8);
    memory.kmem_cache_destroy(cache).expect("empty");
    at_rest(*memory);
}

#[test]
fn a_constructed_object_is_not_poisoned() {
    // Shows: S26
    fn construct(object: NonNull<u8>, _: &str, _: mm::CtorFlags) {
        scribble(object, 0, 42);
    }
    let memory = boot(16);
    let spec =
        CacheSpec { name: "built", size: 64, offset: 0, flags: CacheFlags::POISON, ctor: Some(construct), dtor: None };
    let cache = memory.kmem_cache_create(&spec).expect("a cache");
    assert_eq!(memory.platform().take_reports(), ["kmem_cache_create: no poison for what a constructor made"]);
    for _ in 0..3 {
        let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
        assert_eq!(peek(object, 0), 42);
        memory.kmem_cache_free(cache, object).expect("a right free");
    }
    at_rest(*memory);
}

#[test]
fn memory_is_zeroed_when_asked_for() {
    for (all, allocated, freed) in [(DebugFlags::ZERO_ON_ALLOC, 0, 7), (DebugFlags::ZERO_ON_FREE, 0, 0)] {
        let memory = boot(16);
        memory.set_slab_debug(DebugChoice { all, ..DebugChoice::default() });
        let cache = create(*memory, "clean", 100, CacheFlags::empty());
        let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
        (0..100).for_each(|at| scribble(object, at, 7));
        memory.kmem_cache_free(cache, object).expect("a right free");
        assert!((0..100).all(|at| peek(object, at) == freed), "{all:?}");
        assert_eq!(memory.kmem_cache_alloc(cache, KERNEL), Ok(object));
        assert!((0..100).all(|at| peek(object, at) == allocated), "{all:?}");
        memory.kmem_cache_free(cache, object).expect("a right free");
        at_rest(*memory);
    }
}

#[test]
fn counting_is_exact_when_asked_for() {
    // Shows: S32
    let memory = boot(16);
    memory.set_slab_debug(DebugChoice { all: DebugFlags::COUNT, ..DebugChoice::default() });
    let cache = create(*memory, "counted", 64, CacheFlags::empty());
    let objects: Vec<_> = (0..30).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
    objects.iter().for_each(|&object| memory.kmem_cache_free(cache, object).expect("a right free"));
    for _ in 0..100 {
        let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
        memory.kmem_cache_free(cache, object).expect("a right free");
    }
    let counted = stats(*memory, "counted");
    assert_eq!((counted.high, counted.allocs, counted.active_objects, counted.cached), (30, 130, 0, 0));
    at_rest(*memory);
}
