//! x86_64: how processors of AMD and Intel write page-table entries down.
//!
//! (AMD64 Architecture Programmer's Manual, volume 2, section 5.3, "Long-Mode Page Translation", and 5.4, "Page-
//! Translation-Table Entry Fields"; Intel's manual, volume 3A, "4-Level Paging and 5-Level Paging". Four levels here.)

#[cfg(target_arch = "x86_64")]
mod cpu;

use bitflags::bitflags;
use mm::mapper::{Access, Entry, Format, Level, Mapping, Protection, SwapSlot, UserFormat};
use mm::{PAGE_SHIFT, Pfn};

#[cfg(target_arch = "x86_64")]
pub use cpu::{OneCpuTlb, root};

bitflags! {
    /// What an entry says besides an address.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Flags: u64 {
        /// P: the entry is used.
        const PRESENT = 1 << 0;
        /// R/W: writes are allowed.
        const WRITABLE = 1 << 1;
        /// U/S: user mode has access.
        const USER = 1 << 2;
        /// PWT: writes go through the cache.
        const WRITE_THROUGH = 1 << 3;
        /// PCD: nothing is cached.
        const NO_CACHE = 1 << 4;
        /// A: the processor has used the entry.
        const ACCESSED = 1 << 5;
        /// D: the processor has written there.
        const DIRTY = 1 << 6;
        /// PAT: the third bit that chooses a memory type. It is at bit 7 of a page's entry, where that of a large page
        /// says that it is one, and at bit 12 there; a format moves it.
        const PAT = 1 << 7;
        /// G: stays in the TLB when the address space changes.
        const GLOBAL = 1 << 8;
        /// Of an entry that is not used: it keeps its page for a process that may not reach it now. One of the bits
        /// that processors leave to the kernel.
        const KEPT = 1 << 9;
        /// Of an entry that is not used: its page is in swap.
        const SWAPPED = 1 << 10;
        /// NX: no code runs there. Known where `EFER.NXE` is set.
        const NO_EXECUTE = 1 << 63;

        // The bits that processors leave to the kernel, and protection keys, are kept as they are.
        const _ = !0;
    }
}

/// Where the entry of a page in swap has the number of its area, and the page's number there.
const AREA_SHIFT: u32 = 1;
const OFFSET_SHIFT: u32 = 12;
/// The bits of an entry that are the address.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// PS, of an entry above level one: a leaf.
const LARGE: u64 = 1 << 7;
/// Where the entry of a large page has PAT.
const LARGE_PAT: u64 = 1 << 12;

/// Four levels, on a processor whose largest leaves are of this level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct X86_64 {
    largest: Level,
}

impl X86_64 {
    /// For a processor whose largest leaves are of this level: every one has [`Level::Two`] (2 MiB); [`Level::Three`]
    /// (1 GiB) has one whose CPUID leaf 8000_0001h sets bit 26 of EDX.
    pub const fn new(largest: Level) -> Self {
        Self { largest }
    }
}

// SAFETY: the bits are those of the manuals, which the tests have by hand. `rights` sets none for user code; who names
// `USER` himself means it.
unsafe impl Format for X86_64 {
    const TOP: Level = Level::Four;

    type Rights = Flags;

    fn largest(&self) -> Level {
        self.largest
    }

    #[inline]
    fn leaf(&self, frame: Pfn, level: Level, rights: Flags) -> u64 {
        let rights = rights.bits();
        let rights = match level {
            Level::One => rights,
            _ if rights & Flags::PAT.bits() == 0 => rights | LARGE,
            _ => rights | LARGE | LARGE_PAT,
        };
        frame.phys().as_u64() | rights
    }

    /// Rights are the leaves' affair: a table allows the kernel everything.
    #[inline]
    fn table(&self, frame: Pfn) -> u64 {
        frame.phys().as_u64() | (Flags::PRESENT | Flags::WRITABLE).bits()
    }

    #[inline]
    fn read(&self, bits: u64, level: Level) -> Entry<Flags> {
        let frame = ((bits & ADDRESS) >> PAGE_SHIFT) as u32;
        let rights = Flags::from_bits_retain(bits & !ADDRESS);
        if bits & Flags::PRESENT.bits() == 0 {
            Entry::Empty
        } else if level == Level::One {
            Entry::Leaf(Pfn::new(frame), rights)
        } else if bits & LARGE == 0 {
            Entry::Table(Pfn::new(frame))
        } else {
            let frame = Pfn::new(frame & !(level.pages() as u32 - 1));
            let pat = if bits & LARGE_PAT == 0 { Flags::empty() } else { Flags::PAT };
            Entry::Leaf(frame, rights.difference(Flags::PAT).union(pat))
        }
    }
    #[inline]
    fn rights(mapping: Mapping) -> Flags {
        let flags = Flags::PRESENT | Flags::WRITABLE | Flags::NO_EXECUTE | Flags::ACCESSED | Flags::DIRTY;
        match mapping {
            Mapping::Memory => flags,
            Mapping::Device => flags | Flags::NO_CACHE | Flags::WRITE_THROUGH,
        }
    }

