//! Magazines of objects, their depots, and the ways past them.

mod common;

use core::ptr::NonNull;
use std::collections::HashSet;
use std::sync::{Barrier, mpsc};

use common::{ATOMIC, KERNEL, Kernel, at_rest, boot};
use mm::objects::{DebugChoice, DebugFlags};
use mm::testing::{HostPlatform, Machine, Rng, TestKernel};
use mm::{CacheFlags, CacheRef, CacheSpec, CacheStats, Context, DestroyError, FreeError, GfpFlags};

fn spec(name: &str, size: usize) -> CacheSpec<'_> {
    CacheSpec { name, size, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None }
}

fn create(memory: Kernel, name: &str, size: usize) -> CacheRef<HostPlatform> {
    memory.kmem_cache_create(&spec(name, size)).expect("a cache")
}

fn stats(memory: Kernel, name: &str) -> CacheStats {
    memory.objects().caches().find(|cache| cache.name.as_str() == name).expect("listed")
}

/// Takes two objects of the class that the interrupted thread uses, and of another, and gives them back.
fn handler() {
    let memory = TestKernel::memory();
    for size in [200, 3000] {
        let objects = [(); 2].map(|()| memory.kmalloc(size, ATOMIC).expect("memory"));
        assert_ne!(objects[0], objects[1]);
        objects.into_iter().for_each(|object| memory.kfree(object.as_ptr()).expect("a right free"));
    }
}

#[test]
fn an_interrupt_at_any_step_neither_breaks_nor_shares_a_magazine() {
    let memory = boot(16);
    let mut steps = 0;
    loop {
        let ((), interrupted) = memory.platform().interrupt_at(steps, handler, || {
            // From no magazines at all through fills, trades and flushes, and back.
            let objects: Vec<_> = (0..200).map(|_| memory.kmalloc(200, KERNEL).expect("memory")).collect();
            assert_eq!(objects.iter().collect::<HashSet<_>>().len(), 200, "an object has two owners");
            objects.into_iter().for_each(|object| memory.kfree(object.as_ptr()).expect("a right free"));
        });
        memory.validate().expect("valid");
        assert_eq!(stats(*memory, "size-256").active_objects, 0);
        if steps % 7 == 0 {
            memory.drop_caches();
        }
        if !interrupted {
            break;
        }
        steps += 1;
    }
    assert!(steps > 1000, "{steps} steps");
    at_rest(*memory);
}

#[test]
fn a_second_free_is_refused_wherever_the_object_waits() {
    // Shows: K4
    let memory = boot(16);
    let cache = create(*memory, "test", 200);
    let objects: Vec<_> = (0..2000).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
    for &object in &objects {
        assert_eq!(memory.kmem_cache_free(cache, object), Ok(()));
        assert_eq!(memory.kmem_cache_free(cache, object), Err(FreeError::DoubleFree), "at once");
    }
    let waiting = stats(*memory, "test");
    assert!(waiting.cached > 128 && waiting.slabs * 20 < 2000, "in magazines, depot and slabs: {waiting:?}");
    memory.platform().take_reports();
    for &object in &objects {
        // Those that were alone in a slab too many went back with it.
        assert_eq!(memory.kmem_cache_free(cache, object), Err(FreeError::DoubleFree), "after all others");
        assert!(memory.kfree(object.as_ptr()).is_err());
    }
    assert_eq!(stats(*memory, "test").cached, waiting.cached);
    assert_eq!(memory.platform().take_reports().len(), 2 * objects.len());
    memory.kmem_cache_destroy(cache).expect("empty");
    at_rest(*memory);
}

#[test]
fn the_fast_way_refuses_what_the_slow_way_does() {
    // Shows: K4
    let memory = boot(16);
    let (cache, other) = (create(*memory, "one", 100), create(*memory, "other", 100));
    let objects: Vec<_> = (0..10).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
    let object = objects[5];
    for offset in (-100..100).filter(|&offset| offset != -100 && offset != 0) {
        let inside = NonNull::new(object.as_ptr().wrapping_offset(offset)).expect("not null");
        assert_eq!(memory.kmem_cache_free(cache, inside), Err(FreeError::Interior), "{offset}");
        assert_eq!(memory.kfree(inside.as_ptr()), Err(FreeError::Interior), "{offset}");
    }
    assert_eq!(memory.kmem_cache_free(other, object), Err(FreeError::WrongCache));
    memory.platform().take_reports();
    objects.into_iter().for_each(|object| memory.kfree(object.as_ptr()).expect("kfree knows every cache"));
    at_rest(*memory);
}

