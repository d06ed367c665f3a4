//! vmalloc, vfree, ioremap, iounmap: memory and devices at synthetic addresses. (Chapter: "vmalloc and Friends".)

use core::panic::Location;

use super::Memory;
use crate::addr::{PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::error::{AllocError, FreeError, MapError};
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::platform::{Lock, Mapping, Platform};
use crate::vm::{AreaKind, AreaRef, VmArea};

/// End of a list of frames.
const NO_FRAME: u64 = u64::MAX;

/// A snapshot of one vm area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AreaInfo {
    /// First address.
    pub start: VirtAddr,
    /// Bytes, guard page included.
    pub bytes: usize,
    /// What it shows.
    pub kind: AreaKind,
    /// Who asked for it.
    pub caller: &'static Location<'static>,
}

impl AreaInfo {
    /// Address of the area's guard page.
    pub fn guard(&self) -> VirtAddr {
        self.start.add(self.bytes - PAGE_SIZE)
    }
}

impl From<AreaRef> for AreaInfo {
    fn from(area: AreaRef) -> Self {
        Self { start: area.start, bytes: area.bytes() + PAGE_SIZE, kind: area.kind, caller: area.caller }
    }
}

impl<P: Platform> Memory<P> {
    /// Allocates at least `size` bytes of contiguous addresses; each page is taken by itself. Content undefined.
    ///
    /// The size is rounded up to whole pages, and one unmapped page follows. Refused: 0 bytes, more than the machine's
    /// memory, a context that may not sleep. Useless for DMA. Free it with [`vfree`](Self::vfree).
    #[track_caller]
    pub fn vmalloc(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.vmalloc_area(size).map(|area| area.start)
    }

    /// [`vmalloc`](Self::vmalloc) for an owner that keeps the descriptor.
    #[track_caller]
    pub(crate) fn vmalloc_area(&'static self, size: usize) -> Result<AreaRef, AllocError> {
        let caller = Location::caller();
        self.check_may_sleep("vmalloc", caller)?;
        let pages = size.div_ceil(PAGE_SIZE);
        if pages == 0 || pages > self.managed_pages() {
            return Err(self.refuse("vmalloc", "size is zero or exceeds the machine's memory", caller));
        }
        let area = self.reserve_area(pages, AreaKind::Vmalloc, caller)?;
        let filled = (0..pages).try_for_each(|page| self.fill_page(area.start.add(page * PAGE_SIZE), caller));
        filled.inspect_err(|_| self.dissolve(area))?;
        self.areas.with(|_| area.closed.set(false));
        Ok(area)
    }

    /// Frees an area from [`vmalloc`](Self::vmalloc). May sleep: process context only. Address 0 is accepted and
    /// ignored; anything but the first address of such an area is reported and left as it was.
    #[track_caller]
    pub fn vfree(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        let caller = Location::caller();
        if addr.as_usize() == 0 {
            return Ok(());
        }
        self.check_may_sleep("vfree", caller).map_err(|_| FreeError::WrongContext)?;
        if addr.page_offset() != 0 {
            return Err(self.bad_free("vfree", addr, FreeError::Misaligned, caller));
        }
        self.free_area("vfree", addr, |kind| kind == AreaKind::Vmalloc, caller)
    }

    /// Maps the device memory at `phys`, `size` bytes, uncached; allocates nothing but page tables.
    ///
    /// The address need not be page-aligned: the result points to the same offset in the first mapped page. Refused:
    /// 0 bytes, a range that wraps around, memory that the allocators own, a context that may not sleep.
    /// Undo it with [`iounmap`](Self::iounmap).
    #[track_caller]
    pub fn ioremap(&'static self, phys: PhysAddr, size: usize) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        self.check_may_sleep("ioremap", caller)?;
        let wraps = "size is zero or the range leaves the physical address space";
        let last = size.checked_sub(1).and_then(|rest| phys.checked_add(rest as u64)).and_then(PhysAddr::frame);
        let (Some(first), Some(last)) = (phys.frame(), last) else {
            return Err(self.refuse("ioremap", wraps, caller));
        };
        // Beyond the page map there is no RAM to look for.
        let ram_end = last.as_u32().min(self.map.frames());
        if (first.as_u32()..=ram_end).any(|frame| self.map.block_of(Pfn::new(frame)).is_some()) {
            return Err(self.refuse("ioremap", "the range is memory of the allocators", caller));
        }
        let pages = (last.as_u32() - first.as_u32()) as usize + 1;
        let area = self.reserve_area(pages, AreaKind::Ioremap(first.phys()), caller)?;
        let mapped = (0..pages).try_for_each(|page| {
            self.map_page(area.start.add(page * PAGE_SIZE), first.add(page as u32), Mapping::Device, caller)
        });
        mapped.inspect_err(|_| self.dissolve(area))?;
        self.areas.with(|_| area.closed.set(false));
        Ok(area.start.add(phys.page_offset()))
    }

    /// Undoes [`ioremap`](Self::ioremap); takes the address that it returned. May sleep: process context only.
    #[track_caller]
    pub fn iounmap(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        let caller = Location::caller();
        if addr.as_usize() == 0 {
            return Ok(());
        }
        self.check_may_sleep("iounmap", caller).map_err(|_| FreeError::WrongContext)?;
        self.free_area("iounmap", addr.page_down(), |kind| kind != AreaKind::Vmalloc, caller)
    }

    /// The frame behind an address of a vm area.
    pub fn vmalloc_to_frame(&self, addr: VirtAddr) -> Option<Pfn> {
        self.areas.with(|areas| areas.find(addr)).and_then(|_| self.platform.translate(addr.page_down()))
    }

