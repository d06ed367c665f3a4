//! What a disk's lock protects.
//!
//! Its medium, the requests that it works at, what goes wrong.

use core::fmt;
use core::time::Duration;

use kapi::block::{MAX_SEGMENTS, SECTOR_SIZE, Segment};
use kapi::mm::own::KVec;
use kapi::mm::{AllocError, GfpFlags};
use kapi::{BlockError, BlockOp, BlockRequest, Errno, Hardware};

use super::faults::{Faults, What};
use super::medium::Medium;
use super::orders::Order;
use super::recent::Recent;
use super::undo::Undo;

/// What will become of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Done,
    Fails(BlockError),
    /// It fails, with the first half of its sectors moved.
    Short,
}

/// A request that the disk works at.
struct Pending {
    tag: u16,
    op: BlockOp,
    sector: u64,
    segments: [Segment; MAX_SEGMENTS],
    count: usize,
    fate: Fate,
    /// When it ends; `None`: never.
    due: Option<Duration>,
}

/// What became of a request that was to be started.
pub(super) enum Started {
    /// It ends later: if it is the first that does, at this time.
    At(Option<Duration>),
    /// It has ended.
    Ended(Result<(), BlockError>),
    /// It was not taken.
    Busy,
}

/// A disk's inside.
pub(super) struct State<K: Hardware> {
    medium: Medium<K>,
    undo: Undo<K>,
    pending: KVec<Pending, K>,
    depth: usize,
    faults: Faults,
    recent: Recent,
    /// How long answers take.
    latency: Duration,
    is_gone: bool,
}

