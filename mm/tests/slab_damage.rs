//! Stray writes beyond the objects of slabs, debugged or not.
//!
//! They are found and said, and nothing that was hit is followed.

mod common;

use core::ptr::NonNull;

use common::{KERNEL, Kernel, at_rest, boot};
use mm::objects::{DebugChoice, DebugFlags, Geometry, SlabCheck};
use mm::testing::{Booted, Machine, TestKernel};
use mm::{CacheFlags, CacheRef, CacheSpec, PAGE_SIZE};

const NONE: DebugFlags = DebugFlags::empty();
const CHECKED: DebugFlags = DebugFlags::CONSISTENCY.union(DebugFlags::RED_ZONE).union(DebugFlags::POISON);
/// Classes whose descriptors are in the slab.
const SMALL: [usize; 4] = [32, 64, 128, 256];

fn debugged(chosen: DebugFlags) -> Booted {
    let debug = DebugChoice { chosen, ..DebugChoice::NONE };
    TestKernel::boot(&Machine { debug, ..Machine::with_mib(16) })
}

fn address(object: NonNull<u8>) -> usize {
    object.as_ptr().addr()
}

/// Writes `len` bytes from `at` on, counted from the object's start.
fn scribble(object: NonNull<u8>, at: isize, len: usize, byte: u8) {
    // SAFETY: memory of the test's own machine; the allocators must live with what it reads.
    unsafe { object.as_ptr().wrapping_offset(at).write_bytes(byte, len) };
}

/// All objects of several slabs of a class.
fn fill(memory: Kernel, size: usize, slabs: usize, debug: DebugFlags) -> Vec<NonNull<u8>> {
    let objects = slabs * Geometry::for_class(size, debug).objects;
    (0..objects).map(|_| memory.kmalloc(size, KERNEL).expect("memory")).collect()
}

/// The first, or the last, object of the slab in the page of an object of a small class.
fn ends(size: usize, debug: DebugFlags, object: NonNull<u8>) -> [usize; 2] {
    let geometry = Geometry::for_class(size, debug);
    let first = (address(object) & !(PAGE_SIZE - 1)) + geometry.lead;
    [first, first + (geometry.objects - 1) * geometry.stride]
}

fn free_all(memory: Kernel, objects: Vec<NonNull<u8>>) {
    objects.into_iter().for_each(|object| assert_eq!(memory.kfree(object.as_ptr()), Ok(()), "a right free"));
}

/// Allocates and frees as much again, and has everything given back.
fn exercise(memory: Kernel, size: usize, debug: DebugFlags) {
    for _ in 0..2 {
        free_all(memory, fill(memory, size, 3, debug));
        memory.drop_caches();
    }
}

fn retired(memory: Kernel) -> u64 {
    memory.objects().caches().map(|cache| cache.retired).sum()
}

#[test]
fn writes_of_up_to_64_bytes_beyond_a_slabs_ends_are_found_and_harm_nobody() {
    for size in SMALL {
        let memory = boot(16);
        let objects = fill(*memory, size, 3, NONE);
        let of = |at: usize| objects.iter().copied().find(|&object| address(object) == at).expect("allocated");
        let [first, last] = ends(size, NONE, objects[objects.len() / 2]);
        for (byte, len) in (1..=64).flat_map(|len| [0, 0xff, 0xee].map(|byte| (byte, len))) {
            scribble(of(last), size as isize, len, byte);
            let check = memory.objects().check_slabs();
            assert_eq!((check.damages, check.retired), (1, 0), "{size}: {len} of {byte} behind");
            let report = &memory.platform().take_reports()[0];
            assert!(report.contains(&format!("object {last:016x} written behind its end: byte {size}:")), "{report}");
            scribble(of(first), -(len as isize), len, byte);
            // The page before is another slab, or the allocators' own, or free.
            memory.objects().check_slabs();
            memory.platform().take_reports();
        }
        free_all(*memory, objects);
        exercise(*memory, size, NONE);
        assert_eq!(retired(*memory), 0);
        at_rest(*memory);
    }
}

