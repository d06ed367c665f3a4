//! Bootmem while it lasts: memory for linked-in code before the allocators.
//!
//! [`alloc_bootmem`], [`alloc_bootmem_low`] and their `_pages` forms are the chapter's; [`alloc_bootmem_at`] is what
//! they have in common. A driver that wants such memory has a line in a table of [`BootDriver`]s: its function is
//! called once, when all free RAM is known and direct-map addresses hold, right before the hand-over. From then on
//! every call here is refused. (Chapter: "Acquiring a Dedicated Buffer at Boot Time".)

use ::mm::{BootZone, Bootmem, BootmemError, PAGE_SIZE, PfnRange, PhysAddr, VirtAddr};
use spin::Once;

use crate::klog;
use crate::sync::SpinLock;

/// Bytes in a line of the processor's cache: what small requests are aligned to.
const CACHE_LINE: usize = 64;

/// Bootmem, until the page allocator takes over, and where the physical memory shows.
struct BootmemState {
    bootmem: Option<Bootmem>,
    window: VirtAddr,
    /// Memory from here on does not show in the window.
    window_end: PhysAddr,
}

static STATE: SpinLock<BootmemState> = SpinLock::new(BootmemState {
    bootmem: Some(Bootmem::new()),
    window: VirtAddr::new(0),
    window_end: PhysAddr::new(u64::MAX),
});

/// A driver, linked into the kernel, that takes memory at boot.
#[derive(Clone, Copy)]
pub struct BootDriver {
    /// The driver's name.
    pub name: &'static str,
    /// Takes the memory, by the calls of this module. An error is logged; boot goes on.
    pub reserve: fn() -> Result<(), BootmemError>,
}

static DRIVERS: Once<&'static [BootDriver]> = Once::new();

/// Says which drivers take memory at boot. The first table that is declared counts.
pub fn declare(drivers: &'static [BootDriver]) {
    DRIVERS.call_once(|| drivers);
}

/// Lets the declared drivers take their memory.
pub(super) fn serve_drivers() {
    for driver in DRIVERS.get().copied().unwrap_or_default() {
        if let Err(error) = (driver.reserve)() {
            klog!("{}: no boot-time memory: {}", driver.name, error.reason());
        }
    }
}

/// Says at which address physical address 0 shows.
pub(super) fn set_window(window: VirtAddr) {
    STATE.with(|state| state.window = window);
}

/// Says that memory from `end` on does not show: it is not allocated from here any more.
pub(super) fn set_window_end(end: PhysAddr) {
    STATE.with(|state| state.window_end = end);
}

/// Runs `f` with bootmem; refused after the hand-over.
pub(super) fn with<R>(f: impl FnOnce(&mut Bootmem) -> Result<R, BootmemError>) -> Result<R, BootmemError> {
    STATE.with(|state| state.bootmem.as_mut().ok_or(BootmemError::HandedOver).and_then(f))
}

/// Frames of `range` that show and that are still free; none after the hand-over.
pub(super) fn free_within(range: PfnRange) -> usize {
    let end = STATE.with(|state| state.window_end).frame().unwrap_or(PfnRange::ALL.end);
    let shown = PfnRange::new(range.start, range.end.min(end));
    let free =
        |bootmem: &mut Bootmem| bootmem.unreserved().ranges().iter().map(|it| it.intersection(shown).frames()).sum();
    with(|bootmem| Ok(free(bootmem))).unwrap_or(0)
}

/// Ends bootmem and returns it; `None` the second time.
pub(super) fn take() -> Option<Bootmem> {
    STATE.with(|state| state.bootmem.take())
}

/// Allocates `size` bytes for good, aligned to a cache line, filled with zeros: from 16 MiB on, or lower if there is
/// nothing, which is logged.
pub fn alloc_bootmem(size: usize) -> Result<VirtAddr, BootmemError> {
    alloc_in(size, CACHE_LINE, BootZone::Normal)
}

/// [`alloc_bootmem`] below 16 MiB, without exception: memory for ISA DMA.
pub fn alloc_bootmem_low(size: usize) -> Result<VirtAddr, BootmemError> {
    alloc_in(size, CACHE_LINE, BootZone::Low)
}

/// [`alloc_bootmem`] of whole pages: as many as `size` bytes need, from the start of one on.
pub fn alloc_bootmem_pages(size: usize) -> Result<VirtAddr, BootmemError> {
    alloc_in(whole_pages(size)?, PAGE_SIZE, BootZone::Normal)
}

/// [`alloc_bootmem_pages`] below 16 MiB, without exception.
pub fn alloc_bootmem_low_pages(size: usize) -> Result<VirtAddr, BootmemError> {
    alloc_in(whole_pages(size)?, PAGE_SIZE, BootZone::Low)
}

fn whole_pages(size: usize) -> Result<usize, BootmemError> {
    size.checked_next_multiple_of(PAGE_SIZE).ok_or(BootmemError::NoMemory)
}

fn alloc_in(size: usize, align: usize, zone: BootZone) -> Result<VirtAddr, BootmemError> {
    let (goal, limit) = zone.bounds();
    alloc_bootmem_at(size, align, goal, limit)
}

/// Allocates `size` bytes for good, aligned to `align`, a power of two, filled with zeros; all of it below `limit`, and
/// from `goal` on or, if there is nothing, lower. That is logged, and so is a refusal.
pub fn alloc_bootmem_at(size: usize, align: usize, goal: PhysAddr, limit: PhysAddr) -> Result<VirtAddr, BootmemError> {
    let (window, window_end) = STATE.with(|state| (state.window, state.window_end));
    let block = with(|bootmem| bootmem.alloc_at(size, align, goal, limit.min(window_end)))
        .inspect_err(|error| klog!("bootmem alloc of {size} bytes failed! ({})", error.reason()))?;
    let start = block.start.as_u64();
    if block.fell_back {
        klog!("bootmem: {size} bytes at {start:x}: none free above {:x}", goal.as_u64());
    }
    let addr = window.add(start as usize);
    // SAFETY: bootmem gives each byte out once, and the window shows all memory below its end.
    unsafe { addr.as_mut_ptr::<u8>().write_bytes(0, size) };
    Ok(addr)
}

/// Reserves every page that `size` bytes from `start` on touch. What is reserved already is named in the log and stays
/// so.
pub fn reserve_bootmem(start: PhysAddr, size: usize) -> Result<(), BootmemError> {
    let end = end_of(start, size)?;
    // One by one: nothing is printed under a lock.
    let mut from = start;
    while let Some(twice) = with(|bootmem| Ok(bootmem.reserved_within(from, end).next()))? {
        klog!("hm, page {:08x} reserved twice.", twice.start.phys().as_u64());
        from = twice.end.phys();
    }
    with(|bootmem| bootmem.reserve(start, end)).map(|_| ())
}

/// Gives the whole pages among `size` bytes from `start` on back; they were allocated or reserved before.
pub fn free_bootmem(start: PhysAddr, size: usize) -> Result<(), BootmemError> {
    let end = end_of(start, size)?;
    with(|bootmem| bootmem.free(start, end))
}

fn end_of(start: PhysAddr, size: usize) -> Result<PhysAddr, BootmemError> {
    start.checked_add(size as u64).filter(|_| size > 0).ok_or(BootmemError::BadRequest)
}

/// Where physical memory shows at this stage of boot.
pub(super) fn window_of(phys: PhysAddr) -> VirtAddr {
    STATE.with(|state| state.window).add(phys.as_u64() as usize)
}
