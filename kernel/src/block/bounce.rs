//! A disk whose requests pass through a thread that allocates.
//!
//! That is the mistake which GFP_BUFFER is there to avoid.
//!
//! Some real disks copy through a page of their own. If that page is asked for with GFP_KERNEL, the request for it may
//! wait until a dirty page has been written to this very disk, whose thread waits for the page: for ever. With
//! GFP_BUFFER the allocator leaves disks alone. The kernel option `ramdisk_bug=` puts such a thread before each memory
//! disk. What it is refused ends all the same, by a page that it has kept. (Chapter: "The Flags Argument", on
//! GFP_BUFFER.)

use alloc::sync::{Arc, Weak};
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::time::Duration;

use blocks::DiskName;
use kapi::block::{BlockQueue, MAX_SEGMENTS, Segment};
use kapi::{BlockDriver, BlockError, BlockOp, BlockRequest, Busy, Completer, Errno};
use mm::GfpFlags;
use services::disk_options::Bounce;

use crate::mm::{KVec, PageRef, memory};
use crate::sched::{self, Served, Thread, WaitQueue};
use crate::sync::SpinLock;

/// Requests that wait for the thread, at most.
const DEPTH: usize = 16;
/// How long the thread waits before it asks a busy disk again.
const PAUSE: Duration = Duration::from_millis(10);

/// A disk behind such a thread. Dropping it ends the thread.
pub(super) struct Bounced<D: BlockDriver> {
    desk: Arc<Desk<D>>,
    thread: Option<Thread>,
}

/// What the thread shares with those who start requests.
struct Desk<D> {
    name: DiskName,
    /// The disk proper, which gets a page at a time.
    disk: D,
    flags: GfpFlags,
    line: SpinLock<Line>,
    changed: WaitQueue,
    /// Requests that have come and not ended.
    open: AtomicUsize,
    inbox: Arc<Inbox>,
    completer: Completer,
}

/// Requests in the order in which they came.
struct Line {
    waiting: KVec<Waiting>,
    /// The tag of the one that the thread is at.
    current: Option<u16>,
    is_over: bool,
}

struct Waiting {
    tag: u16,
    op: BlockOp,
    sector: u64,
    segments: [Segment; MAX_SEGMENTS],
    count: usize,
}

/// Where the disk proper says that a page has ended.
struct Inbox {
    ended: SpinLock<Option<Result<(), BlockError>>>,
    changed: WaitQueue,
}

impl BlockQueue for Inbox {
    fn complete(&self, _tag: u16, result: Result<(), BlockError>) {
        self.ended.with(|ended| *ended = Some(result));
        self.changed.wake_all();
    }
}

/// The flags of the thread's page.
const fn flags(bounce: Bounce) -> GfpFlags {
    match bounce {
        Bounce::Kernel => GfpFlags::KERNEL,
        Bounce::Buffer => GfpFlags::BUFFER,
    }
}

impl<D: BlockDriver> Bounced<D> {
    /// The disk `name`, which `make` makes, behind a thread. Process context; may sleep for memory.
    ///
    /// # Errors
    /// No memory, those of `make`.
    pub(super) fn new(
        name: DiskName,
        bounce: Bounce,
        completer: Completer,
        make: impl FnOnce(Completer) -> Result<D, Errno>,
    ) -> Result<Self, Errno> {
        let inbox = Inbox { ended: SpinLock::new(None), changed: WaitQueue::new() };
        let inbox = Arc::try_new(inbox).map_err(|_| Errno::ENOMEM)?;
        let weak: Weak<Inbox> = Arc::downgrade(&inbox);
        let disk = make(Completer::new(weak))?;
        let waiting = KVec::with_capacity(DEPTH, GfpFlags::KERNEL)?;
        let line = SpinLock::new(Line { waiting, current: None, is_over: false });
        let (changed, open) = (WaitQueue::new(), AtomicUsize::new(0));
        let desk = Desk { name, disk, flags: flags(bounce), line, changed, open, inbox, completer };
        let desk = Arc::try_new(desk).map_err(|_| Errno::ENOMEM)?;
        // What the thread is refused it does by this page.
        let kept = PageRef::of_file(GfpFlags::KERNEL)?;
        let shared = desk.clone();
        let thread = sched::spawn(name.as_str(), move || run(&shared, kept))?;
        Ok(Self { desk, thread: Some(thread) })
    }
}

impl<D: BlockDriver> Drop for Bounced<D> {
    fn drop(&mut self) {
        self.desk.line.with(|line| line.is_over = true);
        self.desk.changed.wake_all();
        if let Some(thread) = self.thread.take() {
            // A thread that has died has ended as well.
            let _: Result<i32, _> = thread.join();
        }
    }
}

impl<D: BlockDriver> Served for Desk<D> {
    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn open_requests(&self) -> usize {
        self.open.load(Relaxed)
    }
}

