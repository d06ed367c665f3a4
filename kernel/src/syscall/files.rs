//! Opening files by their names, and where the program stands.

use kapi::Errno;
use linux_raw_sys::general::{O_CREAT, O_DIRECTORY, O_PATH, O_TMPFILE, O_TRUNC, O_WRONLY};
use vfs::Rights;

use super::call::{Call, Outcome, result};
use super::descriptors::on_exec;
use super::entry::{Entry, calls};
use super::path::Path;
use crate::fs::{self, Place};
use crate::user;

pub(super) const CALLS: &[Entry] = calls![
    open(Path, Flags, Mode),
    openat(Fd, Path, Flags, Mode),
    creat(Path, Mode),
    getcwd(Address, Count),
    chdir(Path),
    fchdir(Fd),
    umask(Mode),
];

fn open(call: &mut Call<'_>) -> Outcome {
    let (path, place) = (call.path(0)?, call.place()?);
    open_in(call, &place, &path, call.word(1), call.word(2))
}

fn openat(call: &mut Call<'_>) -> Outcome {
    let path = call.path(1)?;
    let place = call.place_at(0, &path)?;
    open_in(call, &place, &path, call.word(2), call.word(3))
}

fn creat(call: &mut Call<'_>) -> Outcome {
    let (path, place) = (call.path(0)?, call.place()?);
    open_in(call, &place, &path, O_CREAT | O_WRONLY | O_TRUNC, call.word(1))
}

fn open_in(call: &Call<'_>, place: &Place, path: &Path, flags: u32, mode: u32) -> Outcome {
    if flags & O_TMPFILE == O_TMPFILE {
        return Err(Errno::EOPNOTSUPP);
    }
    if flags & (O_CREAT | O_DIRECTORY) == O_CREAT | O_DIRECTORY && flags & O_PATH == 0 {
        return Err(Errno::EINVAL);
    }
    // A file is neither made nor emptied that has no number afterwards.
    if !call.process.files().has_room(call.limit())? {
        return Err(Errno::EMFILE);
    }
    let file = fs::open(place, path.as_str(), abi::open::flags(flags)?, mode as u16)?;
    call.open(file, on_exec(flags))
}

fn getcwd(call: &mut Call<'_>) -> Outcome {
    let path = call.place()?.getcwd()?;
    let bytes = path.as_str().as_bytes();
    if call.arg(1) <= bytes.len() {
        return Err(Errno::ERANGE);
    }
    user::copy_to(call.address(0), bytes)?;
    user::write_value(call.address(0).add(bytes.len()), 0u8)?;
    result(bytes.len() + 1)
}

fn chdir(call: &mut Call<'_>) -> Outcome {
    let path = call.path(0)?;
    let mut place = call.place()?;
    place.chdir(path.as_str())?;
    go(call, place)
}

fn fchdir(call: &mut Call<'_>) -> Outcome {
    let place = call.place()?.at(&call.file(0)?)?;
    place.may(&place.directory()?, Rights::RUN)?;
    go(call, place)
}

fn go(call: &Call<'_>, place: Place) -> Outcome {
    // The directory that it leaves is let go of without the lock.
    drop(call.process.with_place(|old| core::mem::replace(old, place))?);
    Ok(0)
}

fn umask(call: &mut Call<'_>) -> Outcome {
    Ok(call.process.with_place(|place| place.set_umask(call.word(0) as u16))?.into())
}
