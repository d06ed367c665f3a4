//! The allocators put together: one [`Memory`] answers every call of the chapter.
//!
//! The core types (zone, cache, area tree) take `&mut self` and know no lock. This module owns them, each behind the
//! platform's lock, checks the caller's context and arguments (`refusals.rs`), and composes them into the calls:
//! `pages.rs`, `reclaim.rs`, `caches.rs`, `kmalloc.rs`, `vmalloc/`.
//!
//! Lock order, outermost first. A lock is only ever taken by closure, and nothing is reported while one is held:
//! 1. `chain`: the list of caches and the reaper's clock hand;
//! 2. `areas`: the tree of vm areas; `shrinkers`: the list of those who can give memory back; `kmaps`: the windows onto
//!    high memory; `range_depot`: address ranges that no CPU has. None is taken under another of these, nor by somebody who is
//!    pinned to a CPU; under `areas` a CPU may be pinned;
//! 3. a cache's own lock: its slabs and their free objects;
//! 4. a CPU's depot of that cache: magazines that wait there;
//! 5. the pool of cleared pages: the chain through them; the window through which pages are cleared;
//! 6. a zone's lock: its free blocks, and the page-map entries as `page/` says.

#[path = "objects/kmem_cache.rs"]
mod caches;
#[path = "pages/prezeroed.rs"]
mod cleared;
#[path = "objects/watch.rs"]
mod debug;
#[path = "pages/events.rs"]
mod events;
#[path = "objects/kmalloc.rs"]
mod kmalloc;
#[path = "kmap.rs"]
mod kmap;
#[path = "objects/krealloc.rs"]
mod krealloc;
#[path = "objects/alloc.rs"]
mod objects;
#[path = "pages/alloc.rs"]
mod pages;
#[path = "pages/percpu.rs"]
mod percpu;
#[path = "pages/reclaim.rs"]
mod reclaim;
#[path = "pages/refusals.rs"]
mod refusals;
#[path = "objects/grow.rs"]
mod slabs;
#[path = "pages/waiters.rs"]
mod sleepers;
#[path = "objects/supply.rs"]
mod supply;
#[path = "areas/vmalloc.rs"]
mod vmalloc;
#[path = "pages/zeroing.rs"]
mod zeroing;

use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use crate::gfp::ZoneKind;
pub use crate::magazine::CpuZoneCounts;
use crate::magazine::{CpuCache, MAX_CPUS};
use crate::order::Order;
use crate::page::{BlockKey, PageMap};
use crate::platform::{Lock, Platform};
use crate::slab::{BootCaches, Chain};
use crate::vm::{AreaTree, Memo, RangeCache, RangeDepot};
use crate::zone::{AtomicFloor, Watermarks, Zone, ZoneCounters};

pub use caches::CacheSpec;
use cleared::ClearedPool;
use events::Events;
pub use events::{CpuStats, EventCounts};
use kmalloc::KmallocCaches;
pub use kmalloc::{KMALLOC_CLASSES, KMALLOC_MAX};
pub use kmap::{KMAP_PAGES, KmapAtomic};
pub use reclaim::Shrinker;
use reclaim::Shrinkers;
use sleepers::Sleepers;
pub use vmalloc::AreaInfo;
use zeroing::Zeroing;

/// First frame that ISA DMA does not reach: 16 MiB.
pub const DMA_END: Pfn = Pfn::new(4096);

/// What is fixed when the allocators start.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// First frame outside of the direct map, or the end of memory when there is none.
    pub highmem_start: Pfn,
    /// First address for vm areas, page-aligned.
    pub vmalloc_start: VirtAddr,
    /// End of the addresses for vm areas, page-aligned.
    pub vmalloc_end: VirtAddr,
    /// First of the [`KMAP_PAGES`] pages of addresses for windows onto high memory, aligned to 2 MiB.
    pub kmap_start: VirtAddr,
    /// Where GFP_ATOMIC stops.
    pub atomic_floor: AtomicFloor,
}

/// A snapshot of one zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZoneStats {
    /// Which zone.
    pub kind: ZoneKind,
    /// Pages that were handed to it at boot.
    pub managed: usize,
    /// Free pages, wherever they wait.
    pub free: usize,
    /// Of these, pages in the depots.
    pub depot: usize,
    /// Of these, pages in the CPUs' magazines, which the watermarks do not count.
    pub parked: usize,
    /// Its watermarks, in pages.
    pub marks: Watermarks,
    /// Free blocks of each order.
    pub blocks: [usize; Order::COUNT],
    /// What has happened since boot.
    pub counters: ZoneCounters,
    /// What each CPU's magazines have done.
    pub cpus: [CpuZoneCounts; MAX_CPUS],
}

