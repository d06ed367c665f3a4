//! Pages and areas that CPUs hand over, under many schedules of threads.
//!
//! The explorer (`shuttle`) runs one thread at a time and chooses the next at every lock, and at every access to an
//! atomic that hands data to another CPU (`mm`'s feature `explore`). Schedules come from seeds, so a failure can be
//! repeated. Blocks are of order 9, whose magazines hold two: each second call trades one.

mod areas;
mod platform;
mod reclaim;
mod spaces;
mod swap;

use core::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mm::objects::{DebugChoice, DebugFlags};
use mm::page::{Page, mark_present};
use mm::{
    CacheFlags, CacheSpec, Config, FreeError, GfpFlags, Memory, Order, PageMap, Pfn, PfnRange, TrustedMemory, VirtAddr,
};
use platform::{CPUS, Explored, INTERRUPT, run_on};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::mpsc;
use shuttle::{Config as Exploration, Runner, thread};

/// Frames of the explored machine: 256 MiB.
const FRAMES: u32 = 1 << 16;
/// Pages in a block.
const BLOCK: usize = 512;
/// Schedules of each kind.
const SCHEDULES: usize = 60;

/// A cache of two objects a page.
const SPEC: CacheSpec<'static> =
    CacheSpec { name: "explored", size: 2000, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };

type Allocators = &'static TrustedMemory<Explored>;

/// One machine, and which of its blocks have owners.
struct Machine {
    memory: Allocators,
    owned: Vec<AtomicBool>,
    /// Free pages at the start.
    free: usize,
}

impl Machine {
    fn boot() -> &'static Self {
        let mut present = vec![0; PageMap::present_words(FRAMES)];
        let ram = PfnRange::new(Pfn::new(0), Pfn::new(FRAMES));
        mark_present(&mut present, ram);
        let pages: &'static [Page] = (0..FRAMES).map(|_| Page::new()).collect::<Vec<_>>().leak();
        // SAFETY: every entry exists and is leaked; nothing else uses them.
        let map = unsafe { PageMap::new(NonNull::from(pages).cast(), FRAMES, present.leak()) };
        let (nowhere, addresses) = (VirtAddr::new(1 << 45), 1 << 20);
        let config = Config::new().with_vmalloc(nowhere, nowhere.add(addresses));
        let place = NonNull::from(Box::leak(Box::<Memory<Explored>>::new_uninit())).cast();
        // SAFETY: the place is leaked, and nothing else knows of it.
        let memory = unsafe { Memory::init(place, Explored::new(), map, config) };
        // SAFETY: the machine is for this test.
        let memory: Allocators = unsafe { TrustedMemory::new(memory) };
        run_on(0);
        memory.release(ram).expect("each frame once");
        memory.init_caches().expect("there is memory");
        // The memory of cache descriptors is kept: the first one's is there before pages are counted.
        let first = memory.kmem_cache_create(&SPEC).expect("there is memory");
        memory.kmem_cache_destroy(first).expect("no object is left");
        memory.drop_caches();
        let owned = (0..FRAMES as usize / BLOCK).map(|_| AtomicBool::new(false)).collect();
        Box::leak(Box::new(Self { memory, owned, free: memory.pages().free_pages_total() }))
    }

    fn take(&self) -> Pfn {
        let block = self.memory.alloc_pages(GfpFlags::KERNEL, Order::MAX).expect("there is memory");
        assert!(!self.owned[block.index() / BLOCK].swap(true, Relaxed), "a block has two owners");
        block
    }

    fn give(&self, block: Pfn) {
        assert!(self.owned[block.index() / BLOCK].swap(false, Relaxed), "a block has no owner");
        self.memory.free_frames(block, Order::MAX).expect("a right free");
    }

    /// Checks that all memory is back and every invariant holds.
    fn at_rest(&self) {
        self.memory.validate().expect("valid");
        self.memory.drop_caches();
        assert_eq!(self.memory.pages().free_pages_total(), self.free);
        assert_eq!(self.memory.pages().zone_stats(mm::ZoneKind::Normal).cached, 0);
        self.memory.validate().expect("valid");
    }
}

