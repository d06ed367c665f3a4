//! riscv64: how Sv39 and Sv48 write page-table entries down.
//!
//! (The RISC-V Instruction Set Manual, volume II, version 20211203: sections 4.3.1, 4.4 "Sv39", 4.5 "Sv48", chapter 6
//! "Svpbmt".)

#[cfg(target_arch = "riscv64")]
mod hart;

use core::marker::PhantomData;

use bitflags::bitflags;
use mm::Pfn;
use mm::mapper::{Access, Entry, Format, Level, Mapping, Protection, SwapSlot, UserFormat};

#[cfg(target_arch = "riscv64")]
pub use hart::{OneHartTlb, root};

bitflags! {
    /// What an entry says besides a frame number.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Flags: u64 {
        /// V: the entry is used.
        const VALID = 1 << 0;
        /// R: reads are allowed. An entry with R or X is a leaf.
        const READ = 1 << 1;
        /// W: writes are allowed; with R only.
        const WRITE = 1 << 2;
        /// X: code runs there.
        const EXECUTE = 1 << 3;
        /// U: user mode has access, and the kernel as `sstatus.SUM` says.
        const USER = 1 << 4;
        /// G: the same in every address space.
        const GLOBAL = 1 << 5;
        /// A: the entry was used.
        const ACCESSED = 1 << 6;
        /// D: something was written there.
        const DIRTY = 1 << 7;
        /// Of an entry that is not used: it keeps its page for a process that may not reach it now. (RSW, bits that
        /// processors leave to the kernel.)
        const KEPT = 1 << 8;
        /// Of an entry that is not used: its page is in swap.
        const SWAPPED = 1 << 9;
        /// PBMT = NC: memory, not cached. Reserved without Svpbmt.
        const NO_CACHE = 1 << 61;
        /// PBMT = IO: device registers, not cached, strongly ordered. Reserved without Svpbmt.
        const IO = 2 << 61;

        // The bits that processors leave to the kernel are kept as they are.
        const _ = !0;
    }
}

/// The first bit of the frame number, and the bits that it takes.
const PPN_SHIFT: u32 = 10;
const PPN: u64 = ((1 << 44) - 1) << PPN_SHIFT;

/// Where the entry of a page in swap has the number of its area; that of the page there is at [`PPN_SHIFT`].
const AREA_SHIFT: u32 = 1;

/// How a processor knows that device registers must not be cached.
pub trait Devices: 'static {
    /// What their entries say for it.
    const FLAGS: Flags;
}

/// By their physical addresses (physical memory attributes): every processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByAddress;

/// By their entries: a processor with Svpbmt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByEntry;

impl Devices for ByAddress {
    const FLAGS: Flags = Flags::empty();
}

impl Devices for ByEntry {
    const FLAGS: Flags = Flags::IO;
}

/// Tables of `LEVELS` levels, 3 or 4, on a processor that knows devices by `D`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sv<const LEVELS: usize, D>(PhantomData<fn() -> D>);

/// Three levels: 39 bits of address. Every processor knows leaves of 2 MiB and 1 GiB.
pub type Sv39<D = ByAddress> = Sv<3, D>;
/// Four levels: 48 bits of address. Its leaves of 512 GiB are not made by the mapper.
pub type Sv48<D = ByAddress> = Sv<4, D>;

impl<const LEVELS: usize, D: Devices> Sv<LEVELS, D> {
    /// The format.
    pub const NEW: Self = Self(PhantomData);
}

// SAFETY: the bits are those of the manual, which the tests have by hand. `rights` sets none for user code; who names
// `USER` himself means it.
unsafe impl<const LEVELS: usize, D: Devices> Format for Sv<LEVELS, D> {
    const TOP: Level = match LEVELS {
        3 => Level::Three,
        4 => Level::Four,
        _ => panic!("Sv39 has three levels, Sv48 has four"),
    };

    type Rights = Flags;

    fn largest(&self) -> Level {
        Level::Three
    }

    #[inline]
    fn leaf(&self, frame: Pfn, _level: Level, rights: Flags) -> u64 {
        u64::from(frame.as_u32()) << PPN_SHIFT | rights.bits()
    }

    /// Without R, W and X it leads to a table; U, A and D are reserved there.
    #[inline]
    fn table(&self, frame: Pfn) -> u64 {
        u64::from(frame.as_u32()) << PPN_SHIFT | Flags::VALID.bits()
    }

