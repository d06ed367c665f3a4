//! Sessions and groups of processes.

use kapi::Errno;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::process::deliver::session;
use crate::process::{Pid, Process, table};

pub(super) const CALLS: &[Entry] = calls![setsid(), getsid(Count), setpgid(Count, Count), getpgid(Count), getpgrp(),];

fn setsid(call: &mut Call<'_>) -> Outcome {
    number(session::begin_session(call.process)?)
}

fn getsid(call: &mut Call<'_>) -> Outcome {
    number(of(call, Process::session)?)
}

fn setpgid(call: &mut Call<'_>) -> Outcome {
    session::set_group(call.process, call.int(0), call.int(1))?;
    Ok(0)
}

fn getpgid(call: &mut Call<'_>) -> Outcome {
    number(of(call, Process::group)?)
}

fn getpgrp(call: &mut Call<'_>) -> Outcome {
    number(call.process.group())
}

const fn number(pid: Pid) -> Outcome {
    Ok(pid.as_u32() as usize)
}

/// What `ask` says of the process in the first argument, where 0 stands for the caller; `ESRCH`.
fn of(call: &Call<'_>, ask: fn(&Process) -> Pid) -> Result<Pid, Errno> {
    match call.int(0) {
        0 => Ok(ask(call.process)),
        number => {
            let process = Pid::from_user(number).and_then(table::find).ok_or(Errno::ESRCH)?;
            Ok(ask(&process))
        }
    }
}