/// Ticks are this long.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// So many ticks.
fn ticks(count: u64) -> Duration {
    TICK.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

impl<K: Hardware> State<K> {
    pub(super) fn new(medium: Medium<K>, depth: usize, latency: u64, cache: usize) -> Result<Self, AllocError> {
        Ok(Self {
            medium,
            undo: Undo::new(cache)?,
            pending: KVec::with_capacity(depth, GfpFlags::KERNEL)?,
            depth,
            faults: Faults::none(),
            recent: Recent::new(),
            latency: ticks(latency),
            is_gone: false,
        })
    }

    /// Starts a request, which has passed the queue.
    pub(super) fn start(&mut self, request: BlockRequest<'_>, now: Duration) -> Started {
        let sectors = request.sectors();
        let touched = (sectors > 0).then(|| request.sector..=request.sector + sectors - 1);
        let fate = match self.faults.next(touched) {
            Some(What::Busy) => return Started::Busy,
            _ if self.pending.len() == self.depth => return Started::Busy,
            Some(What::Hang) => return self.keep(request, Fate::Done, None),
            Some(What::Fail) => Fate::Fails(BlockError::Io),
            Some(What::Short) => Fate::Short,
            None if self.is_gone => Fate::Fails(BlockError::Gone),
            None => Fate::Done,
        };
        if self.latency.is_zero() {
            let BlockRequest { op, sector, segments, .. } = request;
            return Started::Ended(self.finish(op, sector, segments, fate));
        }
        self.keep(request, fate, Some(now + self.latency))
    }

    /// Keeps a request until its time has come.
    fn keep(&mut self, request: BlockRequest<'_>, fate: Fate, due: Option<Duration>) -> Started {
        let BlockRequest { tag, op, sector, segments: given } = request;
        let mut segments = [Segment::NONE; MAX_SEGMENTS];
        let count = given.len().min(MAX_SEGMENTS);
        segments[..count].copy_from_slice(&given[..count]);
        let is_first = due < self.next_due().or(Some(Duration::MAX));
        let pending = Pending { tag, op, sector, segments, count, fate, due };
        // There is room: memory for `depth` of them was taken when the disk came.
        match self.pending.push(pending, GfpFlags::ATOMIC) {
            Ok(()) => Started::At(due.filter(|_| is_first)),
            Err(AllocError) => Started::Busy,
        }
    }

    /// Ends the request whose time came first, if the time of one has come.
    pub(super) fn end_one(&mut self, now: Duration) -> Option<(u16, Result<(), BlockError>)> {
        let due = self.pending.iter().enumerate().filter_map(|(at, pending)| Some((pending.due?, at)));
        let (_, at) = due.min().filter(|&(due, _)| due <= now)?;
        let Pending { tag, op, sector, segments, count, fate, .. } = self.pending.remove(at)?;
        Some((tag, self.finish(op, sector, &segments[..count], fate)))
    }

    /// When the next request ends, if one does.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.pending.iter().filter_map(|pending| pending.due).min()
    }

    /// Forgets the request with this tag.
    pub(super) fn forget(&mut self, tag: u16) {
        self.pending.retain(|pending| pending.tag != tag);
    }

    /// Does what a request asks for, as its fate allows.
    fn finish(&mut self, op: BlockOp, sector: u64, segments: &[Segment], fate: Fate) -> Result<(), BlockError> {
        let sectors = segments.iter().map(|segment| segment.sectors()).sum();
        let result = match fate {
            Fate::Done => self.move_sectors(op, sector, segments, sectors),
            Fate::Short => self.move_sectors(op, sector, segments, sectors / 2).and(Err(BlockError::Io)),
            Fate::Fails(error) => Err(error),
        };
        self.recent.add(op, (sector, sectors), result);
        result
    }

    /// Moves the first `sectors` of a request's.
    fn move_sectors(
        &mut self,
        op: BlockOp,
        mut sector: u64,
        segments: &[Segment],
        sectors: u64,
    ) -> Result<(), BlockError> {
        let end = sector + sectors;
        for &whole in segments {
            let bytes = whole.bytes().min((end - sector) as usize * SECTOR_SIZE);
            let Some(segment) = Segment::new(whole.frame(), whole.offset(), bytes) else { break };
            let moved = match op {
                BlockOp::Read => self.medium.read(sector, segment),
                BlockOp::Write => {
                    self.undo.note(&self.medium, sector..sector + segment.sectors()).map_err(|_| BlockError::Io)?;
                    self.medium.write(sector, segment)
                }
                BlockOp::Flush => Some(()),
            };
            moved.ok_or(BlockError::Io)?;
            sector += segment.sectors();
        }
        if op == BlockOp::Flush {
            self.undo.flush();
        }
        Ok(())
    }

    /// Obeys an order. `ENOSPC` when too many faults are planned. Requests may have come due.
    pub(super) fn obey(&mut self, order: Order) -> Result<(), Errno> {
        match order {
            Order::Plan(fault) => return if self.faults.add(fault) { Ok(()) } else { Err(Errno::ENOSPC) },
            Order::Clear => (self.faults, self.is_gone) = (Faults::none(), false),
            Order::Latency(count) => self.latency = ticks(count),
            Order::Cut(keep) => {
                self.fail_all(BlockError::Io);
                return self.undo.cut(&mut self.medium, keep);
            }
            Order::Gone => {
                self.is_gone = true;
                self.fail_all(BlockError::Gone);
            }
            // The driver's to keep.
            Order::ReadOnly(_) => {}
        }
        Ok(())
    }

    /// All that the disk works at fails at once.
    fn fail_all(&mut self, error: BlockError) {
        for pending in self.pending.iter_mut() {
            (pending.fate, pending.due) = (Fate::Fails(error), Some(Duration::ZERO));
        }
    }

    /// Sectors that a loss of power would undo.
    pub(super) fn unflushed(&self) -> usize {
        self.undo.len()
    }

    /// The content of a sector. `EINVAL` when there is none.
    pub(super) fn peek(&self, sector: u64, to: &mut [u8; SECTOR_SIZE]) -> Result<(), Errno> {
        self.medium.peek(sector, to)
    }

    /// What there is to say.
    pub(super) fn picture(&self) -> Picture {
        Picture {
            latency: self.latency,
            at_work: self.pending.len(),
            unflushed: self.undo.is_there().then_some(self.undo.len()),
            is_gone: self.is_gone,
            faults: self.faults.clone(),
            recent: self.recent.clone(),
        }
    }
}

/// A disk's inside, to be shown without its lock.
pub(super) struct Picture {
    latency: Duration,
    at_work: usize,
    unflushed: Option<usize>,
    is_gone: bool,
    faults: Faults,
    recent: Recent,
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latency = self.latency.as_millis() / TICK.as_millis();
        write!(f, "  latency: {latency} ticks; at work: {} requests", self.at_work)?;
        if let Some(unflushed) = self.unflushed {
            write!(f, "; not flushed: {unflushed} sectors")?;
        }
        writeln!(f, "{}", if self.is_gone { "; gone" } else { "" })?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "  planned: {fault}"))?;
        write!(f, "{}", self.recent)
    }
}
