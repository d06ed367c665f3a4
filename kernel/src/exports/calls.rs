//! The chapter's calls, by the chapter's names, for modules of the C ABI.
//!
//! Sizes are bytes, flags the bits of [`GfpFlags`], orders powers of two of pages. What a caller gets wrong is refused
//! and reported, as everywhere: an allocation returns null, a free does nothing. May they sleep? As the calls of
//! `mm::Memory` that they stand for.

use core::ffi::c_void;
use core::slice;

use mm::{GfpFlags, Order, VirtAddr};

use crate::mm::memory;
use crate::{export, klog};

/// Bytes of the longest line for the log.
const LINE: usize = 1024;

export! {
    /// kmalloc.
    extern "C" fn kmalloc(size: usize, flags: u32) -> *mut c_void {
        let Some(gfp) = known("kmalloc", flags) else { return core::ptr::null_mut() };
        memory().kmalloc(size, gfp).map_or(core::ptr::null_mut(), |object| object.as_ptr().cast())
    }

    /// kfree.
    extern "C" fn kfree(object: *const c_void) {
        // SAFETY: that nobody uses the object any more is the caller's word, as it is for every kfree in C.
        reported(unsafe { memory().kfree(object.cast()) });
    }

    /// vmalloc.
    extern "C" fn vmalloc(size: usize) -> *mut c_void {
        address(memory().vmalloc(size).ok())
    }

    /// vfree.
    extern "C" fn vfree(area: *const c_void) {
        reported(memory().vfree(VirtAddr::from_ptr(area)));
    }

    /// __get_free_pages.
    extern "C" fn __get_free_pages(flags: u32, order: u32) -> usize {
        pages("__get_free_pages", flags, order, |gfp, order| memory().get_free_pages(gfp, order).ok())
    }

    /// get_zeroed_page.
    extern "C" fn get_zeroed_page(flags: u32) -> usize {
        pages("get_zeroed_page", flags, 0, |gfp, _| memory().get_zeroed_page(gfp).ok())
    }

    /// free_pages.
    extern "C" fn free_pages(block: usize, order: u32) {
        match Order::new(order as usize) {
            // SAFETY: as for kfree.
            Some(order) => reported(unsafe { memory().free_pages(VirtAddr::new(block), order) }),
            None => klog!("free_pages: {block:016x}: no block has order {order}"),
        }
    }

    /// Writes `length` bytes of text to the log, as one line; what is no UTF-8 is left out.
    extern "C" fn log_line(text: *const u8, length: usize) {
        if text.is_null() {
            return;
        }
        // SAFETY: the caller's text is as long as it says, and does not change meanwhile.
        let text = unsafe { slice::from_raw_parts(text, length.min(LINE)) };
        for chunk in text.utf8_chunks().map(|chunk| chunk.valid()).filter(|chunk| !chunk.is_empty()) {
            klog!("{chunk}");
        }
    }
}

/// The flags, if there are no others among them.
fn known(call: &str, flags: u32) -> Option<GfpFlags> {
    let known = GfpFlags::from_bits(flags);
    if known.is_none() {
        klog!("{call}: {flags:#x} are no flags of an allocation");
    }
    known
}

fn pages(call: &str, flags: u32, order: u32, take: impl FnOnce(GfpFlags, Order) -> Option<VirtAddr>) -> usize {
    let block = known(call, flags).zip(Order::new(order as usize)).and_then(|(gfp, order)| take(gfp, order));
    block.map_or(0, VirtAddr::as_usize)
}

fn address(area: Option<VirtAddr>) -> *mut c_void {
    area.map_or(core::ptr::null_mut(), |area| area.as_mut_ptr())
}

/// The allocators have reported what they refused: C has no word for it.
fn reported<T>(_refused: Result<(), T>) {}
