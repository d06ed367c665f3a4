//! Pipelines: workers that run a command each, connected by pipes.

use core::fmt;

use shell::{Env, Machine, Status, parser};

use super::process::Process;
use super::streams::{Handle, Streams};
use super::workers::{self, Assignment, Attendance, ClaimedWorker, RunningWorker};
use super::{commands, reserve};
use crate::fs;

/// Most commands of one pipeline.
const MAX_COMMANDS: usize = 16;

/// The shell at the console.
pub struct ForegroundShell;

/// A shell that runs a list in the background.
struct BackgroundShell;

impl Machine for ForegroundShell {
    fn pipeline(&mut self, pipeline: &str, last: Status) -> Status {
        run_pipeline(pipeline, last, Attendance::Foreground)
    }

    fn background(&mut self, list: &str, last: Status) -> Status {
        start_list(list, last)
    }

    fn complain(&mut self, message: fmt::Arguments<'_>) {
        crate::println!("{message}");
    }
}

impl Machine for BackgroundShell {
    fn pipeline(&mut self, pipeline: &str, last: Status) -> Status {
        run_pipeline(pipeline, last, Attendance::Background)
    }

    fn background(&mut self, list: &str, last: Status) -> Status {
        start_list(list, last)
    }

    fn complain(&mut self, message: fmt::Arguments<'_>) {
        ForegroundShell.complain(message);
    }
}

fn start_list(list: &str, last: Status) -> Status {
    let Some(claim) = workers::claim() else { return no_thread() };
    claim.assign(list, last, Assignment::List { run: run_list }, Attendance::Detached).leave();
    Status::OK
}

fn no_thread() -> Status {
    ForegroundShell.complain(format_args!("sh: cannot start a command: {}", kapi::Errno::ENOMEM));
    Status::CANNOT_RUN
}

/// Runs the commands of a pipeline and waits for all of them; the status of the last one.
fn run_pipeline(pipeline: &str, last: Status, attendance: Attendance) -> Status {
    let count = parser::commands(pipeline).count();
    // All workers are claimed and all pipes made before the first command starts: it is all or nothing.
    let mut prepared = [const { None }; MAX_COMMANDS];
    if count > MAX_COMMANDS {
        ForegroundShell.complain(format_args!("sh: more than {MAX_COMMANDS} commands in a pipeline"));
        return Status::CANNOT_RUN;
    }
    if let Err(status) = prepare(&mut prepared[..count], attendance) {
        return status;
    }
    let mut running = [const { None::<RunningWorker> }; MAX_COMMANDS];
    for ((claimed, slot), text) in prepared.iter_mut().zip(&mut running).zip(parser::commands(pipeline)) {
        if let Some((claim, streams)) = claimed.take() {
            *slot = Some(claim.assign(text, last, Assignment::Command { streams, run: run_command }, attendance));
        }
    }
    running.into_iter().flatten().fold(last, |_, command| command.wait())
}

/// Claims a worker for each command and connects them.
fn prepare(commands: &mut [Option<(ClaimedWorker, Streams)>], attendance: Attendance) -> Result<(), Status> {
    let last = commands.len().saturating_sub(1);
    let mut input = match attendance {
        Attendance::Foreground => Handle::Console,
        Attendance::Background | Attendance::Detached => Handle::Empty,
    };
    for (index, command) in commands.iter_mut().enumerate() {
        let claim = workers::claim().ok_or_else(no_thread)?;
        let (reader, output) = if index == last { (Handle::Empty, Handle::Console) } else { pipe()? };
        let own_input = core::mem::replace(&mut input, reader);
        *command = Some((claim, Streams { input: own_input, output, error: Handle::Console }));
    }
    Ok(())
}

/// The two ends of a new pipe.
fn pipe() -> Result<(Handle, Handle), Status> {
    match reserve::spent_if_needed(fs::pipe) {
        Ok((reader, writer)) => Ok((Handle::File(reader), Handle::File(writer))),
        Err(errno) => {
            ForegroundShell.complain(format_args!("sh: cannot make a pipe: {errno}"));
            Err(Status::CANNOT_RUN)
        }
    }
}

/// Runs a command in the current thread. All files that came with it are closed when this returns.
fn run_command(streams: Streams, text: &str, last: Status) -> Status {
    let mut process = Process::new(streams);
    let status = shell::run_command(&mut process, commands::set(), text, last);
    if process.interrupted() { Status::INTERRUPTED } else { status }
}

/// Runs an and-or list in the current thread.
fn run_list(text: &str, last: Status) -> Status {
    shell::exec::run_list(&mut BackgroundShell, text, last)
}
