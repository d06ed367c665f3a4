//! Calls that C puts off: timers, task queues, tasklets.
//!
//! What waits is in tables of the kernel's: whose it is, by the address of C's structure, and what is called then. So
//! nothing is read of a structure after its call was put off, and nothing is written to it.

use core::ffi::{c_int, c_ulong, c_void};
use core::panic::Location;
use core::sync::atomic::AtomicUsize;

use super::hooks::Gone;
use super::layout::{Tasklet, TimerList, TqStruct};
use crate::calls::Call;
use crate::modules::called;
use crate::sched;
use crate::sync::SpinLock;
use crate::time::{self, Ticks};
use crate::timer::Timer;
use crate::{export, klog, offer, taskqueue, workqueue};
use alloc::boxed::Box;
use alloc::sync::Arc;
use kapi::Errno;
use spin::Once;

/// How many calls of a kind may wait at a time.
const MOST: usize = 256;

/// A function of C's: it takes a word.
type Function = unsafe extern "C" fn(usize);

/// One, and its argument.
#[derive(Clone, Copy)]
struct Put {
    /// Whose it is: the address of C's structure.
    key: usize,
    /// When, or in which queue.
    order: u64,
    function: Function,
    argument: usize,
}

impl Put {
    fn call(self) {
        // SAFETY: a function of a module that is there: those of one that goes are taken back.
        called(self.function as *const (), || unsafe { (self.function)(self.argument) });
    }
}

/// What waits, in the order in which it came.
struct Table {
    waiting: [Option<Put>; MOST],
    count: usize,
}

impl Table {
    const fn new() -> Self {
        Self { waiting: [None; MOST], count: 0 }
    }

    fn all(&self) -> impl Iterator<Item = &Put> {
        self.waiting[..self.count].iter().flatten()
    }

    fn has(&self, key: usize) -> bool {
        self.all().any(|put| put.key == key)
    }

    /// Whether there was room.
    fn push(&mut self, put: Put) -> bool {
        let Some(place) = self.waiting.get_mut(self.count) else { return false };
        *place = Some(put);
        self.count += 1;
        true
    }

    /// Takes out the first for which `is_meant` holds.
    fn take(&mut self, is_meant: impl Fn(&Put) -> bool) -> Option<Put> {
        let at = self.all().position(is_meant)?;
        let put = self.waiting[at].take();
        self.waiting[at..self.count].rotate_left(1);
        self.count -= 1;
        put
    }
}

static TIMERS: SpinLock<Table> = SpinLock::new(Table::new());
static TASKS: SpinLock<Table> = SpinLock::new(Table::new());

/// Goes off when the first of C's timers is due.
static NEXT: Timer = Timer::new(|_| run_timers());
/// What the kernel's task queues call.
static IMMEDIATE: taskqueue::Work = taskqueue::Work::new(|_| run_queue(queue(&TQ_IMMEDIATE)));
static TICK: taskqueue::Work = taskqueue::Work::new(|_| run_queue(queue(&TQ_TIMER)));
/// What the thread for work calls.
static WORK: Once<Arc<Call>> = Once::new();

/// C's names of those queues: only their addresses count.
static TQ_IMMEDIATE: AtomicUsize = AtomicUsize::new(0);
static TQ_TIMER: AtomicUsize = AtomicUsize::new(0);
static TQ_SCHEDULER: AtomicUsize = AtomicUsize::new(0);
offer!(tq_immediate = (&raw const TQ_IMMEDIATE).cast());
offer!(tq_timer = (&raw const TQ_TIMER).cast());
offer!(tq_scheduler = (&raw const TQ_SCHEDULER).cast());
offer!(jiffies = time::jiffies().cast());

fn queue(name: &'static AtomicUsize) -> usize {
    core::ptr::from_ref(name).addr()
}

/// Names that a module uses which has calls made by the thread for work.
pub(super) const WANT_THREAD: [&str; 2] = ["schedule_task", "tq_scheduler"];

