//! The CPUs' part of a cache: for each two magazines and a depot.
//!
//! Allocation pops from the loaded magazine and a free pushes onto it. If that one is empty (or full), the two change
//! places; if both are, the CPU trades a whole magazine with its depot, or with another CPU's that has more than it
//! keeps, or fills it from a slab.
//!
//! Who may touch a CPU's magazines: the caller that is pinned and has their index from
//! [`Pinned::cache_index`](crate::Pinned::cache_index). A depot has a lock, which other CPUs take only for a surplus,
//! when memory is short, to drain and to count. A magazine leaves a CPU or a depot under the lock of the cache, before
//! it is freed: a holder of that lock may read the counts of all CPUs. It finds a magazine by an address that was
//! stored with Release.

use crate::atomic::{
    AtomicPtr, AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::objects::depot::{Depot, Lack};
use crate::objects::magazine::{CAPACITIES, CachedObject, Magazine, MagazineRef};
use crate::objects::object_state::ObjectState;
use crate::percpu::{DrainRequests, PerCpu, PerCpuAndNone};
use crate::platform::{Lock, Platform};

/// How many objects the magazines of a cache and a CPU's depot hold.
#[derive(Debug)]
pub(super) struct MagazineSizes {
    /// Objects of the largest depot.
    objects: usize,
    capacity: AtomicUsize,
    depot: AtomicUsize,
    batch: AtomicUsize,
}

impl MagazineSizes {
    /// The most objects that a depot holds, and their bytes.
    const DEPOT_OBJECTS: usize = 1024;
    const DEPOT_BYTES: usize = 4 << 20;
    /// Objects of the largest magazine.
    pub(super) const MOST: usize = CAPACITIES[CAPACITIES.len() - 1];

    /// No magazines at all.
    pub(super) const fn none() -> Self {
        Self { objects: 0, capacity: AtomicUsize::new(0), depot: AtomicUsize::new(0), batch: AtomicUsize::new(0) }
    }

    /// Magazines for objects of `stride` bytes: the larger, the fewer.
    pub(super) const fn for_objects(stride: usize) -> Self {
        let capacity = match stride {
            0..=256 => 64,
            257..=1024 => 32,
            1025..=4096 => 16,
            4097..=16_384 => 8,
            _ => 2,
        };
        let most = Self::DEPOT_BYTES / stride;
        let objects = if most < Self::DEPOT_OBJECTS { most } else { Self::DEPOT_OBJECTS };
        Self {
            objects,
            capacity: AtomicUsize::new(capacity),
            depot: AtomicUsize::new(objects / capacity),
            batch: AtomicUsize::new(2 * capacity),
        }
    }

    /// Objects of a full magazine; 0 for a cache that has none.
    pub(super) fn capacity(&self) -> usize {
        self.capacity.load(Relaxed)
    }

    /// Objects that a refill takes from slabs: at most two magazines full.
    pub(super) fn batch(&self) -> usize {
        self.batch.load(Relaxed)
    }

    /// Sets the objects of a full magazine, at most 64, for magazines that are made from now on, and of a refill.
    pub(super) fn tune(&self, capacity: usize, batch: usize) {
        let capacity = capacity.min(Self::MOST);
        self.capacity.store(capacity, Relaxed);
        self.depot.store(self.objects.checked_div(capacity).unwrap_or(0), Relaxed);
        self.batch.store(batch, Relaxed);
    }

    /// The kind of magazine with room for `capacity` objects: an index into [`CAPACITIES`].
    pub(super) fn kind(capacity: usize) -> Option<usize> {
        CAPACITIES.iter().position(|&room| room >= capacity)
    }

    /// Full magazines that a CPU's depot takes.
    pub(super) fn depot(&self) -> usize {
        self.depot.load(Relaxed)
    }

    /// How many of them other CPUs must leave there.
    fn kept(&self) -> usize {
        self.depot() / 2
    }
}

/// The magazines and the depot of each CPU for one cache.
pub(super) struct CpuCaches<P: Platform> {
    /// The loaded magazines, close together, so that one index finds them. The last place is for callers without a
    /// cache index.
    loaded: PerCpuAndNone<P, AtomicPtr<Magazine>>,
    cpus: PerCpu<P, CpuCache<P>>,
    /// The CPUs that are asked to empty their magazines.
    drain_requests: DrainRequests,
    /// A bit for each CPU that has magazines.
    equipped: AtomicU32,
    /// A bit for each CPU whose depot has magazines, and for each whose depot has more full ones than it keeps.
    stocked: AtomicU32,
    surplus: AtomicU32,
    absent: Magazine,
}

/// The rest of one CPU's part, in a cache line of its own: each trade of another CPU would take a shared line away.
#[repr(align(64))]
struct CpuCache<P: Platform> {
    spare: AtomicPtr<Magazine>,
    /// How many full magazines the depot has. Written under its lock.
    depth: AtomicUsize,
    depot: P::Lock<Depot>,
}

/// Which depots of other CPUs a CPU may take from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// Those that have more than they keep.
    Surplus,
    /// All.
    All,
}