#[test]
fn a_magazine_is_filled_from_one_slab_in_the_order_of_addresses() {
    let memory = boot(16);
    let cache = create(*memory, "test", 256);
    let objects: Vec<_> =
        (0..60).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory").as_ptr() as usize).collect();
    assert!(objects.windows(2).all(|pair| pair[0] + 256 == pair[1]), "{objects:x?}");
    assert_eq!(stats(*memory, "test").slabs, 1);
}

#[test]
fn a_cache_that_goes_takes_back_the_empty_magazines_of_other_cpus() {
    // Shows: S31
    let memory = boot(16);
    // One object a slab: a refill leaves both magazines empty.
    let flags = CacheFlags::HWCACHE_ALIGN;
    let spec = CacheSpec { name: "test", size: 4000, offset: 0, flags, ctor: None, dtor: None };
    let cache = memory.kmem_cache_create(&spec).expect("a cache");
    let magazines = || -> usize {
        let own = memory.objects().caches().filter(|cache| cache.name.as_str().starts_with("magazine-"));
        own.map(|cache| cache.active_objects).sum()
    };
    let before = magazines();
    let gone = Barrier::new(2);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            TestKernel::enter(*memory);
            let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
            sender.send(object.as_ptr() as usize).expect("the receiver lives");
            // This CPU is in use, and keeps its magazines, until the cache is gone.
            gone.wait();
        });
        let object = NonNull::new(receiver.recv().expect("sent") as *mut u8).expect("an object");
        assert_eq!(magazines(), before + 2, "the other CPU has two");
        memory.kmem_cache_free(cache, object).expect("a right free");
        let destroyed = memory.kmem_cache_destroy(cache);
        gone.wait();
        assert_eq!(destroyed, Ok(()));
    });
    assert_eq!(magazines(), before);
    at_rest(*memory);
}

#[test]
fn objects_that_only_wait_in_magazines_do_not_hold_their_cache() {
    // Shows: S31
    let memory = boot(16);
    let cache = create(*memory, "test", 64);
    let free = memory.pages().free_pages_total();
    let barrier = Barrier::new(2);
    let (busy, idle) = std::thread::scope(|scope| {
        scope.spawn(|| {
            TestKernel::enter(*memory);
            let take = |count| -> Vec<_> {
                (0..count).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect()
            };
            let put = |object| memory.kmem_cache_free(cache, object).expect("a right free");
            let objects = take(100);
            objects[1..].iter().copied().for_each(put);
            barrier.wait();
            // The other thread finds one object missing.
            barrier.wait();
            put(objects[0]);
            take(10).into_iter().for_each(put);
            barrier.wait();
            // This CPU is in use, and the magazines with the objects are its own.
            barrier.wait();
        });
        barrier.wait();
        let busy = (memory.kmem_cache_destroy(cache), stats(*memory, "test"));
        barrier.wait();
        barrier.wait();
        let idle = (stats(*memory, "test"), memory.kmem_cache_destroy(cache));
        barrier.wait();
        (busy, idle)
    });
    assert_eq!((busy.0, busy.1.active_objects), (Err(DestroyError::Busy(1)), 1));
    assert!(idle.0.active_objects == 0 && idle.0.cached >= 10, "{:?}", idle.0);
    assert_eq!(idle.1, Ok(()));
    memory.platform().take_reports();
    memory.drop_caches();
    assert_eq!(memory.pages().free_pages_total(), free);
    at_rest(*memory);
}

#[test]
fn what_magazines_hold_comes_back_before_an_allocation_fails() {
    let memory = boot(8);
    let cache = create(*memory, "test", 4096);
    let objects: Vec<_> = (0..200).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
    objects.into_iter().for_each(|object| memory.kmem_cache_free(cache, object).expect("a right free"));
    assert!(stats(*memory, "test").cached >= 32);
    let pages = common::hoard(*memory, KERNEL);
    assert_eq!((stats(*memory, "test").cached, stats(*memory, "test").slabs), (0, 0));
    common::give(*memory, pages);
    at_rest(*memory);
}

