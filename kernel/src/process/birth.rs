//! A process begins: by the kernel's will, or as a copy of its parent.

use alloc::sync::Arc;

use kapi::Errno;
use mm::VirtAddr;
use signals::Protection;
use vfs::Credentials;

use super::arguments::{Room, StringList};
use super::death;
use super::descriptors::{Descriptors, OnExec};
use super::exec::name_of;
use super::executable::Executable;
use super::image::{Called, Image, space_limits};
use super::limits::{Limits, Resource};
use super::pid::Pid;
use super::record::{Kin, Origin, Parts, Process};
use super::signal::Signals;
use super::table::{self, MAX_PROCESSES};
use crate::arch::fpu::FpuImage;
use crate::arch::trap_frame::TrapFrame;
use crate::fs::{OpenFile, Place};
use crate::mm::memory;
use crate::sched::{self, NewThread, Owner, user};
use crate::tty;
use crate::user::space::Registers;
use crate::user::write_value;

/// A program that the kernel starts.
pub struct Start<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its arguments, the first of which is its name.
    pub arguments: &'a [&'a [u8]],
    /// Its environment.
    pub environment: &'a [&'a [u8]],
    /// What it has open as 0, 1 and 2.
    pub streams: [OpenFile; 3],
    /// Where it is in the tree of files.
    pub place: Place,
    /// Whether the terminal is its session's.
    pub terminal: Terminal,
    /// What it is to the others.
    pub role: Role,
}

/// What a program that the kernel starts is to the other processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// One of them.
    Ordinary,
    /// Init: it gets the children of those that end, and no signal ends it that it does not expect.
    Init,
}

/// Whether a program that the kernel starts has the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Terminal {
    /// It is its session's, if it is nobody's.
    Taken,
    /// It stays whose it is.
    Left,
}

/// Starts a program as a process without parent, in a session of its own. It is in no table any more when it has ended:
/// whoever wants to know how asks what is returned ([`Process::wait_ended`]). Process context; may sleep.
///
/// # Errors
/// Those of exec, `EAGAIN` when there are too many processes.
pub fn start(start: Start<'_>) -> Result<Arc<Process>, Errno> {
    let Start { path, arguments, environment, streams, place, terminal, role } = start;
    let limits = Limits::new(most_processes() as u64);
    let mut room = Room::for_stack(limits.soft(Resource::Stack));
    let mut arguments = list(arguments, &mut room)?;
    let environment = list(environment, &mut room)?;
    let executable = Executable::find(&place, path, &mut arguments, &mut room)?;
    let credentials = Credentials::ROOT;
    let called = Called { arguments: &arguments, environment: &environment, credentials };
    let Image { space, frame, program } = Image::load(&executable, &called, &limits)?;
    let files = Descriptors::new();
    for (number, file) in (0..).zip(streams) {
        files.put(file, number, 3, OnExec::Keep)?;
    }
    let name = name_of(path);
    let thread = sched::prepare(name.as_str(), || begin(None))?;
    let pid = Pid::of_thread(thread.id());
    let kin = Kin { parent: Pid::NONE, group: pid, session: pid };
    let signals = Signals::new(match role {
        Role::Ordinary => Protection::Ordinary,
        Role::Init => Protection::Init,
    });
    let origin = Origin::Started;
    let parts = Parts { pid, kin, name, credentials, limits, space, files, place, program, signals, origin };
    let (none, fpu) = (VirtAddr::new(0), FpuImage::new());
    let session = tty::Session(pid.as_u32());
    if terminal == Terminal::Taken {
        // It may be another's: then this one goes without.
        let _: Result<(), _> = tty::acquire(session, tty::Group(pid.as_u32()));
    }
    if role == Role::Init {
        table::with(|table| table.set_init(pid));
    }
    launch(thread, parts, Registers { fs_base: none, gs_base: none, fpu: &fpu, frame }).inspect_err(|_| {
        tty::release(session);
        table::with(|table| table.forget_init(pid));
    })
}

fn list(strings: &[&[u8]], room: &mut Room) -> Result<StringList, Errno> {
    let mut list = StringList::new()?;
    strings.iter().try_for_each(|string| list.push(string, room))?;
    Ok(list)
}

/// How a child differs from its parent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fork {
    /// The stack pointer that it goes on with, if it is another one.
    pub stack: Option<VirtAddr>,
    /// Where in its memory its number is written, if anywhere.
    pub child_number_at: Option<VirtAddr>,
    /// The base of fs that it goes on with, if it is another one.
    pub thread_pointer: Option<VirtAddr>,
    /// What its parent does meanwhile.
    pub parent: Meanwhile,
}

