//! Pipes: what one thread writes another reads, through a few pages.
//!
//! (Linux 2.4: fs/pipe.c, fs/fifo.c.)
//!
//! Readers and writers sleep on queues of their own; what they wait for is in atomics, so that looking takes no lock. A
//! write of up to [`PIPE_BUF`] bytes arrives in one piece. The first page comes with the pipe, others when they are
//! written to; they go when they are read, and the last one stays until both ends are closed. Key types: [`pipe`], two
//! ends without a name; [`Fifo`], a pipe with one.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

use kapi::{Errno, Events, FileId, IoBuf, OpenFlags, Whence};
use mm::{Buffer, GfpFlags, Order, PAGE_SIZE};

use super::file::{File, Positioning, share};
use super::node::{Attributes, Kind, Node, Stat, now};
use super::open_file::OpenFile;
use super::tree::{Leaf, next_device};
use crate::mm::PageBlock;
use crate::sched::{Mutex, PollTable, WaitQueue};

/// The most bytes that are surely written in one piece.
pub const PIPE_BUF: usize = PAGE_SIZE;

/// The most pages of a pipe. So a writer of small pieces seldom waits, and a program with all the files that it may
/// have keeps 8 MiB in pipes.
const PAGES: usize = 4;

/// The most bytes that are on their way.
pub const PIPE_BYTES: usize = PAGES * PAGE_SIZE;

/// The bytes on their way.
struct Ring {
    pages: [Option<PageBlock>; PAGES],
    /// Where the oldest byte is.
    start: usize,
}

impl Ring {
    const fn new() -> Self {
        Self { pages: [const { None }; PAGES], start: 0 }
    }

    /// The page that the byte `at` is in, and its offset there. `ENOMEM` when it has to come and cannot.
    fn page(&mut self, at: usize) -> Result<(&mut PageBlock, usize), Errno> {
        let page = &mut self.pages[at / PAGE_SIZE];
        if page.is_none() {
            *page = Some(PageBlock::new(Order::ZERO, GfpFlags::KERNEL)?);
        }
        Ok((page.as_mut().ok_or(Errno::ENOMEM)?, at % PAGE_SIZE))
    }

    /// `count` bytes have been read, of `len`; all in one page.
    fn consume(&mut self, count: usize, len: usize) {
        let page = self.start / PAGE_SIZE;
        self.start = (self.start + count) % PIPE_BYTES;
        if count == len {
            // The next byte goes to the start of the same page.
            self.start = page * PAGE_SIZE;
        } else if self.start / PAGE_SIZE != page && len - count <= PIPE_BYTES - PAGE_SIZE {
            // With more on their way the newest bytes are in it, before where the oldest were.
            self.pages[page] = None;
        }
    }
}

/// A pipe, whoever has its ends.
struct Pipe {
    ring: Mutex<Ring>,
    /// Bytes in the ring; changes only under its lock.
    len: AtomicUsize,
    readers: AtomicUsize,
    writers: AtomicUsize,
    /// How often an end was opened so far: who waits for the other one sees that it came, even if it has gone.
    reader_opens: AtomicU64,
    writer_opens: AtomicU64,
    not_empty: WaitQueue,
    not_full: WaitQueue,
}

/// A new pipe: the end to read from and the end to write to. `flags` may have `NONBLOCK`. `ENOMEM`.
pub fn pipe(flags: OpenFlags) -> Result<(OpenFile, OpenFile), Errno> {
    let pipe = share(Pipe::new())?;
    // Its first page at once: who could make a pipe can use it, however short memory is then.
    pipe.ring.lock_uninterruptible()?.page(0)?;
    let flags = flags & OpenFlags::NONBLOCK;
    let stat = nameless();
    let end = |flags| OpenFile::new(share(End::open(pipe.clone(), Known::Stat(stat), flags)?)?, flags);
    Ok((end(flags | OpenFlags::READ)?, end(flags | OpenFlags::WRITE)?))
}

/// What is known of a pipe without a name: all are on a device of their own.
fn nameless() -> Stat {
    static DEVICE: AtomicU32 = AtomicU32::new(0);
    static NEXT: AtomicU64 = AtomicU64::new(1);
    if DEVICE.load(Relaxed) == 0 {
        // Two threads may do so at once: then a number is left out.
        let _ = DEVICE.compare_exchange(0, next_device(), Relaxed, Relaxed);
    }
    let id = FileId { device: DEVICE.load(Relaxed), inode: NEXT.fetch_add(1, Relaxed) };
    Stat::new(id, Attributes { links: 1, ..Attributes::new(Kind::Pipe, 0o600, now()) })
}