/// Runs `scenario` under schedules of two kinds: any thread at any step, and few changes at well-chosen steps.
fn explore(scenario: fn(&'static Machine)) {
    explore_by(SCHEDULES, scenario);
}

/// [`explore`] by so many schedules of each kind.
fn explore_by(schedules: usize, scenario: fn(&'static Machine)) {
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let mut exploration = Exploration::new();
        exploration.stack_size = 1 << 19;
        exploration.silence_warnings = true;
        Runner::new(scheduler, exploration).run(move || {
            let machine = Machine::boot();
            scenario(machine);
            machine.at_rest();
        });
    };
    run(Box::new(RandomScheduler::new_from_seed(7, schedules)));
    run(Box::new(PctScheduler::new_from_seed(11, 4, schedules)));
}

/// A thread of `cpu` that runs `f`.
fn spawn(cpu: usize, f: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        run_on(cpu);
        f();
    })
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn cpus_that_trade_magazines_share_no_block() {
    explore(|machine: &'static Machine| {
        // Two threads on one CPU, one on the other.
        join([0, 0, 1].map(|cpu| {
            spawn(cpu, move || {
                for count in [3, 6, 2] {
                    let held: Vec<_> = (0..count).map(|_| machine.take()).collect();
                    held.into_iter().for_each(|block| machine.give(block));
                }
            })
        }));
    });
}

#[test]
fn blocks_that_another_cpu_frees_come_back() {
    explore(|machine: &'static Machine| {
        let (sender, receiver) = mpsc::channel();
        let taker = spawn(0, move || {
            for _ in 0..12 {
                sender.send(machine.take()).expect("the other one listens");
            }
        });
        let giver = spawn(1, move || {
            while let Ok(block) = receiver.recv() {
                machine.give(block);
            }
        });
        join([taker, giver]);
    });
}

#[test]
fn magazines_may_be_emptied_while_their_cpu_works() {
    explore(|machine: &'static Machine| {
        let mut threads: Vec<_> = (0..CPUS)
            .map(|cpu| {
                spawn(cpu, move || {
                    for _ in 0..4 {
                        let held = [machine.take(), machine.take(), machine.take()];
                        held.into_iter().for_each(|block| machine.give(block));
                    }
                })
            })
            .collect();
        threads.push(spawn(1, move || {
            for _ in 0..3 {
                machine.memory.drop_caches();
            }
        }));
        join(threads);
    });
}

#[test]
fn no_wake_up_of_a_waiter_is_lost() {
    explore(|machine: &'static Machine| {
        let mut held = Vec::new();
        for _ in 0..machine.free / BLOCK {
            held.push(machine.memory.alloc_pages(GfpFlags::ATOMIC, Order::MAX).expect("there is memory"));
        }
        let waiters = [0, 1].map(|cpu| spawn(cpu, move || machine.give(machine.take())));
        let giver = spawn(1, move || {
            for block in held {
                machine.memory.free_frames(block, Order::MAX).expect("a right free");
            }
        });
        join(waiters.into_iter().chain([giver]));
    });
}

#[test]
fn objects_that_cpus_pass_around_have_one_owner() {
    explore(|machine: &'static Machine| {
        let spec =
            CacheSpec { name: "explored", size: 2000, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
        let cache = machine.memory.kmem_cache_create(&spec).expect("there is memory");
        let (sender, receiver) = mpsc::channel();
        let mut threads: Vec<_> = [0, 1]
            .map(|cpu| {
                let sender = sender.clone();
                spawn(cpu, move || {
                    for count in 0..12_u8 {
                        let object = machine.memory.kmem_cache_alloc(cache, GfpFlags::KERNEL).expect("there is memory");
                        let mark = count * 2 + cpu as u8;
                        // SAFETY: this thread owns the object until it is sent.
                        unsafe { object.write(mark) };
                        sender.send((Object(object), mark)).expect("the other one listens");
                    }
                })
            })
            .into();
        drop(sender);
        threads.push(spawn(1, move || {
            while let Ok((Object(object), mark)) = receiver.recv() {
                // SAFETY: the object was sent to us.
                assert_eq!(unsafe { object.read() }, mark, "an object has two owners");
                machine.memory.kmem_cache_free(cache, object).expect("a right free");
            }
        }));
        join(threads);
        machine.memory.kmem_cache_destroy(cache).expect("no object is left");
    });
}

