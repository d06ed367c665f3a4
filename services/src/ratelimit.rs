//! How often something may be reported: a burst, and then how many there were.
//!
//! A caller that fails in a loop, or in each of a hundred interrupts a second, would else do nothing but print.
//! (printk's ratelimit.)

/// A limit of so many lines in so many ticks, of whatever clock its user has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    burst: u32,
    interval: u64,
    /// When the stretch began that is running.
    start: u64,
    /// Lines in this stretch.
    admitted: u32,
    /// Lines that were left out and not yet told of.
    missed: u64,
}

/// What to do about one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// Print it.
    Print,
    /// Leave it out; it is the first that is left out, and at this tick the stretch ends: tell of it then.
    First(u64),
    /// Leave it out; it is told of at the tick that [`First`](Self::First) gave.
    Leave,
}

impl RateLimit {
    /// Up to `burst` lines in each `interval` ticks.
    pub const fn new(burst: u32, interval: u64) -> Self {
        Self { burst, interval, start: 0, admitted: 0, missed: 0 }
    }

    /// Whether a line may be printed now, at the tick `now`.
    pub const fn admit(&mut self, now: u64) -> Admission {
        if self.admitted == 0 || now.saturating_sub(self.start) >= self.interval {
            self.start = now;
            self.admitted = 0;
        }
        if self.admitted < self.burst {
            self.admitted += 1;
            return Admission::Print;
        }
        self.missed += 1;
        if self.missed == 1 { Admission::First(self.start.saturating_add(self.interval)) } else { Admission::Leave }
    }

    /// How many lines were left out since this was asked last.
    pub const fn take_missed(&mut self) -> u64 {
        core::mem::replace(&mut self.missed, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, RateLimit};

    #[test]
    fn a_burst_is_printed_and_the_rest_counted() {
        let mut limit = RateLimit::new(3, 100);
        assert_eq!([10, 11, 12].map(|now| limit.admit(now)), [Admission::Print; 3]);
        assert_eq!(limit.take_missed(), 0);
        assert_eq!(
            [limit.admit(12), limit.admit(50), limit.admit(99)],
            [Admission::First(110), Admission::Leave, Admission::Leave]
        );
        assert_eq!((limit.take_missed(), limit.take_missed()), (3, 0));
        // Told of once, the next one is a first again.
        assert_eq!(limit.admit(109), Admission::First(110));
        assert_eq!(limit.take_missed(), 1);
        assert_eq!([110, 111, 200].map(|now| limit.admit(now)), [Admission::Print; 3]);
        assert_eq!(limit.admit(209), Admission::First(210));
    }

    #[test]
    fn lines_that_come_slowly_are_all_printed() {
        let mut limit = RateLimit::new(2, 10);
        assert!((0..1000).step_by(5).all(|now| limit.admit(now) == Admission::Print));
        assert_eq!(limit.take_missed(), 0);
    }

    #[test]
    fn no_clock_confuses_it() {
        let mut limit = RateLimit::new(1, u64::MAX);
        assert_eq!(
            [limit.admit(u64::MAX), limit.admit(0), limit.admit(u64::MAX)][1..],
            [Admission::First(u64::MAX), Admission::Leave]
        );
    }
}
