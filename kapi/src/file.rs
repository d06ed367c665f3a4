//! What it takes to be a file: open flags, seeking, the buffer of a transfer.

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

/// The caller's end of a read or write: the bytes to fill, or the bytes to take, and how far that has come.
///
/// Kernel memory today. Memory of a user process, whose pages may be missing, fits behind the same calls: both copies
/// may stop early and say how far they came, or fail with `EFAULT` when not a byte went through.
pub struct IoBuf<'a> {
    memory: Memory<'a>,
    done: usize,
}

enum Memory<'a> {
    Fill(&'a mut [u8]),
    Take(&'a [u8]),
}

impl<'a> IoBuf<'a> {
    /// A buffer that a read fills.
    pub fn fill(memory: &'a mut [u8]) -> Self {
        Self { memory: Memory::Fill(memory), done: 0 }
    }

    /// A buffer that a write takes its bytes from.
    pub fn take(memory: &'a [u8]) -> Self {
        Self { memory: Memory::Take(memory), done: 0 }
    }

    /// Bytes that are still to be filled or taken.
    pub fn remaining(&self) -> usize {
        let len = match &self.memory {
            Memory::Fill(memory) => memory.len(),
            Memory::Take(memory) => memory.len(),
        };
        len - self.done
    }

    /// Bytes that have been filled or taken.
    pub const fn done(&self) -> usize {
        self.done
    }

    /// Copies as much of `bytes` as fits to the caller and returns how much that was. `EFAULT` on a write's buffer.
    pub fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let Memory::Fill(memory) = &mut self.memory else {
            return Err(Errno::EFAULT);
        };
        let room = &mut memory[self.done..];
        let n = room.len().min(bytes.len());
        room[..n].copy_from_slice(&bytes[..n]);
        self.done += n;
        Ok(n)
    }

    /// Copies as many of the caller's bytes as `bytes` holds and returns how many. `EFAULT` on a read's buffer.
    pub fn get(&mut self, bytes: &mut [u8]) -> Result<usize, Errno> {
        let Memory::Take(memory) = &self.memory else {
            return Err(Errno::EFAULT);
        };
        let rest = &memory[self.done..];
        let n = rest.len().min(bytes.len());
        bytes[..n].copy_from_slice(&rest[..n]);
        self.done += n;
        Ok(n)
    }

    /// Leaves out up to `count` of the caller's bytes and returns how many. `EFAULT` on a read's buffer.
    pub fn skip(&mut self, count: usize) -> Result<usize, Errno> {
        let Memory::Take(memory) = &self.memory else {
            return Err(Errno::EFAULT);
        };
        let n = (memory.len() - self.done).min(count);
        self.done += n;
        Ok(n)
    }

    /// Fills up to `count` bytes with zeros for the caller and returns how many. `EFAULT` on a write's buffer.
    pub fn put_zeros(&mut self, count: usize) -> Result<usize, Errno> {
        let Memory::Fill(memory) = &mut self.memory else {
            return Err(Errno::EFAULT);
        };
        let room = &mut memory[self.done..];
        let n = room.len().min(count);
        room[..n].fill(0);
        self.done += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::{IoBuf, Whence, seek};
    use crate::errno::Errno;

    #[test]
    fn seeks_beyond_the_end_but_not_before_the_start() {
        assert_eq!(seek(10, 3, 5, Whence::Current), Ok(8));
        assert_eq!(seek(10, 3, 5, Whence::End), Ok(15));
        assert_eq!(seek(10, 3, -1, Whence::Start), Err(Errno::EINVAL));
        assert_eq!(seek(10, 3, i64::MAX, Whence::End), Err(Errno::EINVAL));
    }

    #[test]
    fn buffers_count_what_went_through() {
        let mut bytes = [0; 4];
        let mut buf = IoBuf::fill(&mut bytes);
        assert_eq!(buf.put(b"ab"), Ok(2));
        assert_eq!(buf.put(b"cde"), Ok(2));
        assert_eq!(buf.remaining(), 0);
        assert_eq!(buf.get(&mut [0]), Err(Errno::EFAULT));
        assert_eq!(&bytes, b"abcd");
    }
}
