//! GFP flags: what an allocation may do, and which zones may serve it.
//!
//! A request carries a set of single flags (`__GFP_*` in the chapter, without the underscores here) or one of the named
//! collections. [`GfpFlags::priority`] gives the watermark at which a request stops, [`GfpFlags::zones`] the zonelist;
//! both are decoded here and nowhere else. (Chapter: "The Flags Argument", "Memory zones".)

use bitflags::bitflags;

use crate::addr::Pfn;

/// First frame that ISA DMA does not reach: 16 MiB.
pub const DMA_END: Pfn = Pfn::new(4096);

bitflags! {
    /// What an allocation is allowed to do.
    ///
    /// | collection | may sleep | stops at | zones |
    /// |---|---|---|---|
    /// | [`KERNEL`](Self::KERNEL) | yes | `min` | Normal, DMA |
    /// | [`BUFFER`](Self::BUFFER) | yes, without starting I/O | `min` | Normal, DMA |
    /// | [`ATOMIC`](Self::ATOMIC) | never | the last page | Normal, DMA |
    /// | [`USER`](Self::USER) | yes | `low` | Normal, DMA |
    /// | [`HIGHUSER`](Self::HIGHUSER) | yes | `low` | HighMem, Normal, DMA |
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
    pub struct GfpFlags: u32 {
        /// The caller may sleep.
        const WAIT = 1 << 0;
        /// High priority: the request may go below the `low` watermark.
        const HIGH = 1 << 1;
        /// Reclaim on behalf of this request may start I/O.
        const IO = 1 << 2;
        /// Only memory that ISA DMA reaches: below 16 MiB. Wins over [`HIGHMEM`](Self::HIGHMEM).
        const DMA = 1 << 3;
        /// Memory outside the direct map will do. Without a HighMem zone the bit changes nothing.
        const HIGHMEM = 1 << 4;
        /// Fails sooner: reclaim runs once, and the request neither sleeps until memory comes back nor takes what
        /// others wait for.
        const NORETRY = 1 << 5;
        /// A failure is not reported; wrong arguments and contexts are, and so is a failure of vmalloc to get its
        /// descriptor or a page table.
        const NOWARN = 1 << 6;

        /// Normal allocation on behalf of a process. May sleep.
        const KERNEL = Self::WAIT.bits() | Self::HIGH.bits() | Self::IO.bits();
        /// May sleep, but reclaim for it starts no I/O.
        const BUFFER = Self::WAIT.bits() | Self::HIGH.bits();
        /// Never sleeps; may take the last free page.
        const ATOMIC = Self::HIGH.bits();
        /// On behalf of a user, low priority. May sleep.
        const USER = Self::WAIT.bits() | Self::IO.bits();
        /// [`USER`](Self::USER) memory, from high memory if there is any.
        const HIGHUSER = Self::USER.bits() | Self::HIGHMEM.bits();
    }
}

/// How far down a request may push the free pages of a zone, most urgent first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Priority {
    /// May use the reserve: GFP_ATOMIC.
    Atomic,
    /// Stops at the `min` watermark: GFP_KERNEL, GFP_BUFFER.
    Kernel,
    /// Stops at the `low` watermark: GFP_USER, GFP_HIGHUSER.
    User,
}

/// A memory zone. (Chapter: "Memory zones".)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum ZoneKind {
    /// Below 16 MiB: what ISA DMA reaches.
    Dma = 0,
    /// The rest of the memory in the direct map.
    Normal = 1,
    /// Memory outside the direct map.
    HighMem = 2,
}

impl ZoneKind {
    /// How many zones there are.
    pub const COUNT: usize = 3;
    /// All zones, lowest first.
    pub const ALL: [Self; Self::COUNT] = [Self::Dma, Self::Normal, Self::HighMem];

    /// The zone's name as /proc shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dma => "DMA",
            Self::Normal => "Normal",
            Self::HighMem => "HighMem",
        }
    }
}

impl GfpFlags {
    /// Whether the request may sleep.
    pub const fn may_sleep(self) -> bool {
        self.contains(Self::WAIT)
    }

    /// Which watermark stops the request.
    pub const fn priority(self) -> Priority {
        if !self.may_sleep() {
            Priority::Atomic
        } else if self.contains(Self::HIGH) {
            Priority::Kernel
        } else {
            Priority::User
        }
    }

    /// The bits that choose zones, as a number below 4: an index into tables of decoded flags.
    pub(crate) const fn zone_bits(self) -> usize {
        (self.bits() as usize >> Self::DMA.bits().trailing_zeros()) & 0x3
    }

    /// The zones that may serve the request, in the order in which they are tried.
    pub const fn zones(self) -> &'static [ZoneKind] {
        use ZoneKind::{Dma, HighMem, Normal};
        if self.contains(Self::DMA) {
            &[Dma]
        } else if self.contains(Self::HIGHMEM) {
            &[HighMem, Normal, Dma]
        } else {
            &[Normal, Dma]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GfpFlags, Priority, ZoneKind};

    #[test]
    fn collections_have_their_priority() {
        // Shows: K1, S8
        assert_eq!(GfpFlags::ATOMIC.priority(), Priority::Atomic);
        assert_eq!(GfpFlags::KERNEL.priority(), Priority::Kernel);
        assert_eq!(GfpFlags::BUFFER.priority(), Priority::Kernel);
        assert_eq!(GfpFlags::USER.priority(), Priority::User);
        assert_eq!(GfpFlags::HIGHUSER.priority(), Priority::User);
    }

    #[test]
    fn dma_restricts_and_wins_over_highmem() {
        // Shows: S13
        use ZoneKind::{Dma, HighMem, Normal};
        assert_eq!(GfpFlags::KERNEL.zones(), [Normal, Dma]);
        assert_eq!((GfpFlags::KERNEL | GfpFlags::DMA).zones(), [Dma]);
        assert_eq!((GfpFlags::ATOMIC | GfpFlags::DMA).zones(), [Dma]);
        assert_eq!(GfpFlags::HIGHUSER.zones(), [HighMem, Normal, Dma]);
        assert_eq!((GfpFlags::HIGHUSER | GfpFlags::DMA).zones(), [Dma]);
    }

    #[test]
    fn only_atomic_never_sleeps() {
        assert!(!GfpFlags::ATOMIC.may_sleep());
        for gfp in [GfpFlags::KERNEL, GfpFlags::BUFFER, GfpFlags::USER, GfpFlags::HIGHUSER] {
            assert!(gfp.may_sleep());
        }
    }
}
