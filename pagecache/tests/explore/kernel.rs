//! A kernel whose locks and waits let the explorer run another thread.

use core::fmt;
use core::ptr::NonNull;
use core::time::Duration;
use std::cell::Cell;

use kapi::mm::own::Global;
use kapi::mm::page::{Page, mark_present};
use kapi::mm::{AllocError, Config, Memory, PageMap, Pfn, PfnRange, VirtAddr};
use kapi::{
    Errno, Interrupt, IrqLine, IrqReturn, Kernel, LockError, Sharing, SleepLock, SpinLock, TaskQueue, Timer, WaitQueue,
    Work, WrongContext,
};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;

use super::FRAMES;
use super::platform::{Explored, run_on};

/// How often other threads run before a wait with a limit gives up.
const STEPS: usize = 30;

std::thread_local! {
    /// The allocators of the machine that this test explores. All of its threads run on one thread of the host.
    static MEMORY: Cell<Option<&'static Memory<Explored>>> = const { Cell::new(None) };
}

/// The kernel.
pub struct Machine;

/// Starts a machine; returns its free pages.
pub fn boot() -> usize {
    let mut present = vec![0; PageMap::present_words(FRAMES)];
    let ram = PfnRange::new(Pfn::new(0), Pfn::new(FRAMES));
    mark_present(&mut present, ram);
    let pages: &'static [Page] = (0..FRAMES).map(|_| Page::new()).collect::<Vec<_>>().leak();
    // SAFETY: every entry exists and is leaked; nothing else uses them.
    let map = unsafe { PageMap::new(NonNull::from(pages).cast(), FRAMES, present.leak()) };
    let nowhere = VirtAddr::new(1 << 45);
    let config = Config::new().with_vmalloc(nowhere, nowhere.add(1 << 20));
    let place = NonNull::from(Box::leak(Box::<Memory<Explored>>::new_uninit())).cast();
    // SAFETY: the place is leaked, and nothing else knows of it.
    let memory = unsafe { Memory::init(place, Explored::new(), map, config) };
    run_on(0);
    // SAFETY: the frames are nobody's.
    unsafe { memory.release(ram) }.expect("each frame once");
    memory.init_caches().expect("there is memory");
    MEMORY.with(|cell| cell.set(Some(memory)));
    memory.pages().free_pages_total()
}

// SAFETY: the allocators are up before a scenario begins.
unsafe impl Global for Machine {
    type Platform = Explored;

    fn memory() -> &'static Memory<Explored> {
        MEMORY.with(Cell::get).expect("a scenario has begun")
    }
}

impl Kernel for Machine {
    type Mutex<T: Send> = Lock<T>;
    type SpinLock<T: Send> = Lock<T>;
    type WaitQueue = Queue;
    type Timer = Never;
    type Work = Never;
    type Interrupt = Never;

    fn uptime() -> Duration {
        Duration::ZERO
    }

    fn log(_: fmt::Arguments<'_>) {}
}

/// A lock that the explorer knows.
pub struct Lock<T>(Mutex<T>);

impl<T: Send> SpinLock<T> for Lock<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock().expect("no thread fails under a lock"))
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_lock().ok().map(|mut value| f(&mut value))
    }
}

impl<T: Send> SleepLock<T> for Lock<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        Ok(f(&mut self.0.lock().expect("no thread fails under a lock")))
    }

    fn with_uninterruptible<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        SleepLock::with(self, f)
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_lock().ok().map(|mut value| f(&mut value))
    }
}

/// A wait queue: a wake-up that is lost is a deadlock, which the explorer reports.
pub struct Queue {
    wakes: Mutex<u64>,
    woken: Condvar,
}

impl WaitQueue for Queue {
    fn new() -> Self {
        Self { wakes: Mutex::new(0), woken: Condvar::new() }
    }

    fn wait_until(&self, mut ready: impl FnMut() -> bool) -> Result<(), LockError> {
        loop {
            let seen = self.wakes();
            if ready() {
                return Ok(());
            }
            let mut wakes = self.wakes.lock().expect("no thread fails here");
            while *wakes == seen {
                wakes = self.woken.wait(wakes).expect("no thread fails here");
            }
        }
    }

    fn wait_until_uninterruptible(&self, ready: impl FnMut() -> bool) -> Result<(), WrongContext> {
        self.wait_until(ready).map_err(|_| WrongContext)
    }

    fn wait_timeout(&self, mut ready: impl FnMut() -> bool, _: Duration) -> Result<bool, LockError> {
        for _ in 0..STEPS {
            if ready() {
                return Ok(true);
            }
            thread::yield_now();
        }
        Ok(ready())
    }

    fn wake_one(&self) {
        self.wake_all();
    }

    fn wake_all(&self) {
        *self.wakes.lock().expect("no thread fails here") += 1;
        self.woken.notify_all();
    }

    fn wakes(&self) -> u64 {
        *self.wakes.lock().expect("no thread fails here")
    }
}

/// What this machine does not have.
pub enum Never {}

impl Timer for Never {
    fn new(_: impl Fn(&Self) + Send + Sync + 'static) -> Result<Self, AllocError> {
        Err(AllocError)
    }

    fn start(&self, _: Duration) {}

    fn start_every(&self, _: Duration) {}

    fn cancel(&self) -> bool {
        false
    }

    fn is_pending(&self) -> bool {
        false
    }
}

impl Work for Never {
    fn new(_: TaskQueue, _: impl Fn(&Self) + Send + Sync + 'static) -> Result<Self, AllocError> {
        Err(AllocError)
    }

    fn queue(&self) -> bool {
        false
    }

    fn flush(&self) -> Result<(), WrongContext> {
        Err(WrongContext)
    }
}

impl Interrupt for Never {
    fn request(
        _: IrqLine,
        _: Sharing,
        _: &'static str,
        _: impl Fn() -> IrqReturn + Send + Sync + 'static,
    ) -> Result<Self, Errno> {
        Err(Errno::ENODEV)
    }
}
