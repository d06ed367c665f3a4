//! All of the guest's memory at one moment.

use mm::ZoneKind;
use mm::outside::Class;

use crate::cell::Cell;
use crate::details::Details;

/// The numbers of a zone, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ZoneFigures {
    /// Pages that it was handed at boot.
    pub managed: u64,
    /// Pages in lists of free blocks.
    pub listed: u64,
    /// Pages in the depots.
    pub depot: u64,
    /// GFP_KERNEL stops here.
    pub min: u64,
    /// Below, kswapd is woken.
    pub low: u64,
    /// kswapd works until so many are free.
    pub high: u64,
    /// Blocks handed out from below `min`.
    pub reserve_allocs: u64,
    /// Requests that it could not serve.
    pub refusals: u64,
    /// Requests for it first that slept.
    pub sleeps: u64,
    /// Requests for it first that failed.
    pub failures: u64,
}

impl ZoneFigures {
    /// Pages that its watermarks count as free.
    pub const fn free(&self) -> u64 {
        self.listed.saturating_add(self.depot)
    }

    /// Every number, in a fixed order.
    pub fn numbers(&mut self) -> [&mut u64; 10] {
        [
            &mut self.managed,
            &mut self.listed,
            &mut self.depot,
            &mut self.min,
            &mut self.low,
            &mut self.high,
            &mut self.reserve_allocs,
            &mut self.refusals,
            &mut self.sleeps,
            &mut self.failures,
        ]
    }
}

/// A cache of objects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheInfo {
    /// The number that the pages of its slabs bear.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Bytes from one object to the next.
    pub stride: u64,
}

/// A run of addresses of vmalloc or of modules, mapped to frames in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    /// The first address.
    pub start: u64,
    /// The first frame.
    pub first: u32,
    /// How many pages.
    pub pages: u32,
}

impl Area {
    /// The address behind the last.
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.pages as u64 * 4096)
    }
}

/// What has happened since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Events {
    /// Times that shrinkers were asked for memory.
    pub reclaims: u64,
    /// Frees that were refused.
    pub bad_frees: u64,
    /// Rounds of kswapd.
    pub rounds: u64,
    /// Pages read from disks, without those of swap.
    pub pages_in: u64,
    /// Pages written there.
    pub pages_out: u64,
    /// Pages read from swap.
    pub swapped_in: u64,
    /// Pages written there.
    pub swapped_out: u64,
    /// Processes ended because memory was out.
    pub oom_kills: u64,
}

impl Events {
    /// Every number, in a fixed order.
    pub fn numbers(&mut self) -> [&mut u64; 8] {
        [
            &mut self.reclaims,
            &mut self.bad_frees,
            &mut self.rounds,
            &mut self.pages_in,
            &mut self.pages_out,
            &mut self.swapped_in,
            &mut self.swapped_out,
            &mut self.oom_kills,
        ]
    }
}

/// Slots of swap, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SwapFigures {
    /// Slots that there are.
    pub slots: u64,
    /// Slots that nobody has.
    pub free: u64,
}

/// All of the memory at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Picture {
    /// Ticks since boot.
    pub ticks: u64,
    /// What each frame is.
    pub cells: Vec<Cell>,
    /// The zones' numbers, in the order of [`ZoneKind::ALL`].
    pub zones: [ZoneFigures; ZoneKind::COUNT],
    /// What has happened.
    pub events: Events,
    /// Swap.
    pub swap: SwapFigures,
    /// The caches.
    pub caches: Vec<CacheInfo>,
    /// What vmalloc and modules have mapped, in order of addresses.
    pub areas: Vec<Area>,
    /// More about slabs, owners and areas.
    pub details: Details,
    /// How often the picture contradicts itself: the guest went on while it was taken.
    pub torn: usize,
}

impl Picture {
    /// Whether nothing but the time is another.
    pub fn is_like(&self, other: &Self) -> bool {
        let figures = |picture: &Self| (picture.zones, picture.events, picture.swap);
        let is_same = figures(self) == figures(other) && self.areas == other.areas && self.caches == other.caches;
        is_same && self.cells == other.cells && self.details == other.details
    }

    /// Frames of each class, by the class's number.
    pub fn counts(&self) -> [u32; Class::ALL.len()] {
        let mut counts = [0; Class::ALL.len()];
        self.cells.iter().for_each(|cell| counts[cell.class() as usize] += 1);
        counts
    }

    /// Frames in free blocks of a zone's lists.
    pub fn listed(&self, zone: ZoneKind) -> u64 {
        self.cells.iter().filter(|cell| cell.class() == Class::Free && cell.zone() == zone).count() as u64
    }

    /// Free blocks of each order, over all zones.
    pub fn blocks(&self) -> [u32; 10] {
        let mut blocks = [0; 10];
        for cell in self.cells.iter().filter(|cell| cell.class() == Class::Free && cell.is_first()) {
            if let Some(count) = blocks.get_mut(cell.order() as usize) {
                *count += 1;
            }
        }
        blocks
    }

    /// The cache that a slab's frame belongs to.
    pub fn cache_of(&self, cell: Cell) -> Option<&CacheInfo> {
        let is_its = |cache: &&CacheInfo| cell.class() == Class::Slab && cache.number == cell.detail();
        self.caches.iter().find(is_its)
    }

    /// The caches with the most pages, and how many those are.
    pub fn largest_caches(&self) -> Vec<(&CacheInfo, u32)> {
        let mut pages = std::collections::HashMap::new();
        for cell in self.cells.iter().filter(|cell| cell.class() == Class::Slab) {
            *pages.entry(cell.detail()).or_insert(0) += 1;
        }
        let mut caches: Vec<_> =
            self.caches.iter().filter_map(|cache| Some((cache, *pages.get(&cache.number)?))).collect();
        caches.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.name.cmp(&other.0.name)));
        caches
    }

    /// The first frame of the block that a frame lies in.
    pub fn block_start(&self, frame: usize) -> usize {
        let first = (0..=frame.min(self.cells.len().saturating_sub(1))).rev().find(|&at| self.cells[at].is_first());
        first.unwrap_or(frame)
    }

    /// Free pages over all zones, magazines included.
    pub fn free(&self) -> u64 {
        self.cells.iter().filter(|cell| cell.class().is_free()).count() as u64
    }
}