impl<P: Platform> CpuCaches<P> {
    /// [`init_in_place`](Self::init_in_place) must come before anything else.
    #[inline(always)]
    pub(super) fn new() -> Self {
        let none = || AtomicPtr::new(core::ptr::null_mut());
        let nothing = |_| CpuCache { spare: none(), depth: AtomicUsize::new(0), depot: Lock::new(Depot::new()) };
        Self {
            loaded: PerCpuAndNone::new(|_| none()),
            cpus: PerCpu::new(nothing),
            drain_requests: DrainRequests::new(),
            equipped: AtomicU32::new(0),
            stocked: AtomicU32::new(0),
            surplus: AtomicU32::new(0),
            absent: Magazine::absent(),
        }
    }

    /// Makes every CPU's magazines absent ones. From then on this must not move.
    pub(super) fn init_in_place(&self) {
        for place in self.loaded.iter().chain(self.cpus.iter().map(|cpu| &cpu.spare)) {
            place.store(self.absent(), Relaxed);
        }
    }

    fn absent(&self) -> *mut Magazine {
        (&raw const self.absent).cast_mut()
    }

    /// The loaded magazine of a CPU; `None` beyond the last CPU that has caches.
    #[inline]
    pub(super) fn loaded(&self, cpu: usize) -> Option<MagazineRef> {
        let magazine = self.loaded.get(cpu)?.load(Relaxed);
        // SAFETY: every place has a magazine, which leaves it before it is freed.
        Some(unsafe { MagazineRef::from_ptr(magazine) })
    }

    /// The spare magazine of a CPU.
    pub(super) fn spare(&self, cpu: usize) -> Option<MagazineRef> {
        let magazine = self.cpus.get(cpu)?.spare.load(Relaxed);
        // SAFETY: as in `loaded`.
        Some(unsafe { MagazineRef::from_ptr(magazine) })
    }

    /// Whether a CPU has magazines.
    pub(super) fn has_magazines(&self, cpu: usize) -> bool {
        self.equipped.load(Relaxed).checked_shr(cpu as u32).is_some_and(|bits| bits & 1 == 1)
    }

    /// Whether no CPU has magazines, nor its depot.
    pub(super) fn are_unused(&self) -> bool {
        self.equipped.load(Relaxed) | self.stocked.load(Relaxed) == 0
    }

    /// The CPUs that have magazines.
    pub(super) fn equipped(&self) -> impl Iterator<Item = usize> {
        bits(self.equipped.load(Relaxed))
    }

    /// Lets the two magazines change places.
    pub(super) fn swap(&self, cpu: usize) {
        let (loaded, spare) = (&self.loaded[cpu], &self.cpus[cpu].spare);
        let other = spare.load(Relaxed);
        spare.store(loaded.load(Relaxed), Release);
        loaded.store(other, Release);
    }

    /// Loads a magazine in the place of another.
    fn load(&self, cpu: usize, magazine: MagazineRef) {
        self.loaded[cpu].store(magazine.ptr().as_ptr(), Release);
    }

    /// Trades the loaded magazine of a CPU, an empty one, for a full one from its own depot; says whether there was
    /// one.
    pub(super) fn trade(&self, cpu: usize, sizes: &MagazineSizes) -> bool {
        self.cpus[cpu].depth.load(Relaxed) > 0 && self.trade_with(cpu, cpu, sizes)
    }

    /// Trades the loaded magazine of a CPU, an empty one, for a full one from another CPU's depot; says whether there
    /// was one within reach.
    pub(super) fn trade_with_others(&self, cpu: usize, sizes: &MagazineSizes, reach: impl FnOnce() -> Reach) -> bool {
        let others = self.stocked.load(Relaxed) & !(1 << cpu);
        if others == 0 {
            return false;
        }
        let within = match reach() {
            Reach::Surplus => others & self.surplus.load(Relaxed),
            Reach::All => others,
        };
        bits(within).any(|other| self.trade_with(other, cpu, sizes))
    }

    fn trade_with(&self, owner: usize, cpu: usize, sizes: &MagazineSizes) -> bool {
        let Some(empty) = self.loaded(cpu) else { return false };
        self.cpus[owner].depot.with(|depot| {
            let Some(full) = depot.take_full(empty) else { return false };
            // Before the depot is unlocked: a magazine is always loaded, spare or in a depot.
            self.load(cpu, full);
            self.note_depth(owner, depot, sizes);
            true
        })
    }

    /// Trades the loaded magazine of a CPU, a full one, for an empty one from its depot, which takes `limit` full ones.
    pub(super) fn trade_in(&self, cpu: usize, sizes: &MagazineSizes, limit: usize) -> Result<(), Lack> {
        let full = self.loaded(cpu).ok_or(Lack::Room)?;
        self.cpus[cpu].depot.with(|depot| {
            self.load(cpu, depot.take_empty(full, limit)?);
            self.note_depth(cpu, depot, sizes);
            Ok(())
        })
    }

