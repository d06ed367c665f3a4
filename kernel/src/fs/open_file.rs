//! Open files: a file, how it is open, its position, the node of its name.

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use kapi::{Errno, Events, IoBuf, OpenFlags, Whence};

use super::file::{File, Positioning, share};
use super::node::{Kind, Listed, Node, Stat};
use crate::mm::space::PageSource;
use crate::sched::{self, Mutex, PollTable};

/// What can be changed while a file is open.
const CHANGEABLE: OpenFlags = OpenFlags::NONBLOCK.union(OpenFlags::APPEND).union(OpenFlags::ASYNC);

/// A file that a program has open. Clones share the position; the last one to go releases the file.
#[derive(Clone)]
pub struct OpenFile(Arc<Open>);

struct Open {
    // First: what it has of a driver's goes before the node.
    file: Arc<dyn File>,
    node: Option<Arc<dyn Node>>,
    flags: AtomicU32,
    /// Whom signals about it go to: a process, or below 0 a group; 0 for nobody.
    owner: AtomicI32,
    /// Held during a read or write, so that transfers of threads that share the file do not mix. Not for streams.
    position: Mutex<u64>,
}

impl OpenFile {
    /// Opens `file`, which has no name, at its start.
    pub fn new(file: Arc<dyn File>, flags: OpenFlags) -> Result<Self, Errno> {
        Self::open(file, None, flags)
    }

