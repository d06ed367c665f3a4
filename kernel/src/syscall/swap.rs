//! Swap: which disks have a part in it.

use kapi::Errno;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::swap;

pub(super) const CALLS: &[Entry] = calls![swapon(Path, Flags), swapoff(Path),];

/// The flags have a priority.
const PREFER: u32 = 0x8000;
/// The priority.
const PRIORITY: u32 = 0x7fff;

/// The flags that ask for parts of a disk to be told that they are free: no disk here wants to know.
const DISCARD: u32 = 0x7_0000;

fn swapon(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    let flags = call.word(1);
    let priority = (flags & PREFER != 0).then_some((flags & PRIORITY) as i16);
    if flags & !(PREFER | PRIORITY | DISCARD) != 0 {
        return Err(Errno::EINVAL);
    }
    swap::on(&call.place()?, call.path(0)?.as_str(), priority)?;
    Ok(0)
}

fn swapoff(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    swap::off(&call.place()?, call.path(0)?.as_str())?;
    Ok(0)
}
