//! From the registers to the function, and back.

use abi::restart::{self, Restart};
use kapi::Errno;

use super::call::{Call, Outcome};
use super::entry::Entry;
use super::table;
use super::trace::{self, Trace};
use crate::arch::trap_frame::TrapFrame;
use crate::process::Process;

/// Does what the program asks whose registers are in `frame`, and puts the result there.
///
/// `frame.error` has the call's number from here on, for a call that begins again. A call that a signal interrupted
/// ends with a code that the delivery of signals settles on the way out (`abi::restart`). May sleep.
pub fn dispatch(frame: &mut TrapFrame, process: &Process) {
    let number = frame.rax as usize;
    frame.error = frame.rax;
    let entry = table::counted(number);
    let restart = entry.map_or(Restart::IfAsked, |entry| entry.restart);
    let mut call = Call { frame, process, restart };
    let outcome = match entry {
        Some(entry) if !trace::is_wanted() => (entry.function)(&mut call),
        _ => seldom(&mut call, number, entry),
    };
    call.frame.rax = match outcome {
        Ok(value) => value as u64,
        Err(error) => {
            table::count_error(number);
            failed(call.restart, error)
        }
    };
}

/// Does a call that nobody answers, or one that has its line in the log.
#[cold]
fn seldom(call: &mut Call<'_>, number: usize, entry: Option<&'static Entry>) -> Outcome {
    let trace = Trace::begin(number, entry, call);
    let outcome = entry.map_or(Err(Errno::ENOSYS), |entry| (entry.function)(call));
    if let Some(trace) = trace {
        trace.end(call, outcome);
    }
    outcome
}

fn failed(restart: Restart, error: Errno) -> u64 {
    if error == Errno::EINTR { restart.code() } else { restart::error(error) }
}
