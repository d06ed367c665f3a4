//! Who the caller is: its users and groups.

use kapi::Errno;
use vfs::{Ids, MAX_GROUPS, NewIds, Whose};

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

impl Call<'_> {
    /// `EPERM` for a caller who is not root.
    pub(super) fn check_root(&self) -> Result<(), Errno> {
        if self.process.credentials().is_root() { Ok(()) } else { Err(Errno::EPERM) }
    }
}

fn user(call: &Call<'_>) -> Ids {
    call.process.credentials().user
}

fn group(call: &Call<'_>) -> Ids {
    call.process.credentials().group
}

fn getuid(call: &mut Call<'_>) -> Outcome {
    Ok(user(call).real as usize)
}

fn geteuid(call: &mut Call<'_>) -> Outcome {
    Ok(user(call).effective as usize)
}

fn getgid(call: &mut Call<'_>) -> Outcome {
    Ok(group(call).real as usize)
}

fn getegid(call: &mut Call<'_>) -> Outcome {
    Ok(group(call).effective as usize)
}

fn setuid(call: &mut Call<'_>) -> Outcome {
    set_one(call, Whose::User)
}

fn setgid(call: &mut Call<'_>) -> Outcome {
    set_one(call, Whose::Group)
}

fn setreuid(call: &mut Call<'_>) -> Outcome {
    set(call, Whose::User, NewIds::Pair(id(call, 0), id(call, 1)))
}

fn setregid(call: &mut Call<'_>) -> Outcome {
    set(call, Whose::Group, NewIds::Pair(id(call, 0), id(call, 1)))
}

fn setresuid(call: &mut Call<'_>) -> Outcome {
    set(call, Whose::User, NewIds::Each([0, 1, 2].map(|index| id(call, index))))
}

fn setresgid(call: &mut Call<'_>) -> Outcome {
    set(call, Whose::Group, NewIds::Each([0, 1, 2].map(|index| id(call, index))))
}

/// -1 leaves a number as it is.
fn id(call: &Call<'_>, index: usize) -> Option<u32> {
    Some(call.word(index)).filter(|id| *id != u32::MAX)
}

/// -1 is nobody's number.
fn set_one(call: &Call<'_>, whose: Whose) -> Outcome {
    set(call, whose, NewIds::One(id(call, 0).ok_or(Errno::EINVAL)?))
}

fn set(call: &Call<'_>, whose: Whose, new: NewIds) -> Outcome {
    call.process.with_credentials(|who| who.set(whose, new))?;
    Ok(0)
}

/// Files go by the effective user: returns its number, whatever is asked for.
fn setfsuid(call: &mut Call<'_>) -> Outcome {
    geteuid(call)
}

fn setfsgid(call: &mut Call<'_>) -> Outcome {
    getegid(call)
}

fn getresuid(call: &mut Call<'_>) -> Outcome {
    tell(call, user(call))
}

fn getresgid(call: &mut Call<'_>) -> Outcome {
    tell(call, group(call))
}

fn tell(call: &Call<'_>, ids: Ids) -> Outcome {
    for (index, id) in [ids.real, ids.effective, ids.saved].into_iter().enumerate() {
        user::write_value(call.address(index), id)?;
    }
    Ok(0)
}

/// Bytes of a group's number.
const ID_BYTES: usize = size_of::<u32>();

fn getgroups(call: &mut Call<'_>) -> Outcome {
    let room = usize::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?;
    let who = call.process.credentials();
    let groups = who.groups();
    if room == 0 {
        return Ok(groups.len());
    }
    if room < groups.len() {
        return Err(Errno::EINVAL);
    }
    for (index, id) in groups.iter().enumerate() {
        user::write_value(call.address(1).add(index * ID_BYTES), *id)?;
    }
    Ok(groups.len())
}

fn setgroups(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    let mut groups = [0; MAX_GROUPS];
    let groups = groups.get_mut(..call.arg(0)).ok_or(Errno::EINVAL)?;
    for (index, id) in groups.iter_mut().enumerate() {
        *id = user::read_value(call.address(1).add(index * ID_BYTES))?;
    }
    call.process.with_credentials(|who| who.set_groups(groups))?;
    Ok(0)
}
