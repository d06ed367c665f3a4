//! Which page tables the CPU goes by.
//!
//! The kernel's own, from boot on; those of a process, whose upper half is the kernel's, while one of its threads runs.
//! A thread of the kernel leaves in place what is loaded.

use mm::{Pfn, PhysAddr};
use spin::Once;
use x86_64::PhysAddr as Address;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

static KERNEL: Once<Pfn> = Once::new();

/// The level-4 table of the kernel's own page tables, whose upper half every process shares; `None` before they are in
/// use.
pub fn kernel_root() -> Option<Pfn> {
    KERNEL.get().copied()
}

/// Says which tables are the kernel's own: they are loaded now.
pub(super) fn set_kernel_root(root: Pfn) {
    KERNEL.call_once(|| root);
}

/// The level-4 table that is loaded.
#[inline]
pub fn loaded_root() -> Pfn {
    let (frame, _) = Cr3::read_raw();
    PhysAddr::new(frame.start_address().as_u64()).frame().unwrap_or(Pfn::new(0))
}

/// Goes by the level-4 table at `root` from here on.
///
/// # Safety
/// Its upper half is that of [`kernel_root`], and all of it stays as it is until another one is loaded.
#[inline]
pub unsafe fn load_root(root: Pfn) {
    let frame = PhysFrame::containing_address(Address::new_truncate(root.phys().as_u64()));
    // SAFETY: the caller's promise; what the kernel uses is mapped as before.
    unsafe { Cr3::write(frame, Cr3Flags::empty()) };
}
