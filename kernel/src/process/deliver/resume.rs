//! What is done about signals on the way back to ring 3.

use abi::restart::{self, Handling, Settled};
use signals::{ActionFlags, Delivery, Handler, Info, Signal};

use super::group::is_orphaned;
use super::handler;
use super::send::tell_parent;
use crate::arch::trap_frame::TrapFrame;
use crate::process::exit_status::{ChildEvent, Exit};
use crate::process::record::Process;
use crate::process::table;

/// Does what the signals of the running thread's process ask for, until none is left: it stops here, begins a handler,
/// or is to end: then that is returned, and the caller ends it. Process context; may sleep.
#[must_use = "the process is to end"]
pub fn before_return(process: &Process, frame: &mut TrapFrame) -> Option<Exit> {
    loop {
        match process.signals().take_next() {
            Delivery::Nothing => break,
            Delivery::Stop(signal) => stop(process, signal),
            Delivery::Terminate(info) => return Some(Exit::Signal(info.signal.number())),
            Delivery::Handle { info, action, mask } => {
                let restarts = action.flags.contains(ActionFlags::RESTART);
                settle_call(frame, if restarts { Handling::RestartingHandler } else { Handling::Handler });
                if handler::enter(process, frame, &info, &action, mask).is_err() {
                    process.signals().with(|state| state.force_default(Info::kernel(Signal::SEGV)));
                }
            }
        }
    }
    settle_call(frame, Handling::None);
    process.signals().with(|state| state.give_mask_back());
    None
}

/// Ends an interrupted call, or has it begin again, if that is not decided yet.
fn settle_call(frame: &mut TrapFrame, handling: Handling) {
    if !frame.is_syscall() {
        return;
    }
    match restart::settle(frame.rax, frame.error, handling) {
        Settled::Result(result) => frame.rax = result,
        Settled::Again(number) => {
            frame.rax = number;
            frame.rip -= restart::INSTRUCTION;
        }
    }
}

/// Stops the process until SIGCONT or SIGKILL; a key stops no group that nobody would let go on.
fn stop(process: &Process, signal: Signal) {
    let group = process.group();
    if signal != Signal::STOP && table::with(|table| is_orphaned(table, group, None)) {
        return process.signals().revoke_stop();
    }
    if process.signals().stop() {
        tell_parent(process, ChildEvent::Stopped(signal.number()));
        process.signals().wait_resumed();
    }
}

/// What a signal that cannot be put off does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forced {
    /// A handler of the program's sees to it.
    Handled,
    /// It ends the program.
    Fatal,
}

/// Sends the running thread's process a signal for what it just did: it comes on the way back to ring 3.
pub fn force(process: &Process, info: Info) -> Forced {
    let forced = process.signals().with(|state| {
        state.force(info);
        match state.action(info.signal).handler {
            Handler::At(_) => Forced::Handled,
            Handler::Default | Handler::Ignore => Forced::Fatal,
        }
    });
    process.notify();
    forced
}
