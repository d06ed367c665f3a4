//! Whom a program means by a number, when it sends a signal.

use kapi::Errno;
use signals::{Code, Info, Origin, Signal};

use super::group::send_to_all;
use super::send::send;
use crate::process::pid::Pid;
use crate::process::record::Process;
use crate::process::table;

/// Sends a signal to those that `target` means: a process, by its number; the caller's group by 0; all processes but
/// the caller and init by -1; the group with number -`target`. Without a signal it is only looked whether there are
/// any.
///
/// # Errors
/// `ESRCH`: there are none. `EPERM`: they are all of other users. `EAGAIN`: too many real-time signals wait.
pub fn kill(caller: &Process, target: i32, signal: Option<Signal>) -> Result<(), Errno> {
    let group_of = |group: Pid| to_many(caller, signal, move |process| process.group() == group);
    match target {
        1.. => to_one(caller, target, signal, Code::USER),
        0 => group_of(caller.group()),
        -1 => {
            let (own, init) = (caller.pid(), table::with(|table| table.init()));
            to_many(caller, signal, move |process| process.pid() != own && Some(process.pid()) != init)
        }
        i32::MIN..-1 => group_of(target.checked_neg().and_then(Pid::from_user).ok_or(Errno::ESRCH)?),
    }
}

/// Sends a signal to the process with number `target`, which is also its only thread; `code` says by which call.
///
/// # Errors
/// As [`kill`].
pub fn to_one(caller: &Process, target: i32, signal: Option<Signal>, code: Code) -> Result<(), Errno> {
    let process = Pid::from_user(target).and_then(table::find).ok_or(Errno::ESRCH)?;
    check(caller, &process, signal)?;
    signal.map_or(Ok(()), |signal| send(&process, from(caller, signal, code)))
}

/// Sends a signal with what the caller has made up of it.
///
/// # Errors
/// As [`kill`].
pub fn queue(caller: &Process, target: i32, info: Info) -> Result<(), Errno> {
    let process = Pid::from_user(target).and_then(table::find).ok_or(Errno::ESRCH)?;
    check(caller, &process, Some(info.signal))?;
    send(&process, info)
}

fn to_many(caller: &Process, signal: Option<Signal>, is_meant: impl Fn(&Process) -> bool) -> Result<(), Errno> {
    let count = |gets: &dyn Fn(&Process) -> bool| table::with(|table| table.iter().filter(|it| gets(it)).count());
    let gets = |process: &Process| is_meant(process) && check(caller, process, signal).is_ok();
    let reached = match signal {
        Some(signal) => send_to_all(from(caller, signal, Code::USER), gets)?,
        None => count(&gets),
    };
    match reached {
        0 if count(&is_meant) > 0 => Err(Errno::EPERM),
        0 => Err(Errno::ESRCH),
        _ => Ok(()),
    }
}

/// Whether the caller may send a signal to a process: one of the same user, or SIGCONT in its own session. `EPERM`.
fn check(caller: &Process, process: &Process, signal: Option<Signal>) -> Result<(), Errno> {
    let goes_on = signal == Some(Signal::CONT) && caller.session() == process.session();
    if goes_on || caller.credentials().may_signal(&process.credentials()) { Ok(()) } else { Err(Errno::EPERM) }
}

fn from(caller: &Process, signal: Signal, code: Code) -> Info {
    Info { signal, code, origin: Origin::Sender { pid: caller.pid().as_u32(), uid: caller.credentials().user.real } }
}
