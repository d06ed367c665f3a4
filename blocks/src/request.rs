//! A request: pieces of memory for sectors that follow one another.

use core::array;

use kapi::block::{MAX_SEGMENTS, Segment};
use kapi::{BlockOp, BlockRequest};

use crate::done::{Completion, Done};

/// Requests of a disk.
pub const SLOTS: usize = 64;

/// A request, or the place for one.
pub(crate) struct Request {
    op: BlockOp,
    sector: u64,
    sectors: u64,
    /// So many of the segments and tokens are there. A flush has tokens only.
    count: usize,
    segments: [Segment; MAX_SEGMENTS],
    tokens: [usize; MAX_SEGMENTS],
    completion: Option<&'static dyn Completion>,
    /// The one segment that is under way now, after the request failed as a whole.
    single: Option<usize>,
    /// Its place among all that were submitted.
    number: u64,
    /// When it was submitted, in milliseconds since boot.
    submitted: u64,
    /// When the driver got it.
    started: u64,
}

/// Whom to tell of an end.
pub(crate) struct Ended {
    completion: Option<&'static dyn Completion>,
    tokens: [usize; MAX_SEGMENTS],
    count: usize,
}

impl Ended {
    /// Nobody.
    pub(crate) const fn nobody() -> Self {
        Self { completion: None, tokens: [0; MAX_SEGMENTS], count: 0 }
    }

    /// Tells them.
    pub(crate) fn tell(&self, result: Result<(), kapi::BlockError>) {
        if let Some(completion) = self.completion {
            self.tokens[..self.count].iter().for_each(|&token| completion.completed(token, result));
        }
    }
}

/// What is submitted.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) op: BlockOp,
    pub(crate) sector: u64,
    /// None of a flush.
    pub(crate) segment: Option<Segment>,
    pub(crate) done: Done,
}

impl Piece {
    pub(crate) fn sectors(&self) -> u64 {
        self.segment.map_or(0, Segment::sectors)
    }
}

impl Request {
    /// A place for one.
    pub(crate) const fn vacant() -> Self {
        Self {
            op: BlockOp::Flush,
            sector: 0,
            sectors: 0,
            count: 0,
            segments: [Segment::NONE; MAX_SEGMENTS],
            tokens: [0; MAX_SEGMENTS],
            completion: None,
            single: None,
            number: 0,
            submitted: 0,
            started: 0,
        }
    }

    /// Becomes the request for `piece`.
    pub(crate) fn begin(&mut self, piece: &Piece, number: u64, now: u64) {
        (self.op, self.sector, self.sectors) = (piece.op, piece.sector, piece.sectors());
        (self.number, self.submitted, self.single) = (number, now, None);
        self.completion = Some(piece.done.completion);
        self.segments[0] = piece.segment.unwrap_or(Segment::NONE);
        self.tokens[0] = piece.done.token;
        self.count = 1;
    }

    pub(crate) const fn op(&self) -> BlockOp {
        self.op
    }

    pub(crate) const fn sector(&self) -> u64 {
        self.sector
    }

