//! Jobs: the lists that run in the background.
//!
//! A job has a place in a small table until its end has been told. What the shell runs in its own thread
//! ([`in_shell`]) needs no worker, so it works when all workers are busy.

use core::fmt;

use kapi::LockError;
use shell::Status;
use shell::editor::LINE;
use shell::text::Text;

use crate::input;
use crate::sched::{self, Thread, WaitQueue};
use crate::sync::SpinLock;

/// Most jobs at a time.
pub const MAX_JOBS: usize = 8;

/// The status of a job that was killed: 128 + SIGTERM.
const TERMINATED: Status = Status::new(128 + 15);

/// The number of a job, from 1 on: `%1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JobNumber(u8);

impl fmt::Display for JobNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the shell knows of a job.
#[derive(Clone)]
struct Entry {
    text: Text<LINE>,
    /// Its status, once it has ended.
    ended: Option<Status>,
}

static JOBS: SpinLock<[Option<Entry>; MAX_JOBS]> = SpinLock::new([const { None }; MAX_JOBS]);
/// Woken when a job has ended.
static ENDED: WaitQueue = WaitQueue::new();
/// The shell's thread, while it runs a command itself.
static IN_SHELL: SpinLock<Option<Thread>> = SpinLock::new(None);

/// Makes the list `text` a job. A job whose end was not told yet goes for it; `None` when all that are known run.
pub fn admit(text: &str) -> Option<JobNumber> {
    JOBS.with(|jobs| {
        let ended = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.ended.is_some());
        let index = jobs.iter().position(Option::is_none).or_else(|| jobs.iter().position(ended))?;
        let mut copy = Text::new();
        copy.set(text.trim().as_bytes());
        jobs[index] = Some(Entry { text: copy, ended: None });
        Some(JobNumber(index as u8 + 1))
    })
}

/// Forgets a job.
pub fn forget(number: JobNumber) {
    JOBS.with(|jobs| jobs[number.index()] = None);
}

/// The list of the job has ended. Any context.
pub fn finished(number: JobNumber, status: Status) {
    // ^C is not for jobs: this one was killed. The status of ^C would end the line that waits for the job, too.
    let status = if status == Status::INTERRUPTED { TERMINATED } else { status };
    JOBS.with(|jobs| {
        if let Some(entry) = &mut jobs[number.index()] {
            entry.ended = Some(status);
        }
    });
    ENDED.wake_all();
}

/// Runs `command` in the shell's thread, where ^C reaches it.
pub fn in_shell(command: impl FnOnce() -> Status) -> Status {
    IN_SHELL.with(|shell| *shell = Some(sched::current()));
    input::look_again();
    let status = command();
    IN_SHELL.with(|shell| *shell = None);
    if sched::interrupted() {
        sched::clear_interrupt();
        return Status::INTERRUPTED;
    }
    status
}

/// Interrupts the command that the shell runs itself, and says whether there was one. Any context.
pub fn interrupt_shell() -> bool {
    IN_SHELL.with(|shell| shell.as_ref().map(Thread::interrupt)).is_some()
}

/// Whether the shell runs a command itself. Any context.
pub fn is_in_shell() -> bool {
    IN_SHELL.with(|shell| shell.is_some())
}

/// Tells a person of the jobs that have ended.
pub fn tell_ended() {
    for number in JobNumber::all() {
        if let Some(entry) = number.take_ended() {
            crate::println!("{}", Described { number, entry: &entry });
        }
    }
}

impl JobNumber {
    /// The numbers that jobs can have.
    fn all() -> impl Iterator<Item = Self> {
        (1..=MAX_JOBS as u8).map(Self)
    }

    const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// The jobs that are known.
    pub fn known() -> impl Iterator<Item = Self> {
        Self::all().filter(|job| job.entry().is_some())
    }

    /// The job that is typed as `%1` or `1`.
    pub fn parse(word: &str) -> Option<Self> {
        let number = word.strip_prefix('%').unwrap_or(word).parse().ok()?;
        Self::known().find(|job| job.0 == number)
    }

    fn entry(self) -> Option<Entry> {
        JOBS.with(|jobs| jobs[self.index()].clone())
    }

    /// Calls `show` with what `jobs` says of the job; one that has ended is then forgotten.
    pub fn describe<R>(self, show: impl FnOnce(&dyn fmt::Display) -> R) -> Option<R> {
        let entry = self.take_ended().or_else(|| self.entry())?;
        Some(show(&Described { number: self, entry: &entry }))
    }

    /// Waits for the end of the job, which is then forgotten; its status. ^C ends the wait, and the job goes on.
    pub fn wait(self) -> Result<Status, LockError> {
        let mut ended = None;
        ENDED.wait_until_interruptible(|| {
            // Asked again after a yes, it must not forget the answer.
            ended = ended.or_else(|| self.take_ended().map(|entry| entry.ended.unwrap_or(Status::OK)));
            ended.is_some() || self.entry().is_none()
        })?;
        Ok(ended.unwrap_or(Status::OK))
    }

    /// What is known of the job, which is then forgotten, if it has ended.
    fn take_ended(self) -> Option<Entry> {
        JOBS.with(|jobs| jobs[self.index()].take_if(|entry| entry.ended.is_some()))
    }
}

/// A job as `jobs` shows it.
struct Described<'a> {
    number: JobNumber,
    entry: &'a Entry,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", self.number)?;
        match self.entry.ended {
            None => write!(f, "running")?,
            Some(Status::OK) => write!(f, "done")?,
            Some(status) => write!(f, "status {}", status.code())?,
        }
        write!(f, "\t{}", self.entry.text.as_str())
    }
}
