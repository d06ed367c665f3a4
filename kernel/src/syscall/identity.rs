//! Who the caller is: root, always.

use kapi::Errno;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::user;

pub(super) const CALLS: &[Entry] = calls![
    getuid(),
    geteuid(),
    getgid(),
    getegid(),
    setuid(Count),
    setgid(Count),
    setreuid(Count, Count),
    setregid(Count, Count),
    setresuid(Count, Count, Count),
    setresgid(Count, Count, Count),
    setfsuid(Count),
    setfsgid(Count),
    getresuid(Address, Address, Address),
    getresgid(Address, Address, Address),
    getgroups(Count, Address),
    setgroups(Count, Address),
];

fn getuid(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn geteuid(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn getgid(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn getegid(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn setuid(call: &mut Call<'_>) -> Outcome {
    stay_root(call, 1, Unchanged::Never)
}

fn setgid(call: &mut Call<'_>) -> Outcome {
    stay_root(call, 1, Unchanged::Never)
}

fn setreuid(call: &mut Call<'_>) -> Outcome {
    stay_root(call, 2, Unchanged::ByMinusOne)
}

fn setregid(call: &mut Call<'_>) -> Outcome {
    stay_root(call, 2, Unchanged::ByMinusOne)
}

fn setresuid(call: &mut Call<'_>) -> Outcome {
    stay_root(call, 3, Unchanged::ByMinusOne)
}

fn setresgid(call: &mut Call<'_>) -> Outcome {
    stay_root(call, 3, Unchanged::ByMinusOne)
}

/// Returns the number that was in force, whatever is asked for.
fn setfsuid(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn setfsgid(_call: &mut Call<'_>) -> Outcome {
    Ok(0)
}

fn getresuid(call: &mut Call<'_>) -> Outcome {
    tell_root(call)
}

fn getresgid(call: &mut Call<'_>) -> Outcome {
    tell_root(call)
}

/// Tells three times that it is root.
fn tell_root(call: &Call<'_>) -> Outcome {
    for index in 0..3 {
        user::write_value(call.address(index), 0u32)?;
    }
    Ok(0)
}

/// Root's group is no further one.
fn getgroups(call: &mut Call<'_>) -> Outcome {
    if call.int(0) < 0 { Err(Errno::EINVAL) } else { Ok(0) }
}

/// Nobody looks at groups.
fn setgroups(call: &mut Call<'_>) -> Outcome {
    const MAX: usize = 65536;
    if call.arg(0) > MAX { Err(Errno::EINVAL) } else { Ok(0) }
}

/// Whether -1 leaves a number as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unchanged {
    ByMinusOne,
    Never,
}

/// The only user is root: `EPERM` for whoever would be another.
fn stay_root(call: &Call<'_>, count: usize, unchanged: Unchanged) -> Outcome {
    let stays = |id: u32| id == 0 || (id == u32::MAX && unchanged == Unchanged::ByMinusOne);
    let ids = || (0..count).map(|index| call.word(index));
    if ids().all(stays) {
        return Ok(0);
    }
    Err(if ids().any(|id| id == u32::MAX) { Errno::EINVAL } else { Errno::EPERM })
}
