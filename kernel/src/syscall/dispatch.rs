//! From the registers to the function, and back.

use abi::restart::{self, Restart};
use kapi::Errno;

use super::call::{Call, Outcome};
use super::table;
use super::trace::Trace;
use crate::arch::trap_frame::TrapFrame;
use crate::process::Process;

/// Does what the program asks whose registers are in `frame`, and puts the result there.
///
/// `frame.error` has the call's number from here on, for a call that begins again. A call that a signal interrupted
/// ends with a code that the delivery of signals settles on the way out (`abi::restart`). May sleep.
pub fn dispatch(frame: &mut TrapFrame, process: &Process) {
    let number = frame.rax as usize;
    frame.error = frame.rax;
    table::count(number);
    let entry = table::entry(number);
    let mut call = Call { frame, process, restart: entry.map_or(Restart::IfAsked, |entry| entry.restart) };
    let trace = Trace::begin(number, entry, &call);
    let outcome = entry.map_or(table::unknown as fn(&mut Call<'_>) -> Outcome, |entry| entry.function)(&mut call);
    if let Some(trace) = trace {
        trace.end(&call, outcome);
    }
    call.frame.rax = match outcome {
        Ok(value) => value as u64,
        Err(error) => {
            table::count_error(number);
            failed(call.restart, error)
        }
    };
}

fn failed(restart: Restart, error: Errno) -> u64 {
    if error == Errno::EINTR { restart.code() } else { restart::error(error) }
}