    /// The area that holds `addr`, guard page included.
    pub fn area_at(&self, addr: VirtAddr) -> Option<AreaInfo> {
        self.areas.with(|areas| areas.find(addr).map(AreaInfo::from))
    }

    /// [`area_at`](Self::area_at) for reports of faults: `None` also when the tree is in use at this moment.
    pub fn try_area_at(&self, addr: VirtAddr) -> Option<AreaInfo> {
        self.areas.try_with(|areas| areas.find(addr).map(AreaInfo::from))?
    }

    /// A snapshot of each area, lowest address first. Nothing is locked between two of them, so the caller may allocate
    /// and print.
    pub fn areas(&self) -> impl Iterator<Item = AreaInfo> {
        let next = |from: VirtAddr| self.areas.with(|areas| areas.first_from(from).map(AreaInfo::from));
        core::iter::successors(next(self.config.vmalloc_start), move |area| next(area.start.add(area.bytes)))
    }

    /// Takes a range of addresses, guard page included, and its descriptor.
    fn reserve_area(
        &'static self,
        pages: usize,
        kind: AreaKind,
        caller: &'static Location<'static>,
    ) -> Result<AreaRef, AllocError> {
        let memory = self.take_object(&self.boot_caches.areas, GfpFlags::KERNEL, caller)?;
        let area = self.areas.with(|areas| {
            let start = areas.find_gap(pages)?;
            // SAFETY: the object is ours, aligned to 8 and as large as a descriptor.
            let write = |area| unsafe { AreaRef::init(memory, area) };
            Some(areas.insert(VmArea::new(start, pages, kind, caller), write))
        });
        area.ok_or_else(|| {
            self.return_descriptor(VirtAddr::from_ptr(memory.as_ptr()));
            self.refuse("vmalloc", "no room in the address range", caller)
        })
    }

    /// Allocates a frame and maps it.
    fn fill_page(&'static self, at: VirtAddr, caller: &'static Location<'static>) -> Result<(), AllocError> {
        let frame = self.alloc_frames(GfpFlags::KERNEL | GfpFlags::HIGHMEM, Order::ZERO, caller)?;
        self.map_page(at, frame, Mapping::Memory, caller).inspect_err(|_| self.drop_frame(frame))
    }

    /// Maps one page, with a new page table if one is missing.
    fn map_page(
        &'static self,
        at: VirtAddr,
        frame: Pfn,
        mapping: Mapping,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        let mut table = None;
        loop {
            match self.platform.map(at, frame, mapping, &mut table) {
                Err(MapError::TableMissing) => table = Some(self.new_table(caller)?),
                result => {
                    if let Some(unused) = table {
                        self.drop_table(unused);
                    }
                    return result.map_err(|_| self.refuse("vmalloc", "the page is mapped already", caller));
                }
            }
        }
    }

    fn new_table(&'static self, caller: &'static Location<'static>) -> Result<Pfn, AllocError> {
        let table = self.alloc_frames(GfpFlags::KERNEL, Order::ZERO, caller)?;
        self.platform.clear_page(self.virt(table));
        self.tables.fetch_add(1, Relaxed);
        Ok(table)
    }

    fn drop_table(&self, table: Pfn) {
        self.tables.fetch_sub(1, Relaxed);
        self.drop_frame(table);
    }

    /// Frees the page tables of the vm range that map nothing; returns how many. Process context.
    pub(super) fn prune_tables(&self) -> usize {
        let mut pruned = 0;
        while let Some(table) = self.platform.prune_table() {
            self.drop_table(table);
            pruned += 1;
        }
        pruned
    }

    /// Page tables of the vm range.
    pub fn page_tables(&self) -> usize {
        self.tables.load(Relaxed)
    }

    /// Finds the area that starts at `addr`, makes it unknown, and takes it apart.
    fn free_area(
        &'static self,
        call: &'static str,
        addr: VirtAddr,
        kind: impl FnOnce(AreaKind) -> bool,
        caller: &'static Location<'static>,
    ) -> Result<(), FreeError> {
        let found = self.areas.with(|areas| {
            let area = areas.find(addr).filter(|area| area.start == addr && kind(area.kind))?;
            (!area.closed.replace(true)).then_some(area)
        });
        match found {
            Some(area) => {
                self.dissolve(area);
                Ok(())
            }
            None => Err(self.bad_free(call, addr, FreeError::NoArea, caller)),
        }
    }

    /// Takes an area apart, as far as it was built. Frames and addresses get a new owner only after the flush.
    fn dissolve(&'static self, area: AreaRef) {
        let mut frames = NO_FRAME;
        for page in 0..area.pages {
            let frame = self.platform.unmap(area.start.add(page * PAGE_SIZE));
            if let (Some(frame), AreaKind::Vmalloc) = (frame, area.kind) {
                self.map.at(frame).set_link(frames);
                frames = frame.as_u32().into();
            }
        }
        self.platform.flush(area.start, area.pages);
        while frames != NO_FRAME {
            let frame = Pfn::new(frames as u32);
            frames = self.map.at(frame).link();
            self.drop_frame(frame);
        }
        self.areas.with(|areas| areas.remove(area));
        self.return_descriptor(VirtAddr::from_ptr(area.ptr().as_ptr()));
    }

    fn drop_frame(&self, frame: Pfn) {
        let freed = self.release_frames(frame, Order::ZERO);
        debug_assert!(freed.is_ok());
    }

    fn return_descriptor(&'static self, descriptor: VirtAddr) {
        let freed = self.put_object(descriptor, Some(&self.boot_caches.areas));
        debug_assert!(freed.is_ok());
    }

    /// Bytes of the range that vm areas come from.
    pub fn vmalloc_total(&self) -> usize {
        self.config.vmalloc_end.as_usize() - self.config.vmalloc_start.as_usize()
    }
}