impl Pipe {
    const fn new() -> Self {
        Self {
            ring: Mutex::new(Ring::new()),
            len: AtomicUsize::new(0),
            readers: AtomicUsize::new(0),
            writers: AtomicUsize::new(0),
            reader_opens: AtomicU64::new(0),
            writer_opens: AtomicU64::new(0),
            not_empty: WaitQueue::new(),
            not_full: WaitQueue::new(),
        }
    }

    fn len(&self) -> usize {
        self.len.load(SeqCst)
    }

    fn room(&self) -> usize {
        PIPE_BYTES - self.len()
    }

    fn has_readers(&self) -> bool {
        self.readers.load(SeqCst) > 0
    }

    fn has_writers(&self) -> bool {
        self.writers.load(SeqCst) > 0
    }

    fn wake_all(&self) {
        self.not_empty.wake_all();
        self.not_full.wake_all();
    }

    /// Counts an end that is opened as `flags` say.
    fn enter(&self, flags: OpenFlags) -> Result<(), Errno> {
        let ring = self.ring.lock_uninterruptible()?;
        if flags.contains(OpenFlags::READ) {
            self.readers.fetch_add(1, SeqCst);
            self.reader_opens.fetch_add(1, SeqCst);
        }
        if flags.contains(OpenFlags::WRITE) {
            self.writers.fetch_add(1, SeqCst);
            self.writer_opens.fetch_add(1, SeqCst);
        }
        drop(ring);
        self.wake_all();
        Ok(())
    }

    /// An end is closed. With the last of them the pages go, and what nobody has read.
    fn leave(&self, flags: OpenFlags) {
        if let Ok(mut ring) = self.ring.lock_uninterruptible() {
            self.readers.fetch_sub(usize::from(flags.contains(OpenFlags::READ)), SeqCst);
            self.writers.fetch_sub(usize::from(flags.contains(OpenFlags::WRITE)), SeqCst);
            if !self.has_readers() && !self.has_writers() {
                self.len.store(0, SeqCst);
                *ring = Ring::new();
            }
        }
        self.wake_all();
    }

    /// Moves what is there, as far as the reader wants it and can take it.
    fn take(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut ring = self.ring.lock()?;
        let mut taken = 0;
        while self.len() > 0 && buf.remaining() > 0 {
            let start = ring.start;
            let (page, offset) = ring.page(start)?;
            let chunk = self.len().min(PAGE_SIZE - offset);
            let n = buf.put(&page.bytes()[offset..offset + chunk])?;
            if n == 0 {
                break;
            }
            ring.consume(n, self.len());
            self.len.fetch_sub(n, SeqCst);
            taken += n;
        }
        Ok(taken)
    }

    /// Moves as much from the writer as there is room for, if that is `least` bytes.
    fn fill(&self, buf: &mut IoBuf<'_>, least: usize) -> Result<usize, Errno> {
        let mut ring = self.ring.lock()?;
        let mut filled = 0;
        if self.room() < least {
            return Ok(0);
        }
        let end = ring.start + self.len();
        // Both pages, so that no small write ends for lack of the second.
        ring.page(end % PIPE_BYTES)?;
        ring.page((end + least.saturating_sub(1)) % PIPE_BYTES)?;
        while self.room() > 0 && buf.remaining() > 0 {
            let at = (ring.start + self.len()) % PIPE_BYTES;
            let (page, offset) = match ring.page(at) {
                Err(_) if filled > 0 => break,
                page => page?,
            };
            let room = self.room().min(PAGE_SIZE - offset);
            let n = buf.get(&mut page.bytes_mut()[offset..offset + room])?;
            if n == 0 {
                break;
            }
            self.len.fetch_add(n, SeqCst);
            filled += n;
        }
        Ok(filled)
    }
}

/// What is known of an end.
enum Known {
    Stat(Stat),
    Node(Arc<dyn Node>),
}

/// An open end, or both.
struct End {
    pipe: Arc<Pipe>,
    known: Known,
    flags: AtomicU32,
}

impl End {
    fn open(pipe: Arc<Pipe>, known: Known, flags: OpenFlags) -> Result<Self, Errno> {
        pipe.enter(flags)?;
        Ok(Self { pipe, known, flags: AtomicU32::new(flags.bits()) })
    }

    fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Relaxed))
    }

    fn may_wait(&self) -> bool {
        !self.flags().contains(OpenFlags::NONBLOCK)
    }

    /// Waits until `ready`, or says `EAGAIN` where it must not wait.
    fn wait(&self, queue: &WaitQueue, ready: impl Fn() -> bool) -> Result<(), Errno> {
        if ready() {
            Ok(())
        } else if self.may_wait() {
            Ok(queue.wait_until_interruptible(ready)?)
        } else {
            Err(Errno::EAGAIN)
        }
    }

    /// Waits for room and fills it. A small write waits until all of it fits. `EPIPE` once no reader is left. Returns
    /// the bytes written: 0 when another writer was faster.
    fn write_some(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let pipe = &*self.pipe;
        let least = if buf.remaining() <= PIPE_BUF { buf.remaining() } else { 1 };
        self.wait(&pipe.not_full, || pipe.room() >= least || !pipe.has_readers())?;
        if !pipe.has_readers() {
            return Err(Errno::EPIPE);
        }
        let filled = pipe.fill(buf, least)?;
        if filled > 0 {
            pipe.not_empty.wake_all();
        }
        Ok(filled)
    }
}

impl File for End {
    fn stat(&self) -> Result<Stat, Errno> {
        match &self.known {
            Known::Stat(stat) => Ok(*stat),
            Known::Node(node) => node.stat(),
        }
    }

    /// Waits for bytes; 0 once no writer is left.
    fn read(&self, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let pipe = &*self.pipe;
        while buf.remaining() > 0 {
            self.wait(&pipe.not_empty, || pipe.len() > 0 || !pipe.has_writers())?;
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

    /// Writes everything, waiting for room; an error counts only if nothing was written before it.
    fn write(&self, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let start = buf.done();
        while buf.remaining() > 0 {
            match self.write_some(buf) {
                Ok(_) => {}
                Err(error) if buf.done() == start => return Err(error),
                Err(_) => break,
            }
        }
        Ok(buf.done() - start)
    }

    fn llseek(&self, _position: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Err(Errno::ESPIPE)
    }

    fn set_flags(&self, flags: OpenFlags) {
        self.flags.store(flags.bits(), Relaxed);
    }

    fn positioning(&self) -> Positioning<'_> {
        Positioning::Stream
    }

    fn poll<'a>(&'a self, table: &mut PollTable<'a>) -> Events {
        let (pipe, flags) = (&*self.pipe, self.flags());
        let mut events = Events::empty();
        if flags.contains(OpenFlags::READ) {
            table.watch(&pipe.not_empty);
            events.set(Events::READABLE, pipe.len() > 0);
            events.set(Events::HANG_UP, !pipe.has_writers() && pipe.writer_opens.load(SeqCst) > 0);
        }
        if flags.contains(OpenFlags::WRITE) {
            table.watch(&pipe.not_full);
            // So much that no small write would wait.
            events.set(Events::WRITABLE, pipe.room() >= PIPE_BUF);
            events.set(Events::ERROR, !pipe.has_readers());
        }
        events
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.pipe.leave(self.flags());
    }
}

/// A pipe with a name. (Linux: FIFO.)
pub(super) struct Fifo(Arc<Pipe>);

impl Fifo {
    /// A pipe that nobody has opened yet. `ENOMEM`.
    pub(super) fn new() -> Result<Self, Errno> {
        Ok(Self(share(Pipe::new())?))
    }
}

impl Leaf for Fifo {
    /// An end waits for the other one. Where it must not, a reader goes on and a writer is refused (`ENXIO`).
    fn open(self: Arc<Self>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        let pipe = &*self.0;
        let (reads, writes) = (flags.contains(OpenFlags::READ), flags.contains(OpenFlags::WRITE));
        let must_not_wait = flags.contains(OpenFlags::NONBLOCK);
        if writes && !reads && must_not_wait && !pipe.has_readers() {
            return Err(Errno::ENXIO);
        }
        let seen = (pipe.reader_opens.load(SeqCst), pipe.writer_opens.load(SeqCst));
        let end = share(End::open(self.0.clone(), Known::Node(node), flags)?)?;
        if reads && !writes && !must_not_wait {
            let came = || pipe.has_writers() || pipe.writer_opens.load(SeqCst) != seen.1;
            pipe.not_empty.wait_until_interruptible(came)?;
        } else if writes && !reads && !must_not_wait {
            let came = || pipe.has_readers() || pipe.reader_opens.load(SeqCst) != seen.0;
            pipe.not_full.wait_until_interruptible(came)?;
        }
        Ok(end)
    }
}
