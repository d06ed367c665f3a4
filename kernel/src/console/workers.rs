//! Workers: the threads that commands run on.
//!
//! The first ones are started with the console, so that a command can be run when no memory is left; each has its stack
//! and a place for the text of its command. More are started as they are needed, as far as there is memory.
//!
//! A worker goes from idle to claimed (the command's files are being prepared), assigned, running, finished, and back
//! to idle. What nobody waits for skips finished. Each worker's state has a lock of its own; no two of them are held at
//! any time, and over one of them the lock of the claims alone.
//!
//! The shell at the console always finds workers: those of its pipelines and of its jobs' lists are set apart. Only the
//! commands of jobs share some, and wait for each other.

use core::fmt;

use kapi::Errno;
use mm::AllocError;
use shell::Status;
use shell::editor::LINE;
use shell::text::Text;

use super::jobs::{self, JobNumber, MAX_JOBS};
use super::places::{self, JOBS_COMMANDS, MAX_COMMANDS};
use super::streams::Connections;
use crate::fs::FileTable;
use crate::input;
use crate::sched::{self, FramesGone, Heir, Thread, WaitQueue};
use crate::sync::SpinLock;

/// Enough for a pipeline of the shell, the lists of all jobs, and the jobs' commands.
const COUNT: usize = MAX_COMMANDS + MAX_JOBS + JOBS_COMMANDS;
/// Workers whose threads are started with the console.
const STARTED: usize = 8;

/// What a worker is to do with its text.
pub enum Assignment {
    /// Run one command.
    Command {
        /// The command's standard streams.
        connections: Connections,
        /// Runs it, with the thread's table of files.
        run: fn(Connections, &'static FileTable, &str, Status) -> Status,
    },
    /// Run an and-or list: be a shell of its own.
    List {
        /// The job that the list is.
        job: JobNumber,
        /// Runs it.
        run: fn(JobNumber, &str, Status) -> Status,
    },
}

/// Who waits for the work to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attendance {
    /// The shell: ^C is for this command.
    Foreground,
    /// The worker that runs the list of this job.
    Background(JobNumber),
    /// Nobody any more: that worker is dead.
    Orphaned(JobNumber),
    /// Nobody: it is the list of this job.
    Job(JobNumber),
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
    /// `None` while the worker is idle.
    attendance: Option<Attendance>,
    /// Number of the thread that claimed the worker.
    claimant: u32,
    text: Text<LINE>,
    last: Status,
    /// The worker's thread, once it is started.
    thread: Option<Thread>,
}

struct Worker {
    state: SpinLock<WorkerState>,
    /// Woken when there is work, and when it is done.
    changed: WaitQueue,
    files: FileTable,
}

static WORKERS: [Worker; COUNT] = [const { Worker::new() }; COUNT];

/// Commands that workers were claimed for, ever. Locked while one looks for an idle worker, so that meanwhile workers
/// only become idle: one that there was at the start is found.
static CLAIMS: SpinLock<u64> = SpinLock::new(0);

/// Knows whether a command has been the only one all the time.
pub struct Alone(Option<u64>);

impl Alone {
    /// From now on. Called by a command.
    pub fn since_now() -> Self {
        let claims = CLAIMS.with(|claims| *claims);
        let is_busy = |worker: &&Worker| {
            worker.state.with(|state| !matches!(state.progress, Progress::Idle | Progress::Finished(_)))
        };
        Self((WORKERS.iter().filter(is_busy).count() <= 1).then_some(claims))
    }

    /// Whether no other command has run since.
    pub fn holds(&self) -> bool {
        self.0 == Some(CLAIMS.with(|claims| *claims))
    }
}

/// Starts the threads that are there from the start, or should be: one may have died.
pub fn start() -> Result<(), AllocError> {
    WORKERS.iter().take(STARTED).enumerate().try_for_each(|(index, worker)| {
        let missing = worker.state.with(|state| state.thread.is_none() && matches!(state.progress, Progress::Idle));
        if missing { worker.start_thread(index) } else { Ok(()) }
    })
}

