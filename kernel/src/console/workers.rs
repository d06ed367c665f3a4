//! Workers: the threads that commands run on.
//!
//! The first ones are started with the console, so that a command can be run when no memory is left; each has its stack
//! and a place for the text of its command. A pipeline longer than that starts more threads, as far as there is memory.
//!
//! A worker goes from idle to claimed (the command's files are being prepared), assigned, running, finished, and back
//! to idle. Detached work skips finished. Each worker's state has a lock of its own, the only one held here at any
//! time.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mm::AllocError;
use shell::Status;
use shell::editor::LINE;
use shell::text::Text;

use super::streams::Streams;
use crate::sched::{self, Thread, WaitQueue};
use crate::sync::SpinLock;

/// The most commands that can run at a time.
const COUNT: usize = 24;
/// Workers whose threads are started with the console.
const STARTED: usize = 8;

/// What a worker is to do with its text.
pub enum Assignment {
    /// Run one command.
    Command {
        /// The command's standard streams.
        streams: Streams,
        /// Runs it.
        run: fn(Streams, &str, Status) -> Status,
    },
    /// Run an and-or list: be a shell of its own.
    List {
        /// Runs it.
        run: fn(&str, Status) -> Status,
    },
}

impl Assignment {
    /// Does the work in the current thread. `last` is what `$?` means in it.
    fn run(self, text: &str, last: Status) -> Status {
        match self {
            Self::Command { streams, run } => run(streams, text, last),
            Self::List { run } => run(text, last),
        }
    }
}

/// Who waits for the work to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attendance {
    /// The shell: ^C is for this command.
    Foreground,
    /// Another worker, which runs a list in the background.
    Background,
    /// No thread.
    Detached,
}

enum Progress {
    Idle,
    Claimed,
    Assigned(Assignment),
    Running,
    Finished(Status),
}

struct WorkerState {
    progress: Progress,
    attendance: Attendance,
    text: Text<LINE>,
    last: Status,
    /// The worker's thread, once it is started.
    thread: Option<Thread>,
}

struct Worker {
    state: SpinLock<WorkerState>,
    /// Woken when there is work, and when it is done.
    changed: WaitQueue,
}

static WORKERS: [Worker; COUNT] = [const {
    let (progress, attendance, text) = (Progress::Idle, Attendance::Detached, Text::new());
    let state = WorkerState { progress, attendance, text, last: Status::OK, thread: None };
    Worker { state: SpinLock::new(state), changed: WaitQueue::new() }
}; COUNT];

/// Commands that workers were claimed for, ever.
static CLAIMS: AtomicU64 = AtomicU64::new(0);

/// Knows whether a command has been the only one all the time.
pub struct Alone(Option<u64>);

impl Alone {
    /// From now on. Called by a command.
    pub fn since_now() -> Self {
        let claims = CLAIMS.load(Relaxed);
        let is_busy = |worker: &&Worker| {
            worker.state.with(|state| !matches!(state.progress, Progress::Idle | Progress::Finished(_)))
        };
        Self((WORKERS.iter().filter(is_busy).count() <= 1).then_some(claims))
    }

    /// Whether no other command has run since.
    pub fn holds(&self) -> bool {
        self.0 == Some(CLAIMS.load(Relaxed))
    }
}

/// Starts the first threads.
pub fn start() -> Result<(), AllocError> {
    WORKERS.iter().take(STARTED).enumerate().try_for_each(|(index, worker)| worker.start_thread(index))
}

/// A worker that was claimed for a command. Dropping it without assigning work gives it back.
pub struct ClaimedWorker(usize);

/// A worker with an assignment, to be waited for.
#[must_use = "a worker whose end is not waited for stays taken"]
pub struct RunningWorker(usize);

/// Claims an idle worker, and starts its thread if it has none yet. `None` when all are taken or no thread can be
/// started.
pub fn claim() -> Option<ClaimedWorker> {
    for (index, worker) in WORKERS.iter().enumerate() {
        let claimed = worker.state.with(|state| {
            let idle = matches!(state.progress, Progress::Idle);
            if idle {
                state.progress = Progress::Claimed;
            }
            idle.then_some(state.thread.is_some())
        });
        let Some(has_thread) = claimed else { continue };
        CLAIMS.fetch_add(1, Relaxed);
        let claim = ClaimedWorker(index);
        return (has_thread || worker.start_thread(index).is_ok()).then_some(claim);
    }
    None
}

