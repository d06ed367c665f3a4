//! Address spaces of processes.
//! Which addresses a program has, and what shows there.
//!
//! [`Space`] is one of them: areas, page tables, limits. A page comes when a program first uses it, and a fault is a
//! function: [`Space::fault`] makes of an address and an access an outcome. [`Object`] is what a space knows of files
//! and devices, [`UserMachine`] of the processor. The files, bottom up: `words.rs`, `object.rs`, `machine.rs`;
//! `area.rs`, `tree.rs` (areas in order), `heap.rs`; `release.rs` (pages and tables given back), `map.rs` (areas come,
//! go and change), `brk.rs`, `fault.rs`, `fork.rs`, `access.rs` (memory of a space that does not run), `validate.rs`.
//!
//! Invariants:
//! (a) Areas do not overlap, and lie in the machine's range.
//! (b) A page that the tables show lies in an area, and the mapping holds a reference of its own to it.
//! (c) Every table but the root maps a part of an area: tables are found by areas, and go with them.
//! (d) A page that may be written to and is no page of a shared area's object has one reference: this one. Copy on
//!     write is this rule and no more: fork takes the right to write from both, and a write fault gives it back to
//!     the last owner, and a copy to others.
//! (e) A frame goes back after the flush of the addresses that showed it.
//!
//! A space has no lock: its owner calls it alone (`&mut self`). Everything here may sleep, with no spinlock held; the
//! kernel has a space under a sleeping lock, which comes before those of objects, and before the allocators'.

mod access;
mod area;
mod brk;
mod fault;
mod fork;
mod heap;
mod machine;
mod map;
mod object;
mod release;
mod tree;
mod validate;
mod words;

use crate::addr::{Pfn, VirtAddr};
use crate::error::AllocError;
use crate::flush::AddressSpace;
use crate::mapper::PageMapper;
use crate::own::Global;
use crate::platform::Platform;
use crate::report::Call;

pub use area::AreaInfo;
pub use machine::UserMachine;
pub use object::{NoObject, Object, ObjectError};
pub use words::{
    Content, FaultAccess, FaultError, Growth, Limits, MapRequest, Place, Resolved, Role, Sharing, SpaceError, Usage,
};

pub use crate::mapper::Protection;

use heap::Heap;
use tree::AreaTree;

/// The address space of a process. Dropping it gives everything back.
pub struct Space<K: Global, M: UserMachine, O: Object> {
    machine: M,
    mapper: PageMapper<M::Format>,
    areas: AreaTree<K, O>,
    heap: Heap,
    limits: Limits,
    usage: Usage,
}

/// The call in whose name a space allocates.
#[track_caller]
const fn call() -> Call {
    Call::here(&"space")
}

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// A space without areas. Process context; may sleep.
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
        let usage = Usage { tables: 1, ..Usage::default() };
        Ok(Self { machine, mapper, areas: AreaTree::new(), heap: Heap::NONE, limits: Limits::DEFAULT, usage })
    }

    /// The frame of the root of its tables.
    pub fn root(&self) -> Pfn {
        self.mapper.root()
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
        Usage { file: self.usage.resident - self.usage.anonymous, ..self.usage }
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
