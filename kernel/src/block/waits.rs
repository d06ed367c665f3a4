//! Threads that wait for the end of one request each.

use blocks::{Completion, Done, Refused};
use kapi::BlockError;

use crate::sched::WaitQueue;
use crate::sync::SpinLock;

/// How many wait at once; further ones wait for a place first.
const PLACES: usize = 16;

#[derive(Clone, Copy)]
enum Place {
    Free,
    Waits,
    Ended(Result<(), BlockError>),
}

struct Waits {
    places: SpinLock<[Place; PLACES]>,
    changed: WaitQueue,
}

static WAITS: Waits = Waits { places: SpinLock::new([Place::Free; PLACES]), changed: WaitQueue::new() };

impl Completion for Waits {
    fn completed(&self, token: usize, result: Result<(), BlockError>) {
        self.places.with(|places| places[token] = Place::Ended(result));
        self.changed.wake_all();
    }
}

impl Waits {
    fn take(&self) -> Option<usize> {
        self.places.with(|places| {
            let place = places.iter().position(|place| matches!(place, Place::Free))?;
            places[place] = Place::Waits;
            Some(place)
        })
    }

    fn take_result(&self, place: usize) -> Option<Result<(), BlockError>> {
        self.places.with(|places| match places[place] {
            Place::Ended(result) => {
                places[place] = Place::Free;
                Some(result)
            }
            Place::Free | Place::Waits => None,
        })
    }

    /// Nothing was submitted.
    fn give(&self, place: usize) {
        self.places.with(|places| places[place] = Place::Free);
        self.changed.wake_all();
    }
}

/// Has `submit` submit something, and sleeps until that has ended. Process context; needs no memory.
pub(super) fn until_ended(submit: impl FnOnce(Done) -> Result<(), Refused>) -> Result<(), BlockError> {
    let mut place = None;
    let may_not = |_| BlockError::Io;
    WAITS
        .changed
        .wait_until(|| {
            place = WAITS.take();
            place.is_some()
        })
        .map_err(may_not)?;
    let token = place.ok_or(BlockError::Io)?;
    match submit(Done { completion: &WAITS, token }) {
        Ok(()) => {}
        Err(refused) => {
            WAITS.give(token);
            return Err(match refused {
                Refused::Busy => BlockError::Io,
                Refused::Failed(error) => error,
            });
        }
    }
    let mut result = None;
    WAITS
        .changed
        .wait_until(|| {
            result = WAITS.take_result(token);
            result.is_some()
        })
        .map_err(may_not)?;
    WAITS.changed.wake_all();
    result.unwrap_or(Err(BlockError::Io))
}
