//! Requests that have ended leave.
//!
//! A request of several pieces that the disk could not do as a whole goes to the driver once more, piece by piece: one
//! bad sector costs the page around it, and no other.

use kapi::{BlockError, Kernel};

use crate::reports::Report;
use crate::request::Ended;
use crate::state::State;
use crate::tags::Tags;

/// What is to be told, without the lock, of a request or a piece of one.
pub(crate) struct Ending {
    pub(crate) ended: Ended,
    pub(crate) result: Result<(), BlockError>,
    pub(crate) report: Option<Report>,
}

/// Whether something has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Took {
    /// The ending says what.
    One,
    /// Nothing has.
    Nothing,
}

impl Ending {
    /// Room for one.
    pub(crate) const fn nothing() -> Self {
        Self { ended: Ended::nobody(), result: Ok(()), report: None }
    }
}

impl<K: Kernel> State<K> {
    /// Takes out one that has ended, into `ending`.
    pub(crate) fn take_ended(&mut self, tags: &Tags, now: u64, ending: &mut Ending) -> Took {
        while let Some((tag, result)) = tags.take() {
            let bit = 1 << tag;
            if self.aborting & bit == 0 {
                self.free_tags |= bit;
            }
            if self.end(self.slot_of[tag], result, now, ending) == Took::One {
                return Took::One;
            }
        }
        if !self.is_going {
            return Took::Nothing;
        }
        match self.elevator.take(&self.requests) {
            Some(slot) => self.end(slot, Err(BlockError::Gone), now, ending),
            None => Took::Nothing,
        }
    }

    /// The request in `slot` has ended, or a piece of it. There may be nothing to tell yet.
    fn end(&mut self, slot: u8, result: Result<(), BlockError>, now: u64, ending: &mut Ending) -> Took {
        let request = &mut self.requests[usize::from(slot)];
        match result {
            Ok(()) => {}
            Err(BlockError::Io) if request.part() => {
                self.elevator.add_again(slot);
                return Took::Nothing;
            }
            Err(BlockError::Io) => {}
            Err(_) => request.give_up_parts(),
        }
        request.ended(&mut ending.ended);
        let (op, extent) = (request.op(), request.extent());
        let goes_on = request.next_part();
        let submitted = request.submitted();
        ending.result = result;
        ending.report = result.err().and_then(|error| self.reports.failed(op, extent, error, now));
        let counts = self.counts.of(op);
        match result {
            Ok(()) => counts.sectors += extent.1,
            Err(_) => counts.failed += 1,
        }
        if goes_on {
            self.elevator.add_again(slot);
        } else {
            counts.ended += 1;
            counts.millis += now.saturating_sub(submitted);
            self.give(slot, now);
        }
        Took::One
    }
}
