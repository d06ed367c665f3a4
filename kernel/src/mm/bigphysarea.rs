//! bigphysarea: contiguous memory set aside at boot, handed out at run time.
//!
//! The kernel option `bigphysarea=PAGES` says how much. The area lies at the beginning of physical memory, wherever the
//! first run of that length is free. The calls are the patch's; [`BigBuffer`] owns what they return. They may be made
//! in process context, or with GFP_ATOMIC in any: then they fail if the list of blocks is in use at that moment.
//! (Chapter: "The bigphysarea Patch".)

use core::slice;

use ::mm::own::Buffer;
use ::mm::{AllocError, BootmemError, FreeError, GfpFlags, PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr};
use kapi::{Errno, LockError};
use services::pool::{FramePool, PoolStats};
use spin::Once;

use super::bootmem::{self, BootDriver};
use super::global::{Kernel, memory};
use super::reserve::LEAST_FREE;
use crate::sched::Mutex;
use crate::{klog, options};

/// What takes the area at boot.
pub const BOOT_DRIVER: BootDriver = BootDriver { name: "bigphysarea", reserve };

static AREA: Once<PfnRange> = Once::new();
static POOL: Mutex<FramePool<Kernel>> = Mutex::new(FramePool::new());

fn reserve() -> Result<(), BootmemError> {
    let pages = options::get().memory.bigphysarea;
    if pages == 0 {
        return Ok(());
    }
    let bytes = pages.checked_mul(PAGE_SIZE).ok_or(BootmemError::NoMemory)?;
    if bootmem::free_within(PfnRange::ALL) < pages.saturating_add(LEAST_FREE) {
        klog!("warning: kernel option bigphysarea: {pages} pages would leave too little memory");
        return Ok(());
    }
    let start = bootmem::alloc_bootmem_at(bytes, PAGE_SIZE, PhysAddr::new(0), PhysAddr::new(u64::MAX))?;
    if let Some(first) = memory().frame_of(start) {
        AREA.call_once(|| PfnRange::new(first, first.add(pages as u32)));
    }
    klog!("bigphysarea: Allocated {pages} pages at 0x{:x}.", start.as_usize());
    Ok(())
}

/// Opens the area for the calls. Process context, once, after kmalloc stands.
pub fn init() -> Result<(), Errno> {
    match AREA.get() {
        Some(&area) => Ok(POOL.lock_uninterruptible()?.add(area, GfpFlags::KERNEL)?),
        None => Ok(()),
    }
}

/// The frames of the area, if there is one.
pub fn range() -> Option<PfnRange> {
    AREA.get().copied()
}

/// First and last physical address of the area, if there is one.
pub fn extent() -> Option<(u64, u64)> {
    AREA.get().map(|area| (area.start.phys().as_u64(), area.end.phys().as_u64() - 1))
}

/// What is free and what is used; `None` when the kernel option was not given. Process context.
pub fn stats() -> Result<Option<PoolStats>, LockError> {
    AREA.get().map(|_| Ok(POOL.lock()?.stats())).transpose()
}

/// Allocates `size` bytes, rounded up to whole pages. Content undefined. Process context.
pub fn bigphysarea_alloc(size: usize) -> Result<VirtAddr, AllocError> {
    bigphysarea_alloc_pages(size.div_ceil(PAGE_SIZE), 1, GfpFlags::KERNEL)
}

/// Frees what [`bigphysarea_alloc`] returned. Process context.
pub fn bigphysarea_free(addr: VirtAddr) -> Result<(), FreeError> {
    bigphysarea_free_pages(addr)
}

/// Allocates `count` contiguous pages that begin at a multiple of `align` pages (0 counts as 1), from the lowest place
/// that has them. Content undefined. Fails without the kernel option, and without memory for the list, which `gfp` is
/// for.
pub fn bigphysarea_alloc_pages(count: usize, align: usize, gfp: GfpFlags) -> Result<VirtAddr, AllocError> {
    let count = u32::try_from(count).map_err(|_| AllocError)?;
    let align = u32::try_from(align).map_err(|_| AllocError)?;
    let take = |pool: &mut FramePool<Kernel>| pool.alloc(count, align, gfp);
    let range = if gfp.contains(GfpFlags::WAIT) {
        take(&mut *POOL.lock_uninterruptible().map_err(|_| AllocError)?)
    } else {
        take(&mut *POOL.try_lock().ok_or(AllocError)?)
    };
    range.and_then(|range| memory().page_address(range.start).ok_or(AllocError))
}

/// Frees the pages that begin at `base`. What does not begin there is told to the log, and nothing changes. Process
/// context.
pub fn bigphysarea_free_pages(base: VirtAddr) -> Result<(), FreeError> {
    let frame = memory().frame_of(base).filter(|_| base.is_aligned(PAGE_SIZE)).ok_or(FreeError::Wild);
    let free = |frame: Pfn| POOL.lock_uninterruptible().map_err(|_| FreeError::WrongContext)?.free(frame).map(|_| ());
    frame.and_then(free).inspect_err(|error| {
        klog!("bigphysarea_free_pages(0x{:08x}), not allocated! ({})", base.as_usize(), error.reason());
    })
}

/// Contiguous memory from the area, for as long as the handle lives. Dropped in process context.
pub struct BigBuffer {
    addr: VirtAddr,
    bytes: usize,
}

impl BigBuffer {
    /// Allocates `size` bytes, rounded up to whole pages. Content undefined. Process context.
    pub fn new(size: usize) -> Result<Self, AllocError> {
        let bytes = size.checked_next_multiple_of(PAGE_SIZE).ok_or(AllocError)?;
        Ok(Self { addr: bigphysarea_alloc(size)?, bytes })
    }
}

impl Buffer for BigBuffer {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the pages are the handle's, the direct map shows them, and they were zeroed at boot.
        unsafe { slice::from_raw_parts(self.addr.as_mut_ptr(), self.bytes) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the caller holds the only handle.
        unsafe { slice::from_raw_parts_mut(self.addr.as_mut_ptr(), self.bytes) }
    }

    fn addr(&self) -> VirtAddr {
        self.addr
    }
}

impl Drop for BigBuffer {
    fn drop(&mut self) {
        // A wrong free has been reported.
        let _: Result<(), _> = bigphysarea_free(self.addr);
    }
}
