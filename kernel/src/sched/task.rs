//! One kernel thread, as the scheduler sees it.
//!
//! Key types: [`Task`], [`ThreadState`], [`Heir`]. A task is on up to three lists at once: the run queue, a
//! wait queue, and the list of all threads, which keeps it alive until the reaper has seen to it. So code that finds a
//! task on a list, or running, may hold it as `&'static Task` while it stays there.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use mm::{Reclaiming, VirtAddr};

use super::name::NameCell;
use super::stack::KernelStack;
use super::user_slot::UserSlot;
use super::view::ViewCell;
use crate::arch::percpu::CURRENT;
use crate::debug::caller::{self, Caller};
use crate::debug::symbols::Place;
use crate::sync::SpinLock;
use crate::sync::list::{Link, Linked};
use crate::time::Ticks;
use crate::timer::Timer;

pub use super::name::Name;

/// Number of a task's link for the run queue and the list of the dead.
pub const RUN: usize = 0;
/// Number of a task's link for a wait queue.
pub const WAIT: usize = 1;
/// Number of a task's link for the list of all threads.
pub const ALL: usize = 2;

/// Whether a thread wants to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ThreadState {
    /// Running, or ready to.
    Runnable,
    /// Asleep until it is woken.
    Sleeping,
    /// Asleep until it is woken or interrupted by ^C.
    Interruptible,
    /// Never to run again.
    Dead,
}

impl ThreadState {
    const fn from_bits(bits: u8) -> Self {
        match bits {
            0 => Self::Runnable,
            1 => Self::Sleeping,
            2 => Self::Interruptible,
            _ => Self::Dead,
        }
    }

    /// The letter that ps shows: R, S or Z.
    pub const fn letter(self) -> char {
        match self {
            Self::Runnable => 'R',
            Self::Sleeping | Self::Interruptible => 'S',
            Self::Dead => 'Z',
        }
    }
}

/// What a thread runs: its return value is the thread's exit code.
pub type Entry = Box<dyn FnOnce() -> i32 + Send>;

/// Who settles what a thread leaves behind that died instead of returning.
///
/// Called in the dead thread's name, in process context; what its frames held is lost.
pub trait Heir: Sync {
    /// Writes what the thread is at, for the report of its death. Any context but under the heir's own locks.
    fn write_work(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Closes what the thread had open. Called once more if the thread dies again in here.
    fn close(&self, gone: &FramesGone);

    /// The thread is gone: tells those who wait for its work. The last call.
    fn settle(&self, status: i32);
}

/// A disk, as who waits for it sees it.
pub trait Served: Send + Sync {
    /// The name in /dev.
    fn name(&self) -> &str;

