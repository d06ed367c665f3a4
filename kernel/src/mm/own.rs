//! The frames that the kernel itself lies in.
//!
//! Image, page tables, `Page` array, initial files: no device is mapped there.

use ::mm::PfnRange;
use ::mm::region::RegionSet;

use crate::sync::SpinLock;

/// Nothing else is locked while this is.
static OWN: SpinLock<RegionSet> = SpinLock::new(RegionSet::new());

/// Notes that the kernel lies in `range`. Boot only.
pub(super) fn note(range: PfnRange) {
    OWN.with(|own| own.insert_or_widen(range));
}

/// Whether the kernel lies in a part of `range`.
pub(super) fn meets(range: PfnRange) -> bool {
    OWN.with(|own| {
        // Sorted and apart: the first that ends behind the start of `range` is the one that may meet it.
        let ranges = own.ranges();
        let next = ranges.partition_point(|part| part.end <= range.start);
        ranges.get(next).is_some_and(|part| part.start < range.end)
    })
}
