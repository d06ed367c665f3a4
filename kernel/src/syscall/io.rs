//! Bytes into files and out of them.

use kapi::{Errno, OpenFlags, Whence};
use linux_raw_sys::general::{
    SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET, SYNC_FILE_RANGE_WAIT_AFTER, SYNC_FILE_RANGE_WAIT_BEFORE,
    SYNC_FILE_RANGE_WRITE,
};
use signals::{Info, Signal};

use super::buffers::{Located, Row, buffer, fill, take};
use super::call::{Call, Outcome, result};
use super::entry::{Entry, calls};
use crate::fs::{self, OpenFile};
use crate::process::deliver;

pub(super) const CALLS: &[Entry] = calls![
    read(Fd, Address, Count),
    write(Fd, Address, Count),
    readv(Fd, Address, Count),
    writev(Fd, Address, Count),
    pread64(Fd, Address, Count, Count),
    pwrite64(Fd, Address, Count, Count),
    preadv(Fd, Address, Count, Count),
    pwritev(Fd, Address, Count, Count),
    lseek(Fd, Count, Count),
    ftruncate(Fd, Count),
    fsync(Fd),
    fdatasync(Fd),
    sync(),
    syncfs(Fd),
    sync_file_range(Fd, Count, Count, Flags),
    fadvise64(Fd, Count, Count, Count),
];

fn read(call: &mut Call<'_>) -> Outcome {
    let file = call.file(0)?;
    read_into(&file, &buffer(call.address(1), call.arg(2))?)
}

fn write(call: &mut Call<'_>) -> Outcome {
    let file = call.file(0)?;
    let outcome = write_from(&file, &buffer(call.address(1), call.arg(2))?);
    call.broken_pipe(outcome)
}

fn readv(call: &mut Call<'_>) -> Outcome {
    let file = call.file(0)?;
    read_into(&file, &call.row()?)
}

fn writev(call: &mut Call<'_>) -> Outcome {
    let file = call.file(0)?;
    let outcome = write_from(&file, &call.row()?);
    call.broken_pipe(outcome)
}

fn pread64(call: &mut Call<'_>) -> Outcome {
    let (position, file) = (call.position(3)?, call.file(0)?);
    read_at(&file, position, &buffer(call.address(1), call.arg(2))?)
}

fn pwrite64(call: &mut Call<'_>) -> Outcome {
    let (position, file) = (call.position(3)?, call.file(0)?);
    write_at(&file, position, &buffer(call.address(1), call.arg(2))?)
}

fn preadv(call: &mut Call<'_>) -> Outcome {
    let (position, file) = (call.position(3)?, call.file(0)?);
    read_at(&file, position, &call.row()?)
}

fn pwritev(call: &mut Call<'_>) -> Outcome {
    let (position, file) = (call.position(3)?, call.file(0)?);
    write_at(&file, position, &call.row()?)
}

/// An empty buffer reads nothing, but only of a file that could be read.
fn read_into(file: &OpenFile, memory: &impl Located) -> Outcome {
    check(file, OpenFlags::READ)?;
    if memory.is_empty() {
        return Ok(0);
    }
    fill(memory, |buf| file.read(buf))
}

fn write_from(file: &OpenFile, memory: &impl Located) -> Outcome {
    check(file, OpenFlags::WRITE)?;
    if memory.is_empty() {
        return Ok(0);
    }
    take(memory, |buf| file.write(buf))
}

fn read_at(file: &OpenFile, position: u64, memory: &impl Located) -> Outcome {
    fill(memory, |buf| file.read_at(position.saturating_add(buf.done() as u64), buf))
}

fn write_at(file: &OpenFile, position: u64, memory: &impl Located) -> Outcome {
    take(memory, |buf| file.write_at(position.saturating_add(buf.done() as u64), buf))
}

/// `EBADF` when the file is not open for `needed`.
pub(super) fn check(file: &OpenFile, needed: OpenFlags) -> Result<(), Errno> {
    if file.flags().contains(needed) { Ok(()) } else { Err(Errno::EBADF) }
}