#[test]
fn caches_may_be_tuned_and_emptied_while_cpus_and_an_interrupt_use_them() {
    explore(|machine: &'static Machine| {
        let memory = machine.memory;
        let cache = memory.kmem_cache_create(&SPEC).expect("there is memory");
        let mut threads: Vec<_> = [0, 1, INTERRUPT]
            .map(|cpu| {
                spawn(cpu, move || {
                    for count in [5, 1, 9] {
                        let take = |_| {
                            let object = memory.kmem_cache_alloc(cache, GfpFlags::KERNEL).expect("there is memory");
                            // SAFETY: this thread owns the object until it is freed.
                            unsafe { object.write(cpu as u8) };
                            object
                        };
                        for object in (0..count).map(take).collect::<Vec<_>>() {
                            // SAFETY: as above.
                            assert_eq!(usize::from(unsafe { object.read() }), cpu, "an object has two owners");
                            memory.kmem_cache_free(cache, object).expect("a right free");
                        }
                    }
                })
            })
            .into();
        threads.push(spawn(1, move || {
            for (limit, batch) in [(2, 1), (0, 0), (8, 4)] {
                memory.objects().tune_cache(SPEC.name, limit, batch).expect("right numbers");
                memory.drop_caches();
            }
        }));
        join(threads);
        memory.kmem_cache_destroy(cache).expect("no object is left");
    });
}

#[test]
fn a_cache_goes_only_when_the_frees_of_its_objects_have_ended() {
    explore(|machine: &'static Machine| {
        let memory = machine.memory;
        let cache = memory.kmem_cache_create(&SPEC).expect("there is memory");
        let users = [0, 1].map(|cpu| {
            let object = Object(memory.kmem_cache_alloc(cache, GfpFlags::KERNEL).expect("there is memory"));
            spawn(cpu, move || {
                let mut next = Some({ object }.0);
                for _ in 0..4 {
                    let Some(object) = next else { break };
                    memory.kmem_cache_free(cache, object).expect("a live object keeps its cache");
                    next = memory.kmem_cache_alloc(cache, GfpFlags::KERNEL).ok();
                }
                next.into_iter().for_each(|object| memory.kfree(object.as_ptr()).expect("as above"));
            })
        });
        let destroyer = spawn(1, move || {
            // It is busy, or goes.
            (0..3).for_each(|_| _ = memory.kmem_cache_destroy(cache));
        });
        join(users.into_iter().chain([destroyer]));
        _ = memory.kmem_cache_destroy(cache);
        assert!(memory.objects().caches().all(|cache| cache.name.as_str() != SPEC.name));
    });
}

#[test]
fn of_two_threads_of_a_cpu_that_free_the_same_one_is_refused() {
    // Shows: K4
    explore(|machine: &'static Machine| {
        let block = machine.memory.alloc_pages(GfpFlags::KERNEL, Order::MAX).expect("there is memory");
        let object = machine.memory.kmalloc(2000, GfpFlags::KERNEL).expect("there is memory").as_ptr() as usize;
        let (sender, receiver) = mpsc::channel();
        join([0, 0].map(|cpu| {
            let sender = sender.clone();
            spawn(cpu, move || {
                let pages = machine.memory.free_frames(block, Order::MAX);
                let bytes = machine.memory.kfree(core::ptr::without_provenance(object));
                sender.send((pages, bytes)).expect("the test listens");
            })
        }));
        let (pages, bytes): (Vec<_>, Vec<_>) =
            [receiver.recv(), receiver.recv()].map(|result| result.expect("sent")).into_iter().unzip();
        for results in [pages, bytes] {
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        }
    });
}

#[test]
fn of_two_cpus_that_free_the_same_debugged_object_one_is_refused() {
    // Shows: K4
    explore(|machine: &'static Machine| {
        let memory = machine.memory;
        memory.set_slab_debug(DebugChoice { all: DebugFlags::CONSISTENCY, ..DebugChoice::NONE });
        let cache = memory.kmem_cache_create(&SPEC).expect("there is memory");
        let neighbour = memory.kmem_cache_alloc(cache, GfpFlags::KERNEL).expect("there is memory");
        let (sender, receiver) = mpsc::channel();
        for _ in 0..3 {
            let object = memory.kmem_cache_alloc(cache, GfpFlags::KERNEL).expect("there is memory").as_ptr() as usize;
            join([0, 1].map(|cpu| {
                let sender = sender.clone();
                spawn(cpu, move || {
                    let object = NonNull::new(object as *mut u8).expect("not null");
                    sender.send(memory.kmem_cache_free(cache, object)).expect("the test listens");
                })
            }));
            let results = [receiver.recv(), receiver.recv()].map(|result| result.expect("sent"));
            assert!(results.contains(&Ok(())) && results.contains(&Err(FreeError::DoubleFree)), "{results:?}");
        }
        memory.kmem_cache_free(cache, neighbour).expect("a right free");
        memory.kmem_cache_destroy(cache).expect("no object is left");
        memory.set_slab_debug(DebugChoice::NONE);
    });
}

/// An object on its way from one thread to another.
struct Object(NonNull<u8>);

// SAFETY: an address; the thread that receives it owns the object.
unsafe impl Send for Object {}
