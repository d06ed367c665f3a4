//! Red zones begin where the request ends.
//!
//! What is damaged is found at any time; freed objects wait.

mod common;

use core::ptr::NonNull;

use common::{KERNEL, Kernel, at_rest};
use mm::objects::{DebugChoice, DebugFlags};
use mm::testing::{Booted, Machine, TestKernel};
use mm::{CacheFlags, CacheSpec, FreeError};

fn boot(letters: &str) -> Booted {
    let chosen = DebugFlags::from_letters(letters).expect("letters that exist");
    TestKernel::boot(&Machine { debug: DebugChoice { chosen, ..DebugChoice::NONE }, ..Machine::with_mib(16) })
}

/// Writes `len` bytes from `at` on, counted from the object's start.
fn scribble(object: NonNull<u8>, at: isize, len: usize, byte: u8) {
    // SAFETY: memory of the test's own machine; the debugger must live with what it reads.
    unsafe { object.as_ptr().wrapping_offset(at).write_bytes(byte, len) };
}

fn take(memory: Kernel, size: usize) -> NonNull<u8> {
    memory.kmalloc(size, KERNEL).expect("memory")
}

fn give(memory: Kernel, object: NonNull<u8>) {
    memory.kfree(object.as_ptr()).expect("a right free");
}

fn only_report(memory: Kernel) -> String {
    let mut reports = memory.platform().take_reports();
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0)
}

#[test]
fn a_write_just_behind_what_was_asked_for_is_found() {
    for letters in ["FZPU", "Z", "ZU"] {
        let memory = boot(letters);
        for size in [1, 7, 18, 31, 32, 33, 63, 100, 1000, 2049, 4095, 5000, 70_000, 131_072] {
            let object = take(*memory, size);
            scribble(object, 0, size, 0xa5);
            scribble(object, size as isize, 1, 0);
            give(*memory, object);
            let report = only_report(*memory);
            assert!(report.contains(&format!("written behind its end: byte {size}: 00")), "{letters} {size}: {report}");
        }
        memory.drop_caches();
        at_rest(*memory);
    }
}

#[test]
fn writes_of_1_to_64_bytes_on_either_side_are_found_with_their_users() {
    let memory = boot("FZPU");
    for shift in 5..=17 {
        let class = 1usize << shift;
        // The first, one in the middle, the last object of a slab, or nearly.
        let objects: Vec<_> = (0..(40_000 / class).clamp(1, 30)).map(|_| take(*memory, class - class / 4)).collect();
        for len in if class > 4096 { vec![1, 63, 64] } else { (1..=64).collect() } {
            for &object in [objects.first(), objects.get(objects.len() / 2), objects.last()].into_iter().flatten() {
                for (at, what) in [
                    (-(len as isize), "written before its start"),
                    ((class - class / 4) as isize, "written behind its end"),
                ] {
                    scribble(object, at, len, 0xee);
                    assert_eq!(memory.objects().check_slabs().damages, 1, "{class} {at} {len}");
                    let report = only_report(*memory);
                    assert!(
                        report.contains(&format!("{:016x} {what}: byte {at}: ee", object.as_ptr().addr())),
                        "{report}"
                    );
                    assert!(report.contains("; allocated at ") && report.contains("slab_zones.rs"), "{report}");
                }
            }
        }
        objects.into_iter().for_each(|object| give(*memory, object));
    }
    at_rest(*memory);
}

#[test]
fn a_record_of_users_that_was_overwritten_is_not_believed() {
    for letters in ["U", "FZPU", "ZU", "PU"] {
        let memory = boot(letters);
        for (size, len) in [18, 32, 100, 4096].into_iter().flat_map(|size| [16, 100, 128, 300].map(|len| (size, len))) {
            for byte in [0, 1, 0x41, 0xff] {
                let object = take(*memory, size);
                let neighbours = [take(*memory, size), take(*memory, size)];
                scribble(object, size as isize, len, byte);
                scribble(object, -(len as isize).min(64), len.min(64), byte);
                give(*memory, object);
                assert_eq!(memory.kfree(object.as_ptr()), Err(FreeError::DoubleFree));
                neighbours.into_iter().for_each(|object| give(*memory, object));
                memory.objects().check_slabs();
                let reports = memory.platform().take_reports();
                assert!(len < 100 || reports.iter().any(|report| report.contains("overwritten record")), "{reports:?}");
            }
        }
        memory.drop_caches();
        at_rest(*memory);
    }
}

