//! The hand-over of pages between CPUs, under many schedules of their threads.
//!
//! The explorer (`shuttle`) runs threads one at a time and chooses at every lock, and at every access to a word that CPUs
//! hand things over by (`mm`'s feature `explore`), who goes on. Schedules come from seeds, so a failure is the same again. Blocks are of order 9, whose
//! magazines hold two: each second call trades one.

mod platform;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mm::page::{Page, mark_present};
use mm::zone::AtomicFloor;
use mm::{Config, GfpFlags, Memory, Order, PageMap, Pfn, PfnRange, VirtAddr};
use platform::{CPUS, Explored, run_on};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::mpsc;
use shuttle::{Config as Exploration, Runner, thread};

/// Frames of the explored machine: 256 MiB.
const FRAMES: u32 = 1 << 16;
/// Pages in a block.
const BLOCK: usize = 512;
/// Schedules of each kind.
const SCHEDULES: usize = 200;

type Allocators = &'static Memory<Explored>;

/// One machine, and who owns its blocks.
struct Machine {
    memory: Allocators,
    owned: Vec<AtomicBool>,
}

impl Machine {
    fn boot() -> &'static Self {
        let mut present = vec![0; PageMap::present_words(FRAMES)];
        let ram = PfnRange::new(Pfn::new(0), Pfn::new(FRAMES));
        mark_present(&mut present, ram);
        let pages: &'static [Page] = (0..FRAMES).map(|_| Page::new()).collect::<Vec<_>>().leak();
        // SAFETY: every entry exists and is leaked; nothing else uses them.
        let map = unsafe { PageMap::new(core::ptr::NonNull::from(pages).cast(), FRAMES, present.leak()) };
        let nowhere = VirtAddr::new(1 << 45);
        let config = Config {
            highmem_start: Pfn::new(u32::MAX),
            vmalloc_start: nowhere,
            vmalloc_end: nowhere,
            atomic_floor: AtomicFloor::LastPage,
        };
        let memory: Allocators = Box::leak(Box::new(Memory::new(Explored::new(), map, config)));
        run_on(0);
        memory.release(ram);
        let owned = (0..FRAMES as usize / BLOCK).map(|_| AtomicBool::new(false)).collect();
        Box::leak(Box::new(Self { memory, owned }))
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
        assert_eq!(self.memory.free_pages_total(), FRAMES as usize);
        self.memory.drop_caches();
        assert_eq!(self.memory.zone_stats(mm::ZoneKind::Normal).parked, 0);
        self.memory.validate().expect("valid");
    }
}

/// Runs `scenario` under schedules of two kinds: any thread at any step, and few changes at well-chosen steps.
fn explore(scenario: fn(&'static Machine)) {
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let mut exploration = Exploration::new();
        exploration.stack_size = 1 << 18;
        exploration.silence_warnings = true;
        Runner::new(scheduler, exploration).run(move || {
            let machine = Machine::boot();
            scenario(machine);
            machine.at_rest();
        });
    };
    run(Box::new(RandomScheduler::new_from_seed(7, SCHEDULES)));
    run(Box::new(PctScheduler::new_from_seed(11, 4, SCHEDULES)));
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
    explore(|machine| {
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
    explore(|machine| {
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
    explore(|machine| {
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
fn no_wake_up_of_a_sleeper_is_lost() {
    explore(|machine| {
        let mut held = Vec::new();
        for _ in 0..FRAMES as usize / BLOCK {
            held.push(machine.memory.alloc_pages(GfpFlags::ATOMIC, Order::MAX).expect("there is memory"));
        }
        let sleepers = [0, 1].map(|cpu| spawn(cpu, move || machine.give(machine.take())));
        let giver = spawn(1, move || {
            for block in held {
                machine.memory.free_frames(block, Order::MAX).expect("a right free");
            }
        });
        join(sleepers.into_iter().chain([giver]));
    });
}
