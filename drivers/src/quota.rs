//! The byte limit that all scull devices share.
//!
//! Without one, a single writer takes all the memory of the machine (the chapter says so itself). What a device holds
//! counts with what it costs, quanta, their arrays and items; a write that would go beyond the limit gets `ENOSPC`.
//!
//! A limit that an insmod line names belongs to that load of the driver. Of several the smallest holds; while no driver
//! has named one, the default does.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kapi::Errno;
use kapi::services::budget::{Budget, Charge};

/// Bytes that the devices of all drivers hold together, and how many they may hold. Any context.
pub struct Quota {
    budget: Budget,
    default: AtomicU64,
    named: [AtomicU64; LOADS],
}

/// The memory that all scull devices of the machine hold together.
pub static QUOTA: Quota = Quota::new();

/// Drivers that may have named a limit at a time.
const LOADS: usize = 8;
/// A place of [`Quota::named`] that no driver has, and the default before it is set.
const NONE: u64 = u64::MAX;
/// The limit that lets everything through.
const UNLIMITED: u64 = u64::MAX - 1;

impl Quota {
    /// A quota of which nothing is used and whose limit is not set.
    pub const fn new() -> Self {
        Self { budget: Budget::new(), default: AtomicU64::new(NONE), named: [const { AtomicU64::new(NONE) }; LOADS] }
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.budget.used()
    }

    /// The limit in bytes; 0 means none.
    pub fn limit(&self) -> u64 {
        match self.in_force() {
            UNLIMITED.. => 0,
            limit => limit,
        }
    }

    fn in_force(&self) -> u64 {
        let named = self.named.iter().map(|limit| limit.load(Relaxed)).min();
        named.filter(|&limit| limit != NONE).unwrap_or_else(|| self.default.load(Relaxed))
    }

    /// Sets the limit that holds where no driver names one, unless it was set before.
    pub fn set_default_limit(&self, bytes: u64) {
        // Losing the race means that somebody else has set it: right either way.
        let _ = self.default.compare_exchange(NONE, bytes, Relaxed, Relaxed);
    }

    /// Has a limit of `bytes` hold, 0 for none, until what is returned is dropped. What is in use stays. `EBUSY` when
    /// too many drivers have named one.
    pub fn name_limit(&'static self, bytes: u64) -> Result<NamedLimit, Errno> {
        let bytes = if bytes == 0 { UNLIMITED } else { bytes.min(UNLIMITED) };
        let take = |place: &&AtomicU64| place.compare_exchange(NONE, bytes, Relaxed, Relaxed).is_ok();
        self.named.iter().find(take).map(NamedLimit).ok_or(Errno::EBUSY)
    }

    /// A charge of no bytes.
    pub(crate) const fn nothing(&self) -> Charge<'_> {
        self.budget.nothing()
    }

    /// Takes `bytes` until the charge is dropped; `ENOSPC` when that goes beyond the limit.
    pub(crate) fn charge(&self, bytes: u64) -> Result<Charge<'_>, Errno> {
        Ok(self.budget.charge(bytes, self.in_force())?)
    }
}

/// The text of /proc/scull_limit.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit() {
            0 => writeln!(f, "limit: none")?,
            limit => writeln!(f, "limit: {limit} bytes")?,
        }
        writeln!(f, "used:  {} bytes", self.used())
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self::new()
    }
}

/// A limit that holds as long as this lives.
pub struct NamedLimit(&'static AtomicU64);

impl Drop for NamedLimit {
    fn drop(&mut self) {
        self.0.store(NONE, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{LOADS, Quota};
    use kapi::Errno;

    static QUOTA: Quota = Quota::new();

    #[test]
    fn a_named_limit_holds_as_long_as_it_lives() {
        // Shows: K8
        QUOTA.set_default_limit(100);
        QUOTA.set_default_limit(1);
        assert_eq!((QUOTA.limit(), QUOTA.charge(101).err()), (100, Some(Errno::ENOSPC)));
        let none = QUOTA.name_limit(0).expect("a place");
        assert_eq!(QUOTA.limit(), 0, "no limit");
        drop(QUOTA.charge(u64::MAX / 2).expect("no limit"));
        let (large, small) = (QUOTA.name_limit(500).expect("a place"), QUOTA.name_limit(200).expect("a place"));
        assert_eq!(QUOTA.limit(), 200, "the smallest");
        drop(small);
        assert_eq!(QUOTA.limit(), 500);
        drop((large, none));
        assert_eq!(QUOTA.limit(), 100);
        let all = [(); LOADS].map(|()| QUOTA.name_limit(u64::MAX).expect("a place"));
        assert_eq!((QUOTA.limit(), QUOTA.name_limit(1).err()), (0, Some(Errno::EBUSY)));
        drop(all);
        assert_eq!(QUOTA.limit(), 100);
    }
}
