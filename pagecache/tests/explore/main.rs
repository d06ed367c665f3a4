//! The cache under many schedules of threads.
//!
//! The explorer (`shuttle`) runs one thread at a time and chooses the next at every lock and every wait. Schedules come
//! from seeds, so a failure can be repeated. A disk is a thread of its own, which ends requests when it comes to it.

mod kernel;
#[path = "../../../mm/tests/explore/platform.rs"]
#[allow(dead_code, reason = "the allocators' own tests use the rest")]
mod platform;
mod swap;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use kapi::IoBuf;
use kapi::mm::own::{Global, PageRef};
use kapi::mm::space::FaultAccess;
use kapi::mm::{GfpFlags, PAGE_SIZE, Pfn, ZoneKind};
use kernel::Machine;
use pagecache::{Backing, Direction, IoError, Kind, PageCache, PageIo};
use platform::run_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::{Condvar, Mutex};
use shuttle::{Config, Runner, thread};

/// Frames of the explored machine: 4 MiB.
const FRAMES: u32 = 1 << 10;
/// Schedules of each kind.
const SCHEDULES: usize = 60;
/// Pages of the disk.
const PAGES: usize = 4;

type Mapping = pagecache::Mapping<Machine>;

/// A disk: the first byte of each page.
struct Disk {
    bytes: [AtomicUsize; PAGES],
    queue: Mutex<Vec<PageIo>>,
    came: Condvar,
    is_serving: AtomicBool,
    is_off: AtomicBool,
    flushes: AtomicUsize,
}

impl Disk {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            bytes: core::array::from_fn(|_| AtomicUsize::new(0)),
            queue: Mutex::new(Vec::new()),
            came: Condvar::new(),
            is_serving: AtomicBool::new(false),
            is_off: AtomicBool::new(false),
            flushes: AtomicUsize::new(0),
        })
    }

    /// Ends requests, the last first, until it is switched off.
    fn run(&self) {
        loop {
            let mut queue = self.queue.lock().expect("no thread fails here");
            while queue.is_empty() {
                if self.is_off.load(SeqCst) {
                    return;
                }
                queue = self.came.wait(queue).expect("no thread fails here");
            }
            let io = queue.pop().expect("there is one");
            self.is_serving.store(true, SeqCst);
            drop(queue);
            self.serve(&io);
            io.finish(Ok(()));
            self.is_serving.store(false, SeqCst);
        }
    }

    fn serve(&self, io: &PageIo) {
        let byte = &self.bytes[io.index() as usize];
        match io.direction() {
            Direction::Read => set(io.frame(), byte.load(SeqCst) as u8),
            Direction::Write => {
                let before = get(io.frame());
                thread::yield_now();
                assert_eq!(get(io.frame()), before, "a page changes on its way");
                byte.store(before.into(), SeqCst);
            }
        }
    }

    /// Whether a request waits or runs.
    fn is_busy(&self) -> bool {
        !self.queue.lock().expect("no thread fails here").is_empty() || self.is_serving.load(SeqCst)
    }

    fn switch_off(&self) {
        let _queue = self.queue.lock().expect("no thread fails here");
        self.is_off.store(true, SeqCst);
        self.came.notify_all();
    }

    fn add(&self, io: PageIo) {
        self.queue.lock().expect("no thread fails here").push(io);
        self.came.notify_all();
    }
}

impl Backing for Disk {
    fn kind(&self) -> Kind {
        Kind::Device
    }

    fn read(&self, io: PageIo) {
        self.add(io);
    }

    fn write(&self, io: PageIo) {
        self.add(io);
    }

    fn flush(&self) -> Result<(), IoError> {
        self.flushes.fetch_add(1, SeqCst);
        Ok(())
    }
}

fn get(frame: Pfn) -> u8 {
    PageRef::<Machine>::to(frame).expect("a page").show(|bytes| bytes[0]).expect("process context")
}

fn set(frame: Pfn, byte: u8) {
    PageRef::<Machine>::to(frame).expect("a page").show_mut(|bytes| bytes[0] = byte).expect("process context");
}

fn write(mapping: &Mapping, index: usize, bytes: &[u8]) {
    let written = mapping.write((index * PAGE_SIZE) as u64, &mut IoBuf::take(bytes));
    assert_eq!(written, Ok(bytes.len()));
}

fn read(mapping: &Mapping, index: usize) -> u8 {
    let mut byte = [0xff];
    assert_eq!(mapping.read((index * PAGE_SIZE) as u64, &mut IoBuf::fill(&mut byte)), Ok(1));
    byte[0]
}

/// What a scenario works with.
#[derive(Clone)]
struct World {
    cache: &'static PageCache<Machine>,
    disk: Arc<Disk>,
    mapping: Arc<Mapping>,
}

fn ticks() -> u64 {
    0
}

fn explore(scenario: fn(World) -> Vec<thread::JoinHandle<()>>) {
    explore_by(SCHEDULES, scenario);
}