    #[inline]
    fn read(&self, bits: u64, level: Level) -> Entry<Flags> {
        let frame = ((bits & PPN) >> PPN_SHIFT) as u32;
        if bits & Flags::VALID.bits() == 0 {
            Entry::Empty
        } else if bits & (Flags::READ | Flags::EXECUTE).bits() == 0 {
            Entry::Table(Pfn::new(frame))
        } else {
            let frame = Pfn::new(frame & !(level.pages() as u32 - 1));
            Entry::Leaf(frame, Flags::from_bits_retain(bits & !PPN))
        }
    }
    #[inline]
    fn rights(mapping: Mapping) -> Flags {
        let flags = Flags::VALID | Flags::READ | Flags::WRITE | Flags::ACCESSED | Flags::DIRTY;
        match mapping {
            Mapping::Memory => flags,
            Mapping::Device => flags | D::FLAGS,
        }
    }

    fn with_access(rights: Flags, access: Access) -> Flags {
        match access {
            Access::Read => rights.difference(Flags::WRITE | Flags::EXECUTE),
            Access::ReadWrite => rights.difference(Flags::EXECUTE).union(Flags::WRITE),
            Access::Execute => rights.difference(Flags::WRITE).union(Flags::EXECUTE),
        }
    }
}

/// The tables of a process, as [`Sv`]: pages of 4 KiB that user code reaches.
///
/// The kernel's half of such a root leads to the kernel's own tables, whose leaves have no `USER`. The kernel reaches a
/// process's pages as `sstatus.SUM` says, and never runs what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SvUser<const LEVELS: usize>;

impl<const LEVELS: usize> SvUser<LEVELS> {
    const PAGES: Sv<LEVELS, ByAddress> = Sv::NEW;
}

// SAFETY: the bits are those of the manual, which the tests have by hand.
unsafe impl<const LEVELS: usize> Format for SvUser<LEVELS> {
    const TOP: Level = <Sv<LEVELS, ByAddress> as Format>::TOP;

    type Rights = Flags;

    fn largest(&self) -> Level {
        Level::One
    }

    #[inline]
    fn leaf(&self, frame: Pfn, level: Level, rights: Flags) -> u64 {
        Self::PAGES.leaf(frame, level, rights)
    }

    #[inline]
    fn table(&self, frame: Pfn) -> u64 {
        Self::PAGES.table(frame)
    }

    #[inline]
    fn read(&self, bits: u64, level: Level) -> Entry<Flags> {
        if bits & (Flags::VALID | Flags::KEPT).bits() == Flags::KEPT.bits() {
            let frame = Pfn::new(((bits & PPN) >> PPN_SHIFT) as u32);
            return Entry::Leaf(frame, Flags::from_bits_retain(bits & !PPN));
        }
        Self::PAGES.read(bits, level)
    }

    fn rights(mapping: Mapping) -> Flags {
        Sv::<LEVELS, ByAddress>::rights(mapping)
    }

    fn with_access(rights: Flags, access: Access) -> Flags {
        Sv::<LEVELS, ByAddress>::with_access(rights, access)
    }
}

// SAFETY: as above. Without `VALID` the processor reads nothing else of an entry.
unsafe impl<const LEVELS: usize> UserFormat for SvUser<LEVELS> {
    /// W without R is reserved; so what may be written to or executed may be read.
    #[inline]
    fn user(protection: Protection) -> Flags {
        if protection.is_empty() {
            return Flags::KEPT;
        }
        let mut flags = Flags::VALID | Flags::USER | Flags::READ | Flags::ACCESSED;
        flags.set(Flags::WRITE | Flags::DIRTY, protection.contains(Protection::WRITE));
        flags.set(Flags::EXECUTE, protection.contains(Protection::EXEC));
        flags
    }

    #[inline]
    fn protection(rights: Flags) -> Protection {
        let reached = rights.contains(Flags::VALID | Flags::USER);
        let mut protection = Protection::empty();
        protection.set(Protection::READ, reached && rights.contains(Flags::READ));
        protection.set(Protection::WRITE, reached && rights.contains(Flags::WRITE));
        protection.set(Protection::EXEC, reached && rights.contains(Flags::EXECUTE));
        protection
    }

    #[inline]
    fn without_write(rights: Flags) -> Flags {
        rights.difference(Flags::WRITE)
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
        Flags::SWAPPED.bits() | u64::from(slot.area()) << AREA_SHIFT | u64::from(slot.offset()) << PPN_SHIFT
    }

    #[inline]
    fn swap_slot(&self, bits: u64) -> Option<SwapSlot> {
        if bits & (Flags::VALID | Flags::KEPT | Flags::SWAPPED).bits() != Flags::SWAPPED.bits() {
            return None;
        }
        SwapSlot::new((bits >> AREA_SHIFT) as u8 % SwapSlot::AREAS as u8, (bits >> PPN_SHIFT) as u32)
    }
}
