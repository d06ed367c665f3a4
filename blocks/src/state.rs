//! What a disk's lock protects: its requests, and where each of them is.
//!
//! A slot is free, or waits in the elevator, or the driver has it under a tag. Key type: [`State`].

use alloc::sync::Arc;

use kapi::mm::own::KVec;
use kapi::mm::{AllocError, GfpFlags};
use kapi::{BlockDriver, BlockError, BlockOp, Kernel};

use crate::counts::Counts;
use crate::elevator::{Elevator, Merged};
use crate::gate::Gate;
use crate::reports::Reports;
use crate::request::{FreeSlots, Piece, Request, SLOTS};

/// Whether whoever submits has waited for its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// It comes for the first time.
    Newcomer,
    /// It waits at the gate.
    Waiter,
}

/// What became of a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// A request has it.
    Taken,
    /// All requests are taken.
    Full,
}

/// The requests of a disk.
pub(crate) struct State<K: Kernel> {
    pub(crate) driver: Option<Arc<dyn BlockDriver>>,
    /// Its sectors, and its tags as bits.
    sectors: u64,
    pub(crate) all_tags: u64,
    /// [`SLOTS`] of them.
    pub(crate) requests: KVec<Request, K>,
    pub(crate) free: FreeSlots,
    pub(crate) elevator: Elevator,
    /// The slot that a tag stands for.
    pub(crate) slot_of: [u8; SLOTS],
    /// Tags that no request has, as bits.
    pub(crate) free_tags: u64,
    /// Tags that the driver gives up at the moment.
    pub(crate) aborting: u64,
    reads: Gate,
    others: Gate,
    pub(crate) counts: Counts,
    pub(crate) reports: Reports,
    /// Runs that are open: nothing starts meanwhile.
    pub(crate) runs: usize,
    submitted: u64,
    /// The disk goes: nothing is taken any more, and what waits fails.
    pub(crate) is_going: bool,
}

impl<K: Kernel> State<K> {
    /// Of a disk whose driver is still to come.
    pub(crate) fn new() -> Result<Self, AllocError> {
        let mut requests = KVec::with_capacity(SLOTS, GfpFlags::KERNEL)?;
        (0..SLOTS).try_for_each(|_| requests.push(Request::vacant(), GfpFlags::KERNEL))?;
        Ok(Self {
            driver: None,
            sectors: 0,
            all_tags: 0,
            requests,
            free: FreeSlots::all(),
            elevator: Elevator::new(),
            slot_of: [0; SLOTS],
            free_tags: 0,
            aborting: 0,
            reads: Gate::for_reads(),
            others: Gate::for_writes(),
            counts: Counts::default(),
            reports: Reports::new(),
            runs: 0,
            submitted: 0,
            is_going: false,
        })
    }

    /// The driver comes, with so many sectors and tags.
    pub(crate) fn attach(&mut self, driver: Arc<dyn BlockDriver>, sectors: u64, depth: usize) {
        self.sectors = sectors;
        self.all_tags = u64::MAX >> (SLOTS - depth.clamp(1, SLOTS));
        self.free_tags = self.all_tags;
        self.driver = Some(driver);
    }

    /// Whether the driver has a request.
    pub(crate) const fn is_under_way(&self) -> bool {
        self.free_tags != self.all_tags
    }

    /// What is wrong with `piece`, if anything is.
    pub(crate) fn check(&self, piece: &Piece) -> Result<(), BlockError> {
        let driver = self.driver.as_ref().filter(|_| !self.is_going).ok_or(BlockError::Gone)?;
        if piece.sector.checked_add(piece.sectors()).is_none_or(|end| end > self.sectors) {
            return Err(BlockError::Beyond);
        }
        if piece.op == BlockOp::Write && driver.is_read_only() {
            return Err(BlockError::ReadOnly);
        }
        Ok(())
    }

    const fn gate(&mut self, op: BlockOp) -> &mut Gate {
        match op {
            BlockOp::Read => &mut self.reads,
            BlockOp::Write | BlockOp::Flush => &mut self.others,
        }
    }

    /// One more waits for a request, or one less.
    pub(crate) const fn join(&mut self, op: BlockOp) {
        self.gate(op).join();
    }

    /// See [`join`](Self::join).
    pub(crate) const fn leave(&mut self, op: BlockOp) {
        self.gate(op).leave();
    }

    /// Whether somebody waits for a request.
    pub(crate) const fn has_waiters(&self) -> bool {
        self.reads.has_waiters() || self.others.has_waiters()
    }

    /// Has a request take `piece`, which was checked.
    pub(crate) fn admit(&mut self, piece: &Piece, turn: Turn, now: u64) -> Admission {
        match self.elevator.merge(&mut self.requests, piece) {
            Merged::Yes(freed) => {
                self.counts.of(piece.op).merged += 1;
                if let Some(slot) = freed {
                    self.counts.of(piece.op).merged += 1;
                    self.give(slot, now);
                }
                return Admission::Taken;
            }
            Merged::No => {}
        }
        let free = self.free.len();
        let admits = match turn {
            Turn::Newcomer => self.gate(piece.op).admits_newcomer(free),
            Turn::Waiter => self.gate(piece.op).admits(free),
        };
        let Some(slot) = self.free.take_if(admits) else { return Admission::Full };
        self.requests[usize::from(slot)].begin(piece, self.submitted, now);
        self.submitted += 1;
        self.elevator.add(&self.requests, slot);
        self.counts.begin(now);
        Admission::Taken
    }

    /// A slot is free again. Whether those that wait should look, says the next call of
    /// [`should_wake`](Self::should_wake).
    pub(crate) fn give(&mut self, slot: u8, now: u64) {
        self.free.give(slot);
        self.counts.end(now);
    }

    /// Whether those that wait for a request should look.
    pub(crate) const fn should_wake(&mut self) -> bool {
        let free = self.free.len();
        let (reads, others) = (self.reads.freed(free), self.others.freed(free));
        reads || others
    }

    /// Whether each slot is in one place: tests.
    pub(crate) fn validate(&self) -> bool {
        let started = (self.all_tags & !self.free_tags & !self.aborting).count_ones() as usize;
        let all = self.free.len() + self.elevator.len() + started;
        let is_complete = self.aborting != 0 || all == SLOTS;
        is_complete && self.elevator.validate(&self.requests)
    }
}
