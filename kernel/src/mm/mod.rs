//! Memory of this kernel: the allocators of the crate `mm` on this machine, and the types that the kernel uses.
//!
//! [`memory`] has the raw calls of the chapter (`kmalloc`, `get_free_pages`, `vmalloc`, ...); [`KBox`], [`KVec`],
//! [`PageBlock`] and the others own what they allocate. `boot.rs` brings everything up, in the order that it lists;
//! lock order is stated in `mm::memory`.

pub mod bigphysarea;
mod boot;
mod boot_cell;
pub mod bootmem;
pub mod firmware;
mod handover;
pub mod heap;
mod kswapd;
mod own;
mod platform;
mod report;
mod reserve;

use core::fmt;

use ::mm::vm::{AreaKind, AreaState};
use ::mm::{AllocError, Global, Memory, VirtAddr};

pub use boot::{leave_bootloader, take_over};
pub use handover::{hidden_ram, loaded_ramdisk, ramdisk};
pub use platform::KernelPlatform;

use boot_cell::BootCell;

use crate::arch::fault;
use crate::arch::layout::Area;
use crate::sched::{self, STACK_BYTES, StackSource};

static MEMORY: BootCell<Memory<KernelPlatform>> = BootCell::new();

/// The allocators.
///
/// # Panics
/// Before [`take_over`].
#[inline(always)]
pub fn memory() -> &'static Memory<KernelPlatform> {
    let Some(memory) = MEMORY.get() else { not_up() };
    memory
}

#[cold]
#[inline(never)]
fn not_up() -> ! {
    panic!("the allocators are not up yet")
}

/// The name of this kernel, for the types that are generic over one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kernel;

impl Global for Kernel {
    type Platform = KernelPlatform;

    #[inline]
    fn memory() -> &'static Memory<KernelPlatform> {
        memory()
    }
}

/// One value in kmalloc'ed memory.
pub type KBox<T> = ::mm::own::KBox<T, Kernel>;
/// A growing array in kmalloc'ed memory.
pub type KVec<T> = ::mm::own::KVec<T, Kernel>;
/// Text in kmalloc'ed memory.
pub type KString = ::mm::own::KString<Kernel>;
/// A block of pages.
pub type PageBlock = ::mm::own::PageBlock<Kernel>;
/// A page that may be of high memory.
pub type UserPage = ::mm::own::UserPage<Kernel>;
/// An area from vmalloc.
pub type VmArea = ::mm::own::VmArea<Kernel>;
/// A mapping of device memory.
pub type IoMem = ::mm::own::IoMem<Kernel>;
/// A lookaside cache.
pub type KmemCache = ::mm::own::KmemCache<Kernel>;

/// Names an address of the vmalloc range for a fault report: the thread whose stack it is, or the area and who asked for
/// it. Any context, also from under the allocators' locks.
fn describe(addr: VirtAddr, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    if Area::of(addr) != Area::Vmalloc {
        return Ok(());
    }
    let Some(area) = MEMORY.get().and_then(|memory| memory.try_area_at(addr)) else { return Ok(()) };
    let what = match area.kind {
        _ if area.state == AreaState::Free => "freed area",
        _ if addr >= area.guard() => "guard page of an area",
        AreaKind::Vmalloc | AreaKind::Vmap => "inside an area",
        AreaKind::Ioremap(_) => "inside a device mapping",
    };
    match sched::owner_of_stack(area.start) {
        Some((id, name)) if area.state != AreaState::Free => write!(out, ", {what}, the stack of thread {id} ({name})"),
        _ => write!(out, ", {what} of {}:{}", area.caller.file(), area.caller.line()),
    }
}

/// Starts the threads: stacks come from vmalloc, each with a guard page; the reaper; kswapd.
pub fn start_threads() -> Result<(), AllocError> {
    fault::set_describe(describe);
    sched::set_idle_work(|| memory().clear_ahead());
    sched::start_threads(StackSource { allocate: || memory().vmalloc(STACK_BYTES), free: free_stack })?;
    kswapd::start()
}

fn free_stack(bottom: VirtAddr) {
    // A wrong free has been reported; there is nobody to return it to.
    let _: Result<(), _> = memory().vfree(bottom);
}