impl Call<'_> {
    /// Argument number `index`, which is a position; `EINVAL` for a negative one.
    pub(super) fn position(&self, index: usize) -> Result<u64, Errno> {
        u64::try_from(self.long(index)).map_err(|_| Errno::EINVAL)
    }

    /// The buffers that arguments 1 and 2 describe.
    fn row(&self) -> Result<Row, Errno> {
        Row::read(self.address(1), self.arg(2))
    }

    /// Whoever writes to a pipe that nobody reads is told so by a signal as well.
    pub(super) fn broken_pipe(&self, outcome: Outcome) -> Outcome {
        if outcome == Err(Errno::EPIPE) {
            let told = Info::sent_by(Signal::PIPE, self.process.pid().as_u32());
            // A standard signal always has a place.
            let _: Result<(), _> = deliver::send(self.process, told);
        }
        outcome
    }
}

fn lseek(call: &mut Call<'_>) -> Outcome {
    let (file, offset) = (call.file(0)?, call.long(1));
    match call.word(2) {
        SEEK_SET => result(file.llseek(offset, Whence::Start)?),
        SEEK_CUR => result(file.llseek(offset, Whence::Current)?),
        SEEK_END => result(file.llseek(offset, Whence::End)?),
        // All files are taken to be without holes.
        SEEK_DATA => {
            inside(&file, offset)?;
            result(file.llseek(offset, Whence::Start)?)
        }
        SEEK_HOLE => {
            inside(&file, offset)?;
            result(file.llseek(0, Whence::End)?)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `ENXIO` when `offset` is not in the file; `EINVAL` for a disk, which has neither data nor holes.
fn inside(file: &OpenFile, offset: i64) -> Result<(), Errno> {
    if file.file().has_fixed_size() {
        return Err(Errno::EINVAL);
    }
    let size = file.stat()?.size;
    if u64::try_from(offset).is_ok_and(|offset| offset < size) { Ok(()) } else { Err(Errno::ENXIO) }
}

fn ftruncate(call: &mut Call<'_>) -> Outcome {
    let (file, size) = (call.file(0)?, call.position(1)?);
    file.truncate(size)?;
    Ok(0)
}

/// `EINVAL` for what keeps nothing, `EIO` where writing back has failed.
fn fsync(call: &mut Call<'_>) -> Outcome {
    call.file(0)?.sync(0..u64::MAX)?;
    Ok(0)
}

fn fdatasync(call: &mut Call<'_>) -> Outcome {
    fsync(call)
}

/// Always succeeds: whoever wants to know what failed asks for a file.
fn sync(_call: &mut Call<'_>) -> Outcome {
    // A disk that failed has said so in the log, and says so to who syncs its file.
    let _: Result<(), Errno> = fs::sync();
    Ok(0)
}

/// The file systems themselves are all in memory: what is kept back is a disk's, whose file it is.
fn syncfs(call: &mut Call<'_>) -> Outcome {
    let file = call.file(0)?;
    if !file.file().is_stream() {
        file.sync(0..u64::MAX)?;
    }
    Ok(0)
}

/// What the flags would leave out is done as well.
fn sync_file_range(call: &mut Call<'_>) -> Outcome {
    let (file, start, bytes) = (call.file(0)?, call.position(1)?, call.position(2)?);
    let known = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    let end = start.checked_add(bytes).filter(|end| *end <= i64::MAX as u64).ok_or(Errno::EINVAL)?;
    if call.word(3) & !known != 0 {
        return Err(Errno::EINVAL);
    }
    if file.file().is_stream() {
        return Err(Errno::ESPIPE);
    }
    // As if there was no end.
    file.sync(start..if bytes == 0 { u64::MAX } else { end })?;
    Ok(0)
}

/// Advice changes nothing.
fn fadvise64(call: &mut Call<'_>) -> Outcome {
    use linux_raw_sys::general::{POSIX_FADV_NOREUSE, POSIX_FADV_NORMAL};
    if call.file(0)?.file().is_stream() {
        return Err(Errno::ESPIPE);
    }
    let is_advice = (POSIX_FADV_NORMAL..=POSIX_FADV_NOREUSE).contains(&call.word(3));
    if is_advice && call.long(2) >= 0 { Ok(0) } else { Err(Errno::EINVAL) }
}
