//! The frames that the kernel itself lies in: image, page tables, `Page` array, initial files. No device is mapped there.

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
    OWN.with(|own| own.ranges().iter().any(|part| part.intersection(range).frames() > 0))
}