    /// Requests that have begun and not ended. Any context; never sleeps.
    fn open_requests(&self) -> usize;
}

/// Proof that none of the running thread's frames is alive any more: it began anew on an empty stack.
pub struct FramesGone(pub(super) ());

/// A kernel thread.
pub struct Task {
    /// Number of the thread: 0 is the idle thread, 1 the one that booted.
    pub id: u32,
    pub(super) name: NameCell,
    links: [Link<Task>; 3],
    state: AtomicU8,
    /// Whether a CPU runs it; changes under the run queue's lock.
    pub(super) on_cpu: AtomicBool,
    /// Its stack pointer while it does not run; changes under the run queue's lock.
    pub(super) stack_pointer: AtomicUsize,
    stack_bottom: AtomicUsize,
    stack_top: AtomicUsize,
    pub(super) stack: SpinLock<Option<KernelStack>>,
    pub(super) entry: SpinLock<Option<Entry>>,
    pub(super) references: AtomicUsize,
    interrupted: AtomicBool,
    /// Address of the mutex that it took last and still holds, or 0: `mutex` chains them.
    pub(super) newest_mutex: AtomicUsize,
    /// Address of the wait queue that it waits on, or 0: for `wait`.
    pub(super) waits_on: AtomicUsize,
    /// Whether the kernel cannot go on without it.
    pub(super) essential: AtomicBool,
    /// Whether it gives memory back, and for whom: a [`Reclaiming`].
    reclaiming: AtomicU8,
    /// The disk whose requests it serves.
    pub(super) served: SpinLock<Option<Arc<dyn Served>>>,
    /// How often it has died: more than once if it did so while its end was wound up.
    pub(super) deaths: AtomicU32,
    pub(super) heir: SpinLock<Option<&'static dyn Heir>>,
    /// Timer ticks that found it running.
    pub(super) ticks: AtomicU64,
    alarm: Timer,
    pub(super) exit_code: AtomicI32,
    pub(super) finished: AtomicBool,
    pub(super) user: UserSlot,
    pub(super) view: ViewCell,
}

impl Task {
    /// A task that is on no list and has no stack of its own. `wake` is called with the task's address when its alarm
    /// goes off.
    pub const fn new(id: u32, name: Name, wake: fn(usize)) -> Self {
        Self {
            id,
            name: NameCell::new(name),
            links: [const { Link::new() }; 3],
            state: AtomicU8::new(ThreadState::Runnable as u8),
            on_cpu: AtomicBool::new(false),
            stack_pointer: AtomicUsize::new(0),
            stack_bottom: AtomicUsize::new(0),
            stack_top: AtomicUsize::new(0),
            stack: SpinLock::new(None),
            entry: SpinLock::new(None),
            references: AtomicUsize::new(1),
            interrupted: AtomicBool::new(false),
            newest_mutex: AtomicUsize::new(0),
            waits_on: AtomicUsize::new(0),
            essential: AtomicBool::new(false),
            reclaiming: AtomicU8::new(Reclaiming::No as u8),
            served: SpinLock::new(None),
            deaths: AtomicU32::new(0),
            heir: SpinLock::new(None),
            ticks: AtomicU64::new(0),
            alarm: Timer::new(wake),
            exit_code: AtomicI32::new(0),
            finished: AtomicBool::new(false),
            user: UserSlot::new(),
            view: ViewCell::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> Name {
        self.name.get()
    }

    /// Says where the task's stack lies.
    pub fn set_stack_range(&self, bottom: VirtAddr, top: VirtAddr) {
        self.stack_bottom.store(bottom.as_usize(), Ordering::Relaxed);
        self.stack_top.store(top.as_usize(), Ordering::Relaxed);
    }

    /// Lowest address of the task's stack, and the address after its highest.
    pub fn stack_range(&self) -> (VirtAddr, VirtAddr) {
        let bottom = self.stack_bottom.load(Ordering::Relaxed);
        (VirtAddr::new(bottom), VirtAddr::new(self.stack_top.load(Ordering::Relaxed)))
    }

    /// The task's state.
    pub fn state(&self) -> ThreadState {
        ThreadState::from_bits(self.state.load(Ordering::Relaxed))
    }

    /// Sets the state, visible to others before anything that the caller reads after it.
    pub fn set_state(&self, state: ThreadState) {
        self.state.swap(state as u8, Ordering::SeqCst);
    }

    /// Whether its interruptible sleeps end: ^C has come, or it is wanted before it is in ring 3 again.
    pub fn is_called(&self) -> bool {
        self.is_interrupted() || self.user.work.load(Ordering::SeqCst)
    }

    /// Whether ^C has come for this thread.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    pub(super) fn set_interrupted(&self, interrupted: bool) {
        self.interrupted.store(interrupted, Ordering::SeqCst);
    }

    /// Whether the kernel cannot go on without the thread.
    pub fn is_essential(&self) -> bool {
        self.essential.load(Ordering::Relaxed)
    }

    /// Whether it gives memory back right now, and for whom.
    pub fn reclaiming(&self) -> Reclaiming {
        match self.reclaiming.load(Ordering::Relaxed) {
            0 => Reclaiming::No,
            1 => Reclaiming::Directly,
            _ => Reclaiming::InBackground,
        }
    }

    /// Says so, of the running task; returns what was said before.
    pub fn set_reclaiming(&self, now: Reclaiming) -> Reclaiming {
        let before = self.reclaiming();
        self.reclaiming.store(now as u8, Ordering::Relaxed);
        before
    }

    /// How often it has died.
    pub fn deaths(&self) -> u32 {
        self.deaths.load(Ordering::Relaxed)
    }

    /// What it is at, after a colon, for a report; nothing if it has no heir to say so.
    pub fn work(&self) -> impl fmt::Display {
        let heir = self.heir.try_lock().and_then(|heir| *heir);
        fmt::from_fn(move |f| match heir {
            Some(heir) => {
                f.write_str(": ")?;
                heir.write_work(f)
            }
            None => Ok(()),
        })
    }

    /// Has the task woken at `deadline`, unless [`cancel_alarm`](Self::cancel_alarm) comes first.
    pub fn wake_at(&'static self, deadline: Ticks) {
        self.alarm.add_at(deadline, core::ptr::from_ref(self) as usize);
    }

    /// Takes the alarm down. After it the alarm does not touch the task any more.
    pub fn cancel_alarm(&self) {
        self.alarm.cancel();
    }
}

impl Linked<RUN> for Task {
    fn link(&self) -> &Link<Self> {
        &self.links[RUN]
    }
}

impl Linked<WAIT> for Task {
    fn link(&self) -> &Link<Self> {
        &self.links[WAIT]
    }
}

impl Linked<ALL> for Task {
    fn link(&self) -> &Link<Self> {
        &self.links[ALL]
    }
}

/// Whoever made a call at `at`; see [`mod@caller`]. Any context.
pub fn caller(at: &'static Location<'static>) -> Caller {
    caller::caller(at, try_current().map(Task::stack_range))
}

/// The innermost place of a module on the way to the caller. Any context.
pub fn module_on_the_way() -> Option<Place> {
    caller::module_on_the_way(try_current().map(Task::stack_range))
}

/// The task that runs on this CPU, or `None` before `sched::init`.
pub fn try_current() -> Option<&'static Task> {
    let current = CURRENT.get() as *const Task;
    // SAFETY: null, or set by the scheduler to the task that runs here, which lives at least until it stops running.
    unsafe { current.as_ref() }
}

/// The task that runs on this CPU.
///
/// # Panics
/// Before `sched::init`.
pub fn current() -> &'static Task {
    let Some(task) = try_current() else { panic!("no thread runs before sched::init") };
    task
}