    /// Notes how many full magazines a depot has, whose lock is held, and whether that is more than it keeps.
    fn note_depth(&self, cpu: usize, depot: &Depot, sizes: &MagazineSizes) {
        self.cpus[cpu].depth.store(depot.depth(), Relaxed);
        let (bit, is_surplus) = (1 << cpu, depot.depth() > sizes.kept());
        if is_surplus != (self.surplus.load(Relaxed) & bit != 0) {
            self.surplus.fetch_xor(bit, Relaxed);
        }
    }

    /// Puts an empty magazine into a CPU's depot.
    pub(super) fn add(&self, cpu: usize, empty: MagazineRef) {
        self.cpus[cpu].depot.with(|depot| {
            depot.add(empty);
            self.stocked.fetch_or(1 << cpu, Relaxed);
        });
    }

    /// Takes a magazine out of a depot, if there is one anywhere. Under the cache's lock.
    pub(super) fn take_waiting(&self) -> Option<MagazineRef> {
        bits(self.stocked.load(Relaxed)).find_map(|cpu| {
            self.cpus[cpu].depot.with(|depot| {
                let magazine = depot.take_any();
                self.cpus[cpu].depth.store(depot.depth(), Relaxed);
                self.surplus.fetch_and(!(1 << cpu), Relaxed);
                if magazine.is_none() {
                    self.stocked.fetch_and(!(1 << cpu), Relaxed);
                }
                magazine
            })
        })
    }

    /// Gives a CPU its magazines.
    pub(super) fn attach(&self, cpu: usize, [loaded, spare]: [MagazineRef; 2]) {
        self.cpus[cpu].spare.store(spare.ptr().as_ptr(), Release);
        self.load(cpu, loaded);
        self.equipped.fetch_or(1 << cpu, Relaxed);
    }

    /// Takes a CPU's magazines away, if it has any. Under the cache's lock.
    pub(super) fn detach(&self, cpu: usize) -> Option<[MagazineRef; 2]> {
        self.drain_requests.take(cpu);
        if !self.has_magazines(cpu) {
            return None;
        }
        let magazines = [self.loaded(cpu)?, self.spare(cpu)?];
        self.loaded[cpu].store(self.absent(), Relaxed);
        self.cpus[cpu].spare.store(self.absent(), Relaxed);
        self.equipped.fetch_and(!(1 << cpu), Relaxed);
        Some(magazines)
    }

    /// The CPUs that are asked to empty their magazines: they do so at their next call past the fast way.
    pub(super) fn drain_requests(&self) -> &DrainRequests {
        &self.drain_requests
    }

    /// Objects in all magazines and depots. Under the cache's lock; exact while no CPU allocates or frees.
    pub(super) fn cached(&self) -> usize {
        self.try_sum(|magazine| Ok(magazine.len())).unwrap_or(0)
    }

    /// Checks that all objects in magazines are cached and returns how many of them `is_counted`. Under the cache's
    /// lock; no call may use the cache.
    pub(super) fn validate(&self, is_counted: impl Fn(CachedObject) -> bool) -> Result<usize, &'static str> {
        if !self.cpus.iter().all(|cpu| cpu.depot.with(|depot| depot.is_sorted())) {
            return Err("a magazine among the empty ones is not");
        }
        let is_cached = |object: CachedObject| object.slot.state().get() == ObjectState::CACHED;
        self.try_sum(|magazine| match magazine.iter().all(|object| !is_counted(object) || is_cached(object)) {
            true => Ok(magazine.iter().filter(|&object| is_counted(object)).count()),
            false => Err("a magazine holds an object that is not cached"),
        })
    }

    /// The sum of `each` over all magazines.
    fn try_sum(&self, each: impl Fn(MagazineRef) -> Result<usize, &'static str>) -> Result<usize, &'static str> {
        let add = |sum: usize, magazine| Ok(sum + each(magazine)?);
        let places = self.loaded.iter().chain(self.cpus.iter().map(|cpu| &cpu.spare));
        // SAFETY: every place has a magazine, which does not go while the cache's lock is held.
        let mut magazines = places.map(|place| unsafe { MagazineRef::from_ptr(place.load(Acquire)) });
        let loaded = magazines.try_fold(0, add)?;
        let waiting = |sum, cpu: usize| self.cpus[cpu].depot.with(|depot| depot.iter().try_fold(sum, add));
        bits(self.stocked.load(Relaxed)).try_fold(loaded, waiting)
    }
}

/// The bits of a mask, lowest first.
fn bits(mask: u32) -> impl Iterator<Item = usize> {
    core::iter::successors(Some(mask), |mask| Some(mask & mask.wrapping_sub(1)))
        .take_while(|&mask| mask != 0)
        .map(|mask| mask.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests;
