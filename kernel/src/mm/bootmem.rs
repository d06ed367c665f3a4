//! Bootmem while it lasts: the calls that code linked into the kernel may use before the page allocator stands.

use ::mm::{BootZone, Bootmem, BootmemError, PAGE_SIZE, PhysAddr, VirtAddr};

use crate::klog;
use crate::sync::SpinLock;

/// Bootmem, until the page allocator takes over, and where the physical memory shows.
struct State {
    bootmem: Option<Bootmem>,
    window: VirtAddr,
}

static STATE: SpinLock<State> = SpinLock::new(State { bootmem: Some(Bootmem::new()), window: VirtAddr::new(0) });

/// Says at which address physical address 0 shows.
pub(super) fn set_window(window: VirtAddr) {
    STATE.with(|state| state.window = window);
}

/// Runs `f` with bootmem; refused after the hand-over.
pub(super) fn with<R>(f: impl FnOnce(&mut Bootmem) -> Result<R, BootmemError>) -> Result<R, BootmemError> {
    STATE.with(|state| state.bootmem.as_mut().ok_or(BootmemError::NoMemory).and_then(f))
}

/// Ends bootmem and returns it; `None` the second time.
pub(super) fn take() -> Option<Bootmem> {
    STATE.with(|state| state.bootmem.take())
}

/// Allocates `size` bytes for good, aligned to `align`, filled with zeros; boot only. A request for memory above 16 MiB
/// that gets lower memory is logged, and so is a refusal.
pub fn alloc(size: usize, align: usize, zone: BootZone) -> Result<VirtAddr, BootmemError> {
    let block = with(|bootmem| bootmem.alloc(size, align, zone));
    match block {
        Err(_) => klog!("bootmem alloc of {size} bytes failed!"),
        Ok(block) if block.fell_back => {
            klog!("bootmem: {size} bytes at {:x}: none free above 16 MiB", block.start.as_u64())
        }
        Ok(_) => {}
    }
    let start = block?.start;
    let addr = STATE.with(|state| state.window).add(start.as_u64() as usize);
    // SAFETY: bootmem gives each byte out once, and the window shows all memory that it knows.
    unsafe { addr.as_mut_ptr::<u8>().write_bytes(0, size) };
    Ok(addr)
}

/// Allocates whole pages for good, filled with zeros; boot only.
pub fn alloc_pages(size: usize, zone: BootZone) -> Result<VirtAddr, BootmemError> {
    alloc(size.next_multiple_of(PAGE_SIZE), PAGE_SIZE, zone)
}

/// Where physical memory shows at this stage of boot.
pub(super) fn window_of(phys: PhysAddr) -> VirtAddr {
    STATE.with(|state| state.window).add(phys.as_u64() as usize)
}