#[test]
fn a_write_behind_the_last_object_is_found_by_the_calls_alone() {
    for (size, len) in SMALL.into_iter().flat_map(|size| [9, 33, 64].map(|len| (size, len))) {
        let memory = boot(16);
        let objects = fill(*memory, size, 3, NONE);
        let [_, last] = ends(size, NONE, objects[objects.len() / 2]);
        let last = objects.iter().copied().find(|&object| address(object) == last).expect("allocated");
        scribble(last, size as isize, len, 0x41);
        free_all(*memory, objects);
        exercise(*memory, size, NONE);
        let reports = memory.platform().take_reports();
        assert!(reports.iter().any(|report| report.contains("written behind its end")), "{size} {len}: {reports:?}");
        assert_eq!(retired(*memory), 0, "{size} {len}");
        at_rest(*memory);
    }
}

#[test]
fn a_write_that_runs_through_the_descriptor_retires_the_slab() {
    for debug in [NONE, CHECKED] {
        for (size, byte) in SMALL.into_iter().flat_map(|size| [0, 2, 0x41, 0xff].map(|byte| (size, byte))) {
            let memory = debugged(debug);
            let objects = fill(*memory, size, 3, debug);
            let [_, last] = ends(size, debug, objects[objects.len() / 2]);
            let last = objects.iter().copied().find(|&object| address(object) == last).expect("allocated");
            scribble(last, size as isize, PAGE_SIZE - last.as_ptr().addr() % PAGE_SIZE - size, byte);
            free_all(*memory, objects);
            exercise(*memory, size, debug);
            let reports = memory.platform().take_reports();
            let says = reports.iter().any(|report| report.contains("is damaged: slabs retired: 1, pages: 1"));
            assert!(says, "{debug:?} {size} {byte}: {reports:?}");
            assert_eq!((retired(*memory), memory.objects().retired_pages()), (1, 1), "{debug:?} {size} {byte}");
            at_rest(*memory);
        }
    }
}

#[test]
fn a_write_through_several_slabs_retires_each() {
    for (size, len) in SMALL.into_iter().flat_map(|size| [4096, 8000].map(|len| (size, len))) {
        let memory = boot(16);
        let objects = fill(*memory, size, 20, NONE);
        let pages: std::collections::HashSet<_> =
            objects.iter().map(|object| address(*object) & !(PAGE_SIZE - 1)).collect();
        // A slab with others of its kind behind it.
        let follows = |page: &&usize| (1..4).all(|next| pages.contains(&(**page + next * PAGE_SIZE)));
        let page = *pages.iter().filter(follows).min().expect("slabs lie side by side");
        let object = objects.iter().copied().find(|object| address(*object) == page).expect("allocated");
        scribble(object, size as isize, len, 0x41);
        free_all(*memory, objects);
        exercise(*memory, size, NONE);
        assert!(!memory.platform().take_reports().is_empty());
        assert_eq!(retired(*memory) as usize, len.div_ceil(PAGE_SIZE), "{size} {len}");
        at_rest(*memory);
    }
}

#[test]
fn a_wild_write_into_a_descriptor_is_found_before_it_is_followed() {
    for (debug, word) in [NONE, CHECKED].into_iter().flat_map(|debug| (0..16).map(move |word| (debug, word))) {
        let memory = debugged(debug);
        let size = 64;
        let mut objects = fill(*memory, size, 1, debug);
        let object = objects.pop().expect("some");
        let offset = Geometry::for_class(size, debug).descriptor_offset.expect("in the slab");
        free_all(*memory, objects);
        memory.drop_caches();
        // Eight words of states before the descriptor, then its own.
        let at = (address(object) & !(PAGE_SIZE - 1)) + offset - 64 + word * 8;
        scribble(object, at as isize - address(object) as isize, 8, 0x6e);
        if debug == NONE {
            let SlabCheck { retired, .. } = memory.objects().check_slabs();
            // Its counts are followed nowhere, and agree no more.
            assert_eq!(retired, 1, "{word}");
        }
        assert_eq!(memory.kfree(object.as_ptr()), Ok(()), "{debug:?} {word}");
        exercise(*memory, size, debug);
        // Between the gap and the states that there are lies room for more.
        assert!(retired(*memory) == 1 || word < 8, "{debug:?} {word}");
        assert!(retired(*memory) == 0 || !memory.platform().take_reports().is_empty());
        memory.platform().take_reports();
        at_rest(*memory);
    }
}

