//! Open files: a file, how it was opened, and its position.

use alloc::sync::Arc;

use kapi::{Errno, IoBuf, OpenFlags, Whence};
use mm::Pfn;

use super::filesystem::{File, share};
use super::node::{Kind, Stat};
use crate::sched::{self, Mutex};

/// A file that a program has open. Clones share the position; the last one to go releases the file.
#[derive(Clone)]
pub struct OpenFile(Arc<Open>);

struct Open {
    file: Arc<dyn File>,
    flags: OpenFlags,
    /// Held during a read or write, so that transfers of threads that share the file do not mix. Not for streams.
    position: Mutex<u64>,
}

impl OpenFile {
    /// Opens `file` at its start.
    pub fn new(file: Arc<dyn File>, flags: OpenFlags) -> Result<Self, Errno> {
        Ok(Self(share(Open { file, flags, position: Mutex::new(0) })?))
    }

    /// How it was opened.
    pub fn flags(&self) -> OpenFlags {
        self.0.flags
    }

    /// What it is, and its size now.
    pub fn stat(&self) -> Result<Stat, Errno> {
        self.0.file.stat()
    }

    /// Reads from the current position on. `EBADF` when it is not open for reading, `EINTR` after ^C.
    pub fn read(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.check(OpenFlags::READ)?;
        buf.begin();
        if self.0.file.is_stream() {
            return self.0.file.read(0, buf);
        }
        let mut position = self.0.position.lock()?;
        let n = self.0.file.read(*position, buf)?;
        *position += n as u64;
        Ok(n)
    }

    /// Writes at the current position, or at the end if the file was opened so. `EBADF` when it is not open for
    /// writing, `EINTR` after ^C.
    pub fn write(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.check(OpenFlags::WRITE)?;
        buf.begin();
        if self.0.file.is_stream() {
            return self.0.file.write(0, buf);
        }
        let mut position = self.0.position.lock()?;
        if self.0.flags.contains(OpenFlags::APPEND) {
            let before = buf.done();
            *position = self.0.file.append(buf)?;
            return Ok(buf.done() - before);
        }
        let n = self.0.file.write(*position, buf)?;
        *position += n as u64;
        Ok(n)
    }

    /// Reads into `bytes`; see [`read`](Self::read).
    pub fn read_bytes(&self, bytes: &mut [u8]) -> Result<usize, Errno> {
        self.read(&mut IoBuf::fill(bytes))
    }

    /// Writes all of `bytes`, in as many writes as it takes; `EIO` when one takes nothing, whatever it says.
    pub fn write_all(&self, bytes: &[u8]) -> Result<(), Errno> {
        let mut buf = IoBuf::take(bytes);
        while buf.remaining() > 0 {
            let left = buf.remaining();
            self.write(&mut buf)?;
            if buf.remaining() == left {
                return Err(Errno::EIO);
            }
        }
        Ok(())
    }

    /// Moves the position and returns it; `ESPIPE` for a stream.
    pub fn llseek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        if self.0.file.is_stream() {
            return Err(Errno::ESPIPE);
        }
        let mut position = self.0.position.lock()?;
        *position = self.0.file.llseek(*position, offset, whence)?;
        Ok(*position)
    }

    /// A device-specific command.
    pub fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        self.0.file.ioctl(command, argument)
    }

    /// The page frame to map at byte `offset`.
    pub fn mmap_page(&self, offset: u64) -> Result<Pfn, Errno> {
        self.0.file.mmap_page(offset)
    }

    /// Whether it is the console or another device.
    pub fn is_device(&self) -> bool {
        matches!(self.stat(), Ok(Stat { kind: Kind::Device { .. }, .. }))
    }

    /// Every read and write looks for ^C here, so that a command that never sleeps can be stopped too.
    fn check(&self, needed: OpenFlags) -> Result<(), Errno> {
        if !self.0.flags.contains(needed) {
            return Err(Errno::EBADF);
        }
        if sched::interrupted() { Err(Errno::EINTR) } else { Ok(()) }
    }
}