    /// Opens `file`, to which a name's `node` has led, at its start.
    pub fn named(file: Arc<dyn File>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Self, Errno> {
        Self::open(file, Some(node), flags)
    }

    fn open(file: Arc<dyn File>, node: Option<Arc<dyn Node>>, flags: OpenFlags) -> Result<Self, Errno> {
        Ok(Self(share(Open {
            file,
            node,
            flags: AtomicU32::new(flags.bits()),
            owner: AtomicI32::new(0),
            position: Mutex::new(0),
        })?))
    }

    /// How it is open.
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.0.flags.load(Relaxed))
    }

    /// Sets `NONBLOCK`, `APPEND` and `ASYNC` as `flags` has them.
    pub fn set_status(&self, flags: OpenFlags) {
        let flags = self.flags().difference(CHANGEABLE).union(flags.intersection(CHANGEABLE));
        self.0.flags.store(flags.bits(), Relaxed);
        self.0.file.set_flags(flags);
    }

    /// Whom signals about it go to: a process, or below 0 a group; 0 for nobody.
    pub fn owner(&self) -> i32 {
        self.0.owner.load(Relaxed)
    }

    /// They go to `owner` from here on.
    pub fn set_owner(&self, owner: i32) {
        self.0.owner.store(owner, Relaxed);
        self.0.file.set_owner(owner);
    }

    /// What the name led to by which it was opened; a pipe has none.
    pub fn node(&self) -> Option<&Arc<dyn Node>> {
        self.0.node.as_ref()
    }

    /// What it does, without its position.
    pub fn file(&self) -> &Arc<dyn File> {
        &self.0.file
    }

    /// Whether it is the same open file: one position.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What it is, and its size now.
    pub fn stat(&self) -> Result<Stat, Errno> {
        self.0.file.stat()
    }

    /// Reads from the current position on. `EBADF` when it is not open for reading, `EINTR` after ^C.
    pub fn read(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.check(OpenFlags::READ)?;
        buf.call(|buf| {
            match self.0.file.positioning() {
                Positioning::OpenFile => {}
                Positioning::Itself(file) => return file.read(buf),
                Positioning::Stream => return self.0.file.read(0, buf),
            }
            let mut position = self.0.position.lock()?;
            let n = self.0.file.read(*position, buf)?;
            *position += n as u64;
            Ok(n)
        })
    }

    /// Reads at `position`, and leaves the current one as it is. `ESPIPE` for a stream.
    pub fn read_at(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.check(OpenFlags::READ)?;
        self.check_positions()?;
        self.0.file.read(position, buf)
    }

    /// Writes at the current position, or at the end if the file was opened so. `EBADF` when it is not open for
    /// writing, `EINTR` after ^C.
    pub fn write(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.check(OpenFlags::WRITE)?;
        buf.call(|buf| {
            match self.0.file.positioning() {
                Positioning::OpenFile => {}
                Positioning::Itself(file) => return file.write(buf),
                Positioning::Stream => return self.0.file.write(0, buf),
            }
            let (mut position, before) = (self.0.position.lock()?, buf.done());
            let end = if self.flags().contains(OpenFlags::APPEND) && !self.0.file.has_fixed_size() {
                self.0.file.append(buf)?
            } else {
                *position + self.0.file.write(*position, buf)? as u64
            };
            let written = buf.done() - before;
            self.settle(end, written)?;
            *position = end;
            Ok(written)
        })
    }

    /// Writes at `position`, and leaves the current one as it is. `ESPIPE` for a stream.
    pub fn write_at(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.check(OpenFlags::WRITE)?;
        self.check_positions()?;
        let written = self.0.file.write(position, buf)?;
        self.settle(position + written as u64, written)?;
        Ok(written)
    }

    /// The last `written` bytes before `end` are where they are kept before the write ends, if it is open so.
    fn settle(&self, end: u64, written: usize) -> Result<(), Errno> {
        if written == 0 || !self.flags().intersects(OpenFlags::SYNC | OpenFlags::DATA_SYNC) {
            return Ok(());
        }
        self.0.file.sync(end - written as u64..end)
    }

    /// Waits until what was written to these bytes, at least, is where it is kept; see [`File::sync`]. `EINVAL` for a
    /// stream.
    pub fn sync(&self, range: Range<u64>) -> Result<(), Errno> {
        if self.0.file.is_stream() { Err(Errno::EINVAL) } else { self.0.file.sync(range) }
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

    /// Calls `take` with the names of this directory from the current position on, which goes behind each that it
    /// takes, until it refuses one. `ENOTDIR`.
    pub fn read_dir(&self, take: &mut dyn FnMut(&Listed) -> Result<(), Errno>) -> Result<(), Errno> {
        let mut position = self.0.position.lock()?;
        while let Some(listed) = self.0.file.next_name(*position)? {
            take(&listed)?;
            *position = listed.next;
        }
        Ok(())
    }

    /// Moves the position and returns it; `ESPIPE` for a stream.
    pub fn llseek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        match self.0.file.positioning() {
            Positioning::OpenFile => {}
            Positioning::Itself(file) => return file.llseek(offset, whence),
            Positioning::Stream => return Err(Errno::ESPIPE),
        }
        let mut position = self.0.position.lock()?;
        *position = self.0.file.llseek(*position, offset, whence)?;
        Ok(*position)
    }

    /// Makes the file so many bytes long. `EINVAL` when it is not open for writing, or has no size.
    pub fn truncate(&self, size: u64) -> Result<(), Errno> {
        if !self.flags().contains(OpenFlags::WRITE) {
            return Err(Errno::EINVAL);
        }
        self.node().ok_or(Errno::EINVAL)?.truncate(size)
    }

    /// What can be done with it at once; see [`File::poll`].
    pub fn poll<'a>(&'a self, table: &mut PollTable<'a>) -> Events {
        self.0.file.poll(table)
    }

    /// A device-specific command.
    pub fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        self.0.file.ioctl(command, argument)
    }

    /// Its pages, to be mapped; `ENODEV` when they cannot be.
    pub fn page_source(&self) -> Result<Arc<dyn PageSource>, Errno> {
        self.0.file.clone().page_source()
    }

    /// Whether it is the console or another device.
    pub fn is_device(&self) -> bool {
        self.stat().is_ok_and(|stat| matches!(stat.kind(), Kind::Device { .. }))
    }

    fn check_positions(&self) -> Result<(), Errno> {
        if self.0.file.is_stream() { Err(Errno::ESPIPE) } else { Ok(()) }
    }

    /// Every read and write looks for ^C here, so that a command that never sleeps can be stopped too.
    fn check(&self, needed: OpenFlags) -> Result<(), Errno> {
        if !self.flags().contains(needed) {
            return Err(Errno::EBADF);
        }
        if sched::interrupted() { Err(Errno::EINTR) } else { Ok(()) }
    }
}
