//! Times of programs: seconds with a fraction, checked.

use core::time::Duration;

use kapi::Errno;
use linux_raw_sys::general::{timespec, timeval};

use crate::{field, record};

/// Nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;
/// Microseconds of a second.
const MICROS: u64 = 1_000_000;

/// A `timespec` in memory.
pub type Timespec = [u8; size_of::<timespec>()];
/// A `timeval` in memory.
pub type Timeval = [u8; size_of::<timeval>()];

/// Seconds and nanoseconds, as they are.
pub fn parts(bytes: &Timespec) -> (i64, i64) {
    (field!(bytes, timespec, tv_sec), field!(bytes, timespec, tv_nsec))
}

/// A time span; `EINVAL` when it is negative, or the fraction is no fraction.
pub fn duration(bytes: &Timespec) -> Result<Duration, Errno> {
    let (seconds, nanos) = parts(bytes);
    from_parts(seconds, nanos, NANOS)
}

/// A time span in seconds and microseconds; `EINVAL` as [`duration`].
pub fn duration_in_micros(bytes: &Timeval) -> Result<Duration, Errno> {
    let (seconds, micros) = (field!(bytes, timeval, tv_sec), field!(bytes, timeval, tv_usec));
    from_parts(seconds, micros, MICROS)
}

fn from_parts(seconds: i64, fraction: i64, per_second: u64) -> Result<Duration, Errno> {
    match (u64::try_from(seconds), u64::try_from(fraction)) {
        (Ok(seconds), Ok(fraction)) if fraction < per_second => {
            Ok(Duration::new(seconds, (fraction * (NANOS / per_second)) as u32))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// A time span as a `timespec`.
pub fn timespec_of(time: Duration) -> Timespec {
    record!(timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() })
}

/// A time span as a `timeval`; what is less than a microsecond is dropped.
pub fn timeval_of(time: Duration) -> Timeval {
    record!(timeval { tv_sec: time.as_secs() as i64, tv_usec: time.subsec_micros().into() })
}

#[cfg(test)]
mod tests {
    use super::{Duration, Errno, duration, duration_in_micros, timespec_of, timeval_of};

    #[test]
    fn spans_go_there_and_back() {
        let span = Duration::new(5, 999_999_999);
        assert_eq!(duration(&timespec_of(span)), Ok(span));
        assert_eq!(duration_in_micros(&timeval_of(span)), Ok(Duration::new(5, 999_999_000)));
    }

    #[test]
    fn nonsense_is_refused() {
        let bytes = |seconds: i64, fraction: i64| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&seconds.to_le_bytes());
            bytes[8..].copy_from_slice(&fraction.to_le_bytes());
            bytes
        };
        for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MIN, i64::MIN)] {
            assert_eq!(duration(&bytes(seconds, nanos)), Err(Errno::EINVAL));
        }
        assert_eq!(duration_in_micros(&bytes(0, 1_000_000)), Err(Errno::EINVAL));
        assert!(duration(&bytes(i64::MAX, 0)).is_ok());
    }
}
