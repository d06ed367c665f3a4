//! How the test machine writes entries of processes down.

use bitflags::bitflags;

use crate::addr::{PAGE_SHIFT, Pfn};
use crate::mapper::{Access, Entry, Format, Level, Mapping, Protection, SwapSlot, UserFormat};
use crate::space::FaultAccess;

const PRESENT: u64 = 1;
const TABLE: u64 = 2;
/// A leaf that allows nothing.
const KEPT: u64 = 4;
/// A place in swap.
const SWAPPED: u64 = 8;
const RIGHTS_SHIFT: u32 = 4;
/// Where the entry of a page in swap has the number of its area, and the page's number there.
const AREA_SHIFT: u32 = PAGE_SHIFT;
const OFFSET_SHIFT: u32 = PAGE_SHIFT + 5;
/// What the kernel's half of a root says: nothing that a space may touch.
pub(super) const KERNEL: u64 = 0x800;
/// The first entry of a root that is the kernel's.
pub(super) const KERNEL_FROM: usize = 256;

bitflags! {
    /// What an entry says beside a frame.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct HostRights: u8 {
        /// It may be read.
        const READ = 1;
        /// It may be written to.
        const WRITE = 2;
        /// Code may run there.
        const EXEC = 4;
        /// It was used.
        const ACCESSED = 8;
        /// It was written to.
        const DIRTY = 16;
    }
}

impl HostRights {
    /// These rights after a use.
    pub(super) fn used(self, access: FaultAccess) -> Self {
        let dirty = if access == FaultAccess::Write { Self::DIRTY } else { Self::empty() };
        self | Self::ACCESSED | dirty
    }
}

/// Frame number from bit 12 on, flags below.
#[derive(Clone, Copy, Debug)]
pub struct HostUserFormat;

// SAFETY: no processor reads these entries, but `read` alone.
unsafe impl Format for HostUserFormat {
    const TOP: Level = Level::Three;

    type Rights = HostRights;

    fn largest(&self) -> Level {
        Level::One
    }

    fn leaf(&self, frame: Pfn, _level: Level, rights: HostRights) -> u64 {
        let kind = if Self::protection(rights).is_empty() { KEPT } else { PRESENT };
        frame.phys().as_u64() | kind | u64::from(rights.bits()) << RIGHTS_SHIFT
    }

    fn table(&self, frame: Pfn) -> u64 {
        frame.phys().as_u64() | TABLE | PRESENT
    }

    fn read(&self, bits: u64, _level: Level) -> Entry<HostRights> {
        let frame = Pfn::new((bits >> PAGE_SHIFT) as u32);
        match (bits & (PRESENT | KEPT), bits & TABLE) {
            (0, _) => Entry::Empty,
            (_, 0) => Entry::Leaf(frame, HostRights::from_bits_truncate((bits >> RIGHTS_SHIFT) as u8)),
            _ => Entry::Table(frame),
        }
    }

    fn rights(_: Mapping) -> HostRights {
        HostRights::empty()
    }

    fn with_access(rights: HostRights, _: Access) -> HostRights {
        rights
    }
}

// SAFETY: as above.
unsafe impl UserFormat for HostUserFormat {
    fn user(protection: Protection) -> HostRights {
        if protection.is_empty() {
            return HostRights::empty();
        }
        let dirty = if protection.contains(Protection::WRITE) { HostRights::DIRTY } else { HostRights::empty() };
        HostRights::from_bits_truncate(protection.bits()) | HostRights::READ | HostRights::ACCESSED | dirty
    }

    fn protection(rights: HostRights) -> Protection {
        Protection::from_bits_truncate(rights.bits())
    }

    fn without_write(rights: HostRights) -> HostRights {
        rights - HostRights::WRITE
    }

    fn with_protection(rights: HostRights, protection: Protection) -> HostRights {
        Self::user(protection) | rights & (HostRights::ACCESSED | HostRights::DIRTY)
    }

    fn is_accessed(rights: HostRights) -> bool {
        rights.contains(HostRights::ACCESSED)
    }

    fn is_dirty(rights: HostRights) -> bool {
        rights.contains(HostRights::DIRTY)
    }

    fn without_accessed(rights: HostRights) -> HostRights {
        rights - HostRights::ACCESSED
    }

    fn without_dirty(rights: HostRights) -> HostRights {
        rights - HostRights::DIRTY
    }

    fn swapped(&self, slot: SwapSlot) -> u64 {
        SWAPPED | u64::from(slot.area()) << AREA_SHIFT | u64::from(slot.offset()) << OFFSET_SHIFT
    }

    fn swap_slot(&self, bits: u64) -> Option<SwapSlot> {
        if bits & (PRESENT | KEPT | SWAPPED) != SWAPPED {
            return None;
        }
        SwapSlot::new((bits >> AREA_SHIFT) as u8 % SwapSlot::AREAS as u8, (bits >> OFFSET_SHIFT) as u32)
    }
}
