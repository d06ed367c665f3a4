//! CPUs share no objects, and no cache lines of their descriptors.

mod common;

use core::ptr::NonNull;
use std::collections::HashSet;
use std::sync::Barrier;

use common::{KERNEL, Kernel, at_rest, boot};
use mm::testing::{HostPlatform, TestKernel};
use mm::{CacheFlags, CacheRef, CacheSpec};

/// Objects of a cache, as addresses.
type Objects = HashSet<usize>;

fn take(memory: Kernel, cache: CacheRef<HostPlatform>, count: usize) -> Objects {
    let take_one = |_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory").as_ptr() as usize;
    (0..count).map(take_one).collect()
}

fn put(memory: Kernel, cache: CacheRef<HostPlatform>, objects: &Objects) {
    for &object in objects {
        let object = NonNull::new(object as *mut u8).expect("an object");
        memory.kmem_cache_free(cache, object).expect("a right free");
    }
}

#[test]
fn cpus_take_from_runs_of_their_own_and_get_their_own_back() {
    let memory = boot(16);
    // A slab has the objects of several CPUs.
    let spec = CacheSpec { name: "test", size: 64, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    let cache = memory.kmem_cache_create(&spec).expect("a cache");
    let turns = Barrier::new(2);
    let run = |number| {
        TestKernel::enter(*memory);
        let mut first = Objects::new();
        for cpu in 0..2 {
            if cpu == number {
                first = take(*memory, cache, 1);
            }
            turns.wait();
        }
        let before = &take(*memory, cache, 599) | &first;
        turns.wait();
        put(*memory, cache, &before);
        turns.wait();
        let after = take(*memory, cache, 600);
        turns.wait();
        put(*memory, cache, &after);
        (first, before, after)
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(1));
        (run(0), other.join().expect("the other CPU"))
    });
    let distance = one.0.iter().zip(&other.0).map(|(one, other)| one.abs_diff(*other)).next();
    assert!(distance >= Some(128 * 64), "{distance:?} bytes: the states of both are on one pair of cache lines");
    assert!(one.2.is_disjoint(&other.1) && other.2.is_disjoint(&one.1), "an object has changed its CPU without need");
    memory.kmem_cache_destroy(cache).expect("empty");
    at_rest(*memory);
}
