//! The rows: what is measured, how often, and under which name.

use mm::{AllocError, GfpFlags, Order, PAGE_SIZE, PhysAddr};

use super::calls::{
    CreateCache, FreePage, Ioremap, Kmalloc, KmallocConst, Kzalloc, Neighbour, OwnCache, Pages, Vmalloc, ZeroedPage,
};
use super::copies;
use super::disks;
use super::interrupt::{Set, TimedCall};
use super::probe::{Batch, FreeOrder};
use super::report::{Effort, Reporter, Stopped};
use super::space;
use super::{modules, page_cache};

/// A group of rows.
pub struct Suite {
    name: &'static str,
    /// Runs them all.
    run: fn(&mut Reporter<'_>) -> Result<(), Stopped>,
}

/// All of them. No function here has a name of the book: who stops at `kmalloc` wants the kernel's calls.
pub const ALL: &[Suite] = &[
    Suite { name: "kmalloc", run: kmalloc_rows },
    Suite { name: "slab", run: slab_rows },
    Suite { name: "pages", run: pages_rows },
    Suite { name: "vmalloc", run: vmalloc_rows },
    Suite { name: "ioremap", run: ioremap_rows },
    Suite { name: "modules", run: modules::rows },
    Suite { name: "space", run: space::rows },
    Suite { name: "page_cache", run: page_cache::rows },
    Suite { name: "disks", run: disks::rows },
    Suite { name: "copies", run: copies::rows },
];

/// Runs `suites`.
pub fn run(suites: &[Suite], reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    suites.iter().try_for_each(|suite| (suite.run)(reporter))
}

/// The suite of this name.
pub fn named(name: &str) -> Option<&'static [Suite]> {
    let index = ALL.iter().position(|suite| suite.name == name)?;
    ALL.get(index..=index)
}

const KERNEL: GfpFlags = GfpFlags::KERNEL;
const ATOMIC: GfpFlags = GfpFlags::ATOMIC;
const BATCHES: [u16; 2] = [256, 1024];
const BATCH_EFFORT: Effort = effort(4, 11);

const fn effort(count: u32, rounds: usize) -> Effort {
    Effort { count, rounds }
}

fn kmalloc_rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    let many = effort(10_000, 21);
    for size in (3..=13).map(|shift| 1 << shift) {
        reporter.pairs(format_args!("kmalloc_kernel_{size}"), many, Kmalloc { size, gfp: KERNEL })?;
        reporter.pairs(format_args!("kmalloc_atomic_{size}"), many, Kmalloc { size, gfp: ATOMIC })?;
    }
    for size in [16_384, 131_072] {
        reporter.pairs(format_args!("kmalloc_kernel_{size}"), effort(500, 21), Kmalloc { size, gfp: KERNEL })?;
    }
    reporter.pairs(format_args!("kmalloc_kernel_4000"), many, Kmalloc { size: 4000, gfp: KERNEL })?;
    reporter.pairs(format_args!("kmalloc_const_64"), many, KmallocConst::<64>)?;
    reporter.pairs(format_args!("kmalloc_const_4000"), many, KmallocConst::<4000>)?;
    reporter.pairs(format_args!("kzalloc_kernel_4000"), many, Kzalloc(4000))?;
    for batch in BATCHES {
        for size in [64, 256, 1024, 4000] {
            for (order, how) in FreeOrder::ALL {
                let name = format_args!("kmalloc_batch{batch}_{size}_{how}");
                reporter.batch(name, BATCH_EFFORT, (batch, order), Kmalloc { size, gfp: KERNEL })?;
            }
        }
    }
    kmalloc_in_interrupts(reporter)
}

fn kmalloc_in_interrupts(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    for size in (5..=12).map(|shift| 1 << shift) {
        let set = Set::up(TimedCall::Kmalloc(Kmalloc { size, gfp: ATOMIC }));
        reporter.row(format_args!("irqwork_kmalloc_atomic_{size}"), effort(1000, 21), |count| set.run(count))?;
    }
    let name = format_args!("irqwork_kmalloc_batch256_256_fifo");
    let batch = Batch::new(Kmalloc { size: 256, gfp: ATOMIC }, 256, FreeOrder::Fifo);
    let set = batch.map(|batch| Set::up(TimedCall::Batch(batch)));
    reporter.halves(name, effort(1, 15), 256, |count| set.as_ref().map_err(|_| AllocError)?.run(count))
}

