//! Who has which addresses: ranges that nest, claims that exclude each other.
//!
//! Key types: [`ResourceTree`], [`Claim`]. /proc/iomem and /proc/ioports are such trees: places (RAM, a bus, a device's
//! window) hold narrower places and, innermost, what drivers have claimed for themselves. The caller locks.
//!
//! Invariant: two ranges are apart, or one holds the other and is a place. The list is in the order of first addresses,
//! wider ranges first, so that it is the tree written out from its root on.

use core::fmt;

use mm::own::{Global, KString, KVec};
use mm::{AllocError, GfpFlags};

/// What a range is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Something that is there: others may lie in it.
    Place,
    /// One driver's alone, until the driver releases it.
    Exclusive,
}

/// A range of addresses that has a name.
pub struct Resource<K: Global> {
    /// First address.
    pub first: u64,
    /// Last address: a range may reach to the end of the address space.
    pub last: u64,
    /// What it is.
    pub claim: Claim,
    name: KString<K>,
}

impl<K: Global> Resource<K> {
    /// Its owner's name, or what it is.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    fn holds(&self, first: u64, last: u64) -> bool {
        self.first <= first && last <= self.last
    }

    fn meets(&self, first: u64, last: u64) -> bool {
        self.first <= last && first <= self.last
    }
}

/// Why a request or release was refused; the tree is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResourceError {
    /// The range ends before it begins.
    Empty,
    /// The range is claimed, or lies across another one's edge.
    Busy,
    /// No claim is on exactly this range.
    Nonexistent,
    /// No memory for the entry.
    NoMemory,
}

impl From<AllocError> for ResourceError {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

/// The ranges of one address space.
pub struct ResourceTree<K: Global> {
    entries: KVec<Resource<K>, K>,
}

impl<K: Global> ResourceTree<K> {
    /// An address space of which nothing is known.
    pub const fn new() -> Self {
        Self { entries: KVec::new() }
    }

    /// Enters the range `first..=last`, inside all places that hold it. Sleeps if `gfp` allows it.
    pub fn request(
        &mut self,
        first: u64,
        last: u64,
        claim: Claim,
        name: fmt::Arguments<'_>,
        gfp: GfpFlags,
    ) -> Result<(), ResourceError> {
        if last < first {
            return Err(ResourceError::Empty);
        }
        let leaves_room = |entry: &Resource<K>| entry.holds(first, last) && entry.claim == Claim::Place;
        if self.entries.iter().any(|entry| entry.meets(first, last) && !leaves_room(entry)) {
            return Err(ResourceError::Busy);
        }
        let name = KString::try_format(name)?;
        let at =
            self.entries.partition_point(|entry| entry.first < first || (entry.first == first && entry.last >= last));
        Ok(self.entries.insert(at, Resource { first, last, claim, name }, gfp)?)
    }

    /// Takes out a claim on exactly this range.
    pub fn release(&mut self, first: u64, last: u64) -> Result<(), ResourceError> {
        let is_it = |entry: &Resource<K>| (entry.first, entry.last, entry.claim) == (first, last, Claim::Exclusive);
        let at = self.entries.iter().position(is_it).ok_or(ResourceError::Nonexistent)?;
        drop(self.entries.remove(at));
        Ok(())
    }

    /// All ranges, each before what lies in it.
    pub fn entries(&self) -> &[Resource<K>] {
        &self.entries
    }

    /// Writes a line for each range, addresses with at least `digits` digits, those inside another further to the
    /// right.
    pub fn write(&self, digits: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        for (at, entry) in self.entries.iter().enumerate() {
            let depth = self.entries[..at].iter().filter(|outer| outer.holds(entry.first, entry.last)).count();
            let (first, last, name) = (entry.first, entry.last, entry.name());
            writeln!(out, "{:indent$}{first:0digits$x}-{last:0digits$x} : {name}", "", indent = 2 * depth)?;
        }
        Ok(())
    }

    /// Checks the invariant; the text says how it is broken.
    pub fn validate(&self) -> Result<(), &'static str> {
        for (at, entry) in self.entries.iter().enumerate() {
            for later in &self.entries[at + 1..] {
                if later.first < entry.first || (later.first == entry.first && later.last > entry.last) {
                    return Err("ranges are out of order");
                }
                if entry.meets(later.first, later.last) && !entry.holds(later.first, later.last) {
                    return Err("a range lies across another one's end");
                }
                if entry.meets(later.first, later.last) && entry.claim == Claim::Exclusive {
                    return Err("a range lies in one that is claimed");
                }
            }
        }
        Ok(())
    }
}

impl<K: Global> Default for ResourceTree<K> {
    fn default() -> Self {
        Self::new()
    }
}
