//! The names in a directory, in the order in which they came.
//!
//! Entries stand in a row, oldest first, and each has a *place*: a number that is its own as long as it is there, and
//! larger than those of all before it. So a listing goes on where it was, whatever came and went meanwhile. A table of
//! hashes beside the row finds a name. A removed entry leaves a gap in the row, closed when half of the row are gaps.
//!
//! Invariants:
//!  (a) places rise along the row, those of gaps too;
//!  (b) each entry is in exactly one slot of the table, and the way there from its hash on has no empty slot;
//!  (c) a quarter of the table, at least, is empty.

use mm::own::{Global, KString, KVVec};
use mm::{AllocError, GfpFlags};

/// A name and what it leads to.
pub struct Entry<T, K: Global> {
    /// The name.
    pub name: KString<K>,
    /// What it leads to.
    pub value: T,
}

/// What comes next in a listing, if something does, and the place behind it.
pub type Next<'a, T, K> = Option<(&'a Entry<T, K>, u64)>;

/// A place in the row.
struct Seat<T, K: Global> {
    place: u64,
    /// `None` is a gap.
    entry: Option<Entry<T, K>>,
}

/// The names in a directory.
pub struct Directory<T, K: Global> {
    row: KVVec<Seat<T, K>, K>,
    /// Where in the row an entry is, by the hash of its name; a power of two of them, or none.
    table: KVVec<Slot, K>,
    /// Entries in the row.
    len: usize,
    /// Slots that are not empty.
    used: usize,
    next_place: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Empty,
    /// Of an entry that is gone.
    Left,
    At(u32),
}

/// Slots of the smallest table.
const SMALLEST: usize = 8;

/// The most names: places in the row fit into a slot with room to spare.
const MOST: usize = 1 << 30;

impl<T, K: Global> Directory<T, K> {
    /// A directory without names, which holds no memory.
    pub const fn new() -> Self {
        Self { row: KVVec::new(), table: KVVec::new(), len: 0, used: 0, next_place: 0 }
    }

    /// Bytes that an entry costs beside its name, in a row that has just doubled.
    pub const ENTRY_BYTES: usize = 2 * (size_of::<Seat<T, K>>() + 2 * size_of::<Slot>());

    /// How many names there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What `name` leads to.
    pub fn get(&self, name: &str) -> Option<&T> {
        let (_, at) = self.find(name)?;
        self.row.get(at)?.entry.as_ref().map(|entry| &entry.value)
    }

    /// What `name` leads to, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        let (_, at) = self.find(name)?;
        self.row.get_mut(at)?.entry.as_mut().map(|entry| &mut entry.value)
    }

    /// Makes room for one more name: the next [`insert`](Self::insert) needs no memory. Without memory nothing changes.
    pub fn reserve(&mut self) -> Result<(), AllocError> {
        if self.row.len() >= SMALLEST && self.len * 2 <= self.row.len() {
            self.close_gaps();
        }
        if self.row.len() >= MOST {
            return Err(AllocError);
        }
        self.row.reserve(1, GfpFlags::KERNEL)?;
        if (self.used + 1) * 4 > self.table.len() * 3 {
            let wanted = ((self.len + 1) * 2).next_power_of_two().max(SMALLEST);
            let mut table = KVVec::new();
            table.resize(wanted, Slot::Empty, GfpFlags::KERNEL)?;
            self.table = table;
            self.fill_table();
        }
        Ok(())
    }

    /// Enters `name`, which must not be there. Without memory nothing changes.
    pub fn insert(&mut self, name: KString<K>, value: T) -> Result<(), AllocError> {
        self.reserve()?;
        let (hash, at) = (hash(&name), self.row.len());
        self.row.push(Seat { place: self.next_place, entry: Some(Entry { name, value }) }, GfpFlags::KERNEL)?;
        self.next_place += 1;
        self.len += 1;
        self.enter(hash, at);
        Ok(())
    }

    /// Takes `name` out. Needs no memory.
    pub fn remove(&mut self, name: &str) -> Option<Entry<T, K>> {
        let (slot, at) = self.find(name)?;
        let entry = self.row.get_mut(at)?.entry.take()?;
        self.table[slot] = Slot::Left;
        self.len -= 1;
        Some(entry)
    }

    /// The first entry whose place is not before `place`, and the place behind it.
    pub fn next(&self, place: u64) -> Next<'_, T, K> {
        let start = self.row.partition_point(|seat| seat.place < place);
        self.row[start..].iter().find_map(|seat| Some((seat.entry.as_ref()?, seat.place + 1)))
    }

    /// All entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry<T, K>> {
        self.row.iter().filter_map(|seat| seat.entry.as_ref())
    }

    /// The slot and the seat of `name`.
    fn find(&self, name: &str) -> Option<(usize, usize)> {
        let mask = self.table.len().checked_sub(1)?;
        let mut slot = hash(name) as usize & mask;
        loop {
            match self.table[slot] {
                Slot::Empty => return None,
                Slot::At(at) if self.is_at(at as usize, name) => return Some((slot, at as usize)),
                Slot::At(_) | Slot::Left => slot = (slot + 1) & mask,
            }
        }
    }

    fn is_at(&self, at: usize, name: &str) -> bool {
        self.row.get(at).and_then(|seat| seat.entry.as_ref()).is_some_and(|entry| entry.name.as_str() == name)
    }

    /// Leads from `hash` to the seat `at`.
    fn enter(&mut self, hash: u32, at: usize) {
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        while self.table[slot] != Slot::Empty {
            slot = (slot + 1) & mask;
        }
        self.table[slot] = Slot::At(at as u32);
        self.used += 1;
    }

    /// Enters all of the row into the table, which is empty.
    fn fill_table(&mut self) {
        self.used = 0;
        for at in 0..self.row.len() {
            if let Some(hash) = self.row[at].entry.as_ref().map(|entry| hash(&entry.name)) {
                self.enter(hash, at);
            }
        }
    }

    fn close_gaps(&mut self) {
        self.row.retain(|seat| seat.entry.is_some());
        self.table.fill(Slot::Empty);
        self.fill_table();
    }
}

impl<T, K: Global> Default for Directory<T, K> {
    fn default() -> Self {
        Self::new()
    }
}

/// Fowler, Noll and Vo's hash of 32 bits (FNV-1a).
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
