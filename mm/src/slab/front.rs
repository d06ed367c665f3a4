//! What stands before a cache on each CPU: two magazines.
//!
//! Allocation pops from the loaded magazine and a free pushes onto it. When that does not do, the two change places;
//! when that does not do either, a whole magazine is traded with the depot or filled from a slab.
//!
//! Who may touch a CPU's magazines: who is pinned and has their number from [`Pinned::front`](crate::Pinned::front).
//! A magazine leaves a front under the lock of the cache, before it is given back: who holds that lock may look at
//! the counts of all CPUs.

use crate::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering::Relaxed};

use crate::magazine::MAX_CPUS;
use crate::slab::magazine::{CAPACITIES, Magazine, MagazineRef};

/// How many objects the magazines of a cache and its depot hold.
#[derive(Debug)]
pub(crate) struct Stock {
    stride: usize,
    capacity: AtomicUsize,
    batch: AtomicUsize,
}

impl Stock {
    /// Objects that a depot holds at most, and their bytes.
    const DEPOT_OBJECTS: usize = 1024;
    const DEPOT_BYTES: usize = 1 << 20;
    /// Objects of the largest magazine.
    pub(crate) const MOST: usize = CAPACITIES[CAPACITIES.len() - 1];

    /// No magazines at all.
    pub(crate) const fn none() -> Self {
        Self { stride: Self::DEPOT_BYTES, capacity: AtomicUsize::new(0), batch: AtomicUsize::new(0) }
    }

    /// The larger the objects, the fewer of them.
    pub(crate) const fn for_objects(stride: usize) -> Self {
        let capacity = match stride {
            0..=256 => 64,
            257..=1024 => 32,
            1025..=4096 => 16,
            4097..=16_384 => 8,
            _ => 2,
        };
        Self { stride, capacity: AtomicUsize::new(capacity), batch: AtomicUsize::new(capacity) }
    }

    /// Objects of a full magazine; 0 for a cache that has none.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity.load(Relaxed)
    }

    /// Objects that a refill takes from slabs: at most two magazines full.
    pub(crate) fn batch(&self) -> usize {
        self.batch.load(Relaxed)
    }

    /// Sets the objects of a full magazine, at most 64, for magazines that are made from now on, and of a refill.
    pub(crate) fn tune(&self, capacity: usize, batch: usize) {
        self.capacity.store(capacity.min(Self::MOST), Relaxed);
        self.batch.store(batch, Relaxed);
    }

    /// The kind of magazine that has room for so many: index in [`CAPACITIES`].
    pub(crate) fn kind(capacity: usize) -> Option<usize> {
        CAPACITIES.iter().position(|&room| room >= capacity)
    }

    /// Full magazines in the depot.
    pub(crate) fn depot(&self) -> usize {
        let objects = (Self::DEPOT_BYTES / self.stride).min(Self::DEPOT_OBJECTS);
        objects.checked_div(self.capacity()).unwrap_or(0)
    }
}

/// The magazines of all CPUs.
pub(crate) struct Front {
    /// The last place is of those who have no magazines to themselves.
    loaded: [AtomicPtr<Magazine>; MAX_CPUS + 1],
    spare: [AtomicPtr<Magazine>; MAX_CPUS],
    /// A bit for each CPU that another one asks to empty its magazines.
    drain_wanted: AtomicU32,
    absent: Magazine,
}

impl Front {
    /// Must be [attached](Self::attach) before anything else is done with it.
    pub(crate) const fn new() -> Self {
        Self {
            loaded: [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS + 1],
            spare: [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS],
            drain_wanted: AtomicU32::new(0),
            absent: Magazine::absent(),
        }
    }

    /// Makes every CPU's magazines absent ones. The front must not move any more.
    pub(crate) fn attach(&self) {
        self.loaded.iter().for_each(|place| place.store(self.absent(), Relaxed));
        self.spare.iter().for_each(|place| place.store(self.absent(), Relaxed));
    }

