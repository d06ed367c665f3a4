//! A write to /proc/slabinfo sets the sizes of magazines and of refills.

mod common;

use common::{KERNEL, Kernel, at_rest, boot};
use mm::testing::HostPlatform;
use mm::{CacheFlags, CacheRef, CacheSpec, CacheStats, TuneError};

fn create(memory: Kernel, name: &str, size: usize) -> CacheRef<HostPlatform> {
    let spec = CacheSpec { name, size, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    memory.kmem_cache_create(&spec).expect("a cache")
}

fn stats(memory: Kernel, name: &str) -> CacheStats {
    memory.objects().caches().find(|cache| cache.name.as_str() == name).expect("listed")
}

#[test]
fn magazines_can_be_made_smaller_larger_and_none() {
    // Shows: S32
    let memory = boot(16);
    let cache = create(*memory, "test", 1000);
    let turn = |count: usize| {
        let objects: Vec<_> = (0..count).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
        objects.into_iter().for_each(|object| memory.kmem_cache_free(cache, object).expect("a right free"));
        stats(*memory, "test")
    };
    assert_eq!(turn(100).magazine, 32);
    for (limit, batch, magazine) in [(8, 4, 4), (99, 64, 50), (128, 64, 64), (1, 1, 1), (0, 0, 0), (64, 32, 32)] {
        assert_eq!(memory.objects().tune_cache("test", limit, batch), Ok(()));
        let after = turn(if magazine == 0 { 20 } else { magazine });
        assert_eq!((after.magazine, after.batch), (magazine, batch), "{limit}");
        assert!(after.cached <= 2 * magazine && (magazine == 0 || after.cached + 1 >= magazine), "{after:?}");
        memory.validate().expect("valid");
    }
    let wrong = [
        ("test", 4, 8, TuneError::BadNumbers),
        ("test", 4, 0, TuneError::BadNumbers),
        ("test", 129, 4, TuneError::TooMany),
        ("none", 4, 2, TuneError::NoSuchCache),
        ("vm_area", 4, 2, TuneError::NoSuchCache),
    ];
    for (name, limit, batch, error) in wrong {
        assert_eq!(memory.objects().tune_cache(name, limit, batch), Err(error));
        assert_eq!(memory.platform().take_reports(), [format!("slabinfo: {}", error.reason())]);
        assert_eq!((stats(*memory, "test").magazine, stats(*memory, "test").batch), (32, 32), "as it was");
    }
    memory.kmem_cache_destroy(cache).expect("empty");
    at_rest(*memory);
}

#[test]
fn a_refill_takes_as_many_objects_as_the_batch_says() {
    // Shows: S32
    let memory = boot(16);
    let cache = create(*memory, "test", 64);
    for (limit, batch) in [(64, 1), (64, 5), (64, 32), (64, 50), (64, 64), (7, 3), (2, 2)] {
        assert_eq!(memory.objects().tune_cache("test", limit, batch), Ok(()));
        let take = || memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
        let first = take();
        let cached = stats(*memory, "test").cached;
        assert_eq!(cached, batch - 1, "{limit} {batch}: one was handed out");
        let rest: Vec<_> = (0..cached).map(|_| take()).collect();
        assert_eq!(stats(*memory, "test").cached, 0);
        let next = take();
        assert_eq!(stats(*memory, "test").cached, batch - 1, "and each time anew");
        for object in rest.into_iter().chain([first, next]) {
            memory.kmem_cache_free(cache, object).expect("a right free");
        }
        memory.validate().expect("valid");
    }
    memory.kmem_cache_destroy(cache).expect("empty");
    at_rest(*memory);
}
