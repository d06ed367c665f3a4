//! Secrets are gone when their memory is freed, and grown memory is zero.

mod common;

use core::ptr::NonNull;

use common::{ATOMIC, KERNEL, Kernel, at_rest, boot, state};
use mm::objects::{DebugChoice, DebugFlags, NO_BYTES};
use mm::testing::{Machine, TestKernel};
use mm::{AllocError, CacheFlags, CacheSpec, FreeError, PAGE_SIZE, Pfn};

fn fill(at: NonNull<u8>, bytes: usize, value: u8) {
    // SAFETY: the test owns so many bytes there.
    unsafe { at.write_bytes(value, bytes) };
}

/// What is in memory of the machine, whoever has it.
fn peek(at: NonNull<u8>, bytes: usize) -> Vec<u8> {
    // SAFETY: the machine's memory is there as long as the machine; no other thread writes to it.
    (0..bytes).map(|nth| unsafe { at.as_ptr().wrapping_add(nth).read_volatile() }).collect()
}

fn kmalloc(memory: Kernel, size: usize, value: u8) -> NonNull<u8> {
    let at = memory.kmalloc(size, KERNEL).expect("memory");
    fill(at, memory.objects().ksize(at.as_ptr()).expect("a live object"), value);
    at
}

#[test]
fn the_whole_object_is_zero_afterwards() {
    let memory = boot(32);
    for size in [0, 1, 33, 100, 3000, 131_072] {
        let at = kmalloc(*memory, size, 0xa5);
        let real = memory.objects().ksize(at.as_ptr()).expect("a live object");
        // SAFETY: the test has it, and uses it no more.
        assert_eq!(unsafe { memory.kfree_sensitive(at.as_ptr()) }, Ok(()));
        assert_eq!(peek(at, real), vec![0; real], "{size} bytes of {real}");
        // SAFETY: it is free, which is told.
        assert_eq!(unsafe { memory.kfree_sensitive(at.as_ptr()) }, Err(FreeError::DoubleFree));
        assert_eq!(memory.platform().take_reports().len(), 1);
    }
    for nothing in [core::ptr::null(), NO_BYTES.as_ptr().cast_const()] {
        // SAFETY: nobody has it.
        assert_eq!(unsafe { memory.kfree_sensitive(nothing) }, Ok(()));
    }
    at_rest(*memory);
}

#[test]
fn all_pages_of_an_area_are_zero_afterwards() {
    let memory = boot(32);
    let at = memory.kvmalloc(200_000, KERNEL).expect("memory");
    fill(at, 200_704, 0xa5);
    let start = mm::VirtAddr::from_ptr(at.as_ptr());
    let frames: Vec<Pfn> =
        (0..49).map(|page| memory.areas().frame_at(start.add(page * PAGE_SIZE)).expect("it is mapped")).collect();
    // SAFETY: the test has it, and uses it no more.
    assert_eq!(unsafe { memory.kvfree_sensitive(at.as_ptr()) }, Ok(()));
    for frame in frames {
        let page = memory.page_address(frame).expect("low memory");
        assert_eq!(peek(NonNull::new(page.as_mut_ptr()).expect("an address"), PAGE_SIZE), vec![0; PAGE_SIZE]);
    }
    at_rest(*memory);
}

