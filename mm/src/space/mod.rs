//! Address spaces of processes.
//! Which addresses a program has, and what shows there.
//!
//! [`Space`] is one of them: areas, page tables, limits. A page comes when a program first uses it, and a fault is a
//! function: [`Space::fault`] makes of an address and an access an outcome. [`Object`] is what a space knows of files
//! and devices, [`UserMachine`] of the processor, [`SwapStore`] of swap. Reclaim knows all spaces by a [`SpaceList`].
//! The files, bottom up: `words.rs`, `object.rs`, `swap.rs`, `machine.rs`; `area.rs`, `tree.rs` (areas in order),
//! `heap.rs`; `tables.rs` (page tables, which reclaim reaches too), `list.rs`, `scan.rs` (reclaim); `release.rs` (pages
//! and tables given back), `map.rs` (areas come, go and change), `brk.rs`, `fault.rs`, `fork.rs`, `access.rs` (memory
//! of a space that does not run), `validate.rs`.
//!
//! Invariants:
//! (a) Areas do not overlap, and lie in the machine's range.
//! (b) A page that the tables show lies in an area, and the mapping holds a reference of its own to it.
//! (c) Every table but the root maps a part of an area: tables are found by areas, and go with them.
//! (d) A page that may be written to and is no page of a shared area's object has one reference, this one, and is not
//!     in the swap cache. Copy on write is this rule and no more: fork takes the right to write from both, and a write
//!     fault gives it back to the last owner, and a copy to others.
//! (e) A frame goes back after the flush of the addresses that showed it.
//! (f) An entry that names a slot of swap has a share in it.
//!
//! A space has no lock: its owner calls it alone (`&mut self`). Everything here may sleep, with no spinlock held; the
//! kernel has a space under a sleeping lock, which comes before those of objects, and before the allocators'. Reclaim
//! takes no such lock: what it changes of page tables is under one of theirs (`tables.rs`).

mod access;
mod area;
mod brk;
mod fault;
mod fork;
mod heap;
mod list;
mod machine;
mod map;
mod object;
mod release;
mod scan;
mod swap;
mod tables;
mod tree;
mod validate;
mod words;

use crate::addr::{Pfn, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::error::AllocError;
use crate::flush::AddressSpace;
use crate::gfp::GfpFlags;
use crate::mapper::PageMapper;
use crate::own::Global;
use crate::platform::Platform;
use crate::report::Call;

pub use area::AreaInfo;
pub use list::{SpaceList, Spaces};
pub use machine::UserMachine;
pub use object::{NoObject, Object, ObjectError};
pub use swap::{Scan, SwapOut, SwapSlot, SwapStore};
pub use words::{
    Content, FaultAccess, FaultError, Growth, Limits, MapRequest, Place, Resolved, Role, Sharing, SpaceError, Usage,
};

pub use crate::mapper::Protection;

use heap::Heap;
use list::Shared;
use tables::Tables;
use tree::AreaTree;

/// The address space of a process. Dropping it gives everything back.
pub struct Space<K: Global, M: UserMachine, O: Object> {
    tables: Shared<K, M>,
    /// Where reclaim finds the tables.
    spaces: Option<&'static SpaceList<K, M>>,
    areas: AreaTree<K, O>,
    heap: Heap,
    limits: Limits,
    /// Pages of addresses.
    total: usize,
    /// Page tables.
    table_count: usize,
}

/// The call in whose name a space allocates.
#[track_caller]
const fn call() -> Call {
    Call::here(&"space")
}

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// A space without areas, whose pages stay in memory. Process context; may sleep.
    ///
    /// # Errors
    /// No memory for the root of its tables.
    pub fn new(machine: M) -> Result<Self, AllocError> {
        let memory = K::memory();
        memory.pages().check_may_sleep(call())?;
        let root = memory.tables().new_table(call())?;
        let window = memory.platform().direct_map();
        // SAFETY: the root's frame was cleared and is this space's alone; tables lie in low memory, which shows there
        // for ever.
        let mapper = unsafe { PageMapper::new(AddressSpace::User, root, window, machine.format()) };
        machine.share_kernel(mapper.root_table());
        let tables = Shared::new(Tables::new(machine, mapper), GfpFlags::KERNEL);
        let tables = tables.inspect_err(|_| memory.tables().drop_table(root))?;
        let (areas, limits) = (AreaTree::new(), Limits::DEFAULT);
        Ok(Self { tables, spaces: None, areas, heap: Heap::NONE, limits, total: 0, table_count: 1 })
    }

    /// The same, of a kernel whose reclaim knows all spaces: pages that were not used lately may go, to swap if they
    /// are the process's own. Those that are forked from it are in the list too. Process context; may sleep.
    ///
    /// # Errors
    /// No memory.
    pub fn new_in(machine: M, spaces: &'static SpaceList<K, M>) -> Result<Self, AllocError> {
        let mut space = Self::new(machine)?;
        space.enter(spaces)?;
        Ok(space)
    }

    /// Has reclaim know the space from now on.
    fn enter(&mut self, spaces: &'static SpaceList<K, M>) -> Result<(), AllocError> {
        spaces.enter(&self.tables)?;
        self.spaces = Some(spaces);
        Ok(())
    }

    /// The frame of the root of its tables.
    pub fn root(&self) -> Pfn {
        self.tables.root()
    }

    /// What the process may have at most.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Sets what the process may have at most, from now on: what it has it keeps.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// What it has.
    pub fn usage(&self) -> Usage {
        let counts = &self.tables.counts;
        let (resident, anonymous) = (counts.resident.load(Relaxed), counts.anonymous.load(Relaxed));
        Usage {
            total: self.total,
            resident,
            anonymous,
            // Reclaim may have come in between.
            file: resident.saturating_sub(anonymous),
            swapped: counts.swapped.load(Relaxed),
            tables: self.table_count,
        }
    }

    /// Its areas, lowest address first.
    pub fn areas(&self) -> impl Iterator<Item = AreaInfo<'_, O>> {
        self.areas.iter().map(AreaInfo::of)
    }

    /// The area that has `at`.
    pub fn area_at(&mut self, at: VirtAddr) -> Option<AreaInfo<'_, O>> {
        self.areas.find(at).map(AreaInfo::of)
    }
}