/// The thread.
fn run<D: BlockDriver>(desk: &Arc<Desk<D>>, mut kept: PageRef) -> i32 {
    let _serving = sched::serving(desk.clone());
    loop {
        let mut next = None;
        let ready = || {
            desk.line.with(|line| {
                next = line.waiting.remove(0);
                line.current = next.as_ref().map(|waiting| waiting.tag);
                next.is_some() || line.is_over
            })
        };
        if desk.changed.wait_until(ready).is_err() {
            return 1;
        }
        let Some(request) = next else { return 0 };
        let result = desk.serve(&request, &mut kept);
        desk.open.fetch_sub(1, Relaxed);
        desk.completer.complete(request.tag, result);
        desk.line.with(|line| line.current = None);
        desk.changed.wake_all();
    }
}

impl<D: BlockDriver> Desk<D> {
    /// Does what a request asks for, page by page. Who was refused one page asks for no other for this request: each
    /// refusal takes its time, and the disk's limit runs.
    fn serve(&self, request: &Waiting, kept: &mut PageRef) -> Result<(), BlockError> {
        let Waiting { op, sector, segments, count, .. } = request;
        if *op == BlockOp::Flush {
            return self.pass_on(*op, 0, &[]);
        }
        let (mut sector, mut was_refused) = (*sector, false);
        for &segment in &segments[..*count] {
            let mut own = if was_refused { None } else { PageRef::of_file(self.flags).ok() };
            was_refused = own.is_none();
            self.bounce(*op, sector, segment, own.as_mut().unwrap_or(&mut *kept))?;
            sector += segment.sectors();
        }
        Ok(())
    }

    /// Moves a segment by way of `page`.
    fn bounce(&self, op: BlockOp, sector: u64, segment: Segment, page: &mut PageRef) -> Result<(), BlockError> {
        let (frame, offset, bytes) = (segment.frame(), segment.offset(), segment.bytes());
        let pages = memory().pages();
        if op == BlockOp::Write {
            let copied = page.show_mut(|to| pages.copy_from_page(frame, offset, &mut to[..bytes]));
            copied.ok().flatten().ok_or(BlockError::NoMemory)?;
        }
        let bounced = Segment::new(page.frame(), 0, bytes).ok_or(BlockError::Io)?;
        self.pass_on(op, sector, &[bounced])?;
        if op == BlockOp::Read {
            let copied = page.show(|from| pages.copy_to_page(frame, offset, &from[..bytes]));
            copied.ok().flatten().ok_or(BlockError::NoMemory)?;
        }
        Ok(())
    }

    /// Has the disk proper do something, and sleeps until it has.
    fn pass_on(&self, op: BlockOp, sector: u64, segments: &[Segment]) -> Result<(), BlockError> {
        while self.disk.start(BlockRequest { tag: 0, op, sector, segments }).is_err() {
            // A ^C does not end this.
            let _ = sched::sleep(PAUSE);
        }
        let mut result = Err(BlockError::Io);
        let ended = || self.inbox.ended.with(Option::take).inspect(|&ended| result = ended).is_some();
        self.inbox.changed.wait_until(ended).map_err(|_| BlockError::Io)?;
        result
    }
}

impl<D: BlockDriver> BlockDriver for Bounced<D> {
    fn sectors(&self) -> u64 {
        self.desk.disk.sectors()
    }

    fn is_read_only(&self) -> bool {
        self.desk.disk.is_read_only()
    }

    fn depth(&self) -> usize {
        DEPTH
    }

    fn has_write_cache(&self) -> bool {
        self.desk.disk.has_write_cache()
    }

    fn start(&self, request: BlockRequest<'_>) -> Result<(), Busy> {
        let BlockRequest { tag, op, sector, segments: given } = request;
        let mut segments = [Segment::NONE; MAX_SEGMENTS];
        let count = given.len().min(MAX_SEGMENTS);
        segments[..count].copy_from_slice(&given[..count]);
        let waiting = Waiting { tag, op, sector, segments, count };
        // There is room: memory for `DEPTH` of them was taken when the disk came.
        self.desk.line.with(|line| line.waiting.push(waiting, GfpFlags::ATOMIC)).map_err(|_| Busy)?;
        self.desk.open.fetch_add(1, Relaxed);
        self.desk.changed.wake_all();
        Ok(())
    }

    fn abort(&self, tag: u16) {
        let desk = &*self.desk;
        let is_current = desk.line.with(|line| {
            let before = line.waiting.len();
            line.waiting.retain(|waiting| waiting.tag != tag);
            desk.open.fetch_sub(before - line.waiting.len(), Relaxed);
            line.current == Some(tag)
        });
        if is_current {
            desk.disk.abort(0);
            desk.inbox.complete(0, Err(BlockError::Timeout));
            // The thread ends it, and lets its memory alone then. Where nobody may wait, it is not called.
            let _ = desk.changed.wait_until(|| desk.line.with(|line| line.current != Some(tag)));
        }
    }

    fn control(&self, line: &str) -> Result<(), Errno> {
        self.desk.disk.control(line)
    }

    fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(out, "  behind a thread that allocates with {:?}", self.desk.flags)?;
        self.desk.disk.show(out)
    }
}
