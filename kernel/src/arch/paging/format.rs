//! How x86_64 writes page-table entries down.

use mm::mapper::{Access, Entry, Format, Level, Mapping};
use mm::{PAGE_SHIFT, Pfn};
use x86_64::structures::paging::PageTableFlags as Flags;

/// The bits of an entry that are the address.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Four levels, on a processor whose largest leaves are of this level.
#[derive(Clone, Copy)]
pub struct X86(pub Level);

// SAFETY: the bits are those of Intel's manual, volume 3, chapter 5; bit 2, for user code, is set by nobody.
unsafe impl Format for X86 {
    const TOP: Level = Level::Four;

    type Rights = Flags;

    fn largest(&self) -> Level {
        self.0
    }

    #[inline]
    fn leaf(&self, frame: Pfn, level: Level, rights: Flags) -> u64 {
        let size = if level == Level::One { Flags::empty() } else { Flags::HUGE_PAGE };
        frame.phys().as_u64() | rights.bits() | size.bits()
    }

    /// Rights are the leaves' affair.
    #[inline]
    fn table(&self, frame: Pfn) -> u64 {
        frame.phys().as_u64() | (Flags::PRESENT | Flags::WRITABLE).bits()
    }

    #[inline]
    fn read(&self, bits: u64, level: Level) -> Entry<Flags> {
        let frame = ((bits & ADDRESS) >> PAGE_SHIFT) as u32;
        if bits & Flags::PRESENT.bits() == 0 {
            Entry::Empty
        } else if level == Level::One {
            Entry::Leaf(Pfn::new(frame), Flags::from_bits_truncate(bits))
        } else if bits & Flags::HUGE_PAGE.bits() == 0 {
            Entry::Table(Pfn::new(frame))
        } else {
            // Bit 12 of a large page's entry is an attribute, not address.
            let frame = frame & !(level.pages() as u32 - 1);
            Entry::Leaf(Pfn::new(frame), Flags::from_bits_truncate(bits).difference(Flags::HUGE_PAGE))
        }
    }

    /// Writable, not executable, not global.
    #[inline]
    fn rights(mapping: Mapping) -> Flags {
        let flags = Flags::PRESENT | Flags::WRITABLE | Flags::NO_EXECUTE | Flags::ACCESSED | Flags::DIRTY;
        match mapping {
            Mapping::Memory => flags,
            Mapping::Device => flags | Flags::NO_CACHE | Flags::WRITE_THROUGH,
        }
    }

    fn with_access(flags: Flags, access: Access) -> Flags {
        match access {
            Access::Read => flags.difference(Flags::WRITABLE),
            Access::ReadWrite => flags.union(Flags::WRITABLE),
        }
    }
}
