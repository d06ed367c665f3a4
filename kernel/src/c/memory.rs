//! kmalloc, pages, vmalloc and ioremap, by the chapter's names.
//!
//! Sizes are bytes, flags the bits of [`GfpFlags`], orders powers of two of pages. What a caller gets wrong is refused
//! and reported, as everywhere: an allocation returns null, a free does nothing. May they sleep? As the calls of
//! `mm::Memory` that they stand for.

use core::ffi::{c_int, c_void};
use core::panic::Location;
use core::slice;

use mm::areas::AreaKind;
use mm::{GfpFlags, Order, PAGE_SIZE, PhysAddr, VirtAddr};

use crate::arch::layout::{VMALLOC_END, VMALLOC_START};
use crate::mm::{memory, memory_of_modules};
use crate::{export, klog, sched};

/// Bytes of the longest line for the log.
const LINE: usize = 1024;

export! {
    /// kmalloc.
    extern "C" fn kmalloc(size: usize, flags: u32) -> *mut c_void {
        if flags & !PLAIN.bits() != 0 {
            return kmalloc_elsewhere(size, flags);
        }
        // SAFETY: it is modules that call this.
        let memory = unsafe { memory_of_modules() };
        let object = memory.kmalloc(size, GfpFlags::from_bits_retain(flags));
        object.map_or(core::ptr::null_mut(), |object| object.as_ptr().cast())
    }

    /// kfree.
    extern "C" fn kfree(object: *const c_void) {
        // SAFETY: it is modules that call this.
        let memory = unsafe { memory_of_modules() };
        // SAFETY: that nobody uses the object any more is the caller's word, as it is for every kfree in C.
        reported(unsafe { memory.kfree(object.cast()) });
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
    extern "C" fn __get_free_pages(flags: u32, order: usize) -> usize {
        pages("__get_free_pages", flags, order, |gfp, order| memory().get_free_pages(gfp, order).ok())
    }

    /// get_zeroed_page.
    extern "C" fn get_zeroed_page(flags: u32) -> usize {
        pages("get_zeroed_page", flags, 0, |gfp, _| memory().get_zeroed_page(gfp).ok())
    }

    /// free_pages.
    extern "C" fn free_pages(block: usize, order: usize) {
        match Order::new(order) {
            // SAFETY: as for kfree.
            Some(order) => reported(unsafe { memory().free_pages(VirtAddr::new(block), order) }),
            None => {
                let caller = sched::caller(Location::caller());
                klog!("free_pages: {block:016x}: no block has order {order}, called from {caller}");
            }
        }
    }

    /// How many bytes an object of kmalloc's or of a cache has; 0 for anything else.
    extern "C" fn ksize(object: *const c_void) -> usize {
        memory().objects().ksize(object.cast()).unwrap_or(0)
    }

    /// The order of a block that holds `size` bytes.
    extern "C" fn get_order(size: usize) -> c_int {
        size.div_ceil(PAGE_SIZE).max(1).next_power_of_two().trailing_zeros() as c_int
    }

    /// Maps device memory.
    extern "C" fn ioremap(address: u64, size: usize) -> *mut c_void {
        self::address(memory().ioremap(PhysAddr::new(address), size).ok())
    }

    /// ioremap, which never caches here.
    extern "C" fn ioremap_nocache(address: u64, size: usize) -> *mut c_void {
        self::address(memory().ioremap_nocache(PhysAddr::new(address), size).ok())
    }

    /// Takes back what ioremap has mapped.
    extern "C" fn iounmap(address: *const c_void) {
        // The address may lie within the first page.
        reported(memory().iounmap(VirtAddr::from_ptr(address)));
    }

    /// vfree, also of what ioremap has mapped: see include/compat.h.
    extern "C" fn __vfree_or_iounmap(area: *const c_void) {
        let at = VirtAddr::from_ptr(area);
        let is_io = memory().areas().area_at(at).is_some_and(|area| matches!(area.kind, AreaKind::Ioremap(_)));
        if is_io { iounmap(area) } else { vfree(area) }
    }

    /// Where vmalloc begins.
    extern "C" fn __vmalloc_start() -> usize {
        VMALLOC_START.as_usize()
    }

    /// Where vmalloc ends.
    extern "C" fn __vmalloc_end() -> usize {
        VMALLOC_END.as_usize()
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

/// Flags that choose no zones.
const PLAIN: GfpFlags = GfpFlags::all().difference(GfpFlags::DMA.union(GfpFlags::HIGHMEM));

/// kmalloc with flags that do, or with such as there are not.
#[cold]
#[inline(never)]
fn kmalloc_elsewhere(size: usize, flags: u32) -> *mut c_void {
    let Some(gfp) = known("kmalloc", flags) else { return core::ptr::null_mut() };
    memory().kmalloc(size, gfp).map_or(core::ptr::null_mut(), |object| object.as_ptr().cast())
}

/// The flags, if there are no others among them.
#[inline(always)]
pub(super) fn known(call: &'static str, flags: u32) -> Option<GfpFlags> {
    let known = GfpFlags::from_bits(flags);
    if known.is_none() {
        refuse_flags(call, flags);
    }
    known
}

#[cold]
#[inline(never)]
fn refuse_flags(call: &str, flags: u32) {
    let caller = sched::caller(Location::caller());
    klog!("{call}: {flags:#x} are no flags of an allocation, called from {caller}");
}

fn pages(
    call: &'static str,
    flags: u32,
    order: usize,
    take: impl FnOnce(GfpFlags, Order) -> Option<VirtAddr>,
) -> usize {
    let block = known(call, flags).zip(Order::new(order)).and_then(|(gfp, order)| take(gfp, order));
    block.map_or(0, VirtAddr::as_usize)
}

fn address(area: Option<VirtAddr>) -> *mut c_void {
    area.map_or(core::ptr::null_mut(), |area| area.as_mut_ptr())
}

/// The allocators have reported what they refused: C has no word for it.
pub(super) fn reported<T>(_refused: Result<(), T>) {}