/// A worker that was claimed for a command. Dropping it without assigning work gives it back.
pub struct ClaimedWorker(usize);

/// A worker with an assignment, to be waited for.
#[must_use = "a worker whose end is not waited for stays taken"]
pub struct RunningWorker(usize);

/// Claims an idle worker, and starts its thread if it has none. For a command of a job a place was taken before. With
/// `ENOMEM`, when no thread can be started, that place is free again.
pub fn claim(attendance: Attendance) -> Result<ClaimedWorker, Errno> {
    let claimant = sched::current().id();
    let found = CLAIMS.with(|claims| {
        let found = WORKERS.iter().position(|worker| worker.claim(attendance, claimant))?;
        *claims += 1;
        Some(found)
    });
    // The numbers above leave somebody idle, whoever else claims a worker: this is for a mistake in them.
    let index = found.ok_or(Errno::EAGAIN)?;
    let claim = ClaimedWorker(index);
    WORKERS[index].ensure_thread(index)?;
    Ok(claim)
}

impl ClaimedWorker {
    /// Has the worker do `work` on the command or list `text`. `last` is what `$?` means in it.
    pub fn assign(self, text: &str, last: Status, work: Assignment) -> RunningWorker {
        let worker = &WORKERS[self.0];
        worker.state.with(|state| {
            state.text.set(text.as_bytes());
            state.last = last;
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
        WORKERS[self.0].release();
    }
}

impl RunningWorker {
    /// Sleeps until the work is done; its status.
    pub fn wait(self) -> Status {
        input::look_again();
        let worker = &WORKERS[self.0];
        let finished = || worker.state.with(|state| matches!(state.progress, Progress::Finished(_)));
        if worker.changed.wait_until(finished).is_err() {
            // Where a thread may not sleep no shell runs either.
            return Status::CANNOT_RUN;
        }
        let status = worker.state.with(|state| match state.progress {
            Progress::Finished(status) => status,
            _ => Status::CANNOT_RUN,
        });
        worker.release();
        status
    }

    /// Leaves a job's list to itself.
    pub fn leave(self) {}
}

impl WorkerState {
    const fn is_at_work(&self) -> bool {
        matches!(self.progress, Progress::Assigned(_) | Progress::Running)
    }
}

/// Interrupts the commands that are at work in the way of `is_meant`, and says whether there were any. Any context.
fn interrupt(is_meant: impl Fn(&WorkerState) -> bool) -> bool {
    WORKERS.iter().fold(false, |any, worker| {
        any | worker.state.with(|state| {
            let meant = state.is_at_work() && is_meant(state);
            if let Some(thread) = state.thread.as_ref().filter(|_| meant) {
                thread.interrupt();
            }
            meant
        })
    })
}

/// Whether the shell waits for a command that is at work. Any context.
pub fn has_foreground() -> bool {
    let is_meant = |state: &mut WorkerState| state.is_at_work() && state.attendance == Some(Attendance::Foreground);
    WORKERS.iter().any(|worker| worker.state.with(is_meant))
}

/// Interrupts the commands that the shell waits for, and says whether there were any. Any context.
pub fn interrupt_foreground() -> bool {
    interrupt(|state| state.attendance == Some(Attendance::Foreground))
}

/// Interrupts the list and the commands of a job, and says whether there were any. Any context.
pub fn interrupt_job(job: JobNumber) -> bool {
    use Attendance::{Background, Job, Orphaned};
    interrupt(
        |state| matches!(state.attendance, Some(Job(other) | Background(other) | Orphaned(other)) if other == job),
    )
}

/// Interrupts the command that the thread with number `id` runs, and says whether there was one. Any context.
pub fn interrupt_thread(id: u32) -> bool {
    interrupt(|state| state.thread.as_ref().is_some_and(|thread| thread.id() == id))
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
    const fn new() -> Self {
        let state = WorkerState {
            progress: Progress::Idle,
            attendance: None,
            claimant: 0,
            text: Text::new(),
            last: Status::OK,
            thread: None,
        };
        Self { state: SpinLock::new(state), changed: WaitQueue::new(), files: FileTable::empty() }
    }

    /// Makes the worker claimed if it is idle, and says whether it was.
    fn claim(&self, attendance: Attendance, claimant: u32) -> bool {
        self.state.with(|state| {
            let is_idle = matches!(state.progress, Progress::Idle);
            if is_idle {
                state.progress = Progress::Claimed;
                (state.attendance, state.claimant) = (Some(attendance), claimant);
            }
            is_idle
        })
    }

    /// Starts the worker's thread if it has none.
    fn ensure_thread(&'static self, index: usize) -> Result<(), AllocError> {
        if self.state.with(|state| state.thread.is_some()) { Ok(()) } else { self.start_thread(index) }
    }

    fn start_thread(&'static self, index: usize) -> Result<(), AllocError> {
        let mut name = Text::<8>::new();
        // "sh/" and two digits fit.
        let _ = core::fmt::Write::write_fmt(&mut name, format_args!("sh/{index}"));
        let thread = sched::spawn(name.as_str(), move || self.work_for_ever())?;
        self.state.with(|state| state.thread = Some(thread));
        Ok(())
    }

    fn work_for_ever(&'static self) -> i32 {
        sched::set_heir(self);
        let mut text = Text::<LINE>::new();
        loop {
            let assigned = || self.state.with(|state| matches!(state.progress, Progress::Assigned(_)));
            if self.changed.wait_until(assigned).is_err() {
                return 1;
            }
            let Some((work, last)) = self.take_work(&mut text) else { continue };
            let status = match work {
                Assignment::Command { connections, run } => run(connections, &self.files, text.as_str(), last),
                Assignment::List { job, run } => run(job, text.as_str(), last),
            };
            self.finish(status);
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

    /// The work is done, or its thread is dead.
    fn finish(&self, status: Status) {
        let attendance = self.state.with(|state| {
            // Under the lock, so that a ^C meant for this command does not reach the next.
            sched::clear_interrupt();
            state.progress = Progress::Finished(status);
            state.attendance
        });
        match attendance {
            Some(Attendance::Foreground | Attendance::Background(_)) => self.changed.wake_all(),
            Some(Attendance::Job(number)) => {
                self.release();
                jobs::finished(number, status);
            }
            Some(Attendance::Orphaned(_)) | None => self.release(),
        }
    }

    /// Makes the worker idle.
    fn release(&self) {
        let attendance = self.state.with(|state| {
            state.progress = Progress::Idle;
            state.attendance.take()
        });
        if let Some(Attendance::Background(_) | Attendance::Orphaned(_)) = attendance {
            places::give_back(1);
        }
    }

    /// Thread `dead` will not wait for this worker any more, if it is one that it claimed.
    fn orphan(&self, dead: u32) {
        let is_spare = self.state.with(|state| {
            let Some(Attendance::Background(job)) = state.attendance.filter(|_| state.claimant == dead) else {
                return false;
            };
            state.attendance = Some(Attendance::Orphaned(job));
            matches!(state.progress, Progress::Claimed | Progress::Finished(_))
        });
        if is_spare {
            self.release();
        }
    }
}

impl Heir for Worker {
    fn write_work(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state.try_lock() {
            Some(state) => out.write_str(state.text.as_str()),
            None => Ok(()),
        }
    }

    fn close(&self, gone: &FramesGone) {
        self.files.close_all(gone);
    }

    fn settle(&self, status: i32) {
        let dead = self.state.with(|state| state.thread.take());
        if let Some(dead) = &dead {
            WORKERS.iter().for_each(|worker| worker.orphan(dead.id()));
        }
        self.finish(Status::new(status));
    }
}
