//! Pipelines: workers that run a command each, connected by pipes.

use core::fmt;

use kapi::{Errno, OpenFlags};
use shell::{Env, Machine, Status, parser};

use super::job_commands::IN_SHELL;
use super::jobs::{self, JobNumber, MAX_JOBS};
use super::places::{self, MAX_COMMANDS};
use super::process::Process;
use super::streams::{Connection, Connections, Streams};
use super::workers::{self, Assignment, Attendance, ClaimedWorker, RunningWorker};
use super::{commands, reserve};
use crate::fs::{self, FileTable, OpenFile};
use crate::sched;

/// The shell at the console.
pub struct ForegroundShell;

/// A shell that runs the list of a job.
struct BackgroundShell(JobNumber);

/// What the commands open that the shell runs itself.
static SHELL_FILES: FileTable = FileTable::empty();

impl Machine for ForegroundShell {
    fn pipeline(&mut self, pipeline: &str, last: Status) -> Status {
        let lone = parser::lone_command(pipeline);
        if lone.is_some_and(|name| IN_SHELL.contains(&name)) {
            let mut process = Process::new(Streams::CONSOLE, &SHELL_FILES);
            return jobs::in_shell(|| shell::run_command(&mut process, commands::set(), pipeline, last));
        }
        run_pipeline(pipeline, last, Attendance::Foreground)
    }

    fn background(&mut self, list: &str, last: Status) -> Status {
        start_job(list, last).unwrap_or_else(|complaint| {
            self.complain(format_args!("sh: {complaint}"));
            Status::CANNOT_RUN
        })
    }

    fn complain(&mut self, message: fmt::Arguments<'_>) {
        crate::println!("{message}");
    }
}

impl Machine for BackgroundShell {
    fn pipeline(&mut self, pipeline: &str, last: Status) -> Status {
        let count = parser::commands(pipeline).count().min(MAX_COMMANDS);
        if places::wait_for(count).is_err() || sched::interrupted() {
            return Status::INTERRUPTED;
        }
        run_pipeline(pipeline, last, Attendance::Background(self.0))
    }

    fn background(&mut self, list: &str, last: Status) -> Status {
        ForegroundShell.background(list, last)
    }

    fn complain(&mut self, message: fmt::Arguments<'_>) {
        ForegroundShell.complain(message);
    }
}

/// Why a job was not started.
enum Refusal {
    TooManyJobs,
    NoThread(Errno),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyJobs => write!(f, "too many jobs: {MAX_JOBS} run; see jobs, kill, wait"),
            Self::NoThread(errno) => write!(f, "cannot start a command: {errno}"),
        }
    }
}

fn start_job(list: &str, last: Status) -> Result<Status, Refusal> {
    let job = jobs::admit(list).ok_or(Refusal::TooManyJobs)?;
    let claim = workers::claim(Attendance::Job(job)).map_err(|errno| {
        jobs::forget(job);
        Refusal::NoThread(errno)
    })?;
    claim.assign(list, last, Assignment::List { job, run: run_list }).leave();
    Ok(Status::OK)
}

/// Runs the commands of a pipeline and waits for all of them; the status of the last one. The places of a job's
/// commands were taken before.
fn run_pipeline(pipeline: &str, last: Status, attendance: Attendance) -> Status {
    let count = parser::commands(pipeline).count();
    // All workers are claimed and all pipes made before the first command starts: it is all or nothing.
    let mut prepared = [const { None }; MAX_COMMANDS];
    if count > MAX_COMMANDS {
        give_back(MAX_COMMANDS, attendance);
        ForegroundShell.complain(format_args!("sh: more than {MAX_COMMANDS} commands in a pipeline"));
        return Status::CANNOT_RUN;
    }
    if let Err(status) = prepare(&mut prepared[..count], attendance) {
        return status;
    }
    let mut running = [const { None::<RunningWorker> }; MAX_COMMANDS];
    for ((claimed, slot), text) in prepared.iter_mut().zip(&mut running).zip(parser::commands(pipeline)) {
        if let Some((claim, connections)) = claimed.take() {
            *slot = Some(claim.assign(text, last, Assignment::Command { connections, run: run_command }));
        }
    }
    running.into_iter().flatten().fold(last, |_, command| command.wait())
}

/// Claims a worker for each command and connects them.
fn prepare(commands: &mut [Option<(ClaimedWorker, Connections)>], attendance: Attendance) -> Result<(), Status> {
    let count = commands.len();
    let mut input = match attendance {
        Attendance::Foreground => Connection::Console,
        _ => Connection::Nothing,
    };
    for (index, command) in commands.iter_mut().enumerate() {
        let claim = workers::claim(attendance).map_err(|errno| {
            // Those claimed before give back their own places, and so does the one that failed.
            give_back(count - index - 1, attendance);
            no_thread(errno)
        })?;
        let (reader, output) = if index + 1 == count {
            (Connection::Nothing, Connection::Console)
        } else {
            let (reader, writer) = pipe().inspect_err(|_| give_back(count - index - 1, attendance))?;
            (Connection::Pipe(reader), Connection::Pipe(writer))
        };
        let own_input = core::mem::replace(&mut input, reader);
        *command = Some((claim, Connections { input: own_input, output }));
    }
    Ok(())
}

/// Gives back the places of commands that are not even claimed.
fn give_back(count: usize, attendance: Attendance) {
    if let Attendance::Background(_) = attendance {
        places::give_back(count);
    }
}

fn no_thread(errno: Errno) -> Status {
    ForegroundShell.complain(format_args!("sh: {}", Refusal::NoThread(errno)));
    Status::CANNOT_RUN
}

/// The two ends of a new pipe.
fn pipe() -> Result<(OpenFile, OpenFile), Status> {
    reserve::spent_if_needed(|| fs::pipe(OpenFlags::empty())).map_err(|errno| {
        ForegroundShell.complain(format_args!("sh: cannot make a pipe: {errno}"));
        Status::CANNOT_RUN
    })
}

/// Runs a command in the current thread. All files that came with it are closed when this returns.
fn run_command(connections: Connections, files: &'static FileTable, text: &str, last: Status) -> Status {
    let streams = match Streams::open(connections, files) {
        Ok(streams) => streams,
        Err(errno) => return no_thread(errno),
    };
    let mut process = Process::new(streams, files);
    let status = shell::run_command(&mut process, commands::set(), text, last);
    if process.interrupted() { Status::INTERRUPTED } else { status }
}

/// Runs the list of a job in the current thread.
fn run_list(job: JobNumber, text: &str, last: Status) -> Status {
    shell::exec::run_list(&mut BackgroundShell(job), text, last)
}
