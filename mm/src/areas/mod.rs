//! The area allocator: synthetic addresses for vmalloc, vmap and ioremap.
//!
//! [`AreaAllocator`] is the part; it stands on pages, page tables and the cache of its descriptors. There may be
//! several, each with addresses of its own.
//!
//! Core types, which know no lock: `area.rs` is one area, `area_chain.rs` a chain of free ones, `area_stack.rs` those
//! that are taken apart late, `tree.rs` all of them by address, `index.rs` the area index, which finds most of them by
//! their first address without the tree, `quantum.rs` and `cpu_ranges.rs` a CPU's free ranges, `pool.rs` the range
//! pool. Above them: `lookup.rs`; `lazy.rs` (areas are freed and flushed); `reserve.rs` (areas are allocated); and the
//! calls: `vmalloc.rs`, `vmap.rs`, `kvmalloc.rs`, `ioremap.rs`, `rights.rs`, `code.rs` (areas of modules), `disown.rs`.
//! `describe.rs` is for readers of the memory from outside.
//! (Chapter: "vmalloc and Friends".)

mod area;
mod area_chain;
mod area_stack;
mod code;
mod cpu_ranges;
mod describe;
mod disown;
#[cfg(feature = "testing")]
mod empty;
mod index;
mod ioremap;
mod kvmalloc;
mod lazy;
mod lookup;
mod pool;
mod quantum;
mod reserve;
mod rights;
mod tree;
mod vmalloc;
mod vmap;

use core::ops::Range;

use crate::addr::VirtAddr;
use crate::atomic::AtomicUsize;
use crate::objects::{Cache, CacheName, ObjectAllocator};
use crate::page::DirectMap;
use crate::pages::PageAllocator;
use crate::percpu::{DrainRequests, PerCpu};
use crate::place::{Place, in_place, value};
use crate::platform::{Lock, Platform};
use crate::tables::PageTables;

pub use area::{AreaKind, AreaState};
pub(crate) use code::Alias;
pub use lookup::AreaInfo;

pub(crate) use area::{AreaRef, Owner};

use area::VmArea;
use area_stack::AreaStack;
use cpu_ranges::CpuRanges;
use index::AreaIndex;
use pool::RangePool;
use tree::AreaTree;

/// The areas of a range of addresses, and those of modules in another.
pub struct AreaAllocator<P: Platform> {
    pages: &'static PageAllocator<P>,
    objects: &'static ObjectAllocator<P>,
    tables: &'static PageTables<P>,
    direct: DirectMap,
    start: VirtAddr,
    end: VirtAddr,
    /// Objects: descriptors of areas.
    descriptors: Cache<P>,
    tree: P::Lock<AreaTree>,
    /// Some of them, found without the lock.
    index: AreaIndex,
    /// Each CPU's free ranges.
    cpus: PerCpu<P, CpuRanges>,
    drain_requests: DrainRequests,
    /// Callers that have taken out what is lazy and not yet flushed it.
    settling: AtomicUsize,
    /// Free ranges that any CPU may take.
    pool: P::Lock<RangePool>,
    /// Areas that were freed where nobody may sleep.
    late: AreaStack,
    /// The addresses of modules.
    code: CodeRange<P>,
}

/// Addresses for areas of modules, and the areas there.
struct CodeRange<P: Platform> {
    start: VirtAddr,
    end: VirtAddr,
    tree: P::Lock<AreaTree>,
    /// Areas that were freed where nobody may sleep.
    late: AreaStack,
}

impl<P: Platform> AreaAllocator<P> {
    /// No areas yet in the given addresses, those of modules in `code`; both are page-aligned at both ends. Their
    /// descriptors come from a cache that slabinfo shows as `name`.
    pub(crate) fn settle(
        place: Place<Self>,
        objects: &'static ObjectAllocator<P>,
        tables: &'static PageTables<P>,
        addresses: Range<VirtAddr>,
        code: Range<VirtAddr>,
        name: CacheName,
    ) -> &'static Self {
        // A range that ends before it starts has no room for any area.
        let (first, last) = (addresses.start, addresses.end.max(addresses.start));
        let code_end = code.end.max(code.start);
        let areas = in_place!(
            place,
            Self {
                pages: value(objects.pages()),
                objects: value(objects),
                tables: value(tables),
                direct: value(*objects.pages().direct()),
                start: value(first),
                end: value(last),
                descriptors: |place: Place<_>| place.make(|| objects.new_own(name, size_of::<VmArea>())),
                tree: value(Lock::new(AreaTree::new(first, last))),
                index: AreaIndex::settle,
                cpus: |place| PerCpu::settle(place, |_| CpuRanges::new()),
                drain_requests: value(DrainRequests::new()),
                settling: value(AtomicUsize::new(0)),
                pool: value(Lock::new(RangePool::new())),
                late: value(AreaStack::new()),
                code: value(CodeRange {
                    start: code.start,
                    end: code_end,
                    tree: Lock::new(AreaTree::new(code.start, code_end)),
                    late: AreaStack::new(),
                }),
            }
        );
        areas.descriptors.init_in_place();
        areas
    }

    /// Makes its cache known, before the first area.
    pub(crate) fn init(&'static self) {
        self.objects.adopt(&self.descriptors);
    }

    /// The kernel beneath.
    #[inline]
    fn platform(&self) -> &'static P {
        self.pages.platform()
    }

    /// First address of the range that areas come from.
    pub fn start(&self) -> VirtAddr {
        self.start
    }

    /// Bytes of the range that areas come from.
    pub fn total_bytes(&self) -> usize {
        self.end.as_usize() - self.start.as_usize()
    }
}