    /// The sector behind its last one.
    pub(crate) const fn end(&self) -> u64 {
        self.sector + self.sectors
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn submitted(&self) -> u64 {
        self.submitted
    }

    pub(crate) const fn started(&self) -> u64 {
        self.started
    }

    pub(crate) const fn start(&mut self, now: u64) {
        self.started = now;
    }

    /// Whether `more` further pieces of `completion`'s may travel along.
    fn has_room(&self, more: usize, completion: Option<&'static dyn Completion>) -> bool {
        let same = match (self.completion, completion) {
            (Some(mine), Some(other)) => core::ptr::addr_eq(mine, other),
            _ => false,
        };
        same && self.single.is_none() && self.count + more <= MAX_SEGMENTS
    }

    /// Takes `piece` along if its sectors follow, or if both are flushes.
    pub(crate) fn append(&mut self, piece: &Piece) -> bool {
        let fits = self.end() == piece.sector && self.has_room(1, Some(piece.done.completion));
        if fits {
            self.segments[self.count] = piece.segment.unwrap_or(Segment::NONE);
            self.tokens[self.count] = piece.done.token;
            self.count += 1;
            self.sectors += piece.sectors();
        }
        fits
    }

    /// Takes `piece` along if it ends where the request begins.
    pub(crate) fn prepend(&mut self, piece: &Piece) -> bool {
        let fits = piece.sector + piece.sectors() == self.sector && self.has_room(1, Some(piece.done.completion));
        if fits {
            self.segments.copy_within(..self.count, 1);
            self.tokens.copy_within(..self.count, 1);
            self.segments[0] = piece.segment.unwrap_or(Segment::NONE);
            self.tokens[0] = piece.done.token;
            self.count += 1;
            self.sector = piece.sector;
            self.sectors += piece.sectors();
        }
        fits
    }

    /// Takes all of `next` along if its sectors follow.
    pub(crate) fn absorb(&mut self, next: &Self) -> bool {
        let fits = self.end() == next.sector && next.single.is_none() && self.has_room(next.count, next.completion);
        if fits {
            let place = self.count..self.count + next.count;
            self.segments[place.clone()].copy_from_slice(&next.segments[..next.count]);
            self.tokens[place].copy_from_slice(&next.tokens[..next.count]);
            self.count += next.count;
            self.sectors += next.sectors;
            self.number = self.number.min(next.number);
            self.submitted = self.submitted.min(next.submitted);
        }
        fits
    }

    /// The request as the driver gets it now.
    pub(crate) fn for_driver(&self, tag: u16) -> BlockRequest<'_> {
        match (self.op, self.single) {
            (BlockOp::Flush, _) => BlockRequest { tag, op: self.op, sector: 0, segments: &[] },
            (op, Some(index)) => {
                let sector = self.sector_of(index);
                BlockRequest { tag, op, sector, segments: &self.segments[index..=index] }
            }
            (op, None) => BlockRequest { tag, op, sector: self.sector, segments: &self.segments[..self.count] },
        }
    }

    /// The first sector and how many that are under way.
    pub(crate) fn extent(&self) -> (u64, u64) {
        match self.single {
            Some(index) => (self.sector_of(index), self.segments[index].sectors()),
            None => (self.sector, self.sectors),
        }
    }

    fn sector_of(&self, index: usize) -> u64 {
        self.sector + self.segments[..index].iter().map(|segment| segment.sectors()).sum::<u64>()
    }

    /// Whether it goes on piece by piece after a failure as a whole; then its first piece is next.
    pub(crate) fn part(&mut self) -> bool {
        let parts = self.op != BlockOp::Flush && self.single.is_none() && self.count > 1;
        if parts {
            self.single = Some(0);
        }
        parts
    }

    /// Notes in `ended` those to tell of the end of what was under way.
    pub(crate) fn ended(&self, ended: &mut Ended) {
        let part = self.single.map_or(0..self.count, |index| index..index + 1);
        (ended.completion, ended.count) = (self.completion, part.len());
        ended.tokens[..ended.count].copy_from_slice(&self.tokens[part]);
    }

    /// Whether there is a further piece; then it is next.
    pub(crate) fn next_part(&mut self) -> bool {
        self.single = self.single.map(|index| index + 1).filter(|&index| index < self.count);
        self.single.is_some()
    }

    /// Every piece that has not ended is under way, or was: all end together.
    pub(crate) fn give_up_parts(&mut self) {
        if let Some(first) = self.single.take() {
            self.sector = self.sector_of(first);
            self.sectors = self.segments[first..self.count].iter().map(|segment| segment.sectors()).sum();
            self.segments.copy_within(first..self.count, 0);
            self.tokens.copy_within(first..self.count, 0);
            self.count -= first;
        }
    }
}

/// The places for requests, and which of them are free.
pub(crate) struct FreeSlots {
    stack: [u8; SLOTS],
    len: usize,
}

impl FreeSlots {
    pub(crate) fn all() -> Self {
        Self { stack: array::from_fn(|slot| slot as u8), len: SLOTS }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Takes one if `admits` says so.
    pub(crate) fn take_if(&mut self, admits: bool) -> Option<u8> {
        self.len = self.len.checked_sub(1).filter(|_| admits)?;
        Some(self.stack[self.len])
    }

    pub(crate) fn give(&mut self, slot: u8) {
        debug_assert!(!self.stack[..self.len].contains(&slot));
        self.stack[self.len] = slot;
        self.len += 1;
    }
}
