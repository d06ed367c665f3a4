//! How busy a machine was of late: averages that forget, in fixed point.
//!
//! Every five seconds each average moves towards the number of threads that want to run then, the faster the shorter
//! its time. (Linux: `calc_load`; the values are those of e^(-5 s / time).)

use core::fmt;

/// Seconds between two samples.
pub const INTERVAL_SECONDS: u64 = 5;

const SHIFT: u32 = 11;
const ONE: u64 = 1 << SHIFT;
/// What is kept of an average at each sample, in 2048ths: e^(-5/60), e^(-5/300), e^(-5/900).
const KEPT: [u64; 3] = [1884, 2014, 2037];

/// An average, for people: two digits behind the point.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Average(u64);

/// Averages over 1, 5 and 15 minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadAverages([Average; 3]);

impl LoadAverages {
    /// Nothing has run yet.
    pub const fn new() -> Self {
        Self([Average(0); 3])
    }

    /// Takes a sample: so many want to run now.
    pub fn sample(&mut self, running: usize) {
        let now = running as u64 * ONE;
        for (average, kept) in self.0.iter_mut().zip(KEPT) {
            average.0 = (average.0 * kept + now * (ONE - kept)) >> SHIFT;
        }
    }

    /// The averages, the shortest time first.
    pub const fn get(&self) -> [Average; 3] {
        self.0
    }
}

impl Average {
    /// In 65,536ths, as `sysinfo` tells it.
    pub const fn in_65536ths(self) -> u64 {
        self.0 << (16 - SHIFT)
    }
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded to a hundredth.
        let hundredths = (self.0 * 100 + ONE / 2) >> SHIFT;
        write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Average, INTERVAL_SECONDS, LoadAverages};
    use std::string::ToString;

    #[test]
    fn a_busy_minute_shows_first_in_the_short_average() {
        let mut load = LoadAverages::new();
        for _ in 0..60 / INTERVAL_SECONDS {
            load.sample(1);
        }
        // 1 - 1/e, 1 - e^(-1/5), 1 - e^(-1/15), but for the rounding of a few samples.
        assert_eq!(load.get().map(|average| average.to_string()), ["0.63", "0.18", "0.06"]);
    }

    #[test]
    fn an_average_comes_close_to_what_it_is_of_and_back_to_nothing() {
        let mut load = LoadAverages::new();
        (0..2000).for_each(|_| load.sample(3));
        assert!(load.get().iter().all(|average| (2.9..=3.0).contains(&(average.in_65536ths() as f64 / 65536.0))));
        (0..2000).for_each(|_| load.sample(0));
        assert_eq!(load.get(), [Average(0); 3]);
    }
}
