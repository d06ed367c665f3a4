//! The queue of a disk under many schedules of threads.
//!
//! The explorer (`shuttle`) runs one thread at a time and chooses the next at every lock, every wait and every atomic
//! by which a driver tells of ends. Schedules come from seeds, so a failure can be repeated. The disk is a thread of
//! its own, and each soft interrupt is one.

#[path = "../../../pagecache/tests/explore/kernel.rs"]
#[allow(dead_code, reason = "the page cache's own tests use the rest")]
mod kernel;
mod machine;
#[path = "../../../mm/tests/explore/platform.rs"]
#[allow(dead_code, reason = "the allocators' own tests use the rest")]
mod platform;

use std::sync::Arc;

use blocks::{Completion, DiskName, Done, Patience, Queue, Refused};
use kapi::block::{PAGE_SECTORS, Segment};
use kapi::mm::Pfn;
use kapi::{BlockDriver, BlockError, BlockOp, BlockRequest, Busy, Completer};
use machine::Blocks;
use platform::run_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::{Condvar, Mutex};
use shuttle::{Config, Runner, thread};

/// Frames of the explored machine: 4 MiB.
const FRAMES: u32 = 1 << 10;
/// Schedules of each kind.
const SCHEDULES: usize = 100;

/// What has ended: how often each token, and how.
struct Ends {
    told: Mutex<Vec<(usize, Result<(), BlockError>)>>,
    changed: Condvar,
}

impl Completion for Ends {
    fn completed(&self, token: usize, result: Result<(), BlockError>) {
        let mut told = self.told.lock().expect("no thread fails here");
        assert!(told.iter().all(|&(other, _)| other != token), "{token} ends twice");
        told.push((token, result));
        self.changed.notify_all();
    }
}

impl Ends {
    fn new() -> &'static Self {
        Box::leak(Box::new(Self { told: Mutex::new(Vec::new()), changed: Condvar::new() }))
    }

    /// Waits until so many have ended.
    fn wait(&self, count: usize) -> Vec<(usize, Result<(), BlockError>)> {
        let mut told = self.told.lock().expect("no thread fails here");
        while told.len() < count {
            told = self.changed.wait(told).expect("no thread fails here");
        }
        told.clone()
    }
}

/// A driver whose device is a thread.
struct Device {
    depth: usize,
    desk: Mutex<Desk>,
    came: Condvar,
    completer: Completer,
}

#[derive(Default)]
struct Desk {
    started: Vec<u16>,
    is_off: bool,
}

impl Device {
    /// Ends requests, the last first, until it is switched off.
    fn run(&self) {
        run_on(0);
        loop {
            let mut desk = self.desk.lock().expect("no thread fails here");
            while desk.started.is_empty() {
                if desk.is_off {
                    return;
                }
                desk = self.came.wait(desk).expect("no thread fails here");
            }
            let tag = desk.started.pop().expect("there is one");
            // Under the lock: who aborts the request afterwards finds that it has ended.
            self.completer.complete(tag, Ok(()));
        }
    }

    fn switch_off(&self) {
        self.desk.lock().expect("no thread fails here").is_off = true;
        self.came.notify_all();
    }
}

impl BlockDriver for Device {
    fn sectors(&self) -> u64 {
        1 << 20
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn has_write_cache(&self) -> bool {
        false
    }

    fn start(&self, request: BlockRequest<'_>) -> Result<(), Busy> {
        self.desk.lock().expect("no thread fails here").started.push(request.tag);
        self.came.notify_all();
        Ok(())
    }

    fn abort(&self, tag: u16) {
        self.desk.lock().expect("no thread fails here").started.retain(|&other| other != tag);
    }
}

type Disk = (Arc<Queue<Blocks>>, Arc<Device>);

fn disk(depth: usize) -> Disk {
    let queue = Arc::new(Queue::new(DiskName::new("disk").expect("a name")).expect("memory"));
    let completer = queue.completer();
    let device = Arc::new(Device { depth, desk: Mutex::default(), came: Condvar::new(), completer });
    queue.attach(device.clone()).expect("a depth");
    (queue, device)
}

fn submit(queue: &Queue<Blocks>, token: usize, ends: &'static Ends, patience: Patience) -> Result<(), Refused> {
    let segment = Segment::new(Pfn::new(1), 0, 4096).expect("a page");
    // No two are neighbours.
    let sector = token as u64 * 2 * PAGE_SECTORS;
    queue.submit(BlockOp::Write, sector, segment, Done { completion: ends, token }, patience)
}

fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let scenario = Arc::new(move || {
        kernel::boot();
        scenario();
    });
    for scheduler in schedulers() {
        let scenario = scenario.clone();
        Runner::new(scheduler, Config::new()).run(move || scenario());
    }
}

