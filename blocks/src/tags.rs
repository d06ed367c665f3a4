//! Requests that the driver has: which of them it says have ended.
//!
//! No lock: a driver says so in an interrupt, or within the call that starts the request, where the queue's lock is
//! held. Each tag goes from idle to started to ended and back; whoever takes it from started to ended, the driver or
//! the limit in time, has ended the request.

use core::array;

use kapi::BlockError;

use crate::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};
use crate::request::SLOTS;

const IDLE: u8 = 0;
const STARTED: u8 = 1;
/// Ended, and this plus the number of the error.
const ENDED: u8 = 2;

/// The errors in the order of their numbers; 0 is none.
const ERRORS: [BlockError; 6] = [
    BlockError::Io,
    BlockError::Beyond,
    BlockError::ReadOnly,
    BlockError::Timeout,
    BlockError::Gone,
    BlockError::NoMemory,
];

const fn code(result: Result<(), BlockError>) -> u8 {
    let number = match result {
        Ok(()) => 0,
        Err(BlockError::Io) => 1,
        Err(BlockError::Beyond) => 2,
        Err(BlockError::ReadOnly) => 3,
        Err(BlockError::Timeout) => 4,
        Err(BlockError::Gone) => 5,
        Err(BlockError::NoMemory) => 6,
    };
    ENDED + number
}

fn result_of(code: u8) -> Result<(), BlockError> {
    match code.saturating_sub(ENDED) {
        0 => Ok(()),
        number => Err(ERRORS[usize::from(number) - 1]),
    }
}

/// What a driver has said of its requests.
pub(crate) struct Tags {
    states: [AtomicU8; SLOTS],
    /// A bit for each that has ended and was not taken yet.
    ended: AtomicU64,
    /// Somebody starts requests, and looks what has ended afterwards.
    is_starting: AtomicBool,
}

/// Who hears of an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hears {
    /// Whoever starts requests at the moment.
    Starter,
    /// Nobody yet: somebody has to be told.
    Nobody,
}

impl Tags {
    pub(crate) fn new() -> Self {
        Self {
            states: array::from_fn(|_| AtomicU8::new(IDLE)),
            ended: AtomicU64::new(0),
            is_starting: AtomicBool::new(false),
        }
    }

    /// From here to [`leave`](Self::leave) what ends is heard of by the caller.
    pub(crate) fn enter(&self) {
        self.is_starting.store(true, SeqCst);
    }

    pub(crate) fn leave(&self) {
        self.is_starting.store(false, SeqCst);
    }

    /// The request with this tag is about to start.
    pub(crate) fn begin(&self, tag: usize) {
        self.states[tag].store(STARTED, SeqCst);
    }

    /// It did not, unless it has ended already, which this says.
    pub(crate) fn take_back(&self, tag: usize) -> bool {
        self.states[tag].compare_exchange(STARTED, IDLE, SeqCst, SeqCst).is_ok()
    }

    /// It has ended; `None` if it had not started.
    pub(crate) fn end(&self, tag: usize, result: Result<(), BlockError>) -> Option<Hears> {
        let state = self.states.get(tag)?;
        state.compare_exchange(STARTED, code(result), SeqCst, SeqCst).ok()?;
        self.ended.fetch_or(1 << tag, SeqCst);
        Some(if self.is_starting.load(SeqCst) { Hears::Starter } else { Hears::Nobody })
    }

    /// Takes one that has ended. Under the queue's lock.
    pub(crate) fn take(&self) -> Option<(usize, Result<(), BlockError>)> {
        let ended = self.ended.load(SeqCst);
        if ended == 0 {
            return None;
        }
        let tag = ended.trailing_zeros() as usize;
        self.ended.fetch_and(!(1 << tag), SeqCst);
        Some((tag, result_of(self.states[tag].swap(IDLE, SeqCst))))
    }

    /// Whether there is one to take.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(SeqCst) != 0
    }

    /// Whether the one with this tag has ended and was not taken. Under the queue's lock.
    pub(crate) fn is_ended(&self, tag: usize) -> bool {
        self.ended.load(SeqCst) >> tag & 1 != 0
    }

    /// Whether the driver has the request with this tag, and has not said that it ended.
    pub(crate) fn is_started(&self, tag: usize) -> bool {
        self.states[tag].load(SeqCst) == STARTED
    }
}

#[cfg(test)]
mod tests {
    use kapi::BlockError;

    use super::{ERRORS, Hears, Tags, code, result_of};

    #[test]
    fn each_result_comes_back() {
        assert!(ERRORS.into_iter().all(|error| result_of(code(Err(error))) == Err(error)));
        assert_eq!(result_of(code(Ok(()))), Ok(()));
    }

    #[test]
    fn a_request_ends_once() {
        let tags = Tags::new();
        assert_eq!(tags.end(3, Ok(())), None, "it has not started");
        assert_eq!(tags.end(64, Ok(())), None, "there is no such tag");
        tags.begin(3);
        assert_eq!(tags.end(3, Err(BlockError::Io)), Some(Hears::Nobody));
        assert_eq!(tags.end(3, Ok(())), None);
        assert_eq!((tags.take(), tags.take()), (Some((3, Err(BlockError::Io))), None));
        tags.enter();
        tags.begin(3);
        assert_eq!(tags.end(3, Ok(())), Some(Hears::Starter));
        assert!(!tags.take_back(3) && tags.has_ended());
        tags.leave();
    }
}