impl ClaimedWorker {
    /// Has the worker do `work` on the command or list `text`. `last` is what `$?` means in it.
    pub fn assign(self, text: &str, last: Status, work: Assignment, attendance: Attendance) -> RunningWorker {
        let worker = &WORKERS[self.0];
        worker.state.with(|state| {
            state.text.set(text.as_bytes());
            state.last = last;
            state.attendance = attendance;
            state.progress = Progress::Assigned(work);
        });
        worker.changed.wake_all();
        let index = self.0;
        core::mem::forget(self);
        RunningWorker(index)
    }
}

impl Drop for ClaimedWorker {
    fn drop(&mut self) {
        WORKERS[self.0].state.with(|state| state.progress = Progress::Idle);
    }
}

impl RunningWorker {
    /// Sleeps until the work is done; its status.
    pub fn wait(self) -> Status {
        let worker = &WORKERS[self.0];
        let finished = || worker.state.with(|state| matches!(state.progress, Progress::Finished(_)));
        if worker.changed.wait_until(finished).is_err() {
            // Where a thread may not sleep no shell runs either.
            return Status::CANNOT_RUN;
        }
        worker.state.with(|state| match core::mem::replace(&mut state.progress, Progress::Idle) {
            Progress::Finished(status) => status,
            _ => Status::CANNOT_RUN,
        })
    }

    /// Leaves detached work to itself.
    pub fn leave(self) {}
}

/// Interrupts the commands that the shell waits for, and says whether there were any. Any context.
pub fn interrupt_foreground() -> bool {
    WORKERS.iter().fold(false, |any, worker| {
        any | worker.state.with(|state| {
            let at_work = matches!(state.progress, Progress::Assigned(_) | Progress::Running);
            let meant = at_work && state.attendance == Attendance::Foreground;
            if let Some(thread) = state.thread.as_ref().filter(|_| meant) {
                thread.interrupt();
            }
            meant
        })
    })
}

/// The command that the thread with number `id` runs, for ps.
pub fn command_of(id: u32) -> Option<Text<LINE>> {
    WORKERS.iter().find_map(|worker| {
        worker.state.with(|state| {
            let works =
                matches!(state.progress, Progress::Running) && state.thread.as_ref().is_some_and(|t| t.id() == id);
            works.then(|| state.text.clone())
        })
    })
}

impl Worker {
    fn start_thread(&'static self, index: usize) -> Result<(), AllocError> {
        let mut name = Text::<8>::new();
        // "sh/" and two digits fit.
        let _ = core::fmt::Write::write_fmt(&mut name, format_args!("sh/{index}"));
        let thread = sched::spawn(name.as_str(), move || self.work_for_ever())?;
        self.state.with(|state| state.thread = Some(thread));
        Ok(())
    }

    fn work_for_ever(&self) -> i32 {
        let mut text = Text::<LINE>::new();
        loop {
            let assigned = || self.state.with(|state| matches!(state.progress, Progress::Assigned(_)));
            if self.changed.wait_until(assigned).is_err() {
                return 1;
            }
            if let Some((work, last)) = self.take_work(&mut text) {
                let status = work.run(text.as_str(), last);
                self.finish(status);
            }
        }
    }

    /// The work that was assigned, if any was.
    fn take_work(&self, text: &mut Text<LINE>) -> Option<(Assignment, Status)> {
        self.state.with(|state| {
            if !matches!(state.progress, Progress::Assigned(_)) {
                return None;
            }
            text.set(state.text.as_bytes());
            match core::mem::replace(&mut state.progress, Progress::Running) {
                Progress::Assigned(work) => Some((work, state.last)),
                _ => None,
            }
        })
    }

    fn finish(&self, status: Status) {
        self.state.with(|state| {
            // Under the lock, so that a ^C meant for this command does not reach the next.
            sched::clear_interrupt();
            state.progress = match state.attendance {
                Attendance::Detached => Progress::Idle,
                Attendance::Foreground | Attendance::Background => Progress::Finished(status),
            };
        });
        self.changed.wake_all();
    }
}
