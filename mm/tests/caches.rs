//! Caches among others: names, places, what a CPU keeps of their objects.

mod common;

use core::ptr::NonNull;

use common::{KERNEL, Kernel, at_rest, boot};
use mm::objects::CacheName;
use mm::testing::HostPlatform;
use mm::{CacheFlags, CacheRef, CacheSpec, CacheStats, CreateError};

const PLAIN: CacheSpec<'static> =
    CacheSpec { name: "test", size: 200, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };

fn create(memory: Kernel, spec: &CacheSpec<'_>) -> CacheRef<HostPlatform> {
    memory.kmem_cache_create(spec).expect("a cache")
}

fn use_and_free(memory: Kernel, cache: CacheRef<HostPlatform>, count: usize) {
    let objects: Vec<NonNull<u8>> =
        (0..count).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
    objects.into_iter().for_each(|object| memory.kmem_cache_free(cache, object).expect("a right free"));
}

fn stats(memory: Kernel, name: &str) -> CacheStats {
    memory.objects().caches().find(|cache| cache.name.as_str() == name).expect("listed")
}

#[test]
fn caches_are_listed_newest_first_behind_their_own() {
    let memory = boot(16);
    create(*memory, &CacheSpec { name: "older", ..PLAIN });
    create(*memory, &CacheSpec { name: "newer", ..PLAIN });
    let names: Vec<CacheName> = memory.objects().caches().map(|cache| cache.name).collect();
    let names: Vec<&str> = names.iter().map(CacheName::as_str).collect();
    assert_eq!(names[..5], ["kmem_cache", "newer", "older", "size-131072(DMA)", "size-131072"]);
    assert_eq!(names.len(), 1 + 2 + 26 + 4 + 2);
}

#[test]
fn each_of_many_caches_is_found_by_its_name() {
    let memory = boot(16);
    // Several times as many as there are chains: older and newer ones of each go.
    let names: Vec<String> = (0..300).map(|nth| format!("c{nth}")).collect();
    let caches: Vec<_> = names.iter().map(|name| create(*memory, &CacheSpec { name, ..PLAIN })).collect();
    let is_there = |name: &String| memory.objects().is_debuggable(CacheName::new(name).expect("a name"));
    let goes = |nth: usize| nth % 3 == 1 || nth > 290;
    for (nth, &cache) in caches.iter().enumerate().filter(|&(nth, _)| goes(nth)) {
        assert!(is_there(&names[nth]));
        memory.kmem_cache_destroy(cache).expect("empty");
    }
    for (nth, name) in names.iter().enumerate() {
        assert_eq!(is_there(name), !goes(nth), "{name}");
        let again = memory.kmem_cache_create(&CacheSpec { name, ..PLAIN });
        assert_eq!(again.err(), (!goes(nth)).then_some(CreateError::DuplicateName), "{name}");
    }
    let listed: Vec<CacheName> = memory.objects().caches().map(|cache| cache.name).collect();
    let expected = (0..300).filter(|&nth| goes(nth)).rev().chain((0..300).filter(|&nth| !goes(nth)).rev());
    let expected: Vec<&str> = expected.map(|nth| names[nth].as_str()).collect();
    assert_eq!(listed[1..301].iter().map(CacheName::as_str).collect::<Vec<_>>(), expected, "the newest first");
    memory.platform().take_reports();
    memory.validate().expect("sound");
}

#[test]
fn a_cache_in_the_place_of_another_starts_without_magazines() {
    let memory = boot(16);
    for name in ["first", "second"] {
        let cache = create(*memory, &CacheSpec { name, ..PLAIN });
        assert_eq!((stats(*memory, name).cached, stats(*memory, "magazine-64").active_objects), (0, 0));
        use_and_free(*memory, cache, 1000);
        assert!(stats(*memory, name).cached > 500 && stats(*memory, "magazine-64").active_objects > 10);
        memory.validate().expect("sound");
        memory.kmem_cache_destroy(cache).expect("no object is live");
    }
    assert_eq!(stats(*memory, "kmem_cache").active_objects, 26, "both were in one place");
    at_rest(*memory);
}

#[test]
fn a_cpu_keeps_at_most_four_mib_of_freed_objects() {
    let memory = boot(64);
    for (size, name) in [(4096, "pages"), (32_768, "large")] {
        let cache = create(*memory, &CacheSpec { name, size, ..PLAIN });
        use_and_free(*memory, cache, (12 << 20) / size);
        let left = stats(*memory, name);
        let most = (4 << 20) / size + 2 * left.magazine;
        assert!(left.cached <= most && left.cached >= most - left.magazine, "{left:?}");
        memory.kmem_cache_destroy(cache).expect("no object is live");
    }
    at_rest(*memory);
}
