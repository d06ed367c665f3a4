//! A signal goes to a group of processes.

use alloc::sync::Arc;

use kapi::Errno;
use signals::{Info, Signal};

use super::send::send;
use crate::process::pid::Pid;
use crate::process::record::Process;
use crate::process::table::{self, Table};

/// Sends a signal to all processes that `is_meant` says, and says how many there were. Process context.
///
/// # Errors
/// That of the last one that failed, if none got it.
pub fn send_to_all(info: Info, is_meant: impl Fn(&Process) -> bool) -> Result<usize, Errno> {
    let (mut from, mut reached, mut failure) = (Pid::NONE, 0, None);
    while let Some(process) = next(from, &is_meant) {
        from = process.pid();
        match send(&process, info) {
            Ok(()) => reached += 1,
            Err(error) => failure = Some(error),
        }
    }
    failure.filter(|_| reached == 0).map_or(Ok(reached), Err)
}

fn next(from: Pid, is_meant: &impl Fn(&Process) -> bool) -> Option<Arc<Process>> {
    table::with(|table| table.iter().find(|process| process.pid() > from && is_meant(process)).cloned())
}

/// Sends a signal of the kernel's to a group: a key's, in any context; SIGCONT and SIGKILL in process context.
pub fn send_to_group(group: Pid, signal: Signal) {
    let info = Info::kernel(signal);
    if matches!(signal, Signal::CONT | Signal::KILL) {
        // A standard signal always has a place.
        let _: Result<usize, _> = send_to_all(info, |process| process.group() == group);
        return;
    }
    // Under the lock, so that no interrupt is the last to let go of a process.
    table::with(|table| {
        for process in table.iter().filter(|process| process.group() == group) {
            let _: Result<(), _> = send(process, info);
        }
    });
}

/// Whether no member of a group has a parent outside of it in the same session: nobody would let it go on when it is
/// stopped. `gone` is a process that does not count any more.
pub fn is_orphaned(table: &Table, group: Pid, gone: Option<Pid>) -> bool {
    let counts = |process: &Process| Some(process.pid()) != gone && process.ended().is_none();
    let has_minder = |member: &Arc<Process>| {
        let minder = table.get(member.parent()).filter(|parent| counts(parent));
        minder.is_some_and(|parent| parent.group() != group && parent.session() == member.session())
    };
    let mut members = table.iter().filter(|process| process.group() == group && counts(process));
    !members.any(has_minder)
}

/// Whether a member of a group is stopped, but for `gone`.
pub fn is_stopped(table: &Table, group: Pid, gone: Pid) -> bool {
    let mut members = table.iter().filter(|process| process.group() == group && process.pid() != gone);
    members.any(|process| process.signals().stopped_by().is_some())
}
