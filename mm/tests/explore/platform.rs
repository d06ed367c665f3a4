//! [`Platform`] whose locks let the explorer run another thread.
//! Its flushes take a while.

use core::alloc::Layout;
use core::cell::Cell;
use core::mem::ManuallyDrop;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex as HostMutex, MutexGuard as HostGuard};

use mm::report::Incident;
use mm::{
    AddressSpace, Context, CpuCount, Cpus, Frames, KernelTables, Lock, MAX_CPUS, MapError, Mapping, MustFlush, Order,
    PAGE_SIZE, Pfn, Pinned, Platform, Report, Unlinked, VirtAddr,
};
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use shuttle::thread;

use super::FRAMES;

/// CPUs of the explored machine.
pub const CPUS: usize = 2;
/// Steps of other threads that may run while a flush waits.
const FLUSH_STEPS: usize = 20;
/// The CPU of an interrupt in a pinned section: it holds no CPU, and may use no caches.
pub const INTERRUPT: usize = MAX_CPUS;

std::thread_local! {
    /// The type of the values whose locks are left out, to see what they are for: plain words without an owner.
    pub static LEFT_OUT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// A lock that the explorer knows.
pub struct ExploredLock<T>(Mutex<T>);

impl<T> ExploredLock<T> {
    /// Runs `f` as if there were no lock: others run meanwhile, and what they change is lost.
    fn without<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let lock = || self.0.lock().expect("no thread fails under a lock");
        // SAFETY: the value is words alone, as `LEFT_OUT` says, so a copy of them is one too.
        let mut copy = ManuallyDrop::new(unsafe { core::ptr::read(&*lock()) });
        let result = f(&mut copy);
        // SAFETY: as above.
        unsafe { core::ptr::write(&mut *lock(), ManuallyDrop::into_inner(copy)) };
        result
    }
}

// SAFETY: it is a mutex.
unsafe impl<T: Send> Lock<T> for ExploredLock<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        if LEFT_OUT.get().is_some_and(|name| core::any::type_name::<T>() == name) {
            return self.without(f);
        }
        f(&mut self.0.lock().expect("no thread fails under a lock"))
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_lock().ok().map(|mut value| f(&mut value))
    }
}

shuttle::thread_local! {
    /// The CPU that this thread runs on, once it runs.
    static CPU: AtomicUsize = AtomicUsize::new(usize::MAX);
    /// How many pins of this thread are nested.
    static DEPTH: AtomicUsize = AtomicUsize::new(0);
}

/// Lets the calling thread run on `cpu` from here on.
pub fn run_on(cpu: usize) {
    CPU.with(|mine| mine.store(cpu, Relaxed));
}

/// A CPU that is held: other threads of it wait.
pub struct ExploredPin {
    cpu: usize,
    /// `None` in a nested pin and in an interrupt.
    held: Option<MutexGuard<'static, ()>>,
    counted: bool,
}

// SAFETY: a CPU is a mutex that the pin holds, or that a pin around it does.
unsafe impl Pinned for ExploredPin {
    fn cpu(&self) -> usize {
        self.cpu
    }

    fn cache_index(&self) -> usize {
        self.cpu
    }
}

impl Drop for ExploredPin {
    fn drop(&mut self) {
        if self.counted {
            DEPTH.with(|depth| depth.fetch_sub(1, Relaxed));
        }
        self.held = None;
    }
}

std::thread_local! {
    /// The memory of the machines that one test explores, one after the other. The host gives only what is touched.
    static MEMORY: VirtAddr = {
        let layout = Layout::from_size_align(FRAMES as usize * PAGE_SIZE, Order::MAX.bytes()).expect("a size");
        // SAFETY: the layout is not empty. Only the owner of a frame uses its memory.
        VirtAddr::from_ptr(unsafe { std::alloc::alloc_zeroed(layout) })
    };
}

/// The machine beneath.
pub struct Explored {
    cpus: &'static [Mutex<()>],
    memory: VirtAddr,
    waiters: Mutex<()>,
    woken: Condvar,
    /// What was unmapped and not flushed since: the number of the call, and its first page. No step of the explorer.
    stale: HostMutex<Vec<(usize, VirtAddr)>>,
    unmapped: AtomicUsize,
}