    fn with_access(rights: Flags, access: Access) -> Flags {
        match access {
            Access::Read => rights.difference(Flags::WRITABLE).union(Flags::NO_EXECUTE),
            Access::ReadWrite => rights.union(Flags::WRITABLE | Flags::NO_EXECUTE),
            Access::Execute => rights.difference(Flags::WRITABLE | Flags::NO_EXECUTE),
        }
    }
}

/// The tables of a process: pages of 4 KiB that user code reaches, and tables that lead it there.
///
/// The kernel's half of such a root leads to the kernel's own tables, whose entries have no `USER`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct X86_64User;

/// Whatever its size, the kernel's format; here leaves are of level one.
const PAGES: X86_64 = X86_64::new(Level::One);

// SAFETY: the bits are those of the manuals, which the tests have by hand.
unsafe impl Format for X86_64User {
    const TOP: Level = Level::Four;

    type Rights = Flags;

    fn largest(&self) -> Level {
        Level::One
    }

    #[inline]
    fn leaf(&self, frame: Pfn, level: Level, rights: Flags) -> u64 {
        PAGES.leaf(frame, level, rights)
    }

    #[inline]
    fn table(&self, frame: Pfn) -> u64 {
        PAGES.table(frame) | Flags::USER.bits()
    }

    #[inline]
    fn read(&self, bits: u64, level: Level) -> Entry<Flags> {
        if level == Level::One && bits & (Flags::PRESENT | Flags::KEPT).bits() == Flags::KEPT.bits() {
            let frame = Pfn::new(((bits & ADDRESS) >> PAGE_SHIFT) as u32);
            return Entry::Leaf(frame, Flags::from_bits_retain(bits & !ADDRESS));
        }
        PAGES.read(bits, level)
    }

    fn rights(mapping: Mapping) -> Flags {
        X86_64::rights(mapping)
    }

    fn with_access(rights: Flags, access: Access) -> Flags {
        X86_64::with_access(rights, access)
    }
}

// SAFETY: as above. Without `PRESENT` the processor reads nothing else of an entry.
unsafe impl UserFormat for X86_64User {
    #[inline]
    fn user(protection: Protection) -> Flags {
        if protection.is_empty() {
            return Flags::KEPT;
        }
        let mut flags = Flags::PRESENT | Flags::USER | Flags::ACCESSED;
        flags.set(Flags::WRITABLE | Flags::DIRTY, protection.contains(Protection::WRITE));
        flags.set(Flags::NO_EXECUTE, !protection.contains(Protection::EXEC));
        flags
    }

    #[inline]
    fn protection(rights: Flags) -> Protection {
        let mut protection = Protection::empty();
        protection.set(Protection::READ, rights.contains(Flags::PRESENT | Flags::USER));
        protection.set(Protection::WRITE, rights.contains(Flags::PRESENT | Flags::USER | Flags::WRITABLE));
        let may_run = rights.contains(Flags::PRESENT | Flags::USER) && !rights.contains(Flags::NO_EXECUTE);
        protection.set(Protection::EXEC, may_run);
        protection
    }

    #[inline]
    fn without_write(rights: Flags) -> Flags {
        rights.difference(Flags::WRITABLE)
    }

    #[inline]
    fn with_protection(rights: Flags, protection: Protection) -> Flags {
        Self::user(protection) | rights & (Flags::ACCESSED | Flags::DIRTY)
    }

    #[inline]
    fn is_accessed(rights: Flags) -> bool {
        rights.contains(Flags::ACCESSED)
    }

    #[inline]
    fn is_dirty(rights: Flags) -> bool {
        rights.contains(Flags::DIRTY)
    }

    #[inline]
    fn without_accessed(rights: Flags) -> Flags {
        rights.difference(Flags::ACCESSED)
    }

    #[inline]
    fn without_dirty(rights: Flags) -> Flags {
        rights.difference(Flags::DIRTY)
    }

    #[inline]
    fn swapped(&self, slot: SwapSlot) -> u64 {
        Flags::SWAPPED.bits() | u64::from(slot.area()) << AREA_SHIFT | u64::from(slot.offset()) << OFFSET_SHIFT
    }

    #[inline]
    fn swap_slot(&self, bits: u64) -> Option<SwapSlot> {
        if bits & (Flags::PRESENT | Flags::KEPT | Flags::SWAPPED).bits() != Flags::SWAPPED.bits() {
            return None;
        }
        SwapSlot::new((bits >> AREA_SHIFT) as u8 % SwapSlot::AREAS as u8, (bits >> OFFSET_SHIFT) as u32)
    }
}
