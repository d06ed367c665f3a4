//! Handles to threads: prepare, spawn, join, interrupt, list.
//!
//! A [`Thread`] is a counted reference. The count of a thread that lives includes one reference of the list of all
//! threads; the reaper gives that one back.

use alloc::boxed::Box;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering, fence};

use kapi::LockError;
use mm::{AllocError, VirtAddr};

use super::exit::thread_main;
use super::may_sleep::may_sleep;
use super::run_queue::{self, SCHEDULER};
use super::stack::KernelStack;
use super::task::{Name, Task, ThreadState};
use super::user_slot::{UserStart, UserState};
use super::wait::WaitQueue;
use crate::arch::switch;
use crate::arch::user_registers::UserRegisters;

/// A handle to a thread, which may have ended.
pub struct Thread(NonNull<Task>);

// SAFETY: a task may be used and freed from any thread: all that changes in it is atomic or locked.
unsafe impl Send for Thread {}
// SAFETY: as above.
unsafe impl Sync for Thread {}

/// What ps shows of a thread.
#[derive(Clone, Copy, Debug)]
pub struct ThreadInfo {
    /// Number of the thread.
    pub id: u32,
    /// Its name.
    pub name: Name,
    /// Its state.
    pub state: ThreadState,
    /// Whether it goes to ring 3.
    pub is_user: bool,
    /// Timer ticks that found it running.
    pub ticks: u64,
    /// Size of its stack, in bytes.
    pub stack_bytes: usize,
}

static NEXT_ID: AtomicU32 = AtomicU32::new(2);
/// Woken when a thread has ended: each thread that waits for an end looks whether it is that one.
pub(super) static EXITED: WaitQueue = WaitQueue::new();

/// Starts a thread that runs `entry`; its name is cut to 15 bytes. Process context; may sleep for memory.
///
/// # Errors
/// When memory is short, or where the caller may not sleep: then nothing has changed.
#[track_caller]
pub fn spawn(name: &str, entry: impl FnOnce() -> i32 + Send + 'static) -> Result<Thread, AllocError> {
    prepare(name, entry).map(NewThread::start)
}

/// A thread that does not run yet; the scheduler does not know of it. Dropping it gives back what it has.
#[must_use = "the thread does not run until it is started"]
pub struct NewThread {
    task: Box<Task>,
}

/// As [`spawn`], without letting the thread run: for a caller that has to know its number first.
///
/// # Errors
/// As [`spawn`].
#[track_caller]
pub fn prepare(name: &str, entry: impl FnOnce() -> i32 + Send + 'static) -> Result<NewThread, AllocError> {
    may_sleep("spawn").map_err(|_| AllocError)?;
    let stack = KernelStack::allocate()?;
    let entry = Box::try_new(entry).map_err(|_| AllocError)?;
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let task = Box::try_new(Task::new(id, Name::new(name), run_queue::wake_by_alarm)).map_err(|_| AllocError)?;
    task.set_stack_range(stack.bottom(), stack.top());
    task.stack_pointer.store(switch::prepare(stack.top(), thread_main).as_usize(), Ordering::Relaxed);
    task.stack.with(|slot| *slot = Some(stack));
    task.entry.with(|slot| *slot = Some(entry));
    Ok(NewThread { task })
}

impl NewThread {
    /// The number that it will have.
    pub fn id(&self) -> u32 {
        self.task.id
    }

    /// Makes it a thread that goes to ring 3 when its closure has returned, as [`start`](UserStart) says. May sleep.
    ///
    /// # Safety
    /// As for [`attach`](super::user::attach), for as long as the thread is not dropped.
    ///
    /// # Errors
    /// When memory is short: nothing has changed.
    pub unsafe fn go_to_ring3(&mut self, start: UserStart<'_>) -> Result<(), AllocError> {
        let (_, top) = self.task.stack_range();
        let mut registers = UserRegisters::new(start.root, top);
        // They were a program's: none is refused.
        let _ = registers.set_fs_base(start.fs_base);
        let _ = registers.set_gs_base(start.gs_base);
        registers.set_fpu(start.fpu);
        let state = Box::try_new(UserState { registers, start: Some(start.frame) }).map_err(|_| AllocError)?;
        // SAFETY: the thread does not run yet: its slot is nobody's but ours, and nothing is interrupted.
        drop(unsafe { self.task.user.replace(Some(state)) });
        // SAFETY: as above.
        drop(unsafe { self.task.user.set_owner(start.owner) });
        Ok(())
    }

