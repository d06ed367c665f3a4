//! One address space: four levels of page tables, and the walk through them.
//!
//! Key types: [`Space`], [`Entry`], [`Level`]. Entries are atomics, so that CPUs may map different pages at once: a table
//! or a mapping is put in its place only if the place is empty.

use core::sync::atomic::{AtomicU64, Ordering};

use mm::{MapError, PAGE_SHIFT, Pfn, PhysAddr, VirtAddr};
use x86_64::structures::paging::PageTableFlags as Flags;

/// Entries in a table.
pub const ENTRIES: usize = 512;
/// The bits of an entry that are the address.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

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
    pub const fn bytes(self) -> usize {
        1 << self.shift()
    }

    const fn shift(self) -> usize {
        PAGE_SHIFT as usize + 9 * (self as usize - 1)
    }

    /// The place of `at` in a table of this level.
    pub const fn index(self, at: VirtAddr) -> usize {
        (at.as_usize() >> self.shift()) % ENTRIES
    }

    const fn below(self) -> Option<Self> {
        match self {
            Self::Four => Some(Self::Three),
            Self::Three => Some(Self::Two),
            Self::Two => Some(Self::One),
            Self::One => None,
        }
    }
}

/// An entry of a page table.
#[repr(transparent)]
pub struct Entry(AtomicU64);

impl Entry {
    fn load(&self) -> (u64, Flags) {
        let bits = self.0.load(Ordering::Acquire);
        (bits & ADDRESS, Flags::from_bits_truncate(bits))
    }

    /// Lets the entry map `frame`; the entry must be empty.
    pub fn set_if_empty(&self, frame: Pfn, flags: Flags) -> Result<(), MapError> {
        let bits = frame.phys().as_u64() | flags.bits();
        match self.0.compare_exchange(0, bits, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(_) => Err(MapError::AlreadyMapped),
        }
    }

    /// Empties the entry and returns the frame that it mapped.
    pub fn clear(&self) -> Option<Pfn> {
        let bits = self.0.swap(0, Ordering::AcqRel);
        let present = bits & Flags::PRESENT.bits() != 0;
        present.then(|| PhysAddr::new(bits & ADDRESS).frame()).flatten()
    }

    /// The table below, if there is one.
    fn table(&self) -> Option<PhysAddr> {
        let (address, flags) = self.load();
        (flags.contains(Flags::PRESENT) && !flags.contains(Flags::HUGE_PAGE)).then(|| PhysAddr::new(address))
    }
}

/// What an address leads to.
enum Walk<'a> {
    /// An entry of level one, present or not.
    Leaf(&'a Entry),
    /// A large page: its first byte, and its level.
    Large(PhysAddr, Level),
    /// A table is missing.
    Nothing,
}

/// Page tables, and a window through which they can be reached.
pub struct Space {
    root: PhysAddr,
    window: VirtAddr,
}

impl Space {
    /// The space whose level-4 table is at `root`, as seen through `window`, where physical address 0 shows.
    ///
    /// # Safety
    /// All tables of the space show through the window for as long as the value lives, and none is ever freed.
    pub const unsafe fn new(root: PhysAddr, window: VirtAddr) -> Self {
        Self { root, window }
    }

    /// Physical address of the level-4 table.
    pub const fn root(&self) -> PhysAddr {
        self.root
    }

    /// Where the space's tables are seen: the address that shows physical address 0.
    pub const fn window(&self) -> VirtAddr {
        self.window
    }

    /// The same tables through another window.
    ///
    /// # Safety
    /// As for [`new`](Self::new).
    pub const unsafe fn through(&self, window: VirtAddr) -> Self {
        Self { root: self.root, window }
    }

    fn table(&self, at: PhysAddr) -> &[Entry; ENTRIES] {
        let table = self.window.add(at.as_u64() as usize).as_mut_ptr::<[Entry; ENTRIES]>();
        // SAFETY: `at` is the root or came from an entry that points to a table; `new` promised that those can be
        // reached through the window and stay. Entries are atomics, so sharing them is sound.
        unsafe { &*table }
    }

