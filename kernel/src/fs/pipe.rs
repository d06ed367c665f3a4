//! Pipes: what one thread writes another reads, through one page.
//!
//! Readers and writers sleep on queues of their own; what they wait for is in atomics, so that looking takes no lock.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use kapi::{Errno, IoBuf, OpenFlags, Whence};
use mm::{Buffer, GfpFlags, Order, PAGE_SIZE};

use super::filesystem::{File, share};
use super::node::{Kind, Stat};
use super::open_file::OpenFile;
use crate::mm::PageBlock;
use crate::sched::{Mutex, WaitQueue};

/// The bytes on their way.
struct Ring {
    page: PageBlock,
    /// Where the oldest byte is.
    start: usize,
}

struct Pipe {
    ring: Mutex<Ring>,
    /// Bytes in the ring; changes only under its lock.
    len: AtomicUsize,
    readers: AtomicUsize,
    writers: AtomicUsize,
    not_empty: WaitQueue,
    not_full: WaitQueue,
}

/// A new pipe: the end to read from and the end to write to. `ENOMEM`.
pub fn pipe() -> Result<(OpenFile, OpenFile), Errno> {
    let page = PageBlock::new(Order::ZERO, GfpFlags::KERNEL)?;
    let pipe = share(Pipe {
        ring: Mutex::new(Ring { page, start: 0 }),
        len: AtomicUsize::new(0),
        readers: AtomicUsize::new(1),
        writers: AtomicUsize::new(1),
        not_empty: WaitQueue::new(),
        not_full: WaitQueue::new(),
    })?;
    let (reader, writer) = (ReadEnd(pipe.clone()), WriteEnd(pipe));
    let reader = OpenFile::new(share(reader)?, OpenFlags::READ)?;
    let writer = OpenFile::new(share(writer)?, OpenFlags::WRITE)?;
    Ok((reader, writer))
}

impl Pipe {
    fn len(&self) -> usize {
        self.len.load(SeqCst)
    }

    fn has_readers(&self) -> bool {
        self.readers.load(SeqCst) > 0
    }

    fn has_writers(&self) -> bool {
        self.writers.load(SeqCst) > 0
    }

    /// Moves what is there, as far as the reader wants it.
    fn take(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut ring = self.ring.lock()?;
        let mut taken = 0;
        while self.len() > 0 && buf.remaining() > 0 {
            let chunk = self.len().min(PAGE_SIZE - ring.start);
            let n = buf.put(&ring.page.bytes()[ring.start..ring.start + chunk])?;
            ring.start = (ring.start + n) % PAGE_SIZE;
            self.len.fetch_sub(n, SeqCst);
            taken += n;
        }
        Ok(taken)
    }

    /// Moves as much from the writer as there is room for.
    fn fill(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut ring = self.ring.lock()?;
        let mut filled = 0;
        while self.len() < PAGE_SIZE && buf.remaining() > 0 {
            let at = (ring.start + self.len()) % PAGE_SIZE;
            let room = (PAGE_SIZE - self.len()).min(PAGE_SIZE - at);
            let n = buf.get(&mut ring.page.bytes_mut()[at..at + room])?;
            self.len.fetch_add(n, SeqCst);
            filled += n;
        }
        Ok(filled)
    }
}

const STAT: Stat = Stat { kind: Kind::Pipe, size: 0, id: None };

/// The end that reads.
struct ReadEnd(Arc<Pipe>);

impl File for ReadEnd {
    fn stat(&self) -> Result<Stat, Errno> {
        Ok(STAT)
    }

    /// Waits for bytes; 0 once no writer is left.
    fn read(&self, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let pipe = &*self.0;
        while buf.remaining() > 0 {
            pipe.not_empty.wait_until_interruptible(|| pipe.len() > 0 || !pipe.has_writers())?;
            let no_more = !pipe.has_writers();
            let n = pipe.take(buf)?;
            if n > 0 {
                pipe.not_full.wake_all();
                return Ok(n);
            }
            if no_more {
                break;
            }
        }
        Ok(0)
    }

    fn write(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EBADF)
    }

    fn llseek(&self, _position: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Err(Errno::ESPIPE)
    }

    fn is_stream(&self) -> bool {
        true
    }
}

impl Drop for ReadEnd {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, SeqCst);
        self.0.not_full.wake_all();
    }
}

/// The end that writes.
struct WriteEnd(Arc<Pipe>);

impl WriteEnd {
    /// Waits for room and fills it. `EPIPE` once no reader is left.
    fn write_some(&self, buf: &mut IoBuf<'_>) -> Result<(), Errno> {
        let pipe = &*self.0;
        pipe.not_full.wait_until_interruptible(|| pipe.len() < PAGE_SIZE || !pipe.has_readers())?;
        if !pipe.has_readers() {
            return Err(Errno::EPIPE);
        }
        if pipe.fill(buf)? > 0 {
            pipe.not_empty.wake_all();
        }
        Ok(())
    }
}

impl File for WriteEnd {
    fn stat(&self) -> Result<Stat, Errno> {
        Ok(STAT)
    }

    fn read(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EBADF)
    }

    /// Writes everything, waiting for room; an error counts only if nothing was written before it.
    fn write(&self, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let start = buf.done();
        while buf.remaining() > 0 {
            match self.write_some(buf) {
                Ok(()) => {}
                Err(error) if buf.done() == start => return Err(error),
                Err(_) => break,
            }
        }
        Ok(buf.done() - start)
    }

    fn llseek(&self, _position: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Err(Errno::ESPIPE)
    }

    fn is_stream(&self) -> bool {
        true
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, SeqCst);
        self.0.not_empty.wake_all();
    }
}