/// What has to be there before C can put such calls off from interrupts. Process context; may sleep.
pub(super) fn prepare() -> Result<(), Errno> {
    if WORK.get().is_none() {
        workqueue::ensure_started()?;
        let function = Box::try_new(|_: &Arc<Call>| run_queue(queue(&TQ_SCHEDULER))).map_err(|_| Errno::ENOMEM)?;
        let call = workqueue::SCHEDULER.add(function, Location::caller())?;
        WORK.call_once(|| call);
    }
    Ok(())
}

export! {
    /// Has a timer's function called at its tick.
    extern "C" fn add_timer(timer: *const TimerList) {
        if TIMERS.with(|timers| timers.has(timer.addr())) {
            report("add_timer", timer.addr(), "waits already: it is moved");
        }
        let _: c_int = mod_timer(timer, expires(timer));
    }

    /// Moves it, or has it wait; 1 if it did.
    extern "C" fn mod_timer(timer: *const TimerList, expires: c_ulong) -> c_int {
        // SAFETY: the caller's timer.
        let TimerList { function, data, .. } = unsafe { timer.read() };
        let Some(function) = function else {
            report("mod_timer", timer.addr(), "has no function");
            return 0;
        };
        // SAFETY: a function that takes a long is called with one.
        let function = unsafe { core::mem::transmute::<unsafe extern "C" fn(c_ulong), Function>(function) };
        // What is due already runs at the next tick: one that adds itself again would never end else.
        let order = expires.max(time::ticks().0 + 1);
        let (waited, has_room) = TIMERS.with(|timers| {
            let waited = timers.take(|put| put.key == timer.addr()).is_some();
            (waited, timers.push(Put { key: timer.addr(), order, function, argument: data as usize }))
        });
        if !has_room {
            report("add_timer", timer.addr(), "is lost: too many timers wait");
        }
        arm();
        waited.into()
    }

    /// Takes it down; 1 if it waited.
    extern "C" fn del_timer(timer: *const TimerList) -> c_int {
        TIMERS.with(|timers| timers.take(|put| put.key == timer.addr())).is_some().into()
    }

    /// The same: on one processor its function does not run meanwhile.
    extern "C" fn del_timer_sync(timer: *const TimerList) -> c_int {
        del_timer(timer)
    }

    /// Whether it waits.
    extern "C" fn timer_pending(timer: *const TimerList) -> c_int {
        TIMERS.with(|timers| timers.has(timer.addr())).into()
    }

    /// Puts a task behind those in a queue; 0 if it is in one.
    extern "C" fn queue_task(task: *const TqStruct, name: *const c_void) -> c_int {
        let queued = put_off(task, name.addr());
        if name.addr() == queue(&TQ_TIMER) {
            taskqueue::TIMER.queue(&TICK, 0);
        } else if name.addr() == queue(&TQ_SCHEDULER) {
            wake_thread();
        }
        queued.into()
    }

    /// Has a task called in a thread.
    extern "C" fn schedule_task(task: *const TqStruct) -> c_int {
        queue_task(task, (&raw const TQ_SCHEDULER).cast())
    }

    /// Calls the tasks in a driver's own queue.
    extern "C" fn run_task_queue(name: *const c_void) {
        run_queue(name.addr());
    }

    /// Waits for what `schedule_task` has queued.
    extern "C" fn flush_scheduled_tasks() {
        if let Some(call) = WORK.get() {
            // Where it may not sleep, that is reported.
            let _ = workqueue::SCHEDULER.flush(call);
        }
    }

    /// The tasks of tq_immediate run when the interrupt ends.
    extern "C" fn mark_bh(_which: c_int) {
        taskqueue::IMMEDIATE.queue(&IMMEDIATE, 0);
    }

    /// Makes a tasklet.
    extern "C" fn tasklet_init(tasklet: *mut Tasklet, func: Option<unsafe extern "C" fn(c_ulong)>, data: c_ulong) {
        let task = TqStruct { sync: 0, routine: Some(call_tasklet), data: tasklet.cast() };
        // SAFETY: the caller's tasklet.
        unsafe { tasklet.write(Tasklet { __task: task, func, data }) };
    }

    /// Has it called when the interrupt ends.
    extern "C" fn tasklet_schedule(tasklet: *const Tasklet) {
        put_off(tasklet.cast(), queue(&TQ_IMMEDIATE));
        mark_bh(0);
    }

    /// Takes it down.
    extern "C" fn tasklet_kill(tasklet: *const Tasklet) {
        TASKS.with(|tasks| tasks.take(|put| put.key == tasklet.addr()));
    }
}
offer!(__tasklet_call = call_tasklet as *const ());