    /// The entry of `level` for `at`, with all tables above it. Where one is missing the zeroed frame in `table` becomes
    /// it; without one there, [`MapError::TableMissing`]. Inlined, because callers know the level: the walk needs no loop.
    #[inline(always)]
    pub fn entry(&self, at: VirtAddr, level: Level, table: &mut Option<Pfn>) -> Result<&Entry, MapError> {
        let mut current = Level::Four;
        let mut entries = self.table(self.root);
        loop {
            let entry = &entries[current.index(at)];
            if current == level {
                return Ok(entry);
            }
            entries = self.table(next_table(entry, table)?);
            current = current.below().ok_or(MapError::OutOfRange)?;
        }
    }

    /// Unlinks an empty level-one table that maps part of `start..end` and returns its frame. Tables of higher levels
    /// stay. Nobody may be mapping pages in the range at the same time.
    pub fn prune(&self, start: VirtAddr, end: VirtAddr) -> Option<Pfn> {
        let mut at = start;
        while at < end {
            let (entry, level) = self.lowest_above_leaf(at);
            if level == Level::Two
                && let Some(table) = entry.table()
                && self.table(table).iter().all(|leaf| leaf.load().0 == 0)
            {
                return entry.clear();
            }
            at = VirtAddr::new(at.as_usize() & !(level.bytes() - 1)).checked_add(level.bytes())?;
        }
        None
    }

    /// The lowest entry on the way to `at` that is above level one, and its level.
    fn lowest_above_leaf(&self, at: VirtAddr) -> (&Entry, Level) {
        let mut level = Level::Four;
        let mut entry = &self.table(self.root)[level.index(at)];
        while let (Some(table), Some(below)) = (entry.table(), level.below()) {
            if below == Level::One {
                break;
            }
            entry = &self.table(table)[below.index(at)];
            level = below;
        }
        (entry, level)
    }

    /// The level-one entry for `at`, if its table exists.
    pub fn leaf(&self, at: VirtAddr) -> Option<&Entry> {
        match self.walk(at) {
            Walk::Leaf(entry) => Some(entry),
            Walk::Large(..) | Walk::Nothing => None,
        }
    }

    /// The physical address that `at` is mapped to, by a page of any size.
    pub fn translate(&self, at: VirtAddr) -> Option<PhysAddr> {
        match self.walk(at) {
            Walk::Leaf(entry) => {
                let (address, flags) = entry.load();
                let present = flags.contains(Flags::PRESENT);
                present.then(|| PhysAddr::new(address + at.page_offset() as u64))
            }
            Walk::Large(start, level) => {
                let offset = at.as_usize() & (level.bytes() - 1);
                // Bit 12 of a large page's entry is an attribute, not address.
                Some(PhysAddr::new((start.as_u64() & !(level.bytes() as u64 - 1)) + offset as u64))
            }
            Walk::Nothing => None,
        }
    }

    #[inline(always)]
    fn walk(&self, at: VirtAddr) -> Walk<'_> {
        let mut level = Level::Four;
        let mut entries = self.table(self.root);
        loop {
            let entry = &entries[level.index(at)];
            let Some(below) = level.below() else { return Walk::Leaf(entry) };
            let (address, flags) = entry.load();
            if !flags.contains(Flags::PRESENT) {
                return Walk::Nothing;
            }
            if flags.contains(Flags::HUGE_PAGE) {
                return Walk::Large(PhysAddr::new(address), level);
            }
            entries = self.table(PhysAddr::new(address));
            level = below;
        }
    }
}

/// The table that `entry` points to, after putting `spare` there if it pointed to none.
fn next_table(entry: &Entry, spare: &mut Option<Pfn>) -> Result<PhysAddr, MapError> {
    if let Some(table) = entry.table() {
        return Ok(table);
    }
    if entry.load().1.contains(Flags::PRESENT) {
        return Err(MapError::AlreadyMapped);
    }
    let frame = spare.ok_or(MapError::TableMissing)?;
    // Rights are the leaves' affair.
    match entry.set_if_empty(frame, Flags::PRESENT | Flags::WRITABLE) {
        Ok(()) => {
            *spare = None;
            Ok(frame.phys())
        }
        // Another CPU was first: its table serves, and the spare one stays with the caller.
        Err(_) => entry.table().ok_or(MapError::AlreadyMapped),
    }
}