#[test]
fn an_overflow_into_the_allocators_own_slabs_reaches_nothing() {
    let memory = boot(16);
    let objects: Vec<_> = (0..1500).map(|_| memory.kmalloc(4096, KERNEL).expect("memory")).collect();
    let starts: std::collections::HashSet<_> = objects.iter().map(|object| address(*object)).collect();
    let is_slab = |addr: usize| {
        let frame = memory.frame_of(mm::VirtAddr::new(addr));
        frame
            .and_then(|frame| memory.pages().map().get(frame))
            .is_some_and(|page| page.state() == mm::page::PageState::Slab)
    };
    let at_border = |object: &&NonNull<u8>| {
        let next = address(**object) + PAGE_SIZE;
        !starts.contains(&next) && is_slab(next)
    };
    let borders: Vec<_> = objects.iter().filter(at_border).copied().collect();
    assert!(!borders.is_empty(), "slabs of descriptors lie among them");
    for &object in &borders {
        scribble(object, PAGE_SIZE as isize, 64, 0x41);
    }
    free_all(*memory, objects);
    let found = memory.objects().check_slabs();
    assert_eq!((found.damages > 0, found.retired), (true, 0), "{found:?}");
    memory.platform().take_reports();
    exercise(*memory, 4096, NONE);
    at_rest(*memory);
}

#[test]
fn objects_of_a_retired_slab_can_be_resized_asked_about_and_freed_again() {
    let memory = boot(16);
    let objects = fill(*memory, 32, 1, NONE);
    let [_, last] = ends(32, NONE, objects[0]);
    let last = objects.iter().copied().find(|&object| address(object) == last).expect("allocated");
    scribble(last, 32, 200, 0);
    memory.objects().check_slabs();
    assert_eq!(memory.objects().retired_pages(), 1);
    let object = objects[0];
    scribble(object, 0, 32, 7);
    assert_eq!(memory.objects().ksize(object.as_ptr()), Some(32));
    assert_eq!(memory.krealloc(object.as_ptr(), 30, KERNEL), Ok(object));
    let moved = memory.krealloc(object.as_ptr(), 100, KERNEL).expect("memory");
    // SAFETY: the memory is ours.
    assert!((0..32).all(|at| unsafe { moved.as_ptr().wrapping_add(at).read() } == 7));
    memory.kfree(moved.as_ptr()).expect("a right free");
    objects[1..].iter().for_each(|object| assert_eq!(memory.kfree(object.as_ptr()), Ok(())));
    memory.platform().take_reports();
    at_rest(*memory);
}

#[test]
fn an_address_inside_an_object_of_a_retired_slab_leads_to_no_other_page() {
    let memory = debugged(CHECKED);
    let size = 65_536;
    let object = memory.kmalloc(size, KERNEL).expect("memory");
    let geometry = Geometry::for_class(size, CHECKED);
    let (lead, offset) = (geometry.lead, geometry.descriptor_offset.expect("in the slab"));
    assert_eq!(geometry.objects, 1);
    // From its last bytes on, through the descriptor.
    scribble(object, size as isize, offset + 64 - lead - size, 0x41);
    memory.objects().check_slabs();
    assert_eq!(memory.objects().retired_pages(), geometry.pages as usize);
    let inside = object.as_ptr().wrapping_add(geometry.bytes() - lead - PAGE_SIZE);
    assert_eq!(memory.objects().ksize(object.as_ptr()), Some(size));
    assert_eq!(memory.objects().ksize(inside), Some(PAGE_SIZE));
    assert_eq!(memory.objects().ksize(inside.wrapping_add(PAGE_SIZE - 1)), Some(1));
    let moved = memory.krealloc(inside, 2 * size, KERNEL).expect("memory");
    assert_eq!(memory.kfree(moved.as_ptr()), Ok(()));
    assert_eq!(memory.kfree(object.as_ptr()), Ok(()), "it does nothing");
    memory.platform().take_reports();
    at_rest(*memory);
}

#[test]
fn a_cache_with_a_retired_slab_can_be_destroyed() {
    let memory = boot(16);
    let spec =
        CacheSpec { name: "test", size: 100, offset: 0, flags: CacheFlags::HWCACHE_ALIGN, ctor: None, dtor: None };
    let cache: CacheRef<_> = memory.kmem_cache_create(&spec).expect("a cache");
    let objects: Vec<_> = (0..100).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
    let top = objects.iter().copied().max_by_key(|object| address(*object)).expect("some");
    scribble(top, 0, 4096 * 8 - address(top) % (4096 * 8), 0x41);
    for object in objects {
        assert_eq!(memory.kmem_cache_free(cache, object), Ok(()));
    }
    assert_eq!(memory.kmem_cache_destroy(cache), Ok(()));
    assert!(memory.objects().retired_pages() > 0);
    memory.platform().take_reports();
    memory.validate().expect("valid");
}
