//! Descriptors: copies, what is told of them, their end; pipes, which are two.

use kapi::{Errno, OpenFlags};
use linux_raw_sys::general::{
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_GETOWN, F_GETOWN_EX, F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, F_SETFD,
    F_SETFL, F_SETOWN, F_SETOWN_EX, FASYNC, FD_CLOEXEC, O_APPEND, O_CLOEXEC, O_LARGEFILE, O_NONBLOCK,
};
use linux_raw_sys::ioctl::{FIOCLEX, FIONBIO, FIONCLEX};
use mm::VirtAddr;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::chrdev::Wanted;
use crate::fs::{self, OpenFile};
use crate::process::deliver::kill as target;
use crate::process::{OnExec, Resource};
use crate::user;

pub(super) const CALLS: &[Entry] = calls![
    close(Fd),
    close_range(Fd, Fd, Flags),
    dup(Fd),
    dup2(Fd, Fd),
    dup3(Fd, Fd, Flags),
    fcntl(Fd, Count, Flags),
    ioctl(Fd, Flags, Flags),
    pipe(Address),
    pipe2(Address, Flags),
];

impl Call<'_> {
    /// The file whose descriptor is argument number `index`; `EBADF`.
    #[inline]
    pub(super) fn file(&self, index: usize) -> Result<OpenFile, Errno> {
        self.process.files().get(self.int(index))
    }

    /// Gives `file` the lowest number that is free.
    pub(super) fn open(&self, file: OpenFile, on_exec: OnExec) -> Outcome {
        self.process.files().add(file, 0, self.limit(), on_exec)
    }

    /// How many numbers there may be.
    pub(super) fn limit(&self) -> usize {
        self.process.limits().soft(Resource::OpenFiles) as usize
    }
}

/// What `O_CLOEXEC` in `flags` says.
pub(super) const fn on_exec(flags: u32) -> OnExec {
    if flags & O_CLOEXEC != 0 { OnExec::Close } else { OnExec::Keep }
}

fn close(call: &mut Call<'_>) -> Outcome {
    // It may be the last one: then the file is closed here.
    drop(call.process.files().take(call.int(0))?);
    Ok(0)
}

/// Flags of `close_range`.
const CLOSE_RANGE_UNSHARE: u32 = 1 << 1;
const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;

fn close_range(call: &mut Call<'_>) -> Outcome {
    let (first, last, flags) = (call.word(0), call.word(1), call.word(2));
    if first > last || flags & !(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE) != 0 {
        return Err(Errno::EINVAL);
    }
    let files = call.process.files();
    let mut from = first as usize;
    while let Some((number, _)) = files.next(from)?.filter(|(number, _)| *number <= last as usize) {
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            files.set_on_exec(number as i32, OnExec::Close)?;
        } else {
            drop(files.take(number as i32)?);
        }
        from = number + 1;
    }
    Ok(0)
}

fn dup(call: &mut Call<'_>) -> Outcome {
    call.open(call.file(0)?, OnExec::Keep)
}

fn dup2(call: &mut Call<'_>) -> Outcome {
    let file = call.file(0)?;
    if call.int(0) == call.int(1) {
        return Ok(call.arg(1));
    }
    put(call, file, OnExec::Keep)
}

fn dup3(call: &mut Call<'_>) -> Outcome {
    let flags = call.word(2);
    if flags & !O_CLOEXEC != 0 || call.int(0) == call.int(1) {
        return Err(Errno::EINVAL);
    }
    put(call, call.file(0)?, on_exec(flags))
}

/// Gives `file` the number that is argument 1; what was open there is closed.
fn put(call: &Call<'_>, file: OpenFile, on_exec: OnExec) -> Outcome {
    drop(call.process.files().put(file, call.int(1), call.limit(), on_exec)?);
    Ok(call.int(1) as usize)
}

fn fcntl(call: &mut Call<'_>) -> Outcome {
    let file = call.file(0)?;
    let files = call.process.files();
    match call.word(1) {
        F_DUPFD => copy_above(call, file, OnExec::Keep),
        F_DUPFD_CLOEXEC => copy_above(call, file, OnExec::Close),
        F_GETFD if files.on_exec(call.int(0))? == OnExec::Close => Ok(FD_CLOEXEC as usize),
        F_GETFD => Ok(0),
        F_SETFD => {
            let on_exec = if call.word(2) & FD_CLOEXEC != 0 { OnExec::Close } else { OnExec::Keep };
            files.set_on_exec(call.int(0), on_exec)?;
            Ok(0)
        }
        F_GETFL => Ok(status(&file) as usize),
        F_SETFL => {
            set_status(call, &file)?;
            Ok(0)
        }
        F_GETOWN => Ok(file.owner() as usize),
        F_GETOWN_EX => {
            let owner = file.owner();
            let kind = if owner < 0 { F_OWNER_PGRP } else { F_OWNER_PID };
            user::write_value(call.address(2), kind as i32)?;
            user::write_value(call.address(2).add(size_of::<i32>()), owner.saturating_abs())?;
            Ok(0)
        }
        F_SETOWN_EX => {
            let (kind, number) = owner_at(call.address(2))?;
            set_owner(call, &file, if kind == F_OWNER_PGRP { -number } else { number })
        }
        F_SETOWN => set_owner(call, &file, call.int(2)),
        _ => Err(Errno::EINVAL),
    }
}