fn schedulers() -> [Box<dyn Scheduler + Send>; 2] {
    [
        Box::new(RandomScheduler::new_from_seed(0x17, SCHEDULES)),
        Box::new(PctScheduler::new_from_seed(0x18, 3, SCHEDULES)),
    ]
}

/// Runs `f` on a thread of its own.
fn spawn<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> thread::JoinHandle<R> {
    thread::spawn(move || {
        run_on(0);
        f()
    })
}

fn end(device: &Arc<Device>, runner: thread::JoinHandle<()>) {
    device.switch_off();
    runner.join().expect("the device ends");
}

fn start(device: &Arc<Device>) -> thread::JoinHandle<()> {
    let device = device.clone();
    thread::spawn(move || device.run())
}

#[test]
fn each_end_is_told_once_whoever_hears_of_it() {
    explore(|| {
        let ((queue, device), ends) = (disk(2), Ends::new());
        let runner = start(&device);
        let submitters: Vec<_> = (0..2)
            .map(|nth| {
                let queue = queue.clone();
                spawn(move || {
                    for token in [nth * 2, nth * 2 + 1] {
                        assert_eq!(submit(&queue, token, ends, Patience::None), Ok(()));
                    }
                })
            })
            .collect();
        submitters.into_iter().for_each(|submitter| submitter.join().expect("it ends"));
        assert!(ends.wait(4).iter().all(|&(_, result)| result == Ok(())));
        end(&device, runner);
        assert!(queue.validate());
    });
}

#[test]
fn an_answer_and_the_limit_in_time_end_a_request_once() {
    explore(|| {
        let ((queue, device), ends) = (disk(1), Ends::new());
        // Each request is overdue at once.
        queue.set_timeout(core::time::Duration::ZERO);
        let runner = start(&device);
        let clock = spawn({
            let queue = queue.clone();
            move || (0..3).for_each(|_| _ = queue.expire())
        });
        for token in 0..3 {
            assert_eq!(submit(&queue, token, ends, Patience::None), Ok(()));
        }
        let told = ends.wait(3);
        assert!(told.iter().all(|&(_, result)| matches!(result, Ok(()) | Err(BlockError::Timeout))));
        clock.join().expect("it ends");
        end(&device, runner);
        queue.expire();
        assert!(queue.validate() && !queue.is_busy());
    });
}

#[test]
fn nobody_sleeps_on_while_requests_are_free() {
    explore(|| {
        let ((queue, device), ends) = (disk(4), Ends::new());
        // All that writes may have.
        let mut taken = 0;
        while submit(&queue, taken, ends, Patience::None).is_ok() {
            taken += 1;
        }
        let waiters: Vec<_> = (0..2)
            .map(|nth| {
                let queue = queue.clone();
                spawn(move || submit(&queue, taken + nth, ends, Patience::Wait))
            })
            .collect();
        let runner = start(&device);
        for waiter in waiters {
            assert_eq!(waiter.join().expect("it ends"), Ok(()));
        }
        ends.wait(taken + 2);
        end(&device, runner);
        assert!(queue.validate() && !queue.is_busy());
    });
}

#[test]
fn a_disk_goes_when_all_is_told() {
    explore(|| {
        let ((queue, device), ends) = (disk(1), Ends::new());
        let runner = start(&device);
        let submitter = spawn({
            let queue = queue.clone();
            move || (0..3).filter(|&token| submit(&queue, token, ends, Patience::None).is_ok()).count()
        });
        queue.retire();
        assert!(queue.driver().is_none());
        let submitted = submitter.join().expect("it ends");
        let told = ends.wait(submitted);
        assert!(told.iter().all(|&(_, result)| matches!(result, Ok(()) | Err(BlockError::Gone))));
        end(&device, runner);
        assert!(queue.validate());
    });
}