/// The allocators of one machine.
pub struct Memory<P: Platform> {
    platform: P,
    map: PageMap,
    config: Config,
    /// Bytes of the direct map from its start on whose pages all have entries.
    gapless_bytes: usize,
    cpus: [CpuCache; MAX_CPUS],
    cleared: ClearedPool<P>,
    zeroing: Zeroing<P>,
    shrinkers: P::Lock<Shrinkers>,
    zones: [P::Lock<Zone>; ZoneKind::COUNT],
    /// The zone that a request tries first, by its [`zone_bits`](crate::GfpFlags::zone_bits).
    first_zones: [ZoneKind; 4],
    /// Whether no page of each zone may wait in a magazine: so little memory is left, or pages are [zeroed](Zeroing).
    tight: [AtomicBool; BlockKey::ZONES],
    managed: AtomicUsize,
    tables: AtomicUsize,
    sleepers: Sleepers,
    events: Events,
    boot_caches: BootCaches<P>,
    chain: P::Lock<Chain<P>>,
    kmalloc: KmallocCaches<P>,
    areas: P::Lock<AreaTree>,
    /// Some of them, to be found without the lock.
    memo: Memo,
    kmaps: P::Lock<kmap::Windows>,
    kmap_depths: kmap::Depths,
    /// Free address ranges that each CPU has at hand.
    ranges: [RangeCache; MAX_CPUS],
    /// Free address ranges that any CPU may take.
    range_depot: P::Lock<RangeDepot>,
}

impl<P: Platform> Memory<P> {
    /// Allocators without memory: call [`release`](Self::release) for each free range, then
    /// [`init_caches`](Self::init_caches).
    pub fn new(platform: P, map: PageMap, config: Config) -> Self {
        let zones = ZoneKind::ALL.map(|kind| Lock::new(Zone::new(kind, config.atomic_floor)));
        let gapless_bytes = map.gapless().min(config.highmem_start.as_u32()) as usize * PAGE_SIZE;
        let high = if config.highmem_start.as_u32() < map.frames() { ZoneKind::HighMem } else { ZoneKind::Normal };
        Self {
            platform,
            map,
            config,
            gapless_bytes,
            cpus: [const { CpuCache::new() }; MAX_CPUS],
            cleared: ClearedPool::new(),
            zeroing: Zeroing::new(),
            shrinkers: Lock::new(Shrinkers::new()),
            zones,
            first_zones: [ZoneKind::Normal, ZoneKind::Dma, high, ZoneKind::Dma],
            tight: [const { AtomicBool::new(true) }; BlockKey::ZONES],
            managed: AtomicUsize::new(0),
            tables: AtomicUsize::new(0),
            sleepers: Sleepers::new(),
            events: Events::new(),
            boot_caches: BootCaches::new(),
            chain: Lock::new(Chain::new()),
            kmalloc: KmallocCaches::new(),
            areas: Lock::new(AreaTree::new(config.vmalloc_start, config.vmalloc_end)),
            memo: Memo::new(),
            kmaps: Lock::new(kmap::Windows::new()),
            kmap_depths: core::array::from_fn(|_| AtomicUsize::new(0)),
            ranges: [const { RangeCache::new() }; MAX_CPUS],
            range_depot: Lock::new(RangeDepot::new()),
        }
    }

    /// Hands the frames of `range` to their zones. Boot only: each frame once, by value of what bootmem left over.
    pub fn release(&self, range: PfnRange) {
        let mut at = range.start;
        while at < range.end {
            let order = largest_block(at, range.end, self.config.highmem_start);
            self.with_zone(self.zone_of(at), |zone| zone.release(&self.map, at, order));
            at = at.add(order.pages());
        }
        self.managed.fetch_add(range.frames(), Relaxed);
    }

    /// Keeps about `pages` pages free for urgent requests, shared out to the zones by their size, instead of what the
    /// formula of [`Watermarks`] says. Boot, after the last [`release`](Self::release). (Kernel option `min_free_kbytes=`.)
    pub fn set_min_free(&self, pages: usize) {
        let total = self.managed_pages().max(1);
        let pages = pages.min(total);
        for kind in ZoneKind::ALL {
            self.with_zone(kind, |zone| zone.set_min(pages * zone.managed() / total));
        }
    }

    /// The kernel beneath.
    #[inline]
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// The page map.
    pub fn map(&self) -> &PageMap {
        &self.map
    }

    /// What was fixed at the start.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Pages that all zones manage: the machine's memory less what boot reserved.
    pub fn managed_pages(&self) -> usize {
        self.managed.load(Relaxed)
    }

    /// Those of them that the direct map shows: all but high memory.
    pub fn low_pages(&self) -> usize {
        self.managed_pages() - self.zone(ZoneKind::HighMem).with(|zone| zone.managed())
    }

