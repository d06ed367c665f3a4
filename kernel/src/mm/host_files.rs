//! Files of QEMU's configuration device, read into memory of the allocators.
//!
//! What lies in the direct map, or is a page, is read by DMA where the device has it; all else by ports.

use ::mm::{GfpFlags, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
use kapi::Errno;

use super::global::{KBox, PageRef};
use crate::arch::layout::{Area, DIRECT_MAP};
use crate::board::fw_cfg::{self, Descriptor, FileRef};
use crate::klog;

/// Lets the device do DMA from here on. Without, all goes on slowly, and the log says so.
pub fn enable_dma() -> Result<(), Errno> {
    let descriptor = KBox::new(Descriptor::default(), GfpFlags::KERNEL)?;
    if !fw_cfg::enable_dma(KBox::leak(descriptor)) {
        klog!("fw_cfg: no DMA: the initial files are read byte by byte");
    }
    Ok(())
}

/// Reads from `offset` of a file until `into` is full. Any context. `EIO` when the file ends before, and when the
/// device says so.
pub fn read(file: FileRef, offset: u64, into: &mut [u8]) -> Result<(), Errno> {
    let offset = u32::try_from(offset).map_err(|_| Errno::EIO)?;
    let at = VirtAddr::from_ptr(into.as_ptr());
    if Area::of(at) == Area::DirectMap && fw_cfg::has_dma() {
        let to = PhysAddr::new((at.as_usize() - DIRECT_MAP.as_usize()) as u64);
        let length = u32::try_from(into.len()).map_err(|_| Errno::EIO)?;
        // SAFETY: the buffer is borrowed exclusively, and lies there in one piece.
        return unsafe { fw_cfg::read_dma(file, offset, to, length) }.map_err(|_| Errno::EIO);
    }
    if fw_cfg::read_at(file, offset, into) == into.len() { Ok(()) } else { Err(Errno::EIO) }
}

/// Reads `length` bytes, at most a page, from `offset` of a file to the beginning of the page in `frame`. Process
/// context. `EIO` as in [`read`], and where that is no page of the page cache.
pub fn read_page(file: FileRef, offset: u64, length: usize, frame: Pfn) -> Result<(), Errno> {
    let length = length.min(PAGE_SIZE);
    let mut page = PageRef::to(frame).ok_or(Errno::EIO)?;
    if !fw_cfg::has_dma() {
        return page.show_mut(|bytes| read(file, offset, &mut bytes[..length]))?;
    }
    let offset = u32::try_from(offset).map_err(|_| Errno::EIO)?;
    // SAFETY: the page holds bytes of a file or a process, of which any are right, and stays as long as the reference.
    unsafe { fw_cfg::read_dma(file, offset, page.frame().phys(), length as u32) }.map_err(|_| Errno::EIO)
}