impl Explored {
    pub fn new() -> Self {
        let cpus: Vec<_> = (0..CPUS).map(|_| Mutex::new(())).collect();
        Self {
            cpus: cpus.leak(),
            memory: MEMORY.with(|memory| *memory),
            waiters: Mutex::new(()),
            woken: Condvar::new(),
            stale: HostMutex::default(),
            unmapped: AtomicUsize::new(0),
        }
    }

    /// Whether a TLB may still show the pages that were unmapped from `at` on.
    pub fn is_stale(&self, at: VirtAddr) -> bool {
        self.stale().iter().any(|&(_, stale)| stale == at)
    }

    fn stale(&self) -> HostGuard<'_, Vec<(usize, VirtAddr)>> {
        self.stale.lock().expect("no thread fails here")
    }
}

// SAFETY: whoever is pinned to a CPU holds its mutex: others wait for that.
unsafe impl Cpus for Explored {
    type Count = CpuCount<MAX_CPUS>;
    type Pin = ExploredPin;

    fn pin(&self) -> Option<ExploredPin> {
        let cpu = CPU.with(|mine| mine.load(Relaxed));
        let outermost = DEPTH.with(|depth| depth.fetch_add(1, Relaxed)) == 0;
        let own = self.cpus.get(cpu).filter(|_| outermost);
        let held = own.map(|own| own.lock().expect("no thread fails while it is pinned"));
        Some(ExploredPin { cpu, held, counted: true })
    }

    fn pin_idle(&self, cpu: usize) -> Option<ExploredPin> {
        let held = self.cpus.get(cpu)?.try_lock().ok()?;
        Some(ExploredPin { cpu, held: Some(held), counted: false })
    }

    fn wait_for_pins(&self) {
        self.cpus.iter().for_each(|cpu| drop(cpu.lock().expect("no thread fails while it is pinned")));
    }
}

// SAFETY: the memory shows where it lies, for as long as the test runs.
unsafe impl Platform for Explored {
    type Lock<T: Send> = ExploredLock<T>;
    type Cpus = Self;
    type Tables = Self;

    fn cpus(&self) -> &Self {
        self
    }

    fn tables(&self) -> &Self {
        self
    }

    fn context(&self) -> Context {
        Context::Process
    }

    fn direct_map(&self) -> VirtAddr {
        self.memory
    }

    /// Without a limit in time: a wake-up that is lost is a deadlock, which the explorer reports.
    fn wait_for_memory(&self, ready: &mut dyn FnMut() -> bool) {
        let mut waiting = self.waiters.lock().expect("no thread fails here");
        while !ready() {
            waiting = self.woken.wait(waiting).expect("no thread fails here");
        }
    }

    fn wake_waiters(&self) {
        let _guard = self.waiters.lock().expect("no thread fails here");
        self.woken.notify_all();
    }

    fn report(&self, report: &Report<'_>) {
        // Scenarios of wrong frees, and of caches that are destroyed, look at what the calls return.
        let expected = match report.incident {
            Incident::BadFree { .. } | Incident::ObjectsLeft { .. } => true,
            Incident::BadArgument(reason) => reason == "no such cache",
            _ => false,
        };
        assert!(expected, "{report}, called from {}", report.call.at());
    }
}

// SAFETY: nothing is ever mapped.
unsafe impl KernelTables for Explored {
    unsafe fn map(&self, _: VirtAddr, _: Frames<'_>, _: Mapping, _: &mut Option<Pfn>) -> Result<usize, MapError> {
        Err(MapError::OutOfRange)
    }

    unsafe fn unmap(&self, at: VirtAddr, pages: usize, _: impl FnMut(Pfn, usize)) -> MustFlush {
        self.stale().push((self.unmapped.fetch_add(1, Relaxed), at));
        MustFlush::new(AddressSpace::Kernel, at, pages)
    }

    fn translate(&self, _: VirtAddr) -> Option<Pfn> {
        None
    }

    unsafe fn unlink_empty(&self, _: VirtAddr, _: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        None
    }

    fn flush(&self, must_flush: MustFlush) {
        let pages = must_flush.start()..must_flush.end();
        let before: Vec<_> = self.stale().iter().filter(|(_, at)| pages.contains(at)).copied().collect();
        // As long as it waits for other CPUs, what is unmapped is not its affair.
        (0..FLUSH_STEPS).for_each(|_| thread::yield_now());
        self.stale().retain(|call| !before.contains(call));
        must_flush.flushed();
    }

    fn flush_local(&self, must_flush: MustFlush) {
        must_flush.flushed();
    }
}