    /// Free pages in all zones.
    pub fn free_pages_total(&self) -> usize {
        let free = |kind| self.zone(kind).with(|zone| zone.free_pages()) + self.parked_pages(kind);
        ZoneKind::ALL.into_iter().map(free).sum()
    }

    /// The zone that `frame` belongs to.
    #[inline]
    pub fn zone_of(&self, frame: Pfn) -> ZoneKind {
        if frame < DMA_END {
            ZoneKind::Dma
        } else if frame < self.config.highmem_start {
            ZoneKind::Normal
        } else {
            ZoneKind::HighMem
        }
    }

    /// The direct map's address of `frame`; `None` for high memory, which has none but by [`kmap`](Self::kmap).
    #[inline]
    pub fn page_address(&self, frame: Pfn) -> Option<VirtAddr> {
        (frame < self.config.highmem_start).then(|| self.virt(frame))
    }

    /// [`page_address`](Self::page_address) of a frame that is known to be of low memory.
    #[inline]
    pub(crate) fn virt(&self, frame: Pfn) -> VirtAddr {
        debug_assert!(frame < self.config.highmem_start, "{frame:?} is high memory");
        self.platform.direct_map().add(frame.phys().as_u64() as usize)
    }

    /// The frame whose direct-map address lies in the page of `addr`, if the page map knows it.
    #[inline]
    pub fn frame_of(&self, addr: VirtAddr) -> Option<Pfn> {
        self.direct_frame(addr).filter(|&frame| self.map.get(frame).is_some())
    }

    /// The frame whose direct-map address lies in the page of `addr`, whether or not there is one.
    #[inline]
    fn direct_frame(&self, addr: VirtAddr) -> Option<Pfn> {
        let offset = addr.as_usize().checked_sub(self.platform.direct_map().as_usize())?;
        let frame = crate::addr::PhysAddr::new(offset as u64).frame()?;
        (frame < self.config.highmem_start).then_some(frame)
    }

    /// A snapshot of one zone.
    pub fn zone_stats(&self, kind: ZoneKind) -> ZoneStats {
        let cpus = core::array::from_fn(|cpu| self.cpu_counts(cpu, kind));
        let parked = self.parked_pages(kind);
        let (allocs, frees) = cpus.iter().fold((0, 0), |sum, cpu| (sum.0 + cpu.allocs, sum.1 + cpu.frees));
        self.zone(kind).with(|zone| {
            let mut blocks = [0; Order::COUNT];
            for order in Order::all() {
                blocks[order.log2()] = zone.buddy().free_blocks(order);
            }
            ZoneStats {
                kind,
                managed: zone.managed(),
                free: zone.free_pages() + parked,
                depot: zone.depot_pages(),
                parked,
                marks: zone.watermarks(),
                blocks,
                counters: ZoneCounters {
                    allocs: zone.counters().allocs + allocs,
                    frees: zone.counters().frees + frees,
                    ..zone.counters()
                },
                cpus,
            }
        })
    }

    /// Checks every invariant of every zone, cache and area; returns the first that is broken. Meant for tests: it
    /// holds each lock for long, and needs the allocators at rest.
    pub fn validate(&'static self) -> Result<(), &'static str> {
        for kind in ZoneKind::ALL {
            self.zone(kind).with(|zone| zone.validate(&self.map))?;
        }
        self.validate_magazines()?;
        self.validate_caches()?;
        self.validate_ranges()?;
        self.areas.with(|areas| {
            areas.validate()?;
            self.memo.validate(|area| areas.find(area.start) == Some(area))
        })
    }

    /// Runs `f` with a zone that it may change.
    #[inline]
    fn with_zone<R>(&self, kind: ZoneKind, f: impl FnOnce(&mut Zone) -> R) -> R {
        self.zone(kind).with(|zone| {
            let result = f(zone);
            // Only a change is written: every call reads it, on all CPUs.
            let (known, tight) = (&self.tight[kind as usize], zone.is_tight() || self.zeroing.is_wanted());
            if known.load(Relaxed) != tight {
                known.store(tight, Relaxed);
            }
            result
        })
    }

    /// Whether none of the memory of the zone of `frame` may hide.
    #[inline]
    fn is_tight(&self, frame: Pfn) -> bool {
        self.tight[self.zone_of(frame) as usize].load(Relaxed)
    }

    #[inline]
    fn zone(&self, kind: ZoneKind) -> &P::Lock<Zone> {
        &self.zones[kind as usize]
    }
}

/// The largest block that starts at `at`, is aligned to its size, and crosses neither `end` nor the start of HighMem.
fn largest_block(at: Pfn, end: Pfn, highmem_start: Pfn) -> Order {
    let end = if at < highmem_start { end.min(highmem_start) } else { end };
    Order::largest_at(at.as_u32(), end.as_u32() - at.as_u32())
}
