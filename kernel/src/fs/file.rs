//! What an open file does.

use alloc::sync::Arc;
use core::ops::Range;

use kapi::{Errno, Events, IoBuf, OpenFlags, Whence, seek};
use vfs::Stat;

use super::listed::Listed;
use crate::chrdev::Wanted;
use crate::mm::space::PageSource;
use crate::sched::PollTable;

/// What an open file does. Dropping it releases it.
///
/// All may sleep. Positions are bytes from the start.
pub trait File: Send + Sync {
    /// What it is, and its size now.
    fn stat(&self) -> Result<Stat, Errno>;

    /// Reads at `position`; returns the bytes read, 0 at the end. Short reads are normal.
    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno>;

    /// Writes at `position`; returns the bytes written. Short writes are normal.
    fn write(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno>;

    /// Writes at the end, wherever that is; returns the position after the bytes written.
    fn append(&self, buf: &mut IoBuf<'_>) -> Result<u64, Errno> {
        let end = self.stat()?.size;
        Ok(end + self.write(end, buf)? as u64)
    }

    /// Where a seek from `position` leads; `ESPIPE` for a stream.
    fn llseek(&self, position: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        seek(self.stat()?.size, position, offset, whence)
    }

    /// Whether its size is what it is: nothing is appended, and a write begins where it is told to.
    fn has_fixed_size(&self) -> bool {
        false
    }

    /// Waits until what was written to these bytes, at least, is where it is kept; an error that writing them back has
    /// met since this open file was asked last is told. A file that keeps nothing back has nothing to do.
    fn sync(&self, _range: Range<u64>) -> Result<(), Errno> {
        Ok(())
    }

    /// Who knows where it is read and written next. Always the same.
    fn positioning(&self) -> Positioning<'_> {
        Positioning::OpenFile
    }

    /// Whether it has no positions: a pipe, the console.
    fn is_stream(&self) -> bool {
        matches!(self.positioning(), Positioning::Stream)
    }

    /// Its owner wants signals from here on, or no more. `descriptor` is its number.
    fn set_async(&self, _descriptor: i32, _wanted: Wanted) -> Result<(), Errno> {
        Ok(())
    }

    /// Signals about it go to this process from here on, or below 0 to this group.
    fn set_owner(&self, _owner: i32) {}

    /// It is open in another way now: for files that would wait (`NONBLOCK`).
    fn set_flags(&self, _flags: OpenFlags) {}

    /// The first name from the position on, if it is a directory; `ENOTDIR`. Positions are what [`Listed::next`] says.
    fn next_name(&self, _position: u64) -> Result<Option<Listed>, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// What can be done with it at once. Each queue whose wake-up may change the answer is entered into `table` before
    /// the look. A file that never makes anybody wait can be read and written.
    fn poll<'a>(&'a self, _table: &mut PollTable<'a>) -> Events {
        Events::READABLE | Events::WRITABLE
    }

    /// A device-specific command; `ENOTTY` when the file does not know it.
    fn ioctl(&self, _command: u32, _argument: usize) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }

    /// Its pages, to be mapped; `ENODEV` when they cannot be.
    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        Err(Errno::ENODEV)
    }
}

/// Who knows where a file is read and written next.
pub enum Positioning<'a> {
    /// The open file.
    OpenFile,
    /// The file itself.
    Itself(&'a dyn Positioned),
    /// Nobody: it is a stream.
    Stream,
}

/// A file that keeps its position itself.
pub trait Positioned {
    /// Reads from there on.
    fn read(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno>;

    /// Writes from there on.
    fn write(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno>;

    /// Moves it and returns it.
    fn llseek(&self, offset: i64, whence: Whence) -> Result<u64, Errno>;
}

/// Moves `value` into shared memory.
pub(super) fn share<T>(value: T) -> Result<Arc<T>, Errno> {
    Arc::try_new(value).map_err(|_| Errno::ENOMEM)
}