#[test]
fn without_memory_for_magazines_objects_are_served_from_slabs() {
    // Shows: S4
    let memory = boot(8);
    let pages = common::hoard(*memory, ATOMIC);
    common::give(*memory, pages[..2].iter().copied());
    let objects: Vec<_> = (0..20).map(|_| memory.kmalloc(200, ATOMIC).expect("one page holds fifteen")).collect();
    assert_eq!((memory.pages().free_pages_total(), stats(*memory, "magazine-64").slabs), (0, 0));
    objects.iter().for_each(|object| memory.kfree(object.as_ptr()).expect("a right free"));
    assert_eq!(stats(*memory, "size-256").cached, 0);
    common::give(*memory, pages[2..].iter().copied());
    at_rest(*memory);
}

/// An allocated object, with a mark at both ends.
struct Held {
    object: NonNull<u8>,
    size: usize,
    cache: Option<CacheRef<HostPlatform>>,
    mark: u32,
}

// SAFETY: the object is plain memory that the owner of this owns.
unsafe impl Send for Held {}

impl Held {
    fn new(object: NonNull<u8>, size: usize, cache: Option<CacheRef<HostPlatform>>, mark: u32) -> Self {
        let held = Self { object, size, cache, mark };
        held.ends().for_each(|end| {
            // SAFETY: both ends lie in the object, which this owns.
            unsafe { end.write_unaligned(mark) };
        });
        held
    }

    fn ends(&self) -> impl Iterator<Item = *mut u32> {
        let first = self.object.as_ptr();
        [first.cast(), first.wrapping_add(self.size - 4).cast()].into_iter()
    }

    /// Checks the marks and frees the object.
    fn free(self, memory: Kernel) {
        // SAFETY: as in `new`.
        assert!(self.ends().all(|end| unsafe { end.read_unaligned() } == self.mark), "a stray write into an object");
        let freed = match self.cache {
            Some(cache) => memory.kmem_cache_free(cache, self.object),
            None => memory.kfree(self.object.as_ptr()),
        };
        assert_eq!(freed, Ok(()));
    }
}

const SIZES: [usize; 12] = [8, 20, 32, 64, 100, 192, 256, 700, 1024, 2048, 4000, 9000];

/// `steps` random allocations and frees, right and wrong, in all contexts, with shrinks and low memory between them.
fn run_object_model(seed: u64, steps: usize, debug: DebugFlags) {
    let debug = DebugChoice { all: debug, ..DebugChoice::NONE };
    let memory = TestKernel::boot(&Machine { debug, ..Machine::with_mib(96) });
    let caches: Vec<_> =
        [24, 100, 192, 500, 4000].map(|size| (create(*memory, &format!("c-{size}"), size), size)).into();
    memory.drop_caches();
    let start = common::blocks(*memory);
    let mut rng = Rng::new(seed);
    let mut held: Vec<Held> = Vec::new();
    for step in 0..steps {
        // The goal changes, so that magazines fill, drain and trade.
        let goal = (step / 4000 * 7919) % 6000;
        let context = [Context::Process, Context::Atomic, Context::Interrupt][rng.below(12).saturating_sub(9)];
        let gfp = [KERNEL, ATOMIC, GfpFlags::USER, GfpFlags::BUFFER, ATOMIC | GfpFlags::DMA, KERNEL | GfpFlags::DMA]
            [rng.below(6)];
        let gfp = if context == Context::Process { gfp } else { gfp.difference(GfpFlags::WAIT) };
        memory.platform().in_context(context, || {
            if held.len() < goal && !rng.one_in(4) || held.is_empty() {
                let (cache, size) = match rng.below(3) {
                    0 => (None, SIZES[rng.below(SIZES.len())]),
                    _ => caches.get(rng.below(caches.len())).map_or((None, 8), |&(cache, size)| (Some(cache), size)),
                };
                let object = match cache {
                    Some(cache) => memory.kmem_cache_alloc(cache, gfp),
                    None => memory.kmalloc(size, gfp),
                };
                let object = object.expect("memory is plenty");
                assert!(memory.objects().ksize(object.as_ptr()) >= Some(size));
                held.push(Held::new(object, size, cache, step as u32));
            } else {
                let last = held.swap_remove(rng.below(held.len()));
                let object = last.object;
                if rng.one_in(1000) {
                    let wrong = object.as_ptr().wrapping_add(1 + rng.below(7));
                    assert_eq!(memory.kfree(wrong), Err(FreeError::Interior), "seed {seed}, step {step}");
                }
                last.free(*memory);
                if rng.one_in(1000) {
                    assert_eq!(memory.kfree(object.as_ptr()), Err(FreeError::DoubleFree), "seed {seed}, step {step}");
                }
            }
        });
        if rng.one_in(20_000) {
            memory.kmem_cache_shrink(caches[rng.below(caches.len())].0);
        }
        if rng.one_in(200_000) {
            memory.drop_caches();
        }
        if step % 500_000 == 0 {
            memory.validate().unwrap_or_else(|broken| panic!("seed {seed}, step {step}: {broken}"));
            let active: usize = memory.objects().caches().filter(is_public).map(|cache| cache.active_objects).sum();
            assert_eq!(active, held.len(), "seed {seed}, step {step}");
        }
    }
    held.into_iter().for_each(|held| held.free(*memory));
    caches.into_iter().for_each(|(cache, _)| memory.kmem_cache_destroy(cache).expect("empty"));
    memory.platform().take_reports();
    memory.drop_caches();
    assert_eq!(common::blocks(*memory), start, "seed {seed}");
    at_rest(*memory);
}