/// What a parent does after a fork.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Meanwhile {
    /// It goes on.
    #[default]
    Runs,
    /// It waits until the child does not need its memory any more, and goes on with what the child has made of it.
    Waits,
}

/// Makes a copy of the running thread's process, which is `parent` and goes on with `frame`; the copy gets 0 where the
/// parent gets its number. Process context; may sleep.
///
/// # Errors
/// `EAGAIN` when there are too many processes, `ENOMEM`: then nothing has changed.
pub fn fork(parent: &Process, frame: &TrapFrame, how: Fork) -> Result<Arc<Process>, Errno> {
    check_count(parent)?;
    let name = parent.name();
    let thread = sched::prepare(name.as_str(), move || begin(how.child_number_at))?;
    let pid = Pid::of_thread(thread.id());
    let kin = Kin { parent: parent.pid(), group: parent.group(), session: parent.session() };
    let files = parent.files().try_clone()?;
    let place = parent.with_place(|place| place.clone())?;
    let (limits, program, signals) = (parent.limits(), parent.program()?, parent.signals().fork());
    let space = parent.space().with(|space| space.fork())??;
    let origin = match how.parent {
        Meanwhile::Runs => Origin::Forked,
        Meanwhile::Waits => Origin::Borrowed,
    };
    let credentials = parent.credentials();
    let parts = Parts { pid, kin, name, credentials, limits, space, files, place, program, signals, origin };
    let mut frame = TrapFrame { rax: 0, ..*frame };
    if let Some(stack) = how.stack {
        frame.rsp = stack.as_usize() as u64;
    }
    let fpu = user::fpu();
    let fs_base = how.thread_pointer.unwrap_or_else(user::fs_base);
    launch(thread, parts, Registers { fs_base, gs_base: user::gs_base(), fpu: &fpu, frame })
}

/// As [`fork`], and waits until the child has a program of its own or has ended: then it goes on with the memory
/// as the child has left it, as if the two had shared it. A signal ends the wait too: then the parent goes on with its
/// own, as after a fork.
///
/// # Errors
/// As [`fork`].
pub fn vfork(parent: &Process, frame: &TrapFrame, how: Fork) -> Result<Pid, Errno> {
    let child = fork(parent, frame, Fork { parent: Meanwhile::Waits, ..how })?;
    let _: Result<(), _> = child.wait_settled();
    if let Some(mut space) = child.take_back() {
        space.set_limits(space_limits(&parent.limits()));
        drop(parent.space().exchange(space)?);
    }
    Ok(child.pid())
}

/// Puts a new process into the table and lets its thread run.
fn launch(mut thread: NewThread, parts: Parts, registers: Registers<'_>) -> Result<Arc<Process>, Errno> {
    let parent = parts.kin.parent;
    let process = Arc::try_new(Process::new(parts)).map_err(|_| Errno::ENOMEM)?;
    let owner: Owner = process.clone();
    process.space().give_to(&mut thread, registers, owner)?;
    table::with(|table| {
        // Of now: the parent's may have been changed since it was looked at.
        if let Some(parent) = table.get(parent) {
            process.set_group(parent.group());
            process.set_session(parent.session());
        }
        table.admit(&process)
    })?;
    thread.start();
    Ok(process)
}

/// The first lines of a process's thread, which goes to ring 3 after them.
fn begin(number_at: Option<VirtAddr>) -> i32 {
    sched::set_heir(&death::HEIR);
    let me = sched::current();
    user::with_owner(|process: &Process| process.set_thread(Some(me.clone())));
    if let Some(at) = number_at {
        // As on Linux, nobody is told when that cannot be.
        let _: Result<(), _> = write_value(at, me.id());
    }
    // Who wanted it before it had said which thread it is could not tell the thread.
    me.notify_user();
    0
}

/// Most processes at a time: their kernel stacks take an eighth of memory.
pub fn most_processes() -> usize {
    const PAGES_EACH: usize = sched::STACK_BYTES / mm::PAGE_SIZE;
    const FEWEST: usize = 16;
    (memory().pages().managed_pages() / PAGES_EACH / 8).clamp(FEWEST, MAX_PROCESSES)
}

fn check_count(parent: &Process) -> Result<(), Errno> {
    let most = parent.limit(Resource::Processes).min(most_processes() as u64);
    if (table::with(|table| table.len()) as u64) < most { Ok(()) } else { Err(Errno::EAGAIN) }
}
