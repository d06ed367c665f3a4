//! Bytes that many hold together, charged before they are held.
//!
//! A [`Budget`] counts; the limit comes with each charge, since it may change while bytes are held. What is charged
//! should be what the memory costs (`footprint` in `mm::own`), not what was asked for.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A charge would go beyond the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OverLimit;

/// Bytes in use. Any context.
///
/// ```
/// use services::budget::{Budget, OverLimit};
///
/// static BUDGET: Budget = Budget::new();
/// let mut held = BUDGET.nothing();
/// let mut charge = BUDGET.charge(60, 100)?;
/// assert_eq!(charge.raise_to(101), Err(OverLimit));
/// charge.raise_to(90)?;
/// held.absorb(charge);
/// assert_eq!(BUDGET.used(), 90);
/// held.lower_to(50);
/// held.lower_to(60);
/// assert_eq!(BUDGET.used(), 50);
/// drop(held);
/// assert_eq!(BUDGET.used(), 0);
/// # Ok::<(), OverLimit>(())
/// ```
pub struct Budget(AtomicU64);

impl Budget {
    /// Nothing is in use.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// A charge of no bytes, to [`absorb`](Charge::absorb) others.
    pub const fn nothing(&self) -> Charge<'_> {
        Charge { budget: self, bytes: 0, limit: 0 }
    }

    /// Takes `bytes` until the charge is dropped, if no more than `limit` are in use then.
    pub fn charge(&self, bytes: u64, limit: u64) -> Result<Charge<'_>, OverLimit> {
        self.take(bytes, limit)?;
        Ok(Charge { budget: self, bytes, limit })
    }

    /// Takes `bytes` that no [`Charge`] holds, if no more than `limit` are in use then: whoever takes them counts them,
    /// and [gives](Self::give) them back.
    pub fn take(&self, bytes: u64, limit: u64) -> Result<(), OverLimit> {
        let grown = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        self.0.fetch_update(Relaxed, Relaxed, grown).map(|_| ()).map_err(|_| OverLimit)
    }

    /// Gives back `bytes` that were [taken](Self::take).
    pub fn give(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Relaxed);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that were taken from a budget; dropping it gives them back.
#[must_use]
pub struct Charge<'a> {
    budget: &'a Budget,
    bytes: u64,
    limit: u64,
}

impl Charge<'_> {
    /// Takes as much more as makes it `bytes`; the charge stays as it was where the limit refuses that, and where it
    /// is as large already.
    pub fn raise_to(&mut self, bytes: u64) -> Result<(), OverLimit> {
        let more = bytes.saturating_sub(self.bytes);
        self.budget.take(more, self.limit)?;
        self.bytes += more;
        Ok(())
    }

    /// Gives back all but `bytes` of it; the charge stays as it was where it has no more.
    pub fn lower_to(&mut self, bytes: u64) {
        let less = self.bytes.saturating_sub(bytes);
        self.budget.give(less);
        self.bytes -= less;
    }

    /// Holds the bytes of another charge of this budget as well.
    pub fn absorb(&mut self, mut other: Self) {
        self.bytes += core::mem::take(&mut other.bytes);
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, OverLimit};

    #[test]
    fn charges_end_at_the_limit_and_come_back() {
        // Shows: K8, D12
        let budget = Budget::new();
        let mut held = budget.nothing();
        held.absorb(budget.charge(60, 100).expect("fits"));
        assert_eq!(budget.charge(41, 100).err(), Some(OverLimit));
        drop(budget.charge(40, 100).expect("fits exactly"));
        assert_eq!(budget.used(), 60);
        drop(held);
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.charge(u64::MAX, u64::MAX).expect("no limit").raise_to(0), Ok(()));
    }

    #[test]
    fn no_sum_overflows() {
        let budget = Budget::new();
        let half = budget.charge(u64::MAX - 1, u64::MAX).expect("fits");
        assert_eq!(budget.charge(2, u64::MAX).err(), Some(OverLimit));
        drop(half);
        assert_eq!(budget.used(), 0);
    }
}
