//! How CPUs come to magazines of objects, and what empties them.

use core::panic::Location;
use core::sync::atomic::Ordering::Relaxed;

use super::Memory;
use crate::addr::VirtAddr;
use crate::error::TuneError;
use crate::gfp::GfpFlags;
use crate::magazine::MAX_CPUS;
use crate::platform::{Lock, Pinned, Platform};
use crate::slab::front::Stock;
use crate::slab::magazine::MagazineRef;
use crate::slab::{Cache, CacheName};

impl<P: Platform> Memory<P> {
    /// Sets how many objects each CPU may keep in its magazines of the cache `name`, up to 128, and how many of them a
    /// refill takes from slabs; what depots hold stays the same. A CPU's two magazines hold half of `limit` each, rounded
    /// up; between magazines and depot, objects move by whole magazines as always. A limit of 0 does without magazines.
    /// What is refused is reported. Process context. (Chapter's kernel: a write to /proc/slabinfo.)
    #[track_caller]
    pub fn tune_cache(&'static self, name: &str, limit: usize, batch: usize) -> Result<(), TuneError> {
        let caller = Location::caller();
        self.try_tune(name, limit, batch).inspect_err(|error| {
            self.refuse("slabinfo", error.reason(), caller);
        })
    }

    fn try_tune(&'static self, name: &str, limit: usize, batch: usize) -> Result<(), TuneError> {
        if batch > limit || (limit > 0 && batch == 0) {
            return Err(TuneError::BadNumbers);
        }
        if limit > 2 * Stock::MOST {
            return Err(TuneError::TooMany);
        }
        let name = CacheName::new(name).map_err(|_| TuneError::NoSuchCache)?;
        self.chain.with(|chain| {
            let cache = chain.iter().find(|cache| cache.name == name).ok_or(TuneError::NoSuchCache)?;
            if !cache.debug.is_empty() {
                return Err(TuneError::Debugged);
            }
            cache.stock.tune(limit.div_ceil(2), batch);
            self.drain_objects(&cache);
            Ok(())
        })
    }

    /// Gives this CPU magazines for a cache, if it has none and memory is plenty.
    pub(super) fn equip(&'static self, cache: &Cache<P>) {
        let lacks = || {
            let pin = self.platform.pin().filter(|pin| pin.front() < MAX_CPUS)?;
            (!cache.front.is_equipped(pin.front())).then_some(pin)
        };
        if cache.stock.capacity() == 0 || lacks().is_none() || self.is_short(cache) {
            return;
        }
        let Some(loaded) = self.new_magazine(cache) else { return };
        let Some(spare) = self.new_magazine(cache) else { return self.free_magazine(loaded) };
        match lacks() {
            Some(pin) => cache.front.equip(pin.front(), [loaded, spare]),
            None => [loaded, spare].into_iter().for_each(|magazine| self.free_magazine(magazine)),
        }
    }

    /// An empty magazine, from memory that is there. Never sleeps, reports nothing.
    pub(super) fn new_magazine(&'static self, cache: &Cache<P>) -> Option<MagazineRef> {
        // Somebody may have done away with magazines since the caller looked.
        let capacity = Some(cache.stock.capacity()).filter(|&capacity| capacity > 0)?;
        let source = &self.boot_caches.magazines[Stock::kind(capacity)?];
        let memory = self.take_from_slab(source).or_else(|| {
            self.grow_quietly(source)?;
            self.take_from_slab(source)
        })?;
        // SAFETY: the object is ours, aligned to a cache line, and has room for a magazine of its kind's capacity.
        Some(unsafe { MagazineRef::init(memory, capacity) })
    }

    fn free_magazine(&'static self, magazine: MagazineRef) {
        debug_assert!(magazine.is_empty());
        let addr = VirtAddr::from_ptr(magazine.ptr().as_ptr());
        let freed = self.put_object(addr, Some(self.owner(self.slab_around(addr))));
        debug_assert!(freed.is_ok());
    }

    /// Whether the zones that serve a cache have so little memory left that nothing should be set aside.
    pub(super) fn is_short(&self, cache: &Cache<P>) -> bool {
        let zones = cache.page_gfp(GfpFlags::ATOMIC).zones();
        zones.iter().all(|&kind| self.tight[kind as usize].load(Relaxed))
    }

    /// Empties the magazines of this CPU and of those where nothing runs, and all depots; asks the other CPUs to empty
    /// theirs. The objects are back in their slabs then.
    pub(super) fn drain_objects(&'static self, cache: &Cache<P>) {
        if let Some(pin) = self.platform.pin() {
            self.strip(cache, pin.front());
        }
        for cpu in (0..MAX_CPUS).filter(|&cpu| cache.front.is_equipped(cpu)) {
            match self.platform.pin_idle(cpu) {
                Some(_pin) => self.strip(cache, cpu),
                None => cache.front.want_drain(cpu),
            }
        }
        let next = || {
            cache.slabs.with(|slabs| {
                let magazine = cache.front.take_waiting()?;
                slabs.put_all(magazine, |addr| self.slab_around(addr));
                Some(magazine)
            })
        };
        while let Some(magazine) = next() {
            self.free_magazine(magazine);
        }
    }

    /// Empties the magazines of all CPUs of a cache that nobody uses.
    pub(super) fn strip_all(&'static self, cache: &Cache<P>) {
        (0..MAX_CPUS).for_each(|cpu| self.strip(cache, cpu));
    }

    /// Takes the magazines of a CPU away, which the caller is pinned to.
    pub(super) fn strip(&'static self, cache: &Cache<P>, cpu: usize) {
        let stripped = cache.slabs.with(|slabs| {
            let magazines = cache.front.strip(cpu)?;
            magazines.into_iter().for_each(|magazine| slabs.put_all(magazine, |addr| self.slab_around(addr)));
            Some(magazines)
        });
        stripped.into_iter().flatten().for_each(|magazine| self.free_magazine(magazine));
    }
}
