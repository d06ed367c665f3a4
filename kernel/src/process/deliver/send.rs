//! A signal goes to a process, and its parent hears of what becomes of it.

use kapi::Errno;
use signals::{ActionFlags, Code, Handler, Info, Origin, Sent, Signal};

use crate::process::exit_status::{ChildEvent, Exit};
use crate::process::record::Process;
use crate::process::signal::Resumed;
use crate::process::table;

/// Sends a signal. One that has ended takes every signal. Any context for those that let nobody go on; SIGCONT and
/// SIGKILL not under the table's lock.
///
/// # Errors
/// `EAGAIN`: too many real-time signals wait.
pub fn send(process: &Process, info: Info) -> Result<(), Errno> {
    if process.ended().is_some() {
        return Ok(());
    }
    let (sent, resumed) = process.signals().send(info).map_err(|_| Errno::EAGAIN)?;
    if sent == Sent::Due {
        process.notify();
    }
    if resumed == Resumed::Yes && info.signal == Signal::CONT {
        tell_parent(process, ChildEvent::Continued);
    }
    Ok(())
}

/// What became of `child` is news to its parent: it is sent SIGCHLD, and a wait of its ends. Not under the table's
/// lock.
pub fn tell_parent(child: &Process, event: ChildEvent) {
    child.set_news(event);
    let Some(parent) = table::find(child.parent()) else { return };
    let is_end = matches!(event, ChildEvent::Ended(_));
    let wants_all = parent.signals().with(|state| !state.action(Signal::CHLD).flags.contains(ActionFlags::NOCLDSTOP));
    if is_end || wants_all {
        // A standard signal always has a place.
        let _: Result<(), _> = send(&parent, about(child, event));
    }
    parent.children_changed.wake_all();
}

/// Whether `parent` wants to ask for children that have ended; else they are gone at once.
pub fn wants_zombie(parent: &Process) -> bool {
    let action = parent.signals().with(|state| state.action(Signal::CHLD));
    action.handler != Handler::Ignore && !action.flags.contains(ActionFlags::NOCLDWAIT)
}

fn about(child: &Process, event: ChildEvent) -> Info {
    let (code, status) = match event {
        ChildEvent::Ended(Exit::Code(code)) => (Code::CHILD_EXITED, code),
        ChildEvent::Ended(Exit::Signal(signal)) => (Code::CHILD_KILLED, signal),
        ChildEvent::Stopped(signal) => (Code::CHILD_STOPPED, signal),
        ChildEvent::Continued => (Code::CHILD_CONTINUED, Signal::CONT.number()),
    };
    let ticks = u32::try_from(child.times().own).unwrap_or(u32::MAX);
    let origin = Origin::Child { pid: child.pid().as_u32(), status: status.into(), user: ticks, system: 0 };
    Info { signal: Signal::CHLD, code, origin }
}
