//! Areas by their addresses, as snapshots.

use core::panic::Location;

use super::AreaAllocator;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::areas::area::{AreaKind, AreaRef, AreaState, Owner};
use crate::areas::cpu_ranges::CpuRanges;
use crate::areas::tree::AreaTree;
use crate::error::FreeError;
use crate::page::{PageState, Word};
use crate::platform::{KernelTables, Lock, Platform};
use crate::tag::Tag;

/// A snapshot of one vm area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AreaInfo {
    /// First address.
    pub start: VirtAddr,
    /// Bytes, guard page included.
    pub bytes: usize,
    /// What it shows.
    pub kind: AreaKind,
    /// The caller that allocated it; of a free area only as long as its code is there.
    pub caller: Option<&'static Location<'static>>,
    /// Who owns its addresses.
    pub state: AreaState,
    /// Its owner's tag.
    pub tag: Tag,
}

impl AreaInfo {
    /// Address of the area's guard page.
    pub fn guard(&self) -> VirtAddr {
        self.start.add(self.bytes - PAGE_SIZE)
    }
}

impl From<AreaRef> for AreaInfo {
    fn from(area: AreaRef) -> Self {
        Self {
            start: area.start,
            bytes: area.bytes() + PAGE_SIZE,
            kind: area.kind(),
            caller: area.caller(),
            state: area.state(),
            tag: area.owner().tag,
        }
    }
}

impl<P: Platform> AreaAllocator<P> {
    /// The area that holds `addr`, guard page included.
    pub fn area_at(&self, addr: VirtAddr) -> Option<AreaInfo> {
        self.tree_of(addr).with(|tree| tree.find(addr).map(AreaInfo::from)).filter(|area| area.state != AreaState::Free)
    }

    /// [`area_at`](Self::area_at) for reports of faults, freed areas included: `None` also while the tree is locked.
    pub fn try_area_at(&self, addr: VirtAddr) -> Option<AreaInfo> {
        self.tree_of(addr).try_with(|tree| tree.find(addr).map(AreaInfo::from))?
    }

    /// Bytes of the open area of this owner that starts at `addr`, or why there is none.
    pub(super) fn owned_bytes(&self, addr: VirtAddr, owner: Owner) -> Result<usize, FreeError> {
        if addr.page_offset() != 0 {
            return Err(FreeError::Misaligned);
        }
        self.tree.with(|tree| {
            let area = tree.find(addr).filter(|area| area.start == addr && area.is_open()).ok_or(FreeError::NoArea)?;
            match area.owner() {
                found if found == owner => Ok(area.bytes()),
                found if found.purpose != owner.purpose => Err(FreeError::NoArea),
                found => Err(FreeError::Owned(found.tag)),
            }
        })
    }

    /// Whether `addr` is one of the addresses that areas come from.
    #[inline]
    pub(crate) fn has(&self, addr: VirtAddr) -> bool {
        self.start <= addr && addr < self.end
    }

    /// The tree that may have an area at `addr`.
    fn tree_of(&self, addr: VirtAddr) -> &P::Lock<AreaTree> {
        if self.is_code(addr) { &self.code.tree } else { &self.tree }
    }

    /// Whether `addr` is one of the addresses that areas of modules come from.
    pub fn is_code(&self, addr: VirtAddr) -> bool {
        self.code.start <= addr && addr < self.code.end
    }

    /// The frame behind an address of an area.
    pub fn frame_at(&self, addr: VirtAddr) -> Option<Pfn> {
        self.area_at(addr).and_then(|_| self.platform().tables().translate(addr.page_down()))
    }

    /// Bytes of memory that an area of vmalloc costs: its pages, its descriptor, its entries in the page tables.
    pub(crate) fn footprint(&self, area: AreaRef) -> usize {
        self.cost_of(area.bytes())
    }

    /// [`footprint`](Self::footprint) of an area of so many bytes.
    pub(crate) fn cost_of(&self, bytes: usize) -> usize {
        let entries = (bytes / PAGE_SIZE + 1) * size_of::<u64>();
        bytes + entries + self.objects.own_footprint(&self.descriptors)
    }

    /// Bytes of the area at `addr` that a value has; 0 where there is none.
    pub(crate) fn value_bytes(&self, addr: VirtAddr) -> usize {
        self.owned_bytes(addr, Owner::VALUE).unwrap_or(0)
    }

    /// A snapshot of each area, lowest address first, those of modules last. Nothing is locked between two of them, so
    /// the caller may allocate and print.
    pub fn iter(&'static self) -> impl Iterator<Item = AreaInfo> {
        let of = |tree: &'static P::Lock<AreaTree>, start: VirtAddr| {
            let next = move |from: VirtAddr| tree.with(|tree| tree.first_from(from).map(AreaInfo::from));
            core::iter::successors(next(start), move |area| next(area.start.add(area.bytes)))
        };
        of(&self.tree, self.start).chain(of(&self.code.tree, self.code.start))
    }

    /// Pages of lazy frames.
    pub fn lazy_pages(&self) -> usize {
        self.cpus.iter().map(CpuRanges::lazy_pages).sum()
    }

    /// Checks every area, and the CPUs' free ranges; returns the first invariant that is broken. No call may run.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        self.pool.with(|pool| pool.validate())?;
        let allocated = |word: Word| matches!(word.state(), PageState::Allocated(_));
        self.cpus.iter().try_for_each(|ranges| ranges.validate(self.direct.map(), allocated))?;
        self.code.tree.with(|tree| tree.validate())?;
        self.tree.with(|tree| {
            tree.validate()?;
            self.index.validate(|area| tree.find(area.start) == Some(area))
        })
    }
}
