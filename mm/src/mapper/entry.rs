//! The words of page tables: levels, entries, formats, runs of frames, leaves.

use crate::addr::{PAGE_SHIFT, PAGE_SIZE, Pfn, PfnRange, VirtAddr};

/// Entries in a table.
pub const ENTRIES: usize = 512;

/// A level of the tables, by what one entry maps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// 4 KiB.
    One = 1,
    /// 2 MiB.
    Two = 2,
    /// 1 GiB.
    Three = 3,
    /// 512 GiB.
    Four = 4,
}

impl Level {
    /// Bytes that one entry of this level maps.
    #[inline]
    pub const fn bytes(self) -> usize {
        1 << self.shift()
    }

    /// Pages that one entry of this level maps.
    #[inline]
    pub const fn pages(self) -> usize {
        self.bytes() / PAGE_SIZE
    }

    #[inline]
    const fn shift(self) -> usize {
        PAGE_SHIFT as usize + 9 * (self as usize - 1)
    }

    /// The place of `at` in a table of this level.
    #[inline]
    pub const fn index(self, at: VirtAddr) -> usize {
        (at.as_usize() >> self.shift()) % ENTRIES
    }

    /// The level of the tables that entries of this level lead to; of level one, which has none, itself.
    #[inline]
    pub const fn below(self) -> Self {
        match self {
            Self::Four => Self::Three,
            Self::Three => Self::Two,
            Self::Two | Self::One => Self::One,
        }
    }

    /// The level of the tables that lead to tables of this level; of level four itself.
    pub const fn above(self) -> Self {
        match self {
            Self::One => Self::Two,
            Self::Two => Self::Three,
            Self::Three | Self::Four => Self::Four,
        }
    }

    /// The first address that the entry for `at` maps.
    #[inline]
    pub(super) const fn start(self, at: VirtAddr) -> VirtAddr {
        VirtAddr::new(at.as_usize() & !(self.bytes() - 1))
    }

    /// The first address after what the entry for `at` maps; `None` at the end of the address space.
    #[inline]
    pub(super) const fn end(self, at: VirtAddr) -> Option<VirtAddr> {
        self.start(at).checked_add(self.bytes())
    }
}

/// An entry of a page table, decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry<R> {
    /// Nothing is mapped.
    Empty,
    /// The table below lies in this frame.
    Table(Pfn),
    /// Memory from this frame on is mapped, with these rights.
    Leaf(Pfn, R),
}

/// What a page that the allocators map is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mapping {
    /// Memory: readable and writable, cached, not executable.
    Memory,
    /// Device registers: readable and writable, uncached, not executable.
    Device,
}

/// What may be done to a mapped page. No page can be both written to and executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading only: a write faults, and a jump there.
    Read,
    /// Reading and writing: a jump there faults.
    ReadWrite,
    /// Reading and executing: a write faults.
    Execute,
}

/// How a processor writes entries down. An empty entry is 0 in every format.
///
/// # Safety
/// The processor understands an entry as this says: (a) a [`leaf`](Self::leaf) maps the memory that was named and
/// nothing else, and user code cannot reach it, but as [`UserFormat`](super::UserFormat) says; (b) a
/// [`table`](Self::table) leads to that table; (c) [`read`](Self::read) says of both what they are, and that 0 is
/// empty.
pub unsafe trait Format {
    /// The level of the root table.
    const TOP: Level;

    /// What a leaf may be used for.
    type Rights: Copy + PartialEq;

    /// The level of the largest leaves that the processor knows.
    fn largest(&self) -> Level;

    /// The leaf of `level` that maps memory from `frame` on. Never 0.
    fn leaf(&self, frame: Pfn, level: Level, rights: Self::Rights) -> u64;

    /// The entry that leads to the table in `frame`. Never 0.
    fn table(&self, frame: Pfn) -> u64;

    /// What `bits` say as an entry of `level`.
    fn read(&self, bits: u64, level: Level) -> Entry<Self::Rights>;

    /// The rights of what the allocators map: the kernel's, readable and writable.
    fn rights(mapping: Mapping) -> Self::Rights;

    /// `rights` with this access and no other, and otherwise the same.
    fn with_access(rights: Self::Rights, access: Access) -> Self::Rights;
}

/// The frames that a run of pages is mapped to.
#[derive(Clone, Copy, Debug)]
pub enum Frames<'a> {
    /// One for each page; never more than a page at a time.
    Each(&'a [Pfn]),
    /// Neighbours: by the largest leaves that their alignment and that of the addresses allow.
    Run(PfnRange),
}

impl Frames<'_> {
    /// How many there are.
    #[inline]
    pub const fn len(&self) -> usize {
        match self {
            Self::Each(frames) => frames.len(),
            Self::Run(range) => range.frames(),
        }
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All but the first `count`; none if there are not so many.
    #[inline]
    pub fn after(self, count: usize) -> Self {
        match self {
            Self::Each(frames) => Self::Each(frames.get(count..).unwrap_or_default()),
            Self::Run(range) => Self::Run(PfnRange::new(range.start.add(count.min(range.frames()) as u32), range.end)),
        }
    }
}

/// Leaves side by side, of one size and with the same rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeafRun<R> {
    /// First address that they map.
    pub start: VirtAddr,
    /// Bytes that they map.
    pub bytes: usize,
    /// The level of the leaves.
    pub level: Level,
    /// What they may be used for.
    pub rights: R,
}

/// An empty table that was unlinked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unlinked {
    /// The table's frame. Processors may still walk through it until all of their TLBs are flushed.
    pub table: Pfn,
    /// Where the search for the next one goes on.
    pub next: VirtAddr,
}