fn slab_rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    let many = effort(10_000, 21);
    for size in [64, 4000] {
        let Ok(cache) = OwnCache::new("bench", size) else { return Err(kapi::Errno::ENOMEM.into()) };
        reporter.pairs(format_args!("kmem_cache_{size}"), many, cache.call(KERNEL))?;
        reporter.pairs(format_args!("kmem_cache_atomic_{size}"), many, cache.call(ATOMIC))?;
        for batch in BATCHES {
            for (order, how) in FreeOrder::ALL {
                let name = format_args!("kmem_cache_batch{batch}_{size}_{how}");
                reporter.batch(name, BATCH_EFFORT, (batch, order), cache.call(KERNEL))?;
            }
        }
        if size == 4000 {
            let set = Set::up(TimedCall::Cache(cache.call(ATOMIC)));
            reporter.row(format_args!("irqwork_kmem_cache_4000"), effort(1000, 15), |count| set.run(count))?;
        }
    }
    let Ok(counted) = OwnCache::counted("bench", 64) else { return Err(kapi::Errno::ENOMEM.into()) };
    reporter.pairs(format_args!("kmem_cache_counted_64"), effort(1000, 15), counted.call(KERNEL))?;
    reporter.pairs(format_args!("kmem_cache_create_destroy"), effort(10, 5), CreateCache)
}

fn pages_rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    let some = effort(4000, 15);
    for order in Order::all() {
        let log2 = order.log2();
        // The larger the block, the fewer of them.
        let effort = effort(if log2 <= 3 { 4000 } else { 4000 >> (log2 - 2) }, 15);
        let _neighbour = Neighbour::hold(order);
        reporter.pairs(format_args!("alloc_pages_order{log2}"), effort, Pages { gfp: KERNEL, order })?;
    }
    let order = Order::ZERO;
    reporter.pairs(format_args!("alloc_pages_atomic_order0"), some, Pages { gfp: ATOMIC, order })?;
    reporter.pairs(format_args!("get_free_pages_order0"), some, FreePage)?;
    reporter.pairs(format_args!("get_zeroed_page"), some, ZeroedPage)?;
    for (free_order, how) in FreeOrder::ALL {
        let name = format_args!("alloc_pages_batch1024_order0_{how}");
        reporter.batch(name, BATCH_EFFORT, (1024, free_order), Pages { gfp: KERNEL, order })?;
    }
    if let Some(order) = Order::new(4) {
        for (free_order, how) in FreeOrder::ALL {
            let name = format_args!("alloc_pages_batch256_order4_{how}");
            reporter.batch(name, effort(1, 7), (256, free_order), Pages { gfp: KERNEL, order })?;
        }
    }
    let set = Set::up(TimedCall::Pages(Pages { gfp: ATOMIC, order }));
    reporter.row(format_args!("irqwork_alloc_pages_order0"), effort(1000, 15), |count| set.run(count))
}

fn vmalloc_rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    // One flush is for up to 64 areas or 8192 pages: each round has many flushes, so that all cost the same.
    for (pages, count) in [(1, 2560), (4, 1280), (16, 640), (64, 640), (256, 320), (1024, 80)] {
        let call = Vmalloc { size: pages * PAGE_SIZE };
        reporter.pairs_and_flushes(format_args!("vmalloc_{pages}pages"), effort(count, 11), call)?;
    }
    let call = Vmalloc { size: 16 * PAGE_SIZE };
    reporter.batch(format_args!("vmalloc_batch256_16pages_fifo"), effort(1, 7), (256, FreeOrder::Fifo), call)
}

/// The registers of the high precision timer.
const HPET: PhysAddr = PhysAddr::new(0xfed0_0000);
/// The frame buffer of QEMU's graphics card on the machine `pc`. It is mapped here and never touched.
const FRAME_BUFFER: PhysAddr = PhysAddr::new(0xfd00_0000);

fn ioremap_rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    const KIB: usize = 1024;
    let rows = [("4K_hpet", HPET, 4 * KIB), ("4K_vga", FRAME_BUFFER, 4 * KIB)];
    let large = [("2M_vga", FRAME_BUFFER, 2048 * KIB), ("64K_vga", FRAME_BUFFER, 64 * KIB)];
    for (name, phys, size) in rows.into_iter().chain(large) {
        reporter.pairs_and_flushes(format_args!("ioremap_{name}"), effort(500, 11), Ioremap { phys, size })?;
    }
    Ok(())
}