/// Whether a cache is none of the allocators' own.
fn is_public(cache: &CacheStats) -> bool {
    let name = cache.name.as_str();
    !(name.starts_with("magazine-") || ["kmem_cache", "slab", "vm_area"].contains(&name))
}

#[test]
fn ten_million_object_operations_agree_with_the_model() {
    // Shows: S1, S30, K4
    let soak: usize = std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    std::thread::scope(|scope| {
        for seed in [1, 2, 3, 4] {
            scope.spawn(move || run_object_model(seed, soak * 2_500_000, DebugFlags::empty()));
        }
    });
}

#[test]
fn operations_on_debugged_caches_agree_with_the_model() {
    // Shows: S1, S30, S32, K4
    let all = DebugFlags::CONSISTENCY | DebugFlags::RED_ZONE | DebugFlags::POISON | DebugFlags::USERS;
    let zeroed = DebugFlags::ZERO_ON_ALLOC | DebugFlags::ZERO_ON_FREE;
    std::thread::scope(|scope| {
        for (seed, flags) in [(5, all), (6, all | DebugFlags::COUNT), (7, zeroed), (8, DebugFlags::COUNT)] {
            scope.spawn(move || run_object_model(seed, 200_000, flags));
        }
    });
}

#[test]
fn objects_freed_on_other_cpus_are_lost_to_nobody() {
    let memory = boot(48);
    let cache = create(*memory, "test", 100);
    let start = memory.pages().free_pages_total();
    let senders: Vec<_> = std::thread::scope(|scope| {
        let (ends, inboxes): (Vec<_>, Vec<_>) = (0..4).map(|_| mpsc::sync_channel::<Held>(300)).unzip();
        let workers: Vec<_> = inboxes
            .into_iter()
            .enumerate()
            .map(|(nth, inbox)| {
                let (memory, ends) = (*memory, ends.clone());
                scope.spawn(move || {
                    TestKernel::enter(memory);
                    let mut rng = Rng::new(nth as u64);
                    for step in 0..50_000u32 {
                        let small = rng.one_in(2);
                        let object = match small {
                            true => memory.kmem_cache_alloc(cache, KERNEL),
                            false => memory.kmalloc(1000, ATOMIC),
                        };
                        let (size, cache) = if small { (100, Some(cache)) } else { (1000, None) };
                        let fresh = Held::new(object.expect("memory"), size, cache, step << 2 | nth as u32);
                        // Into another thread's box; when that is full, back where it came from.
                        if let Err(mpsc::TrySendError::Full(back)) = ends[rng.below(4)].try_send(fresh) {
                            back.free(memory);
                        }
                        while rng.one_in(2)
                            && let Ok(foreign) = inbox.try_recv()
                        {
                            foreign.free(memory);
                        }
                    }
                    inbox
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker fails")).collect()
    });
    senders.into_iter().for_each(|inbox| inbox.try_iter().for_each(|held| held.free(*memory)));
    memory.validate().expect("valid");
    memory.kmem_cache_destroy(cache).expect("empty");
    memory.drop_caches();
    assert_eq!(memory.pages().free_pages_total(), start);
    at_rest(*memory);
}