#[test]
fn an_object_that_is_resized_in_its_class_has_its_red_zone_moved() {
    let memory = boot("FZPU");
    let object = take(*memory, 40);
    assert_eq!(memory.objects().ksize(object.as_ptr()), Some(40), "the rest is red zone");
    for size in [60, 64, 50, 33, 64, 1] {
        assert_eq!(memory.krealloc(object.as_ptr(), size, KERNEL), Ok(object));
        assert_eq!(memory.objects().ksize(object.as_ptr()), Some(size));
        scribble(object, 0, size, 0x77);
        assert_eq!(memory.objects().check_slabs().damages, 0, "{size}");
        scribble(object, size as isize, 1, 0x77);
        assert_eq!(memory.objects().check_slabs().damages, 1, "{size}");
        memory.platform().take_reports();
    }
    memory.krealloc(object.as_ptr(), 20, KERNEL).expect("memory");
    scribble(object, 0, 20, 0x33);
    let moved = memory.krealloc(object.as_ptr(), 200, KERNEL).expect("memory");
    // SAFETY: the memory is ours.
    assert!((0..20).all(|at| unsafe { moved.as_ptr().wrapping_add(at).read() } == 0x33));
    assert_eq!(memory.objects().ksize(moved.as_ptr()), Some(200));
    give(*memory, moved);
    let zeroed = memory.kzalloc(18, KERNEL).expect("memory");
    // SAFETY: the memory is ours.
    assert!((0..18).all(|at| unsafe { zeroed.as_ptr().wrapping_add(at).read() } == 0));
    give(*memory, zeroed);
    at_rest(*memory);
}

#[test]
fn damage_makes_the_machine_invalid_until_it_is_found() {
    let memory = boot("ZP");
    let (live, free) = (take(*memory, 100), take(*memory, 100));
    give(*memory, free);
    for (object, at) in [(live, 100), (live, -1), (free, 5), (free, 130)] {
        scribble(object, at, 1, 0xee);
        assert_eq!(memory.validate(), Err("an object of a debugged cache is damaged"), "{at}");
        let check = memory.objects().check_slabs();
        assert!(check.damages == 1 && check.objects > 1 && check.slabs > 1, "{check}");
        assert_eq!((memory.validate(), memory.platform().take_reports().len()), (Ok(()), 1));
    }
    give(*memory, live);
    at_rest(*memory);
}

#[test]
fn an_object_in_quarantine_is_looked_at_when_it_leaves() {
    let memory = boot("FZPU");
    memory.objects().set_quarantine(4096);
    let object = take(*memory, 100);
    give(*memory, object);
    let others: Vec<_> = (0..5).map(|_| take(*memory, 100)).collect();
    assert!(!others.contains(&object), "it waits");
    assert_eq!(memory.kfree(object.as_ptr()), Err(FreeError::DoubleFree));
    let report = only_report(*memory);
    assert!(report.contains("memory is free already (cache size-128); freed at ") && report.contains("slab_zones.rs"));
    scribble(object, 50, 3, 0x11);
    others.into_iter().for_each(|object| give(*memory, object));
    assert!(memory.platform().take_reports().is_empty(), "nobody has looked");
    // Those that come push those out that came before.
    (0..12).for_each(|_| give(*memory, take(*memory, 100)));
    let report = only_report(*memory);
    assert!(report.contains("written after free: byte 50: 11 11 11 5a") && report.contains("; freed at "), "{report}");
    memory.drop_caches();
    at_rest(*memory);
}

#[test]
fn a_quarantine_is_emptied_by_need_by_drop_caches_and_with_its_cache() {
    let memory = boot("PU");
    memory.objects().set_quarantine(1 << 20);
    let spec = CacheSpec { name: "test", size: 500, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    let stats = |name: &str| memory.objects().caches().find(|cache| cache.name.as_str() == name).expect("listed");
    let cache = memory.kmem_cache_create(&spec).expect("a cache");
    let objects: Vec<_> = (0..20).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
    objects.iter().for_each(|&object| memory.kmem_cache_free(cache, object).expect("a right free"));
    (0..20).for_each(|_| give(*memory, take(*memory, 200)));
    assert_eq!((stats("test").active_objects, stats("test").cached), (0, 20));
    scribble(objects[3], 0, 1, 1);
    assert_eq!(memory.kmem_cache_destroy(cache), Ok(()));
    assert!(only_report(*memory).contains("written after free: byte 0: 01"));
    assert_eq!(stats("size-256").cached, 20, "others wait on");
    memory.validate().expect("valid");
    memory.drop_caches();
    assert_eq!((stats("size-256").cached, stats("size-256").slabs), (0, 0));
    (0..20).for_each(|_| give(*memory, take(*memory, 8192)));
    assert!(stats("size-8192").cached > 0);
    memory.pages().reclaim(KERNEL);
    assert_eq!(stats("size-8192").cached, 0);
    (0..2000).for_each(|_| give(*memory, take(*memory, 32)));
    assert!((256..=512).contains(&stats("size-32").cached), "{:?}", stats("size-32"));
    memory.objects().set_quarantine(0);
    assert_eq!(stats("size-32").cached, 0);
    at_rest(*memory);
}
