//! When memory is out, and not only short: the conditions of 2.4.
//!
//! Key types: [`Shortage`]. Where there is swap, a request that finds no memory may have come at a bad moment. So a
//! process is ended only if requests were in vain for a second, without a pause of five, and at most each five seconds.

/// What is to be done about a request for which there is no memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// It tries again: memory may come back.
    Wait,
    /// A process is ended.
    Kill,
}

/// What is remembered of requests that found no memory. Times are in ticks of any clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shortage {
    second: u64,
    /// The first one without a long pause since, and the last one.
    in_vain: Option<(u64, u64)>,
    killed: Option<u64>,
}

impl Shortage {
    /// Seconds without a request in vain after which the shortage is over, and between the ends of two processes.
    const PAUSE: u64 = 5;

    /// Nothing was in vain yet; `second` has so many ticks.
    pub const fn new(second: u64) -> Self {
        Self { second, in_vain: None, killed: None }
    }

    /// A request was in vain, at `now`, after ten attempts or more. If a process is to be ended, that is taken to
    /// happen.
    pub fn failed(&mut self, now: u64) -> Remedy {
        let pause = Self::PAUSE * self.second;
        let first = self.in_vain.filter(|(_, last)| now.saturating_sub(*last) <= pause).map_or(now, |(first, _)| first);
        self.in_vain = Some((first, now));
        let is_early = now - first < self.second;
        if is_early || self.killed.is_some_and(|killed| now.saturating_sub(killed) < pause) {
            return Remedy::Wait;
        }
        self.killed = Some(now);
        Remedy::Kill
    }
}

/// When pages were seen to have been written that memory comes back by. Times are in ticks of any clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    written: u64,
    at: u64,
}

impl Progress {
    /// Nothing was written yet.
    pub const NONE: Self = Self { written: 0, at: 0 };

    /// How long it is at `now` that pages were written, by what its callers have seen: `written` so far.
    pub const fn pause(&mut self, written: u64, now: u64) -> u64 {
        if self.written != written {
            *self = Self { written, at: now };
        }
        now.saturating_sub(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::Remedy::{Kill, Wait};
    use super::{Progress, Shortage};

    #[test]
    fn a_pause_begins_with_the_last_page_that_was_written() {
        let mut progress = Progress::NONE;
        let pauses =
            [(5, 100), (5, 130), (6, 150), (6, 150), (6, 270)].map(|(written, now)| progress.pause(written, now));
        assert_eq!(pauses, [0, 30, 0, 0, 120]);
    }

    fn remedies<const N: usize>(times: [u64; N]) -> [super::Remedy; N] {
        let mut shortage = Shortage::new(100);
        times.map(|now| shortage.failed(now))
    }

    #[test]
    fn a_process_is_ended_after_a_second_in_vain() {
        assert_eq!(remedies([1000, 1034, 1068, 1099, 1100]), [Wait, Wait, Wait, Wait, Kill]);
    }

    #[test]
    fn a_pause_of_more_than_five_seconds_ends_the_shortage() {
        assert_eq!(remedies([0, 500, 1001, 1050, 1101]), [Wait, Kill, Wait, Wait, Kill]);
    }

    #[test]
    fn five_seconds_lie_between_two_ends() {
        assert_eq!(
            remedies([0, 100, 150, 400, 599, 600, 1099, 1100]),
            [Wait, Kill, Wait, Wait, Wait, Kill, Wait, Kill]
        );
    }
}
