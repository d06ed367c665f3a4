//! The bytes of a slab that belong to nobody.
//!
//! They lie behind its last object, and around its descriptor. A write that runs on from an object ends there if it is
//! no longer than they are. They are filled when the slab is made and looked at when it goes, and on demand.

use crate::addr::VirtAddr;
use crate::objects::descriptor::{FILL, Slab, SlabRef};
use crate::objects::geometry::{GAP, Geometry};
use crate::objects::watched::Finding;
use crate::report::{Damage, Dump};

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Gap {
    start: VirtAddr,
    damage: Damage,
    /// The object that a report names.
    object: VirtAddr,
}

impl Gap {
    /// Hands each gap of an intact slab of this layout to `f`. Nobody else uses them meanwhile.
    pub(super) fn each(geometry: &Geometry, slab: SlabRef, mut f: impl FnMut(Self)) {
        if geometry.descriptor_offset.is_none() {
            return;
        }
        let (first, last) = (slab.first(), slab.first().add((slab.objects() - 1) * geometry.stride));
        f(Self { start: first.add(geometry.reach()), damage: Damage::Behind, object: last });
        f(Self { start: slab.addr().add(Slab::BYTES), damage: Damage::SlabEnd, object: last });
        // A debugged object has a red zone there.
        if geometry.lead > 0 && geometry.behind == 0 {
            f(Self { start: first.add(0usize.wrapping_sub(GAP)), damage: Damage::Before, object: first });
        }
    }

    /// The first damage to a gap, which is repaired.
    pub(super) fn find_first(geometry: &Geometry, slab: SlabRef) -> Option<Finding> {
        let mut found = None;
        Self::each(geometry, slab, |gap| {
            if found.is_none() {
                found = gap.find();
            }
        });
        found
    }

    /// Whether nothing was written to any.
    pub(super) fn are_whole(geometry: &Geometry, slab: SlabRef) -> bool {
        let mut whole = true;
        Self::each(geometry, slab, |gap| whole &= gap.is_whole());
        whole
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: a slab of that layout has these bytes, and they are the caller's.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_mut_ptr(), GAP) }
    }

    /// Fills it.
    pub(super) fn fill(mut self) {
        self.bytes().fill(FILL);
    }

    /// Whether nothing was written there.
    fn is_whole(mut self) -> bool {
        self.bytes().iter().all(|&byte| byte == FILL)
    }

    /// What was written there, which is repaired.
    pub(super) fn find(mut self) -> Option<Finding> {
        let (start, object) = (self.start.as_usize(), self.object.as_usize());
        let wrong = self.bytes().iter().position(|&byte| byte != FILL)?;
        let shown = &self.bytes()[wrong..];
        let mut dump =
            Dump { at: (start + wrong).wrapping_sub(object) as isize, bytes: [0; 8], len: shown.len().min(8) };
        dump.bytes[..dump.len].copy_from_slice(&shown[..dump.len]);
        self.fill();
        Some(Finding { addr: self.object, damage: self.damage, dump, users: [None; 2] })
    }
}
