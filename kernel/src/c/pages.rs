//! `struct page`, physical addresses, and page tables to be read.
//!
//! A page is a place in a range where nothing is mapped: C can count with it, and whoever follows it faults. So no
//! driver writes to what the allocators know of pages.

use core::ffi::{c_int, c_void};
use core::panic::Location;
use core::ptr;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use mm::{Order, PAGE_SIZE, Pfn, VirtAddr};

use super::memory::{known, reported};
use crate::arch::layout::PAGE_PLACES;
use crate::mm::{memory, tables};
use crate::{export, klog, offer, sched};

/// Bytes of a `struct page`.
const PLACE: usize = 64;
/// Bits of an entry that the kernel's pages have: present, writable, accessed, dirty.
const PRESENT: u64 = 0x63;

/// The kernel's address space, as C names it: a lock, which nobody here takes.
static INIT_MM: AtomicUsize = AtomicUsize::new(0);
offer!(init_mm = (&raw const INIT_MM).cast());

/// Copies of entries of page tables, given out in turn.
static ENTRIES: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The place of a frame.
pub(super) fn place(frame: Pfn) -> *mut c_void {
    ptr::without_provenance_mut(PAGE_PLACES.as_usize() + frame.as_u32() as usize * PLACE)
}

/// The frame of a place.
pub(super) fn frame(place: *const c_void) -> Option<Pfn> {
    let at = place.addr().checked_sub(PAGE_PLACES.as_usize()).filter(|at| at.is_multiple_of(PLACE))?;
    u32::try_from(at / PLACE).ok().map(Pfn::new)
}

export! {
    /// The page of an address in the kernel's map of memory.
    extern "C" fn virt_to_page(address: *const c_void) -> *mut c_void {
        match memory().frame_of(VirtAddr::from_ptr(address)) {
            Some(frame) => place(frame),
            None => {
                refuse("virt_to_page", address.addr(), "no address of kmalloc's or of pages");
                ptr::null_mut()
            }
        }
    }

    /// Where a page is in the kernel's map of memory.
    extern "C" fn page_address(page: *const c_void) -> *mut c_void {
        frame(page).and_then(|frame| memory().page_address(frame)).map_or(ptr::null_mut(), VirtAddr::as_mut_ptr)
    }

    /// One user more of a page.
    extern "C" fn get_page(page: *const c_void) {
        if !frame(page).is_some_and(|frame| memory().get_page(frame)) {
            refuse("get_page", page.addr(), "no page, or not the first one of its block");
        }
    }

    /// One user less.
    extern "C" fn put_page(page: *const c_void) {
        __free_pages(page, 0);
    }

    /// How many users a page has; 0 for one that is free, or not the first of its block.
    extern "C" fn page_count(page: *const c_void) -> c_int {
        let count = frame(page).and_then(|frame| memory().page_count(frame)).unwrap_or(0);
        c_int::try_from(count).unwrap_or(c_int::MAX)
    }

    /// Pages, as the first of them.
    extern "C" fn __alloc_pages(flags: u32, order: usize) -> *mut c_void {
        let wanted = known("alloc_pages", flags).zip(Order::new(order));
        let frame = wanted.and_then(|(gfp, order)| memory().alloc_pages(gfp, order).ok());
        frame.map_or(ptr::null_mut(), place)
    }

    /// Gives them back.
    extern "C" fn __free_pages(page: *const c_void, order: usize) {
        match (frame(page), Order::new(order)) {
            // SAFETY: that nobody uses the pages any more is the caller's word.
            (Some(frame), Some(order)) => reported(unsafe { memory().free_frames(frame, order) }),
            (None, _) => refuse("__free_pages", page.addr(), "no page"),
            (_, None) => refuse("__free_pages", page.addr(), "no block has this order"),
        }
    }

    /// The physical address of one in the kernel's map of memory.
    extern "C" fn virt_to_phys(address: *const c_void) -> usize {
        match memory().frame_of(VirtAddr::from_ptr(address)) {
            Some(frame) => frame.as_u32() as usize * PAGE_SIZE + address.addr() % PAGE_SIZE,
            None => {
                refuse("virt_to_phys", address.addr(), "no address of kmalloc's or of pages");
                0
            }
        }
    }

    /// Where a physical address is in the kernel's map of memory.
    extern "C" fn phys_to_virt(address: usize) -> *mut c_void {
        let frame = u32::try_from(address / PAGE_SIZE).ok().map(Pfn::new);
        let page = frame.and_then(|frame| memory().page_address(frame));
        page.map_or(ptr::null_mut(), |page| page.add(address % PAGE_SIZE).as_mut_ptr())
    }

    /// The first level's entry, of the three that there are to C.
    extern "C" fn __pgd_offset(address: usize) -> *const u64 {
        entry(address)
    }

    /// The second level's.
    extern "C" fn __pmd_offset(address: usize) -> *const u64 {
        entry(address)
    }

    /// The last one's.
    extern "C" fn __pte_offset(address: usize) -> *const u64 {
        entry(address)
    }
}

/// A copy of the entry that shows the page at `address`.
fn entry(address: usize) -> *const u64 {
    let frame = tables::translate(VirtAddr::new(address).page_down());
    let slot = &ENTRIES[NEXT.fetch_add(1, Relaxed) % ENTRIES.len()];
    slot.store(frame.map_or(0, |frame| (u64::from(frame.as_u32()) * PAGE_SIZE as u64) | PRESENT), Relaxed);
    slot.as_ptr()
}

fn refuse(call: &str, at: usize, why: &str) {
    klog!("{call}: {at:016x}: {why}, called from {}", sched::caller(Location::caller()));
}
