//! kmalloc: size classes, DMA twins, wrong frees, the global allocator.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![feature(allocator_api)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;

use alloc::alloc::Layout;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use common::{ATOMIC, DMA, DMA_LIMIT, KERNEL, Log, conserves, in_interrupt, is_stamped, order, stamp};
use kernel::arch::layout::DIRECT_MAP;
use kernel::mm::heap;
use kernel::mm::tables;
use kernel::sync::SpinLock;
use kernel::testing::memory;
use mm::{FreeError, PAGE_SIZE, VirtAddr};

kernel::test_kernel!(test_main);

/// The thirteen classes, in bytes.
fn classes() -> impl Iterator<Item = usize> {
    (5..=17).map(|shift| 1 << shift)
}

fn frame(addr: VirtAddr) -> u64 {
    memory().frame_of(addr).unwrap().phys().as_u64()
}

#[test_case]
fn classes_are_powers_of_two_contiguous_and_aligned() {
    // Shows: S2, S14, S15, S16, S18, K3
    conserves(|| {
        for class in classes() {
            for size in [class / 2 + 1, class] {
                let object = memory().kmalloc(size, KERNEL).unwrap();
                let addr = VirtAddr::from_ptr(object.as_ptr());
                assert_eq!(memory().objects().ksize(object.as_ptr()), Some(class));
                assert!(addr.is_aligned(class.min(PAGE_SIZE)), "{size}: {addr:?}");
                let first = tables::translate(addr.page_down()).unwrap();
                for page in 0..class.div_ceil(PAGE_SIZE) {
                    let here = addr.page_down().add(page * PAGE_SIZE);
                    assert_eq!(tables::translate(here), Some(first.add(page as u32)));
                }
                // SAFETY: the object is ours.
                unsafe { stamp(addr, class, size) };
                // SAFETY: as above.
                assert!(unsafe { is_stamped(addr, class, size) });
                memory().kfree(object.as_ptr()).unwrap();
            }
        }
        let smallest = memory().kmalloc(0, KERNEL).unwrap();
        assert_eq!(memory().objects().ksize(smallest.as_ptr()), Some(32));
        memory().kfree(smallest.as_ptr()).unwrap();
    });
}

#[test_case]
fn more_than_131072_bytes_are_refused() {
    // Shows: S18
    conserves(|| {
        let log = Log::from_here();
        for size in [131_073, 1 << 20, usize::MAX] {
            assert!(memory().kmalloc(size, KERNEL).is_err());
            assert!(memory().kmalloc(size, ATOMIC | DMA).is_err());
        }
        assert!(log.shows("kmalloc: size exceeds 131072 bytes, called from "));
    });
}

#[test_case]
fn each_class_has_a_twin_below_sixteen_mib() {
    // Shows: S10, K3
    conserves(|| {
        for class in classes() {
            for gfp in [KERNEL | DMA, ATOMIC | DMA] {
                let twin = memory().kmalloc(class, gfp).unwrap();
                let other = memory().kmalloc(class, KERNEL).unwrap();
                assert!(frame(VirtAddr::from_ptr(twin.as_ptr())) + class as u64 <= DMA_LIMIT, "{class}");
                assert!(frame(VirtAddr::from_ptr(other.as_ptr())) >= DMA_LIMIT, "{class}");
                memory().kfree(twin.as_ptr()).unwrap();
                memory().kfree(other.as_ptr()).unwrap();
            }
        }
    });
}

#[test_case]
fn memory_is_not_cleared() {
    // Shows: S1, K18
    conserves(|| {
        for class in classes() {
            let object = memory().kmalloc(class, KERNEL).unwrap();
            let addr = VirtAddr::from_ptr(object.as_ptr());
            // SAFETY: the object is ours.
            unsafe { stamp(addr, class, class) };
            memory().kfree(object.as_ptr()).unwrap();
            let again = memory().kmalloc(class, KERNEL).unwrap();
            assert_eq!(again, object, "the object that was freed last comes first");
            // SAFETY: the object is ours again.
            assert!(unsafe { is_stamped(addr, class, class) });
            memory().kfree(again.as_ptr()).unwrap();
        }
    });
}

