//! A process gets a new program.

use kapi::Errno;
use vfs::Credentials;

use super::arguments::{Room, StringList};
use super::executable::Executable;
use super::image::{Called, Image};
use super::limits::Resource;
use super::record::Process;
use crate::arch::trap_frame::TrapFrame;
use crate::sched::task::Name;

/// What a program is called with.
pub struct Calling<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its arguments, the first of which is its name.
    pub arguments: StringList,
    /// Its environment.
    pub environment: StringList,
    /// How many bytes more it may be called with.
    pub room: Room,
}

/// Has the running thread's process, which is `process`, run another program: the registers that it goes on with are
/// put into `frame`. Process context; may sleep.
///
/// # Errors
/// As [`Executable::find`] and [`Image::load`]: then the process is what it was.
pub fn exec(process: &Process, frame: &mut TrapFrame, calling: Calling<'_>) -> Result<(), Errno> {
    let Calling { path, mut arguments, environment, mut room } = calling;
    let place = process.place()?;
    let name = name_of(path);
    let executable = Executable::find(&place, path, &mut arguments, &mut room)?;
    let called = Called { arguments: &arguments, environment: &environment, credentials: process.credentials() };
    let Image { space, frame: new_frame, program } = Image::load(&executable, &called, &process.limits())?;
    // From here on nothing fails that matters.
    let old = process.space().replace(space)?;
    drop(old.and_then(|old| process.give_back(old)));
    process.settle();
    process.signals().exec();
    process.with_credentials(Credentials::exec);
    *frame = new_frame;
    process.set_name(name);
    // What a thread died over is lost already.
    drop(process.set_program(Some(program)));
    let _: Result<(), _> = process.files().close_for_exec();
    Ok(())
}

/// The name of a process that runs the program at `path`: the path's last part.
pub(super) fn name_of(path: &str) -> Name {
    Name::new(path.rsplit('/').next().unwrap_or(path))
}

/// Room for arguments and environment of a program that `process` calls.
pub fn room(process: &Process) -> Room {
    Room::for_stack(process.limit(Resource::Stack))
}