    fn absent(&self) -> *mut Magazine {
        (&raw const self.absent).cast_mut()
    }

    /// The loaded magazine of a CPU; `None` beyond the last CPU that has caches.
    #[inline]
    pub(crate) fn loaded(&self, cpu: usize) -> Option<MagazineRef> {
        let magazine = self.loaded.get(cpu)?.load(Relaxed);
        // SAFETY: an attached front has a magazine in every place, and takes it out before it is given back.
        Some(unsafe { MagazineRef::from_ptr(magazine) })
    }

    /// The spare magazine of a CPU.
    pub(crate) fn spare(&self, cpu: usize) -> Option<MagazineRef> {
        let magazine = self.spare.get(cpu)?.load(Relaxed);
        // SAFETY: as in `loaded`.
        Some(unsafe { MagazineRef::from_ptr(magazine) })
    }

    /// Whether a CPU has magazines.
    #[inline]
    pub(crate) fn is_equipped(&self, cpu: usize) -> bool {
        self.loaded.get(cpu).is_some_and(|place| place.load(Relaxed) != self.absent())
    }

    /// Lets the two magazines change places.
    pub(crate) fn swap(&self, cpu: usize) {
        let spare = self.spare[cpu].load(Relaxed);
        self.spare[cpu].store(self.loaded[cpu].load(Relaxed), Relaxed);
        self.loaded[cpu].store(spare, Relaxed);
    }

    /// Loads a magazine in the place of another.
    pub(crate) fn load(&self, cpu: usize, magazine: MagazineRef) {
        self.loaded[cpu].store(magazine.ptr().as_ptr(), Relaxed);
    }

    /// Gives a CPU its magazines.
    pub(crate) fn equip(&self, cpu: usize, [loaded, spare]: [MagazineRef; 2]) {
        self.spare[cpu].store(spare.ptr().as_ptr(), Relaxed);
        self.load(cpu, loaded);
    }

    /// Takes a CPU's magazines away, if it has any. Under the cache's lock.
    pub(crate) fn strip(&self, cpu: usize) -> Option<[MagazineRef; 2]> {
        self.drain_wanted.fetch_and(!(1 << cpu), Relaxed);
        if !self.is_equipped(cpu) {
            return None;
        }
        let magazines = [self.loaded(cpu)?, self.spare(cpu)?];
        self.loaded[cpu].store(self.absent(), Relaxed);
        self.spare[cpu].store(self.absent(), Relaxed);
        Some(magazines)
    }

    /// Asks a CPU to empty its magazines the next time that they do not do.
    pub(crate) fn want_drain(&self, cpu: usize) {
        self.drain_wanted.fetch_or(1 << cpu, Relaxed);
    }

    /// Whether a CPU was asked to.
    pub(crate) fn is_drain_wanted(&self, cpu: usize) -> bool {
        self.drain_wanted.load(Relaxed) >> cpu & 1 == 1
    }

    /// The magazines of all CPUs. Under the cache's lock.
    pub(crate) fn magazines(&self) -> impl Iterator<Item = MagazineRef> {
        (0..MAX_CPUS).flat_map(|cpu| [self.loaded(cpu), self.spare(cpu)]).flatten()
    }
}

const _: () = assert!(MAX_CPUS <= u32::BITS as usize);

#[cfg(test)]
mod tests {
    use super::Stock;

    #[test]
    fn magazines_of_large_objects_are_small() {
        for (stride, capacity, depot) in [(8, 64, 16), (256, 64, 16), (1024, 32, 32), (4096, 16, 16), (8192, 8, 16)] {
            let stock = Stock::for_objects(stride);
            assert_eq!((stock.capacity(), stock.depot()), (capacity, depot), "{stride}");
        }
        for stride in (8..=131_072).step_by(4) {
            let stock = Stock::for_objects(stride);
            assert!(stock.depot() * stock.capacity() * stride <= 1 << 20, "{stride}: {stock:?}");
            assert!(stock.capacity() > 0);
        }
    }
}