    /// Lets it run. Cannot fail.
    pub fn start(self) -> Thread {
        let task: &'static Task = Box::leak(self.task);
        // The first reference is the list's.
        let handle = Thread::from_task(task);
        SCHEDULER.with(|scheduler| scheduler.admit(task));
        handle
    }
}

impl Thread {
    /// A new handle to `task`.
    pub(super) fn from_task(task: &Task) -> Self {
        task.references.fetch_add(1, Ordering::Relaxed);
        Self(NonNull::from(task))
    }

    /// A handle for a reference that was counted before.
    pub(super) fn adopt(task: &Task) -> Self {
        Self(NonNull::from(task))
    }

    /// The task, for one that is never reaped.
    pub(super) fn task(&self) -> &'static Task {
        // SAFETY: the caller knows that the thread never ends, so that its list keeps it for good.
        unsafe { self.0.as_ref() }
    }

    fn get(&self) -> &Task {
        // SAFETY: this handle's reference keeps the task alive.
        unsafe { self.0.as_ref() }
    }

    /// Number of the thread.
    pub fn id(&self) -> u32 {
        self.get().id
    }

    /// Its name.
    pub fn name(&self) -> Name {
        self.get().name()
    }

    /// Timer ticks that found it running. Any context.
    pub fn ticks(&self) -> u64 {
        self.get().ticks.load(Ordering::Relaxed)
    }

    /// Whether it wants to run. Any context.
    pub fn state(&self) -> ThreadState {
        self.get().state()
    }

    /// Whether the thread has ended and its stack is freed. Any context.
    pub fn is_finished(&self) -> bool {
        self.get().finished.load(Ordering::Acquire)
    }

    /// Sleeps until the thread has ended and its stack is freed; returns its exit code. ^C ends the wait.
    #[track_caller]
    pub fn join(&self) -> Result<i32, LockError> {
        may_sleep("join")?;
        EXITED.wait_until_interruptible(|| self.is_finished())?;
        Ok(self.get().exit_code.load(Ordering::Relaxed))
    }

    /// Delivers ^C: the thread's interruptible sleeps end, this one and all to come. Any context.
    pub fn interrupt(&self) {
        self.get().set_interrupted(true);
        run_queue::wake_interruptible(self.0);
    }
}

impl Thread {
    /// Wants the thread before it is in ring 3 again: its interruptible sleeps end, and on its way there it is told
    /// (`user::Ring3::before_return`). Any context.
    pub fn notify_user(&self) {
        self.get().user.work.store(true, Ordering::SeqCst);
        run_queue::wake_interruptible(self.0);
    }
}

impl Clone for Thread {
    fn clone(&self) -> Self {
        Self::from_task(self.get())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if self.get().references.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: the last reference is gone, the list's included, so the task came from the Box that `spawn`
            // leaked (static tasks are never reaped) and no other reference exists.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thread({}, {:?})", self.id(), self.name())
    }
}

/// Calls `show` for each thread, by rising number. Threads that come or go meanwhile may be missed. Any context.
pub fn threads(mut show: impl FnMut(&ThreadInfo)) {
    let mut from = 0;
    // One lock for each thread: `show` runs without it, and may print or sleep.
    while let Some(info) = first_from(from) {
        show(&info);
        from = info.id + 1;
    }
}

/// The number of the newest thread: as many were started so far. Any context.
pub fn started() -> u64 {
    u64::from(NEXT_ID.load(Ordering::Relaxed)) - 1
}

/// The number and name of the thread whose stack begins at `bottom`; `None` also when the scheduler is busy. Any
/// context.
pub fn owner_of_stack(bottom: VirtAddr) -> Option<(u32, Name)> {
    let scheduler = SCHEDULER.try_lock()?;
    let owner = scheduler.all.iter().find(|task| task.stack_range().0 == bottom)?;
    Some((owner.id, owner.name()))
}

/// The thread with the lowest number that is `from` or more. Any context.
pub fn first_from(from: u32) -> Option<ThreadInfo> {
    SCHEDULER.with(|scheduler| {
        let task = scheduler.all.iter().filter(|task| task.id >= from).min_by_key(|task| task.id)?;
        let (bottom, top) = task.stack_range();
        Some(ThreadInfo {
            id: task.id,
            name: task.name(),
            state: task.state(),
            is_user: task.user.is_user(),
            ticks: task.ticks.load(Ordering::Relaxed),
            stack_bytes: top.as_usize() - bottom.as_usize(),
        })
    })
}