/// Runs `scenario`, which returns its threads, beside the disk's, under schedules of two kinds: any thread at any step,
/// and few changes at well-chosen steps; so many of each.
fn explore_by(
    schedules: usize,
    scenario: impl Fn(World) -> Vec<thread::JoinHandle<()>> + Copy + Send + Sync + 'static,
) {
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let mut config = Config::new();
        config.stack_size = 1 << 19;
        config.silence_warnings = true;
        Runner::new(scheduler, config).run(move || {
            kernel::boot();
            let cache: &'static PageCache<Machine> = Box::leak(Box::new(PageCache::new(ticks)));
            cache.start().expect("there is memory");
            let disk = Disk::new();
            let new_mapping =
                || cache.mapping(disk.clone(), (PAGES * PAGE_SIZE) as u64, "disk").expect("there is memory");
            // The table of mappings stays.
            drop(new_mapping());
            Machine::memory().drop_caches();
            let free = Machine::memory().pages().free_pages_total();
            let mapping = new_mapping();
            let serving = spawn({
                let disk = disk.clone();
                move || disk.run()
            });
            let world = World { cache, disk: disk.clone(), mapping: Arc::new(mapping) };
            let threads = scenario(world.clone());
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            cache.validate().expect("valid");
            drop(world);
            disk.switch_off();
            serving.join().expect("no panic");
            cache.validate().expect("valid");
            Machine::memory().drop_caches();
            assert_eq!(Machine::memory().pages().free_pages_total(), free);
        });
    };
    run(Box::new(RandomScheduler::new_from_seed(7, schedules)));
    run(Box::new(PctScheduler::new_from_seed(11, 4, schedules)));
}

fn spawn(f: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        run_on(0);
        f();
    })
}

#[test]
fn pages_that_are_filled_and_given_back_at_once_hold_what_they_should() {
    explore(|world| {
        world.disk.bytes.iter().enumerate().for_each(|(at, byte)| byte.store(at + 1, SeqCst));
        let readers = [[0, 1, 0], [1, 2, 0]].map(|order| {
            let World { mapping, .. } = world.clone();
            spawn(move || order.iter().for_each(|&index| assert_eq!(usize::from(read(&mapping, index)), index + 1)))
        });
        let reclaim = spawn(move || {
            (0..3).for_each(|_| _ = world.cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 4));
        });
        readers.into_iter().chain([reclaim]).collect()
    });
}

#[test]
fn a_page_does_not_change_on_its_way_and_no_write_is_lost() {
    explore(|world| {
        let World { cache, mapping, disk } = world;
        let writer = spawn(move || {
            for byte in 1..4 {
                write(&mapping, 0, &[byte]);
                write(&mapping, 1, &[byte; PAGE_SIZE]);
                assert_eq!((read(&mapping, 0), read(&mapping, 1)), (byte, byte));
            }
            mapping.sync(0..u64::MAX, &mut mapping.errors()).expect("no fault");
            assert_eq!([&disk.bytes[0], &disk.bytes[1]].map(|byte| byte.load(SeqCst)), [3, 3]);
        });
        let flusher = spawn(move || {
            for _ in 0..2 {
                cache.bdflush_round();
                cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 4);
            }
        });
        vec![writer, flusher]
    });
}

#[test]
fn a_sync_covers_what_was_written_before_it() {
    explore(|world| {
        let sync = |World { mapping, disk, .. }: World, index: usize| {
            spawn(move || {
                for byte in [1, 2] {
                    write(&mapping, index, &[byte; PAGE_SIZE]);
                    let range = if byte == 1 { 0..u64::MAX } else { (index * PAGE_SIZE) as u64..u64::MAX };
                    let flushes = disk.flushes.load(SeqCst);
                    mapping.sync(range, &mut mapping.errors()).expect("no fault");
                    assert_eq!(disk.bytes[index].load(SeqCst), usize::from(byte));
                    assert!(disk.flushes.load(SeqCst) > flushes);
                }
            })
        };
        let all = spawn({
            let cache = world.cache;
            move || cache.sync().expect("no fault")
        });
        vec![sync(world.clone(), 0), sync(world, 1), all]
    });
}

#[test]
fn a_program_that_writes_to_a_page_on_its_way_is_not_lost() {
    explore(|world| {
        let program = spawn({
            let World { cache, mapping, disk } = world.clone();
            move || {
                let frame = mapping.page(0, FaultAccess::Write).expect("it is there");
                // SAFETY: the program's mapping is this value.
                let page = unsafe { PageRef::<Machine>::adopt(frame) }.expect("a page");
                // Nothing changes while it is on its way, or the disk complains: a lock stands for the fault's wait.
                for byte in 1..3 {
                    let lock = cache.lock_page(&page).expect("process context");
                    cache.wait_written(&page).expect("process context");
                    set(frame, byte);
                    drop(lock);
                    cache.note_dirty(frame);
                }
                mapping.sync(0..10, &mut mapping.errors()).expect("no fault");
                assert_eq!(disk.bytes[0].load(SeqCst), 2);
            }
        });
        let flusher = spawn(move || (0..2).for_each(|_| _ = world.cache.bdflush_round()));
        vec![program, flusher]
    });
}

#[test]
fn who_waits_for_a_page_is_woken_when_its_lock_ends() {
    explore(|world| {
        write(&world.mapping, 0, &[0]);
        let writer = |byte| {
            let World { mapping, .. } = world.clone();
            spawn(move || (0..2).for_each(|_| write(&mapping, 0, &[byte])))
        };
        [1, 2, 3].map(writer).into()
    });
}

#[test]
fn a_mapping_goes_while_its_requests_end() {
    explore(|world| {
        write(&world.mapping, 1, &[1; PAGE_SIZE]);
        write(&world.mapping, 2, &[2; PAGE_SIZE]);
        world.cache.bdflush_round();
        world.mapping.read_ahead(3..4);
        let reclaim = spawn(move || _ = world.cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 4));
        vec![spawn(move || drop(world.mapping)), reclaim]
    });
}
