//! Several threads on one machine, as several CPUs would be.

mod common;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use common::{ATOMIC, DMA, KERNEL, Kernel, at_rest, blocks, boot, give, order};
use mm::testing::{HostPlatform, Rng, TestKernel};
use mm::{
    CacheFlags, CacheRef, CacheSpec, Context, CtorFlags, DestroyError, GfpFlags, Order, PAGE_SIZE, PhysAddr, VirtAddr,
};

const THREADS: u64 = 4;
const STEPS: usize = 12_000;

fn construct(object: NonNull<u8>, _: &str, _: CtorFlags) {
    // SAFETY: a fresh object of 72 bytes.
    unsafe { object.cast::<u64>().write(7) };
}

fn destruct(object: NonNull<u8>, _: &str, _: CtorFlags) {
    // SAFETY: as above; the last owner has put the word back.
    assert_eq!(unsafe { object.cast::<u64>().read() }, 7);
}

/// Stops the other threads when its owner is done, or has failed.
struct Stopper<'a>(&'a AtomicBool);

impl Drop for Stopper<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// A piece of memory that one thread holds.
enum Held {
    Pages(VirtAddr, Order),
    Object(NonNull<u8>),
    OfCache(NonNull<u8>),
    Area(VirtAddr),
    Device(VirtAddr),
}

struct Worker {
    memory: Kernel,
    rng: Rng,
    cache: CacheRef<HostPlatform>,
    held: Vec<(Held, u64)>,
}

impl Worker {
    fn take(&mut self) {
        let gfp = if self.rng.one_in(2) { KERNEL } else { ATOMIC };
        let gfp = if self.rng.one_in(10) { gfp | DMA } else { gfp };
        let memory = self.memory;
        let (held, word) = match self.rng.below(20) {
            0..6 => {
                let size = order(self.rng.below(4));
                let Ok(block) = memory.get_free_pages(gfp, size) else { return };
                (Held::Pages(block, size), Some(block))
            }
            6..13 => {
                let Ok(object) = memory.kmalloc(1 + self.rng.below(9000), gfp) else { return };
                (Held::Object(object), Some(VirtAddr::from_ptr(object.as_ptr())))
            }
            13..18 => {
                let Ok(object) = memory.kmem_cache_alloc(self.cache, gfp & !DMA) else { return };
                (Held::OfCache(object), Some(VirtAddr::from_ptr(object.as_ptr()).add(8)))
            }
            18 => {
                let Ok(area) = memory.vmalloc(1 + self.rng.below(3 * PAGE_SIZE)) else { return };
                (Held::Area(area), Some(area))
            }
            _ => {
                let Ok(at) = memory.ioremap(PhysAddr::new(0xfe00_0000), PAGE_SIZE) else { return };
                (Held::Device(at), None)
            }
        };
        let value = self.rng.next_u64();
        if let Some(word) = word {
            // SAFETY: the memory is this thread's and at least 16 bytes long.
            unsafe { word.as_mut_ptr::<u64>().write(value) };
        }
        self.held.push((held, value));
    }

    fn put(&mut self, nth: usize) {
        let (held, value) = self.held.swap_remove(nth);
        let check = |at: VirtAddr| {
            // SAFETY: the memory is still this thread's.
            assert_eq!(unsafe { at.as_mut_ptr::<u64>().read() }, value, "another thread wrote here");
        };
        let memory = self.memory;
        let freed = match held {
            Held::Pages(block, order) => {
                check(block);
                memory.free_pages(block, order)
            }
            Held::Object(object) => {
                check(VirtAddr::from_ptr(object.as_ptr()));
                memory.kfree(object.as_ptr())
            }
            Held::OfCache(object) => {
                check(VirtAddr::from_ptr(object.as_ptr()).add(8));
                memory.kmem_cache_free(self.cache, object)
            }
            Held::Area(area) => {
                check(area);
                memory.vfree(area)
            }
            Held::Device(at) => memory.iounmap(at),
        };
        assert_eq!(freed, Ok(()));
    }

    fn run(mut self) {
        TestKernel::enter(self.memory);
        for _ in 0..STEPS {
            let count = self.held.len();
            match self.rng.below(400) {
                0 => _ = self.memory.drop_caches(),
                1 => _ = self.memory.kmem_cache_shrink(self.cache),
                2 => _ = self.memory.pages().balance(),
                3 => assert!(
                    self.memory.objects().caches().count() >= 29
                        && self.memory.areas().iter().all(|area| area.bytes > PAGE_SIZE)
                ),
                4 => self.create_and_destroy(),
                _ if count == 0 || count < 300 && self.rng.one_in(2) => self.take(),
                _ => {
                    let nth = self.rng.below(count);
                    self.put(nth);
                }
            }
        }
        while !self.held.is_empty() {
            self.put(0);
        }
    }