// SAFETY: C calls it, and this file, with a tasklet.
unsafe extern "C" fn call_tasklet(tasklet: *mut c_void) {
    // SAFETY: the caller's word.
    let Tasklet { func, data, .. } = unsafe { tasklet.cast::<Tasklet>().read() };
    if let Some(func) = func {
        // SAFETY: as above.
        called(func as *const (), || unsafe { func(data) });
    }
}

fn expires(timer: *const TimerList) -> c_ulong {
    // SAFETY: the caller's timer.
    unsafe { (*timer).expires }
}

fn arm() {
    if let Some(due) = TIMERS.with(|timers| timers.all().map(|put| put.order).min()) {
        NEXT.add_at(Ticks(due), 0);
    }
}

fn run_timers() {
    let now = time::ticks().0;
    // The earliest first, as the book's kernels do.
    let earliest = || {
        TIMERS.with(|timers| {
            let due = timers.all().filter(|put| put.order <= now).min_by_key(|put| put.order).copied()?;
            timers.take(|put| put.key == due.key)
        })
    };
    while let Some(put) = earliest() {
        put.call();
    }
    arm();
}

/// Whether it was in no queue.
fn put_off(task: *const TqStruct, queue: usize) -> bool {
    // SAFETY: the caller's task.
    let TqStruct { routine, data, .. } = unsafe { task.read() };
    let Some(routine) = routine else {
        report("queue_task", task.addr(), "has no routine");
        return false;
    };
    // SAFETY: a function that takes a pointer is called with one.
    let function = unsafe { core::mem::transmute::<unsafe extern "C" fn(*mut c_void), Function>(routine) };
    let put = Put { key: task.addr(), order: queue as u64, function, argument: data.expose_provenance() };
    let (is_new, has_room) = TASKS.with(|tasks| {
        let is_new = !tasks.has(put.key);
        (is_new, !is_new || tasks.push(put))
    });
    if !has_room {
        report("queue_task", task.addr(), "is lost: too many tasks wait");
    }
    is_new && has_room
}

/// Calls the tasks that are in a queue now.
fn run_queue(queue: usize) {
    let is_in = |put: &Put| put.order == queue as u64;
    let count = TASKS.with(|tasks| tasks.all().filter(|put| is_in(put)).count());
    for _ in 0..count {
        let Some(put) = TASKS.with(|tasks| tasks.take(is_in)) else { return };
        put.call();
    }
    // What has come meanwhile, of a task that queues itself again, runs the next time.
    if TASKS.with(|tasks| tasks.all().any(is_in)) {
        if queue == self::queue(&TQ_TIMER) {
            taskqueue::TIMER.queue(&TICK, 0);
        } else if queue == self::queue(&TQ_SCHEDULER) {
            wake_thread();
        }
    }
}

fn wake_thread() {
    if let Some(call) = WORK.get() {
        workqueue::SCHEDULER.queue(call);
        workqueue::wake();
    }
}

#[cold]
fn report(call: &str, at: usize, what: &str) {
    klog!("{call}: what is at {at:016x} {what}, called from {}", sched::caller(Location::caller()));
}

/// What a module has forgotten is called no more.
pub(super) fn take_back(gone: &mut Gone<'_>) {
    for (table, what) in [(&TIMERS, "a timer"), (&TASKS, "a task")] {
        while let Some(put) = table.with(|table| table.take(|put| gone.has(put.function as usize) || gone.has(put.key)))
        {
            gone.tell(format_args!("{what}, at {:016x}", put.key));
        }
    }
    // One that the thread for work is in ends first.
    flush_scheduled_tasks();
}
