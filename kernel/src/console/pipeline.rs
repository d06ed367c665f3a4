//! Pipelines: threads of the crew, connected by pipes.

use core::fmt;

use shell::{Machine, Status, parser};

use super::process::{Handle, Streams};
use super::reserve;
use super::workers::{self, Attendance, Claim, Running, Work};
use crate::fs;

/// Most commands of one pipeline.
const MAX_COMMANDS: usize = 16;

/// The shell at the console.
pub struct Front;

/// A shell that runs a list in the background.
pub struct Back;

impl Machine for Front {
    fn pipeline(&mut self, pipeline: &str, last: Status) -> Status {
        run(pipeline, last, Attendance::Foreground)
    }

    fn background(&mut self, list: &str, last: Status) -> Status {
        start_list(list, last)
    }

    fn complain(&mut self, message: fmt::Arguments<'_>) {
        crate::println!("{message}");
    }
}

impl Machine for Back {
    fn pipeline(&mut self, pipeline: &str, last: Status) -> Status {
        run(pipeline, last, Attendance::Background)
    }

    fn background(&mut self, list: &str, last: Status) -> Status {
        start_list(list, last)
    }

    fn complain(&mut self, message: fmt::Arguments<'_>) {
        Front.complain(message);
    }
}

fn start_list(list: &str, last: Status) -> Status {
    let Some(claim) = workers::claim() else { return no_thread() };
    claim.assign(list, last, Work::List, Attendance::Detached).leave();
    Status::OK
}

fn no_thread() -> Status {
    Front.complain(format_args!("sh: cannot start a command: {}", kapi::Errno::ENOMEM));
    Status::CANNOT_RUN
}

/// Runs the commands of a pipeline and waits for all of them; the status of the last one.
fn run(pipeline: &str, last: Status, attendance: Attendance) -> Status {
    let count = parser::commands(pipeline).count();
    // All places are claimed and all pipes made before the first command starts: it is all or nothing.
    let mut prepared = [const { None }; MAX_COMMANDS];
    if count > MAX_COMMANDS {
        Front.complain(format_args!("sh: more than {MAX_COMMANDS} commands in a pipeline"));
        return Status::CANNOT_RUN;
    }
    if let Err(status) = prepare(&mut prepared[..count], attendance) {
        return status;
    }
    let mut running = [const { None::<Running> }; MAX_COMMANDS];
    for ((place, slot), text) in prepared.iter_mut().zip(&mut running).zip(parser::commands(pipeline)) {
        if let Some((claim, streams)) = place.take() {
            *slot = Some(claim.assign(text, last, Work::Command(streams), attendance));
        }
    }
    running.into_iter().flatten().fold(last, |_, command| command.wait())
}

/// Claims a place for each command and connects them.
fn prepare(commands: &mut [Option<(Claim, Streams)>], attendance: Attendance) -> Result<(), Status> {
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
            Front.complain(format_args!("sh: cannot make a pipe: {errno}"));
            Err(Status::CANNOT_RUN)
        }
    }
}
