//! What it takes to be a file: open flags, events, seeking.

use bitflags::bitflags;

use crate::errno::Errno;

bitflags! {
    /// How a file is opened. Without `WRITE` it is read-only, with `WRITE` alone write-only.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct OpenFlags: u32 {
        /// Reads are allowed.
        const READ = 1 << 0;
        /// Writes are allowed.
        const WRITE = 1 << 1;
        /// The file is made if it does not exist.
        const CREATE = 1 << 2;
        /// The file is emptied.
        const TRUNCATE = 1 << 3;
        /// Each write goes to the end.
        const APPEND = 1 << 4;
        /// Calls that would wait return EAGAIN.
        const NONBLOCK = 1 << 5;
        /// With `CREATE`: a name that is there, even a link that leads nowhere, is EEXIST.
        const EXCLUSIVE = 1 << 6;
        /// What is no directory is ENOTDIR.
        const DIRECTORY = 1 << 7;
        /// A link at the end of the path is ELOOP.
        const NOFOLLOW = 1 << 8;
        /// The file stands for its name alone: it is neither read nor written, and no driver hears of it.
        const PATH = 1 << 9;
        /// A write ends when its bytes are where they are kept.
        const DATA_SYNC = 1 << 10;
        /// As `DATA_SYNC`, with all else that is known of the file.
        const SYNC = 1 << 11;
        /// Its owner wants a signal when something can be done with it.
        const ASYNC = 1 << 12;
    }
}

bitflags! {
    /// What can be done with an open file at once, or has happened to it. The bits are those of Linux's poll.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Events: u16 {
        /// A read would not wait: there are bytes, or there will be none.
        const READABLE = 1 << 0;
        /// Something urgent can be read.
        const URGENT = 1 << 1;
        /// A write would not wait.
        const WRITABLE = 1 << 2;
        /// A write would fail: nobody reads any more.
        const ERROR = 1 << 3;
        /// The other end is gone.
        const HANG_UP = 1 << 4;
    }
}

impl OpenFlags {
    /// Whether the file is open for writing alone (O_WRONLY): scull devices are emptied by such an open.
    pub const fn is_write_only(self) -> bool {
        self.contains(Self::WRITE) && !self.contains(Self::READ)
    }
}

/// Which file it is, of those that keep what is written: two names or open files with the same one are the same file.
/// It is no other file's as long as a name or an open file leads to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileId {
    /// The device, or the file system's number.
    pub device: u32,
    /// The file's number there.
    pub inode: u64,
}

/// From where [`seek`] counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whence {
    /// From the start of the file.
    Start,
    /// From the current position.
    Current,
    /// From the end of the file.
    End,
}

/// The position that a seek leads to: beyond the end is allowed, before the start is `EINVAL`.
pub fn seek(size: u64, position: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
    let base = match whence {
        Whence::Start => 0,
        Whence::Current => position,
        Whence::End => size,
    };
    match base.checked_add_signed(offset) {
        Some(target) if target <= i64::MAX as u64 => Ok(target),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::{Whence, seek};
    use crate::errno::Errno;

    #[test]
    fn seeks_beyond_the_end_but_not_before_the_start() {
        assert_eq!(seek(10, 3, 5, Whence::Current), Ok(8));
        assert_eq!(seek(10, 3, 5, Whence::End), Ok(15));
        assert_eq!(seek(10, 3, -1, Whence::Start), Err(Errno::EINVAL));
        assert_eq!(seek(10, 3, i64::MAX, Whence::End), Err(Errno::EINVAL));
    }
}
