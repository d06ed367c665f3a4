//! What a file system does and what an open file does: traits of all of them.

use alloc::sync::Arc;

use kapi::{Errno, IoBuf, OpenFlags, Whence, seek};
use mm::Pfn;

use super::node::{Entries, Stat};

/// A tree of files. Paths are relative to its root, without leading, doubled or trailing slashes; "" is the root.
pub trait FileSystem: Sync {
    /// Opens a file, which `flags` may make or empty. Directories are `EISDIR`.
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Arc<dyn File>, Errno>;

    /// What `path` is.
    fn stat(&self, path: &str) -> Result<Stat, Errno>;

    /// What the directory `path` holds, in no particular order.
    fn readdir(&self, path: &str) -> Result<Entries, Errno>;

    /// Removes the name `path`. The file itself goes when it is not open any more.
    fn unlink(&self, path: &str) -> Result<(), Errno>;
}

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

    /// Whether it has no positions: a pipe, the console.
    fn is_stream(&self) -> bool {
        false
    }

    /// A device-specific command; `ENOTTY` when the file does not know it.
    fn ioctl(&self, _command: u32, _argument: usize) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }

    /// The page frame to map at byte `offset`; `ENODEV` when it cannot be mapped.
    fn mmap_page(&self, _offset: u64) -> Result<Pfn, Errno> {
        Err(Errno::ENODEV)
    }
}

/// Moves `value` into shared memory.
pub(super) fn share<T>(value: T) -> Result<Arc<T>, Errno> {
    Arc::try_new(value).map_err(|_| Errno::ENOMEM)
}
