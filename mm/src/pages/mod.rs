//! The page allocator: zones of frames, and a cache of blocks on every CPU.
//!
//! [`PageAllocator`] is the part; it names nothing above. The files, bottom up: `buddy.rs`, `zone_depot.rs`, `zone.rs`
//! (one zone, under its lock); `pageset.rs` (a CPU's magazines) and `percpu.rs` (their use); `prezeroed.rs` (pages
//! cleared ahead), `zeroing.rs` (when pages are filled), `window.rs` (a CPU's windows onto high memory), `clearing.rs`,
//! `poison.rs` (writes to free pages), `owner_table.rs` and `owners.rs` (who allocated a block); `drain.rs` (all of it
//! back to the buddy lists), `free.rs`, `favourite.rs`, `shrinkers.rs`, `zonelist.rs` (one walk over the zones),
//! `balance.rs` (reclaim, kswapd), `slow.rs` (sleeping, giving up), `alloc.rs` (the calls), `range.rs` (given frames),
//! `show.rs` (kmap_atomic), `bytes.rs` (copies of pages' bytes), `release.rs` (memory comes in). Beside them
//! `events.rs`, `counting.rs` and `stats.rs` count, `inspect.rs` says what a frame is, `describe.rs` where the numbers
//! lie, `hand.rs` and `hands.rs` go round the pages of the page cache, `waiters.rs` keeps the waiters in turn,
//! `refusals.rs` reports what is refused.
//!
//! A request travels as flags and order down to `percpu.rs`, from there on as a [`BlockKey`], in a zone as an order, in
//! an entry as a word.

mod alloc;
mod balance;
mod buddy;
mod bytes;
mod clearing;
mod counting;
mod describe;
mod drain;
mod events;
mod favourite;
mod free;
mod hand;
mod hands;
mod inspect;
mod owned;
mod owner_table;
mod owners;
mod pageset;
mod percpu;
mod poison;
mod prezeroed;
mod range;
mod refusals;
mod release;
mod show;
mod shrinkers;
mod slow;
mod stats;
mod user;
mod user_counts;
mod waiters;
mod window;
mod zeroing;
mod zone;
mod zone_depot;
mod zonelist;

use crate::addr::{Pfn, VirtAddr};
use crate::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use crate::gfp::{GfpFlags, ZoneKind};
use crate::page::{BlockKey, DirectMap, PageMap};
use crate::percpu::{DrainRequests, PerCpu};
use crate::place::{Place, in_place, value};
use crate::platform::{Lock, Platform};
use crate::reclaim::Shrinkers;
use crate::region::RegionSet;

pub use balance::Balance;
pub use buddy::Buddy;
pub use events::{CpuStats, EventCounts, PageEvent};
pub use hand::Hand;
pub use inspect::FrameInfo;
pub use owners::LeftBlock;
pub use pageset::CpuZoneCounts;
pub use stats::ZoneStats;
pub use user_counts::UserCounts;
pub use window::KmapAtomic;
pub use zeroing::ZeroPages;
pub use zone::{AtomicFloor, Watermarks, Zone, ZoneCounters};

pub(crate) use user::PageKind;
pub(crate) use window::WINDOW_PAGES;

use events::Events;
use favourite::Favourite;
use hand::Hands;
use owner_table::OwnerTable;
use pageset::PageSets;
use prezeroed::Prezeroed;
use user_counts::UserPages;
use waiters::Waiters;
use window::Windows;
use zeroing::Zeroing;

/// The page allocator of one machine, and the kernel beneath it.
pub struct PageAllocator<P: Platform> {
    platform: P,
    direct: DirectMap,
    /// Each CPU's free blocks.
    cpus: PerCpu<P, PageSets>,
    drain_requests: DrainRequests,
    prezeroed: Prezeroed<P>,
    zeroing: Zeroing,
    owners: OwnerTable,
    windows: Windows,
    shrinkers: P::Lock<Shrinkers>,
    /// Callers that have a copy of the shrinkers.
    asking: AtomicUsize,
    favourite: Favourite,
    zones: [P::Lock<Zone>; ZoneKind::COUNT],
    /// The frames that belong to zones.
    released: P::Lock<RegionSet>,
    /// The zone that a request tries first, by its [`zone_bits`](GfpFlags::zone_bits).
    first_zones: [ZoneKind; 4],
    /// For each zone, whether no magazine may be filled: little memory is left, or pages are [zeroed](Zeroing).
    tight: [AtomicBool; BlockKey::ZONES],
    managed: AtomicUsize,
    waiters: Waiters,
    events: Events<P>,
    user: UserPages,
    hands: Hands,
}