/// Signals about the file go to `owner` from here on. `EPERM` for one to whom the caller may send none; all of a group
/// whose number is 1 are root's to choose, since -1 means everybody to kill.
fn set_owner(call: &Call<'_>, file: &OpenFile, owner: i32) -> Outcome {
    const FIRST_GROUP: i32 = -1;
    match owner {
        0 => {}
        FIRST_GROUP => call.check_root()?,
        _ if target::kill(call.process, owner, None) == Err(Errno::EPERM) => return Err(Errno::EPERM),
        _ => {}
    }
    file.set_owner(owner);
    Ok(0)
}

/// What a `struct f_owner_ex` of a program's says. `EINVAL` when that is nobody.
fn owner_at(at: VirtAddr) -> Result<(u32, i32), Errno> {
    let (kind, number): (i32, i32) = (user::read_value(at)?, user::read_value(at.add(size_of::<i32>()))?);
    let kind = u32::try_from(kind).ok().filter(|kind| (F_OWNER_TID..=F_OWNER_PGRP).contains(kind));
    Ok((kind.ok_or(Errno::EINVAL)?, Some(number).filter(|number| *number >= 0).ok_or(Errno::EINVAL)?))
}

/// Gives `file` a number that is not less than argument 2 either. `EINVAL` when that is none.
fn copy_above(call: &Call<'_>, file: OpenFile, on_exec: OnExec) -> Outcome {
    let from = usize::try_from(call.int(2)).ok().filter(|from| *from < call.limit()).ok_or(Errno::EINVAL)?;
    call.process.files().add(file, from, call.limit(), on_exec)
}

/// What `F_GETFL` tells: files that were opened by their names say that they may be large.
fn status(file: &OpenFile) -> u32 {
    let large = if file.node().is_some() { O_LARGEFILE } else { 0 };
    abi::open::status(file.flags()) | large
}

fn set_status(call: &Call<'_>, file: &OpenFile) -> Result<(), Errno> {
    let flags = call.word(2);
    let mut status = OpenFlags::empty();
    status.set(OpenFlags::APPEND, flags & O_APPEND != 0);
    status.set(OpenFlags::NONBLOCK, flags & O_NONBLOCK != 0);
    let wants_signals = flags & FASYNC != 0;
    if wants_signals != file.flags().contains(OpenFlags::ASYNC) {
        file.file().set_async(call.int(0), if wants_signals { Wanted::Yes } else { Wanted::No })?;
    }
    status.set(OpenFlags::ASYNC, wants_signals);
    file.set_status(status);
    Ok(())
}

/// What concerns descriptors and all files is done here; the rest is the file's.
fn ioctl(call: &mut Call<'_>) -> Outcome {
    let (file, command) = (call.file(0)?, call.word(1));
    let files = call.process.files();
    match command {
        FIOCLEX => files.set_on_exec(call.int(0), OnExec::Close)?,
        FIONCLEX => files.set_on_exec(call.int(0), OnExec::Keep)?,
        FIONBIO => {
            let wanted: i32 = user::read_value(call.address(2))?;
            let mut flags = file.flags();
            flags.set(OpenFlags::NONBLOCK, wanted != 0);
            file.set_status(flags);
        }
        _ => return file.ioctl(command, call.arg(2)),
    }
    Ok(0)
}

fn pipe(call: &mut Call<'_>) -> Outcome {
    make_pipe(call, 0)
}

fn pipe2(call: &mut Call<'_>) -> Outcome {
    make_pipe(call, call.word(1))
}

/// Opens both ends of a pipe, and tells their numbers at argument 0.
fn make_pipe(call: &Call<'_>, flags: u32) -> Outcome {
    if flags & !(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let status = if flags & O_NONBLOCK != 0 { OpenFlags::NONBLOCK } else { OpenFlags::empty() };
    let (reader, writer) = fs::pipe(status)?;
    let reads = call.open(reader, on_exec(flags))?;
    let told = call
        .open(writer, on_exec(flags))
        .and_then(|writes| tell(call.address(0), reads, writes).inspect_err(|_| take_back(call, writes)));
    told.inspect_err(|_| take_back(call, reads))?;
    Ok(0)
}

fn tell(at: VirtAddr, reads: usize, writes: usize) -> Result<(), Errno> {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&(reads as i32).to_le_bytes());
    bytes[4..].copy_from_slice(&(writes as i32).to_le_bytes());
    user::copy_to(at, &bytes)
}

fn take_back(call: &Call<'_>, number: usize) {
    // It is there: nobody else shares the table.
    drop(call.process.files().take(number as i32));
}