    /// Creates a cache whose name other threads try to use too.
    fn create_and_destroy(&mut self) {
        let spec =
            CacheSpec { name: "contended", size: 500, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
        let Ok(cache) = self.memory.kmem_cache_create(&spec) else { return };
        if let Ok(object) = self.memory.kmem_cache_alloc(cache, ATOMIC) {
            self.memory.kmem_cache_free(cache, object).expect("a right free");
        }
        assert_eq!(self.memory.kmem_cache_destroy(cache), Ok(()));
    }
}

#[test]
fn threads_that_hammer_all_calls_lose_and_share_nothing() {
    // Shows: S43
    for (round, mib) in [6, 24].into_iter().enumerate() {
        let memory = boot(mib);
        let memory: Kernel = *memory;
        let (ctor, dtor) = (Some(construct as _), Some(destruct as _));
        let spec = CacheSpec { name: "shared", size: 72, offset: 0, flags: CacheFlags::empty(), ctor, dtor };
        let cache = memory.kmem_cache_create(&spec).expect("a cache");
        // Room for the workers' caches, which stays.
        let names: Vec<_> = (0..THREADS).map(|thread| format!("room{thread}")).collect();
        let room = |name: &String| memory.kmem_cache_create(&CacheSpec { name, ..spec }).expect("a cache");
        let caches: Vec<_> = names.iter().map(room).collect();
        caches.into_iter().for_each(|cache| memory.kmem_cache_destroy(cache).expect("empty"));
        memory.drop_caches();
        let start = blocks(memory);
        std::thread::scope(|scope| {
            let worker = |thread| {
                let seed = round as u64 * 100 + thread;
                scope.spawn(move || Worker { memory, rng: Rng::new(seed), cache, held: Vec::new() }.run())
            };
            let workers: Vec<_> = (0..THREADS).map(worker).collect();
            // A thread that was joined has given its CPU back; the scope's own end does not wait for that.
            workers.into_iter().for_each(|worker| worker.join().expect("a worker"));
        });
        memory.platform().take_reports();
        memory.kmem_cache_shrink(cache);
        memory.drop_caches();
        assert_eq!(blocks(memory), start);
        assert!(
            memory.objects().caches().all(|cache| cache.active_objects == 0 || cache.name.as_str() == "kmem_cache")
        );
        memory.kmem_cache_destroy(cache).expect("empty");
        at_rest(memory);
    }
}

#[test]
fn wrong_frees_from_other_threads_harm_nobody() {
    // Shows: K4
    let memory = boot(24);
    let memory: Kernel = *memory;
    // The targets of the wrong frees stay allocated; the pages around them are allocated and freed.
    let block = memory.alloc_pages(KERNEL, order(3)).expect("memory");
    let object = memory.kmalloc(64, KERNEL).expect("memory").as_ptr() as usize;
    let start = (memory.pages().free_pages_total(), memory.pages().zone_stats(mm::ZoneKind::Normal).free);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _stopper = Stopper(&stop);
            for _ in 0..STEPS {
                let addr = memory.page_address(block).expect("low memory");
                assert!(memory.free_frames(block, order(2)).is_err() && memory.free_pages(addr, order(4)).is_err());
                assert!(memory.free_frames(block.add(1), Order::ZERO).is_err() && memory.vfree(addr).is_err());
                assert!(memory.kfree((object + 8) as *const u8).is_err() && memory.kfree(addr.as_mut_ptr()).is_err());
            }
        });
        scope.spawn(|| {
            while !stop.load(SeqCst) {
                let pages: Vec<_> = (0..64).map(|_| memory.alloc_pages(KERNEL, Order::ZERO).expect("memory")).collect();
                give(memory, pages);
                let large = memory.alloc_pages(KERNEL, Order::MAX).expect("memory");
                memory.free_frames(large, Order::MAX).expect("a right free");
            }
        });
    });
    memory.platform().take_reports();
    assert_eq!(start, (memory.pages().free_pages_total(), memory.pages().zone_stats(mm::ZoneKind::Normal).free));
    memory.free_frames(block, order(3)).expect("still allocated");
    memory.kfree(object as *const u8).expect("still allocated");
    at_rest(memory);
}

#[test]
fn destroying_a_cache_while_its_last_objects_come_back_ends() {
    // Shows: S31, K15
    let memory = boot(24);
    let memory: Kernel = *memory;
    for round in 0..300 {
        let spec =
            CacheSpec { name: "brief", size: 2000, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
        let cache = memory.kmem_cache_create(&spec).expect("a cache");
        let take = |_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory").as_ptr() as usize;
        let objects: Vec<usize> = (0..1 + round % 30).map(take).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| objects.iter().for_each(|&object| memory.kfree(object as *const u8).expect("a right free")));
            scope.spawn(|| _ = memory.pages().reclaim(GfpFlags::KERNEL));
            while let Err(error) = memory.kmem_cache_destroy(cache) {
                assert!(matches!(error, DestroyError::Busy(left) if (1..=objects.len()).contains(&left)));
                std::thread::yield_now();
            }
        });
    }
    memory.platform().take_reports();
    at_rest(memory);
}