impl<P: Platform> PageAllocator<P> {
    /// A page allocator without memory: call [`release`](Self::release) for each free range. `windows` is the first of
    /// the [`WINDOW_PAGES`] pages of addresses for windows onto high memory.
    pub(crate) fn settle(
        place: Place<Self>,
        platform: P,
        map: DirectMap,
        atomic_floor: AtomicFloor,
        windows_start: VirtAddr,
    ) -> &'static Self {
        in_place!(
            place,
            Self {
                platform: value(platform),
                direct: value(map),
                cpus: |place| PerCpu::settle(place, |_| PageSets::new()),
                drain_requests: value(DrainRequests::new()),
                prezeroed: |place: Place<_>| place.make(Prezeroed::new),
                zeroing: value(Zeroing::new()),
                owners: value(OwnerTable::new()),
                windows: value(Windows::new(windows_start)),
                shrinkers: value(Lock::new(Shrinkers::new())),
                asking: value(AtomicUsize::new(0)),
                favourite: value(Favourite::new()),
                zones: |place: Place<_>| place.fill(|kind| Lock::new(Zone::new(ZoneKind::ALL[kind], atomic_floor))),
                released: |place: Place<_>| place.make(|| Lock::new(RegionSet::new())),
                first_zones: value([ZoneKind::Normal, ZoneKind::Dma, map.highest_zone(), ZoneKind::Dma]),
                tight: value([const { AtomicBool::new(true) }; BlockKey::ZONES]),
                managed: value(AtomicUsize::new(0)),
                waiters: |place: Place<_>| place.make(Waiters::new),
                events: |place: Place<_>| place.make(Events::new),
                user: value(UserPages::new()),
                hands: |place| Hands::settle(place, direct.map().frames()),
            }
        )
    }

    /// Keeps about `pages` pages free for urgent requests, in each zone by its size and a quarter of it at most,
    /// instead of the number that [`Watermarks`] computes; returns how many that are. Boot, after the last release.
    /// (Kernel option `min_free_kbytes=`.)
    pub fn set_min_free(&self, pages: usize) -> usize {
        let total = self.managed_pages().max(1);
        let pages = pages.min(total);
        let set = |kind| self.with_zone(kind, |zone| zone.set_min(pages * zone.managed() / total));
        ZoneKind::ALL.into_iter().map(set).sum()
    }

    /// The kernel beneath.
    #[inline]
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// The direct map.
    #[inline]
    pub fn direct(&self) -> &DirectMap {
        &self.direct
    }

    /// The page map.
    #[inline]
    pub fn map(&self) -> &PageMap {
        self.direct.map()
    }

    /// Pages that all zones manage: the machine's memory less what boot reserved.
    pub fn managed_pages(&self) -> usize {
        self.managed.load(Relaxed)
    }

    /// The zone that a request tries first.
    #[inline]
    fn first_zone(&self, gfp: GfpFlags) -> ZoneKind {
        self.first_zones[gfp.zone_bits()]
    }

    /// Runs `f` with a zone that it may change.
    #[inline]
    fn with_zone<R>(&self, kind: ZoneKind, f: impl FnOnce(&mut Zone) -> R) -> R {
        self.zone(kind).with(|zone| {
            let result = f(zone);
            // Written only when it changes: every call reads it, on all CPUs.
            let (known, tight) = (&self.tight[kind as usize], zone.is_tight() || self.zeroing.is_wanted());
            if known.load(Relaxed) != tight {
                known.store(tight, Relaxed);
            }
            result
        })
    }

    #[inline]
    fn zone(&self, kind: ZoneKind) -> &P::Lock<Zone> {
        &self.zones[kind as usize]
    }

    /// Whether no magazine of the zone of `frame` may be filled.
    #[inline]
    pub(crate) fn is_tight(&self, frame: Pfn) -> bool {
        self.tight[self.direct.zone_of(frame) as usize].load(Relaxed)
    }

    /// Whether that holds for all zones.
    pub(crate) fn are_all_tight(&self) -> bool {
        self.is_tight_for(GfpFlags::HIGHUSER)
    }

    /// Whether that holds for all zones that serve a request.
    pub(crate) fn is_tight_for(&self, gfp: GfpFlags) -> bool {
        gfp.zones().iter().all(|&kind| self.tight[kind as usize].load(Relaxed))
    }
}
