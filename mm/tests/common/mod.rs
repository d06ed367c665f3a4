//! Helpers of the test files: machines, snapshots, hoards of pages.
#![allow(dead_code, reason = "each test file uses a part of this")]

use core::fmt::Write;

use mm::proc::{FileCache, Statistics, buddyinfo, meminfo, slabinfo, vmallocinfo, zoneinfo};
use mm::testing::{Booted, Machine, TestKernel, TestMemory};
use mm::{GfpFlags, Order, Pfn, PfnRange, ZoneKind};

/// The allocators of a machine that runs.
pub type Kernel = &'static TestMemory;

pub const KERNEL: GfpFlags = GfpFlags::KERNEL;
pub const ATOMIC: GfpFlags = GfpFlags::ATOMIC;
pub const DMA: GfpFlags = GfpFlags::DMA;

pub fn order(log2: usize) -> Order {
    Order::new(log2).expect("an order")
}

/// A machine with `mib` MiB.
pub fn boot(mib: u32) -> Booted {
    TestKernel::boot(&Machine::with_mib(mib))
}

/// A machine with `mib` MiB whose part from `low_mib` on is high memory.
pub fn boot_high(mib: u32, low_mib: u32) -> Booted {
    TestKernel::boot(&Machine { highmem_start: Pfn::new(low_mib * 256), ..Machine::with_mib(mib) })
}

/// A machine whose usable frames are these ranges.
pub fn with_ram(ranges: &[(u32, u32)]) -> Machine {
    let ram = ranges.iter().map(|&(start, end)| PfnRange::new(Pfn::new(start), Pfn::new(end))).collect();
    Machine { ram, ..Machine::with_mib(64) }
}

pub fn zones(memory: Kernel) -> [mm::pages::ZoneStats; ZoneKind::COUNT] {
    ZoneKind::ALL.map(|kind| memory.pages().zone_stats(kind))
}

/// Free blocks of each zone and order: the same again when all memory is back.
pub fn blocks(memory: Kernel) -> [[usize; Order::COUNT]; ZoneKind::COUNT] {
    zones(memory).map(|zone| zone.blocks)
}

/// All statistics of the allocators, counters included.
pub fn state(memory: Kernel) -> String {
    let mut text = String::new();
    buddyinfo(&zones(memory), &mut text).expect("strings grow");
    zoneinfo(&zones(memory), &mut text).expect("strings grow");
    slabinfo(memory.objects().caches(), Statistics::On, &mut text).expect("strings grow");
    vmallocinfo(memory.areas().iter(), &mut text).expect("strings grow");
    meminfo(memory, FileCache::default(), &mut text).expect("strings grow");
    write!(text, "{}", memory.tables().count()).expect("strings grow");
    text
}

/// Pages that slabs are made of.
pub fn slab_pages(memory: Kernel) -> usize {
    memory.objects().caches().map(|cache| cache.pages).sum()
}

/// Takes single pages until `gfp` gets no more, and forgets the report of the last one.
pub fn hoard(memory: Kernel, gfp: GfpFlags) -> Vec<Pfn> {
    let pages = core::iter::from_fn(|| memory.alloc_pages(gfp, Order::ZERO).ok()).collect();
    assert_eq!(memory.platform().take_reports().len(), 1);
    pages
}

/// Gives single pages back.
pub fn give(memory: Kernel, pages: impl IntoIterator<Item = Pfn>) {
    for page in pages {
        memory.free_frames(page, Order::ZERO).expect("a right free");
    }
}

/// Checks every invariant, and that nothing was reported.
pub fn at_rest(memory: Kernel) {
    memory.validate().expect("valid");
    assert_eq!(memory.platform().take_reports(), Vec::<String>::new());
}
