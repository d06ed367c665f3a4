//! Programs that a line names by their paths, as processes.

use kapi::{Errno, OpenFlags};
use mm::GfpFlags;
use shell::Status;
use signals::{Info, Signal};

use super::streams::{Handle, Streams};
use crate::fs::{self, OpenFile, Place};
use crate::mm::KVec;
use crate::process::{self, Exit, Process, Role, Start, Terminal, deliver};
use crate::{sched, tty};

/// What programs find in their environment.
const ENVIRONMENT: &[&[u8]] = &[b"HOME=/", b"PATH=/bin", b"TERM=linux"];

/// Runs the program at `path` with these streams, and waits until it has ended. ^C ends it.
pub fn run(streams: &Streams, path: &str, args: &mut dyn Iterator<Item = &str>) -> Result<Status, Errno> {
    let mut arguments = KVec::new();
    arguments.push(path.as_bytes(), GfpFlags::KERNEL)?;
    for arg in args {
        arguments.push(arg.as_bytes(), GfpFlags::KERNEL)?;
    }
    let streams_input = &streams.input;
    let streams = [
        open(streams_input, OpenFlags::READ)?,
        open(&streams.output, OpenFlags::WRITE)?,
        open(&streams.error, OpenFlags::WRITE)?,
    ];
    let terminal = if matches!(streams_input, Handle::Console) { Terminal::Taken } else { Terminal::Left };
    let place = Place::root();
    let role = Role::Ordinary;
    let start = Start { path, arguments: &arguments, environment: ENVIRONMENT, streams, place, terminal, role };
    Ok(Status::new(wait(&*process::start(start)?).shell_status()))
}

/// Runs the program at `path` in the place of the built-in console, and waits until it has ended. ^C is the terminal's
/// matter.
pub fn run_init(path: &str) -> Result<Exit, Errno> {
    let console = || open(&Handle::Console, OpenFlags::READ | OpenFlags::WRITE);
    let init = process::start(Start {
        path,
        arguments: &[path.as_bytes()],
        environment: ENVIRONMENT,
        streams: [console()?, console()?, console()?],
        place: Place::root(),
        terminal: Terminal::Taken,
        role: Role::Init,
    })?;
    loop {
        if let Ok(exit) = init.wait_ended() {
            return Ok(exit);
        }
        sched::clear_interrupt();
    }
}

/// Waits until the program has ended. ^C is for it, even if the terminal is not.
fn wait(program: &Process) -> Exit {
    loop {
        match program.wait_ended() {
            Ok(exit) => return exit,
            Err(_) => {
                sched::clear_interrupt();
                if tty::job_control::session() != Some(tty::Session(program.pid().as_u32())) {
                    // A standard signal always has a place.
                    let _: Result<(), _> = deliver::send(program, Info::kernel(Signal::INT));
                }
            }
        }
    }
}

/// A command's stream, as a program has it.
fn open(stream: &Handle, flags: OpenFlags) -> Result<OpenFile, Errno> {
    match stream {
        Handle::Console => fs::open(&Place::root(), "/dev/console", OpenFlags::READ | OpenFlags::WRITE, 0),
        Handle::Empty => fs::open(&Place::root(), "/dev/null", flags, 0),
        Handle::File(file) => file.with(|file| Ok(file.clone())),
    }
}