#[test_case]
fn wrong_frees_are_refused_reported_and_change_nothing() {
    // Shows: K4
    conserves(|| {
        let object = memory().kmalloc(256, KERNEL).unwrap();
        let gone = memory().kmalloc(512, KERNEL).unwrap();
        let keeper = memory().kmalloc(512, KERNEL).unwrap();
        let pages = memory().get_free_pages(KERNEL, order(1)).unwrap();
        let free_page = memory().get_free_pages(KERNEL, order(1)).unwrap();
        let area = memory().vmalloc(PAGE_SIZE).unwrap();
        memory().kfree(gone.as_ptr()).unwrap();
        memory().free_pages(free_page, order(1)).unwrap();
        let addr = VirtAddr::from_ptr(object.as_ptr());
        // SAFETY: the object is ours.
        unsafe { stamp(addr, 256, 9) };
        let local = 0u8;
        let cases = [
            (addr.add(1), FreeError::Interior),
            (addr.add(32), FreeError::Interior),
            (VirtAddr::from_ptr(gone.as_ptr()), FreeError::DoubleFree),
            (pages, FreeError::NotSlab),
            (pages.add(PAGE_SIZE), FreeError::NotSlab),
            (free_page, FreeError::DoubleFree),
            (DIRECT_MAP, FreeError::Reserved),
            (area, FreeError::Wild),
            (VirtAddr::from_ptr(&raw const local), FreeError::Wild),
            (VirtAddr::from_ptr(frame as *const u8), FreeError::Wild),
            (VirtAddr::new(8), FreeError::Wild),
            (VirtAddr::new(usize::MAX), FreeError::Wild),
        ];
        for (wrong, error) in cases {
            let (log, refused) = (Log::from_here(), memory().pages().events().bad_frees);
            let (free, before) = (memory().pages().free_pages_total(), active_objects());
            assert_eq!(memory().kfree(wrong.as_mut_ptr()), Err(error), "{wrong:?}");
            assert!(log.shows("kfree: ") && log.shows(error.reason()) && log.shows("tests/kmalloc.rs"), "{wrong:?}");
            assert_eq!(memory().pages().events().bad_frees, refused + 1);
            assert_eq!((memory().pages().free_pages_total(), active_objects()), (free, before));
        }
        assert_eq!(memory().kfree(core::ptr::null()), Ok(()));
        // SAFETY: the object is still ours.
        assert!(unsafe { is_stamped(addr, 256, 9) });
        memory().kfree(object.as_ptr()).unwrap();
        memory().kfree(keeper.as_ptr()).unwrap();
        memory().free_pages(pages, order(1)).unwrap();
        memory().vfree(area).unwrap();
    });
}

fn active_objects() -> usize {
    memory().objects().caches().map(|cache| cache.active_objects).sum()
}

#[test_case]
fn the_global_allocator_is_kmalloc() {
    conserves(|| {
        memory().vm_unmap_aliases();
        let areas = memory().areas().iter().count();
        let shared = Arc::try_new([7u8; 100]).unwrap();
        let (addr, log) = (VirtAddr::from_ptr(&raw const *shared), Log::from_here());
        assert!(!heap::is_early(addr));
        // The reference counts stand before the value.
        assert_eq!(memory().objects().ksize(addr.as_mut_ptr::<u8>().wrapping_sub(16)), Some(128));
        let second = Arc::clone(&shared);
        drop(shared);
        assert_eq!(*second, [7; 100]);
        // Alignment beyond the size; more than there is a class for.
        let layout = Layout::from_size_align(40, 1024).unwrap();
        // SAFETY: the layout's size is not 0.
        let aligned = unsafe { alloc::alloc::alloc(layout) };
        assert!(!aligned.is_null() && VirtAddr::from_ptr(aligned).is_aligned(1024));
        // SAFETY: allocated just above, with this layout.
        unsafe { alloc::alloc::dealloc(aligned, layout) };
        // Beyond kmalloc vmalloc serves, where that may be called.
        let large = Box::<[u8]>::try_new_uninit_slice(131_073).unwrap();
        assert!(memory().areas().area_at(VirtAddr::from_ptr(large.as_ptr())).is_some());
        LARGE.with(|slot| *slot = Some(large));
        in_interrupt(|| {
            assert!(Box::<[u8]>::try_new_uninit_slice(131_073).is_err());
            drop(LARGE.with(Option::take));
        });
        assert!(log.shows("kvmalloc: size exceeds 131072 bytes"));
        memory().vm_unmap_aliases();
        assert_eq!(memory().areas().iter().count(), areas, "what was dropped there is gone");
    });
}

static LARGE: SpinLock<Option<Box<[MaybeUninit<u8>]>>> = SpinLock::new(None);

static SHARED: SpinLock<Option<Arc<u64>>> = SpinLock::new(None);
static SEEN: AtomicUsize = AtomicUsize::new(0);

#[test_case]
fn the_global_allocator_serves_interrupt_context() {
    conserves(|| {
        let refused = memory().pages().events().wrong_contexts;
        SHARED.with(|slot| *slot = Some(Arc::try_new(5).unwrap()));
        in_interrupt(|| {
            let fresh = Arc::try_new(SHARED.with(Option::take).map_or(0, |value| *value + 1)).unwrap();
            SEEN.store(VirtAddr::from_ptr(&raw const *fresh).as_usize(), SeqCst);
            SHARED.with(|slot| *slot = Some(fresh));
        });
        let fresh = SHARED.with(Option::take).unwrap();
        assert_eq!(*fresh, 6);
        assert_eq!(SEEN.load(SeqCst), &raw const *fresh as usize);
        assert_eq!(memory().pages().events().wrong_contexts, refused, "it asked for memory with GFP_ATOMIC");
    });
}
