//! The range pool: free ranges that any CPU may take.
//!
//! Key types: [`RangePool`]. A CPU leaves the ranges here that it has no room for, and a CPU without a range of a size
//! looks here before it goes to the tree. So a range that one CPU frees and another takes stays in the tree.
//!
//! Invariants (checked by [`RangePool::validate`]): every area here is `Free`, and in the chain of its size; no TLB
//! shows its range.

use crate::areas::area_chain::AreaChain;
use crate::areas::quantum::{QUANTA, quantum_of, size_quantum};

/// Ranges of one size in the pool, at most.
const RANGES: u32 = 256;
/// Ranges that a CPU gets at once, at most.
const PARCEL: u32 = 64;

/// Free ranges that belong to no CPU.
pub(super) struct RangePool {
    chains: [AreaChain; QUANTA],
}

impl RangePool {
    /// No ranges.
    pub(super) const fn new() -> Self {
        Self { chains: [const { AreaChain::new() }; QUANTA] }
    }

    /// Adds the ranges for which there is room, and returns the rest.
    pub(super) fn put(&mut self, ranges: &AreaChain) -> AreaChain {
        let rest = AreaChain::new();
        while let Some(area) = ranges.pop() {
            let chain = quantum_of(area).map(|index| &self.chains[index]).filter(|chain| chain.len() < RANGES);
            chain.unwrap_or(&rest).push(area);
        }
        rest
    }

    /// Takes out some ranges of `pages` pages, those of 2 MiB at multiples of that.
    pub(super) fn take(&mut self, pages: usize) -> AreaChain {
        let parcel = AreaChain::new();
        if let Some(chain) = size_quantum(pages).map(|index| &self.chains[index]) {
            core::iter::from_fn(|| chain.pop()).take(PARCEL as usize).for_each(|area| parcel.push(area));
        }
        parcel
    }

    /// Takes all ranges out.
    pub(super) fn take_all(&mut self) -> AreaChain {
        let all = AreaChain::new();
        self.chains.iter().for_each(|chain| all.append(chain));
        all
    }

    /// Checks the invariants above, as far as they can be seen; returns the one that is broken.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        let sound =
            self.chains.iter().enumerate().all(|(index, chain)| chain.is_sound(|area| quantum_of(area) == Some(index)));
        if sound {
            Ok(())
        } else {
            Err("the pool of ranges holds one that is not free, not of its size or not counted")
        }
    }
}
