//! A test's machine: memory, a clock, what is put off, lines, a log.

use core::any::Any;
use core::cell::RefCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use core::time::Duration;
use std::string::String;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::vec::Vec;

use mm::Context;
use mm::testing::{Booted, Machine, TestKernel, TestMemory};

use super::pending::Calls;
use super::running::hold;

/// The time between two ticks.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// MiB of a machine's memory.
const MIB: u32 = 64;

std::thread_local! {
    static CURRENT: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// A thread's place: its machine, and whether ^C has come for it.
#[derive(Clone)]
struct Here {
    world: Arc<World>,
    interrupted: Arc<AtomicBool>,
}

/// What all threads of a machine share.
pub(super) struct World {
    memory: &'static TestMemory,
    ticks: AtomicU64,
    log: Mutex<Vec<String>>,
    pub(super) calls: Calls,
    /// What else belongs to the machine, a value of a type: see [`World::part`].
    parts: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
}

/// A machine of this thread. Dropping it ends it; drivers and what they hold go first.
pub struct TestMachine {
    before: Option<Here>,
    _memory: Booted,
}

/// Makes a machine with 64 MiB, this thread's until it is dropped.
pub fn machine() -> TestMachine {
    let memory = TestKernel::boot(&Machine::with_mib(MIB));
    let world = World {
        memory: *memory,
        ticks: AtomicU64::new(0),
        log: Mutex::default(),
        calls: Calls::default(),
        parts: Mutex::default(),
    };
    let here = Here { world: Arc::new(world), interrupted: Arc::default() };
    TestMachine { before: CURRENT.replace(Some(here)), _memory: memory }
}

impl Drop for TestMachine {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

/// This thread's machine.
///
/// # Panics
/// Where there is none.
pub(super) fn world() -> Arc<World> {
    try_world().expect("kapi::testing::machine comes first")
}

/// This thread's machine, if it has one.
pub(super) fn try_world() -> Option<Arc<World>> {
    CURRENT.with_borrow(|here| here.as_ref().map(|here| here.world.clone()))
}

/// Whether ^C has come for this thread.
pub(super) fn interrupted() -> bool {
    CURRENT.with_borrow(|here| here.as_ref().is_some_and(|here| here.interrupted.load(SeqCst)))
}

/// Writes a line to the log of this thread's machine.
pub(super) fn log(line: String) {
    if let Some(world) = try_world() {
        hold(&world.log).push(line);
    }
}

/// How long this thread's machine has run.
pub(super) fn uptime() -> Duration {
    TICK * u32::try_from(world().ticks()).unwrap_or(u32::MAX)
}

/// Takes what has been logged so far.
pub fn take_log() -> Vec<String> {
    core::mem::take(&mut hold(&world().log))
}

/// Lets `time` pass, tick by tick (10 ms): what is due runs, timers first, then the work of the tick, then work that
/// waits for a thread.
pub fn pass(time: Duration) {
    let world = world();
    for _ in 0..time.as_nanos().div_ceil(TICK.as_nanos()) {
        world.tick();
    }
}

/// Runs the work that waits for a thread of the kernel's, on this one.
pub fn run_work() {
    world().run_scheduler();
}

/// Runs `f` as an interrupt handler runs.
pub fn in_interrupt<R>(f: impl FnOnce() -> R) -> R {
    let world = world();
    let result = in_context(Context::Interrupt, f);
    world.run_immediate();
    result
}

/// Runs `f` in `context`, if this thread has a machine to be told.
pub(super) fn in_context<R>(context: Context, f: impl FnOnce() -> R) -> R {
    match try_world() {
        // What is atomic in an interrupt is still an interrupt.
        Some(world) if may_sleep() || context == Context::Interrupt => world.memory.platform().in_context(context, f),
        _ => f(),
    }
}

/// Whether the caller may sleep.
pub(super) fn may_sleep() -> bool {
    try_world().is_none_or(|world| mm::Platform::context(world.memory.platform()).may_sleep())
}

impl World {
    /// Ticks so far.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks.load(SeqCst)
    }

    /// One tick passes.
    pub(super) fn tick(&self) {
        let now = self.ticks.fetch_add(1, SeqCst) + 1;
        in_context(Context::Interrupt, || {
            self.calls.timers.run(now);
            self.calls.tick.run_queued();
        });
        self.run_immediate();
        if may_sleep() {
            self.run_scheduler();
        }
    }

    /// Runs the work that waits for the end of an interrupt.
    pub(super) fn run_immediate(&self) {
        if may_sleep() {
            in_context(Context::Interrupt, || self.calls.immediate.run_queued());
        }
    }

    /// Runs the work that waits for a thread.
    pub(super) fn run_scheduler(&self) {
        self.calls.scheduler.run_queued();
    }

    /// The machine's part of type `T`, which is there from the first call on.
    pub(super) fn part<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        let mut parts = hold(&self.parts);
        let found = parts.iter().find_map(|part| part.clone().downcast().ok());
        found.unwrap_or_else(|| {
            let part = Arc::<T>::default();
            parts.push(part.clone());
            part
        })
    }
}

/// A thread of a test's machine.
pub struct TestThread<R> {
    handle: JoinHandle<R>,
    interrupted: Arc<AtomicBool>,
}

/// Starts a thread on this thread's machine.
///
/// ```
/// use kapi::testing::{self, Host};
/// use kapi::{Kernel, LockError, WaitQueue};
/// use std::sync::Arc;
///
/// let _machine = testing::machine();
/// let queue: Arc<<Host as Kernel>::WaitQueue> = Arc::new(WaitQueue::new());
/// let waiter = testing::spawn({
///     let queue = queue.clone();
///     move || queue.wait_until(|| false)
/// });
/// waiter.interrupt();
/// assert_eq!(waiter.join(), Err(LockError::Interrupted));
/// ```
pub fn spawn<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> TestThread<R> {
    let here = Here { world: world(), interrupted: Arc::default() };
    let interrupted = here.interrupted.clone();
    let handle = std::thread::spawn(move || {
        TestKernel::enter(here.world.memory);
        CURRENT.set(Some(here));
        f()
    });
    TestThread { handle, interrupted }
}

impl<R> TestThread<R> {
    /// Delivers ^C: its waits end, this one and all to come.
    pub fn interrupt(&self) {
        self.interrupted.store(true, SeqCst);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When the thread did.
    pub fn join(self) -> R {
        match self.handle.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
