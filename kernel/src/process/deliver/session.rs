//! Sessions and groups: how they begin, who may change them, how they end.

use alloc::sync::Arc;

use kapi::Errno;
use signals::{Handler, Signal};

use super::group::{is_orphaned, is_stopped, send_to_group};
use crate::process::pid::Pid;
use crate::process::record::Process;
use crate::process::table::{self, Table};
use crate::tty::job_control::{Reception, Role};
use crate::tty::{self, Caller, Group, Session};

/// Begins a session, with the caller as its leader and as the only member of a group; it has no terminal. Its number.
///
/// # Errors
/// `EPERM`: a group has the caller's number.
pub fn begin_session(caller: &Process) -> Result<Pid, Errno> {
    table::with(|table| {
        let own = caller.pid();
        if table.iter().any(|process| process.group() == own) {
            return Err(Errno::EPERM);
        }
        caller.set_session(own);
        caller.set_group(own);
        Ok(own)
    })
}

/// Moves a process into a group: the caller, by 0 or its number, or a child of it that runs no program of its own yet.
/// `group` 0 stands for the process's own number; one that has no members begins.
///
/// # Errors
/// `ESRCH`: no such process, or none of the caller's. `EACCES`: a child with a program of its own. `EPERM`: the process
/// leads a session, or is in another, or the group is. `EINVAL`: a number below 0.
pub fn set_group(caller: &Process, target: i32, group: i32) -> Result<(), Errno> {
    let target = if target == 0 { caller.pid().to_user() } else { target };
    let group = Pid::from_user(if group == 0 { target } else { group }).ok_or(Errno::EINVAL)?;
    let target = Pid::from_user(target).ok_or(Errno::ESRCH)?;
    table::with(|table| {
        let process = table.get(target).ok_or(Errno::ESRCH)?;
        check_move(table, caller, process, group)?;
        process.set_group(group);
        Ok(())
    })
}

fn check_move(table: &Table, caller: &Process, process: &Process, group: Pid) -> Result<(), Errno> {
    let is_own = process.pid() == caller.pid();
    let session = caller.session();
    if !is_own && process.parent() != caller.pid() {
        return Err(Errno::ESRCH);
    }
    if process.session() != session || process.session() == process.pid() {
        return Err(Errno::EPERM);
    }
    if !is_own && !process.is_copy() {
        return Err(Errno::EACCES);
    }
    let is_there = || table.iter().any(|other| other.group() == group && other.session() == session);
    if group == process.pid() || is_there() { Ok(()) } else { Err(Errno::EPERM) }
}

/// The process ends: its session loses the terminal if it led that, and groups that nobody will let go on any more are
/// told, if they are stopped. Before its children get another parent; process context.
pub fn leave(process: &Process) {
    let (own, session) = (process.pid(), process.session());
    if own == session
        && let Some(Group(foreground)) = tty::release(Session(session.as_u32()))
    {
        hang_up(Pid::of_thread(foreground));
    }
    let mut from = Pid::NONE;
    while let Some((child, group)) = table::with(|table| next_child(table, process, from)) {
        from = child;
        tell_if_orphaned(group, own);
    }
    tell_if_orphaned(process.group(), own);
}

/// The first child behind `from` that is in another group of the session, and its group.
fn next_child(table: &Table, parent: &Process, from: Pid) -> Option<(Pid, Pid)> {
    let is_meant = |child: &Process| {
        let is_child = child.parent() == parent.pid() && child.pid() > from;
        is_child && child.session() == parent.session() && child.group() != parent.group()
    };
    table.iter().find(|child| is_meant(child)).map(|child| (child.pid(), child.group()))
}

/// `gone` is the process that ends.
fn tell_if_orphaned(group: Pid, gone: Pid) {
    let is_left_behind = table::with(|table| {
        let was_orphaned = is_orphaned(table, group, None);
        !was_orphaned && is_orphaned(table, group, Some(gone)) && is_stopped(table, group, gone)
    });
    if is_left_behind {
        hang_up(group);
    }
}

fn hang_up(group: Pid) {
    send_to_group(group, Signal::HUP);
    send_to_group(group, Signal::CONT);
}

/// What the terminal asks.
struct Terminal;

/// Lets the terminal ask. Once, at boot.
pub fn init() {
    tty::set_processes(&Terminal);
}

impl tty::Processes for Terminal {
    fn caller(&self) -> Option<Caller> {
        table::with_current(|process| {
            let (group, session) = (process.group(), process.session());
            let leads = |leader: &Arc<Process>| leader.session() == session && leader.ended().is_none();
            let role = match session {
                own if own == process.pid() => Role::Leader,
                _ if table::with(|table| table.get(session).is_some_and(leads)) => Role::Member,
                _ => Role::LeftBehind,
            };
            Caller { group: Group(group.as_u32()), session: Session(session.as_u32()), role }
        })
    }

    fn reception(&self, signal: Signal) -> Reception {
        let received = table::with_current(|process| {
            let group = process.group();
            let is_refused = process
                .signals()
                .with(|state| state.blocked().contains(signal) || state.action(signal).handler == Handler::Ignore);
            match is_refused {
                true => Reception::Refused,
                false if table::with(|table| is_orphaned(table, group, None)) => Reception::Orphaned,
                false => Reception::Received,
            }
        });
        received.unwrap_or(Reception::Refused)
    }

    fn send(&self, group: Group, signal: Signal) {
        send_to_group(Pid::of_thread(group.0), signal);
    }

    fn session_of(&self, group: Group) -> Option<Session> {
        let group = Pid::of_thread(group.0);
        let session = table::with(|table| table.iter().find(|process| process.group() == group).map(|it| it.session()));
        session.map(|session| Session(session.as_u32()))
    }
}