#[test]
fn wrong_memory_is_not_written() {
    let memory = boot(32);
    let memory: Kernel = *memory;
    let object = kmalloc(memory, 1000, 0xa5);
    let page = memory.get_zeroed_page(KERNEL).expect("memory");
    let page = NonNull::new(page.as_mut_ptr::<u8>()).expect("an address");
    fill(page, PAGE_SIZE, 0xa5);
    fn construct(object: NonNull<u8>, _name: &str, _flags: mm::CtorFlags) {
        fill(object, 100, 0xa5);
    }
    let spec =
        CacheSpec { name: "made", size: 100, offset: 0, flags: CacheFlags::empty(), ctor: Some(construct), dtor: None };
    let cache = memory.kmem_cache_create(&spec).expect("a new name");
    let made = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
    let mut own = [0xa5u8; 64];
    let own = NonNull::from(&mut own).cast::<u8>();
    for (what, at, start, bytes, error) in [
        ("inside an object", object.as_ptr().wrapping_add(64), object, 1024, FreeError::Interior),
        ("a page", page.as_ptr(), page, PAGE_SIZE, FreeError::NotSlab),
        ("an object of a cache", made.as_ptr(), made, 100, FreeError::WrongCache),
        ("not of the allocators", own.as_ptr(), own, 64, FreeError::Wild),
    ] {
        let before = state(memory);
        // SAFETY: it is wrong, which is told.
        assert_eq!(unsafe { memory.kfree_sensitive(at) }, Err(error), "{what}");
        // SAFETY: as above.
        assert_eq!(unsafe { memory.krealloc_zeroed(at, 0, 50, KERNEL) }, Err(AllocError), "{what}");
        // SAFETY: as above.
        assert_eq!(unsafe { memory.krealloc_zeroed(at, 0, 0, KERNEL) }, Err(AllocError), "{what}");
        assert_eq!(memory.platform().take_reports().len(), 3, "{what}");
        assert_eq!(state(memory), before, "{what}");
        assert_eq!(peek(start, bytes), vec![0xa5; bytes], "{what}");
    }
    // SAFETY: the test has it, and uses it no more.
    assert_eq!(unsafe { memory.kfree_sensitive(object.as_ptr()) }, Ok(()));
    memory.kmem_cache_free(cache, made).expect("a right free");
    memory.kmem_cache_destroy(cache).expect("no objects");
    memory.free_page(mm::VirtAddr::from_ptr(page.as_ptr())).expect("a right free");
    at_rest(memory);
}

#[test]
fn grown_bytes_are_zero_in_place_and_elsewhere() {
    let plain = boot(32);
    let flags = DebugFlags::RED_ZONE | DebugFlags::POISON | DebugFlags::USERS;
    let debugged =
        TestKernel::boot(&Machine { debug: DebugChoice { all: flags, ..DebugChoice::NONE }, ..Machine::with_mib(32) });
    for memory in [*plain, *debugged] {
        for (used, size) in
            [(0, 40), (33, 64), (33, 50), (33, 65), (100, 5000), (4000, 4096), (5000, 131_072), (90, 60)]
        {
            let old = kmalloc(memory, used, 0xa5);
            let fits = size <= used.next_power_of_two().max(32);
            // SAFETY: the test has it, and uses the result from now on.
            let new = unsafe { memory.krealloc_zeroed(old.as_ptr(), used, size, ATOMIC) }.expect("memory");
            assert_eq!(new == old, fits, "{used} to {size}");
            let expected: Vec<u8> = (0..size).map(|nth| if nth < used { 0xa5 } else { 0 }).collect();
            assert_eq!(peek(new, size), expected, "{used} to {size}");
            // SAFETY: the test has it, and uses it no more.
            assert_eq!(unsafe { memory.kfree_sensitive(new.as_ptr()) }, Ok(()));
        }
        // SAFETY: null is nobody's.
        let fresh = unsafe { memory.krealloc_zeroed(core::ptr::null_mut(), 0, 100, KERNEL) }.expect("memory");
        assert_eq!(peek(fresh, 100), [0; 100]);
        fill(fresh, 100, 0xa5);
        // SAFETY: the test has it; refused.
        let more = unsafe { memory.krealloc_zeroed(fresh.as_ptr(), 129, 200, KERNEL) };
        assert_eq!(more, Err(AllocError), "more than there are");
        assert_eq!(memory.platform().take_reports(), ["krealloc: more bytes are in use than the memory has"]);
        assert_eq!(peek(fresh, 100), [0xa5; 100]);
        // SAFETY: the test has it, and uses it no more.
        assert_eq!(unsafe { memory.krealloc_zeroed(fresh.as_ptr(), 100, 0, KERNEL) }, Ok(NO_BYTES));
        at_rest(memory);
    }
}
