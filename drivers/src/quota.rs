//! The byte limit that all scull devices share.
//!
//! Without one, a single writer takes all the memory of the machine (the chapter says so itself). Quanta count with
//! their full size from the moment they are allocated; a write that would go beyond the limit gets `ENOSPC`.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kapi::Errno;

/// Bytes of data that the devices of all drivers hold together, and how many they may hold. Any context.
pub struct Quota {
    used: AtomicU64,
    limit: AtomicU64,
}

/// The limit of a quota before it is set.
const UNSET: u64 = u64::MAX;

impl Quota {
    /// A quota of which nothing is used and whose limit is not set.
    pub const fn new() -> Self {
        Self { used: AtomicU64::new(0), limit: AtomicU64::new(UNSET) }
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// The limit in bytes; 0 means none.
    pub fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    /// Sets the limit to `bytes`; 0 means none. What is in use stays.
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Relaxed);
    }

    /// Sets the limit to `bytes` unless it was set before.
    pub fn set_default_limit(&self, bytes: u64) {
        // Losing the race means that somebody else has set it: right either way.
        let _ = self.limit.compare_exchange(UNSET, bytes, Relaxed, Relaxed);
    }

    /// Takes `bytes` until the returned charge is dropped or kept; `ENOSPC` when that goes beyond the limit.
    pub(crate) fn charge(&self, bytes: u64) -> Result<Charge<'_>, Errno> {
        let limit = match self.limit() {
            0 => UNSET,
            limit => limit,
        };
        let grown = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        match self.used.fetch_update(Relaxed, Relaxed, grown) {
            Ok(_) => Ok(Charge { quota: self, bytes }),
            Err(_) => Err(Errno::ENOSPC),
        }
    }

    /// Gives back `bytes` that were charged and kept.
    pub(crate) fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that were taken from a quota; dropping it gives them back.
#[must_use]
pub(crate) struct Charge<'a> {
    quota: &'a Quota,
    bytes: u64,
}

impl Charge<'_> {
    /// Leaves the bytes in use, until [`Quota::release`].
    pub(crate) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.quota.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::Quota;
    use kapi::Errno;

    #[test]
    fn charges_end_at_the_limit_and_come_back() {
        // Shows: K8, D12
        let quota = Quota::new();
        quota.set_default_limit(100);
        quota.set_default_limit(1);
        quota.charge(60).expect("fits").keep();
        assert!(matches!(quota.charge(41), Err(Errno::ENOSPC)));
        drop(quota.charge(40).expect("fits exactly"));
        assert_eq!(quota.used(), 60);
        quota.release(60);
        assert_eq!(quota.used(), 0);
    }

    #[test]
    fn limit_zero_means_none() {
        // Shows: K8
        let quota = Quota::new();
        quota.set_limit(0);
        quota.charge(u64::MAX / 2).expect("no limit").keep();
    }
}