#[test]
fn interrupts_and_threads_share_one_cache() {
    // Shows: S4
    let memory = boot(6);
    let memory: Kernel = *memory;
    std::thread::scope(|scope| {
        for context in [Context::Interrupt, Context::Process] {
            scope.spawn(move || {
                memory.platform().in_context(context, || {
                    for step in 0..STEPS {
                        let object = memory.kmalloc(100 + step % 3000, ATOMIC).expect("plenty");
                        memory.kfree(object.as_ptr()).expect("a right free");
                    }
                });
            });
        }
    });
    assert_eq!(memory.pages().events().wrong_contexts, 0);
    at_rest(memory);
}

#[test]
fn of_several_frees_of_an_area_one_wins() {
    // Shows: K4
    let memory = boot(24);
    let memory: Kernel = *memory;
    let start = blocks(memory);
    // All areas start at the lowest address, so that a thread can free one while it is still being built.
    let lowest = memory.areas().start();
    let (stop, others, own) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            while !stop.load(SeqCst) {
                if memory.vfree(lowest).is_ok() {
                    // This CPU keeps the free range; the next area is to be made there too.
                    memory.drop_caches();
                    others.fetch_add(1, SeqCst);
                }
            }
        });
        let stopper = Stopper(&stop);
        let mut freed = 0;
        for round in 1..=400 {
            let area = memory.vmalloc(20 * PAGE_SIZE).expect("memory");
            assert_eq!(area, lowest);
            freed += usize::from(memory.vfree(area).is_ok());
            memory.drop_caches();
            while freed + others.load(SeqCst) < round {
                std::thread::yield_now();
            }
        }
        own.store(freed, SeqCst);
        drop(stopper);
        // A thread that was joined has given its CPU back.
        other.join().expect("no panic");
    });
    assert_eq!(own.load(SeqCst) + others.load(SeqCst), 400, "each area was freed once");
    memory.platform().take_reports();
    memory.drop_caches();
    assert_eq!(blocks(memory), start);
    at_rest(memory);
}

/// The name of a cache, for a handle whose cache other threads destroy and make anew meanwhile.
#[test]
fn a_handle_of_a_destroyed_cache_leads_nowhere() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let create = |name: &str, size: usize| {
        let flags = CacheFlags::empty();
        memory.kmem_cache_create(&CacheSpec { name, size, offset: 0, flags, ctor: None, dtor: None }).expect("memory")
    };
    let stale = create("first", 100);
    memory.kmem_cache_destroy(stale).expect("no object is left");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _stopper = Stopper(&done);
            for round in 0..300 {
                let cache = create(&format!("cache-{round}"), 200 + round);
                let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
                memory.kmem_cache_free(cache, object).expect("a right free");
                memory.kmem_cache_destroy(cache).expect("no object is left");
            }
        });
        scope.spawn(|| {
            while !done.load(SeqCst) {
                assert_eq!(memory.objects().kmem_cache_name(stale), None);
                assert_eq!(memory.objects().kmem_cache_size(stale), None);
                assert!(memory.kmem_cache_alloc(stale, KERNEL).is_err());
                assert_eq!(memory.kmem_cache_shrink(stale), 0);
                assert_eq!(memory.kmem_cache_destroy(stale), Err(DestroyError::NoSuchCache));
            }
        });
    });
    assert!(memory.platform().take_reports().iter().all(|line| line.contains("no such cache")));
    at_rest(memory);
}

/// A cache is destroyed while its objects are freed and new ones wanted: either objects are left, and it stays as it
/// was, or it is gone, and its last users are told so.
#[test]
fn a_cache_may_be_destroyed_while_others_use_it() {
    let memory = boot(16);
    let memory: Kernel = *memory;
    let spec = CacheSpec { name: "used", size: 200, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    let (mut destroyed, mut busy) = (0, 0);
    for round in 0..200 {
        let cache = memory.kmem_cache_create(&spec).expect("memory");
        let started = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    TestKernel::enter(memory);
                    let objects = core::iter::from_fn(|| memory.kmem_cache_alloc(cache, KERNEL).ok()).take(70);
                    let objects: Vec<_> = objects.inspect(|_| _ = started.fetch_add(1, SeqCst)).collect();
                    std::thread::yield_now();
                    for object in objects {
                        memory.kmem_cache_free(cache, object).expect("a live object");
                    }
                });
            }
            while round % 2 == 1 && started.load(SeqCst) == 0 {
                std::thread::yield_now();
            }
            match memory.kmem_cache_destroy(cache) {
                Ok(()) => destroyed += 1,
                Err(error) => {
                    assert!(matches!(error, DestroyError::Busy(_)), "{error:?}");
                    busy += 1;
                }
            }
        });
        let _: Result<(), DestroyError> = memory.kmem_cache_destroy(cache);
        assert!(memory.objects().caches().all(|cache| cache.name.as_str() != spec.name), "it is gone");
    }
    println!("destroyed {destroyed} times at once, busy {busy} times");
    memory.platform().take_reports();
    at_rest(memory);
}
