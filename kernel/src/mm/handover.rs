//! What the bring-up of memory finds out and keeps.
//!
//! The initial files, the RAM that `mem=` hid, and what one half of the bring-up leaves to the other.

use ::mm::region::RegionSet;
use ::mm::{Pfn, PfnRange, PhysAddr};
use bootloader_api::BootInfo;

use crate::arch::layout::direct;
use crate::sync::SpinLock;

/// What the first half of the bring-up leaves to the second.
pub(super) struct Handover {
    /// Frames of the bootloader that come back.
    pub(super) reclaim: RegionSet,
    /// Frames of the kernel image: the direct map leaves them out, so that nothing executable is writable there.
    pub(super) image: RegionSet,
    /// The initial files.
    pub(super) ramdisk: (PhysAddr, usize),
    /// RAM that was free and that `mem=` hid.
    pub(super) hidden: RegionSet,
    /// Bits for the sections that have entries in the `Page` array.
    pub(super) present: &'static [u64],
    /// Frames that the `Page` array spans.
    pub(super) frames: u32,
    /// First frame outside of the direct map.
    pub(super) highmem_start: Pfn,
}

pub(super) static HANDOVER: SpinLock<Handover> = SpinLock::new(Handover {
    reclaim: RegionSet::new(),
    image: RegionSet::new(),
    ramdisk: (PhysAddr::new(0), 0),
    hidden: RegionSet::new(),
    present: &[],
    frames: 0,
    highmem_start: Pfn::new(u32::MAX),
});

/// [`ramdisk`] while the bootloader's page tables are still in use.
pub fn loaded_ramdisk(boot_info: &BootInfo) -> &'static [u8] {
    let Some(start) = boot_info.ramdisk_addr.into_option() else { return &[] };
    // SAFETY: the bootloader mapped the file there, and nothing writes to it. It is read only before those tables go.
    unsafe { core::slice::from_raw_parts(start as *const u8, boot_info.ramdisk_len as usize) }
}

/// The initial files, as the bootloader loaded them: a tar archive, or nothing.
pub fn ramdisk() -> &'static [u8] {
    let (start, bytes) = HANDOVER.with(|handover| handover.ramdisk);
    if bytes == 0 {
        return &[];
    }
    // SAFETY: the frames are reserved for good, and the direct map shows them, soon for reading only: no code writes
    // to them.
    unsafe { core::slice::from_raw_parts(direct(start).as_mut_ptr::<u8>(), bytes) }
}

/// The runs of RAM that `mem=` hid: free when the kernel started, unknown to the allocators, and in no direct map.
pub fn hidden_ram() -> impl Iterator<Item = PfnRange> {
    (0..).map_while(|nth| HANDOVER.with(|handover| handover.hidden.ranges().get(nth).copied()))
}
