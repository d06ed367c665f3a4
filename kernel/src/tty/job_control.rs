//! Whose terminal it is.
//!
//! A session's, of which one group is in the foreground, or the kernel's own commands'.

use kapi::Errno;
use signals::Signal;
use spin::Once;

use crate::sync::SpinLock;

/// The number of a group of processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group(pub u32);

/// The number of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session(pub u32);

/// The process that reads, writes or asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Its group.
    pub group: Group,
    /// Its session.
    pub session: Session,
    /// What it is in its session.
    pub role: Role,
}

/// What a process is in its session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The one that began it.
    Leader,
    /// One of the others.
    Member,
    /// One whose session's leader has ended: it has no terminal any more.
    LeftBehind,
}

/// What becomes of a signal that is sent to the caller's group because it is in the background.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reception {
    /// It stops the group, or is handled.
    Received,
    /// The caller blocks or ignores it.
    Refused,
    /// Nobody would let the group go on again.
    Orphaned,
}

/// The layer of processes.
pub trait Processes: Sync {
    /// The process of the running thread; `None` for the kernel's own.
    fn caller(&self) -> Option<Caller>;

    /// What would become of `signal` if it were sent to the caller's group.
    fn reception(&self, signal: Signal) -> Reception;

    /// Sends a signal to each process of a group, from the kernel. Any context.
    fn send(&self, group: Group, signal: Signal);

    /// The session of a group that has members.
    fn session_of(&self, group: Group) -> Option<Session>;
}

/// The kernel's own commands, which the built-in shell waits for.
pub trait Commands: Sync {
    /// Ends them, for ^C, and says whether there were any. Interrupt context, with the serial input locked.
    fn interrupt(&self) -> bool;

    /// Whether there are any.
    fn are_running(&self) -> bool;
}

static PROCESSES: Once<&'static dyn Processes> = Once::new();
static COMMANDS: Once<&'static dyn Commands> = Once::new();

/// Whose it is.
#[derive(Clone, Copy)]
struct Owner {
    session: Option<Session>,
    foreground: Option<Group>,
}

const NOBODY: Owner = Owner { session: None, foreground: None };
static OWNER: SpinLock<Owner> = SpinLock::new(NOBODY);

/// Says who knows processes. Later calls change nothing.
pub fn set_processes(processes: &'static dyn Processes) {
    PROCESSES.call_once(|| processes);
}

/// Says who knows the kernel's commands. Later calls change nothing.
pub fn set_commands(commands: &'static dyn Commands) {
    COMMANDS.call_once(|| commands);
}

/// Makes it the terminal of a session, with a group of that in the foreground. `EPERM` when it is another's.
pub fn acquire(session: Session, foreground: Group) -> Result<(), Errno> {
    OWNER.with(|owner| match owner.session {
        Some(other) if other != session => Err(Errno::EPERM),
        Some(_) => Ok(()),
        None => {
            *owner = Owner { session: Some(session), foreground: Some(foreground) };
            Ok(())
        }
    })
}

/// Takes it from a session, if it is its: the session's leader ends or lets go of it. Returns the group that was in the
/// foreground: it is to be told.
pub fn release(session: Session) -> Option<Group> {
    OWNER.with(|owner| {
        if owner.session != Some(session) {
            return None;
        }
        core::mem::replace(owner, NOBODY).foreground
    })
}

/// The session whose terminal it is.
pub fn session() -> Option<Session> {
    OWNER.with(|owner| owner.session)
}

/// The group in the foreground. Any context.
pub fn foreground() -> Option<Group> {
    OWNER.with(|owner| owner.foreground)
}

/// Puts a group of the session in the foreground.
pub(super) fn set_foreground(group: Group) {
    OWNER.with(|owner| owner.foreground = Some(group));
}

/// The process of the running thread.
pub(super) fn caller() -> Option<Caller> {
    PROCESSES.get()?.caller()
}

/// The process of the running thread, if it is its terminal; `ENOTTY`.
pub(super) fn owning_caller() -> Result<Caller, Errno> {
    caller().filter(|caller| session() == Some(caller.session)).ok_or(Errno::ENOTTY)
}

/// The session of a group that has members.
pub(super) fn session_of(group: Group) -> Option<Session> {
    PROCESSES.get()?.session_of(group)
}

/// Sends a signal to a group. Any context.
pub(super) fn send(group: Group, signal: Signal) {
    if let Some(processes) = PROCESSES.get() {
        processes.send(group, signal);
    }
}

/// A key has sent a signal: to the group in the foreground, and ^C to the kernel's commands. Any context.
pub(super) fn send_to_foreground(signal: Signal) {
    if let Some(group) = foreground() {
        send(group, signal);
    }
}

/// Whether whoever leads the session is in the foreground, or there is no session.
pub(super) fn is_leader_in_foreground() -> bool {
    OWNER.with(|owner| owner.session.map(|session| session.0) == owner.foreground.map(|group| group.0))
}

/// ^C for the kernel's commands; says whether there were any. Interrupt context.
pub(super) fn interrupt_commands() -> bool {
    COMMANDS.get().is_some_and(|commands| commands.interrupt())
}

/// Whether a key's signal would reach anybody.
pub(super) fn has_foreground() -> bool {
    foreground().is_some() || COMMANDS.get().is_some_and(|commands| commands.are_running())
}

/// Holds up a process that is not in the foreground: its group is sent `signal`, and the call ends with `EINTR`. What
/// the kernel's own threads do is always in the foreground. `EIO` where the signal would stop nobody, for a read; where
/// nobody is stopped anything else is let through. `EIO` also for a process whose session has lost its leader.
pub(super) fn wait_for_foreground(signal: Signal) -> Result<(), Errno> {
    let (Some(processes), Some(caller)) = (PROCESSES.get(), caller()) else { return Ok(()) };
    if caller.role == Role::LeftBehind {
        return Err(Errno::EIO);
    }
    if session() != Some(caller.session) {
        return Ok(());
    }
    if foreground().is_none_or(|group| group == caller.group) {
        return Ok(());
    }
    match processes.reception(signal) {
        Reception::Refused if signal != Signal::TTIN => Ok(()),
        Reception::Refused | Reception::Orphaned => Err(Errno::EIO),
        Reception::Received => {
            processes.send(caller.group, signal);
            Err(Errno::EINTR)
        }
    }
}
