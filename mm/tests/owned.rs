//! kmalloc's relatives, many objects at once, typed caches, containers.

mod common;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use common::{ATOMIC, KERNEL, Kernel, at_rest, boot};
use mm::own::{Allocator, KArc, KBox, KString, KVec, Kmalloc, Prepared, TypedCache, Vmalloc};
use mm::testing::TestKernel;
use mm::{AllocError, CacheFlags, CacheSpec, Context, CreateError, CtorFlags, DestroyError, FreeError};

fn content(memory: NonNull<u8>, len: usize) -> &'static [u8] {
    // SAFETY: the tests own the memory that they look at, and it is that long.
    unsafe { core::slice::from_raw_parts(memory.as_ptr(), len) }
}

fn fill(memory: NonNull<u8>, byte: u8, len: usize) {
    // SAFETY: as in `content`.
    unsafe { memory.write_bytes(byte, len) };
}

#[test]
fn arrays_that_overflow_are_refused() {
    // Shows: S18, K4
    let memory = boot(16);
    for (count, size) in [(usize::MAX, 2), (1 << 33, 1 << 33), (131_073, 1), (2, 65_537)] {
        assert_eq!(memory.objects().kmalloc_array(count, size, KERNEL), Err(AllocError));
        assert_eq!(memory.objects().kcalloc(count, size, KERNEL), Err(AllocError));
        assert_eq!(memory.platform().take_reports().len(), 2, "{count} {size}");
    }
    let array = memory.objects().kcalloc(100, 40, KERNEL).expect("memory");
    assert_eq!(memory.objects().ksize(array.as_ptr()), Some(4096));
    assert!(content(array, 4000).iter().all(|&byte| byte == 0));
    memory.kfree(array.as_ptr()).expect("a right free");
    at_rest(*memory);
}

#[test]
fn krealloc_moves_only_when_it_must_and_keeps_the_content() {
    let memory = boot(16);
    let mut held = memory.krealloc(core::ptr::null_mut(), 10, KERNEL).expect("null is fresh memory");
    fill(held, 0, 32);
    for (size, byte) in [(32, 1), (33, 2), (64, 3), (5000, 4), (131_072, 5), (1, 6)] {
        let before = memory.objects().ksize(held.as_ptr()).expect("live");
        let moved = memory.krealloc(held.as_ptr(), size, KERNEL).expect("memory");
        assert_eq!(moved == held, size <= before, "{size}");
        assert!(content(moved, before).iter().all(|&old| old == byte - 1), "{size}");
        assert!(moved == held || memory.objects().ksize(held.as_ptr()).is_none(), "the old memory is free");
        held = moved;
        fill(held, byte, memory.objects().ksize(held.as_ptr()).expect("live"));
    }
    assert_eq!(memory.krealloc(held.as_ptr(), 131_073, KERNEL), Err(AllocError));
    assert_eq!(memory.krealloc(held.as_ptr().wrapping_add(8), 10, KERNEL), Err(AllocError));
    memory.platform().in_context(Context::Interrupt, || {
        assert_eq!(memory.krealloc(held.as_ptr(), 10, KERNEL), Err(AllocError));
        assert_eq!(memory.krealloc(held.as_ptr(), 10, ATOMIC), Ok(held));
    });
    assert_eq!(memory.platform().take_reports().len(), 3);
    assert!(content(held, 131_072).iter().all(|&byte| byte == 6), "refused calls change nothing");
    memory.kfree(held.as_ptr()).expect("a right free");
    assert_eq!(memory.krealloc(held.as_ptr(), 10, KERNEL), Err(AllocError));
    assert!(memory.platform().take_reports()[0].contains("memory is free already"));
    at_rest(*memory);
}

#[test]
fn bulk_calls_take_and_give_as_single_ones_do() {
    let memory = boot(8);
    let spec = CacheSpec { name: "bulk", size: 100, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    let cache = memory.kmem_cache_create(&spec).expect("a cache");
    let mut objects = vec![NonNull::dangling(); 500];
    assert_eq!(memory.objects().kmem_cache_alloc_bulk(cache, KERNEL, &mut objects), 500);
    let mut sorted = objects.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 500, "an object has two owners");
    assert_eq!(memory.objects().kmem_cache_free_bulk(cache, &objects), 0);
    assert_eq!(memory.objects().kmem_cache_free_bulk(cache, &objects[..7]), 7, "they are free already");
    memory.platform().take_reports();
    memory.platform().in_context(Context::Atomic, || {
        assert_eq!(memory.objects().kmem_cache_alloc_bulk(cache, KERNEL, &mut objects), 0);
        assert_eq!(memory.objects().kmem_cache_alloc_bulk(cache, ATOMIC, &mut objects[..10]), 10);
    });
    assert_eq!(memory.objects().kmem_cache_free_bulk(cache, &objects[..10]), 0);
    let mut all = vec![NonNull::dangling(); 100_000];
    let got = memory.objects().kmem_cache_alloc_bulk(cache, ATOMIC, &mut all);
    assert!(got > 10_000 && got < 100_000, "{got}: memory ended");
    assert_eq!(memory.objects().kmem_cache_free_bulk(cache, &all[..got]), 0);
    memory.platform().take_reports();
    memory.kmem_cache_destroy(cache).expect("empty");
    assert_eq!(memory.objects().kmem_cache_alloc_bulk(cache, KERNEL, &mut objects), 0);
    assert_eq!(memory.kmem_cache_free(cache, all[0]), Err(FreeError::WrongCache));
    memory.platform().take_reports();
    at_rest(*memory);
}

static PREPARED: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Counted {
    uses: u64,
}

impl Prepared for Counted {
    fn prepare(flags: CtorFlags) -> Self {
        assert!(flags.contains(CtorFlags::CONSTRUCTOR));
        PREPARED.fetch_add(1, Relaxed);
        Self { uses: 0 }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Relaxed);
    }
}

#[test]
fn values_of_a_typed_cache_live_as_long_as_their_slab() {
    // Shows: S26, S27, S31
    let memory = boot(16);
    let cache = TypedCache::<Counted, TestKernel>::create("counted", CacheFlags::empty()).expect("a cache");
    assert_eq!(
        TypedCache::<Counted, TestKernel>::create("counted", CacheFlags::empty()).err(),
        Some(CreateError::DuplicateName)
    );
    assert_eq!(PREPARED.load(Relaxed), 0, "a cache without slabs has no values");
    for round in 0..100 {
        let mut value = cache.alloc(KERNEL).expect("memory");
        assert_eq!(value.uses, round, "the value comes back as it was");
        value.uses += 1;
    }
    let count = PREPARED.load(Relaxed);
    assert!(count > 10 && DROPPED.load(Relaxed) == 0, "all values of one slab");
    let held = cache.alloc(KERNEL).expect("memory");
    assert_eq!(cache.destroy(), Err(DestroyError::Busy(1)));
    drop(held);
    memory.platform().take_reports();
    memory.drop_caches();
    assert_eq!((PREPARED.load(Relaxed), DROPPED.load(Relaxed)), (count, count), "each value once");
    at_rest(*memory);
}

fn fits<A: Allocator>(memory: Kernel, len: usize) {
    let layout = core::alloc::Layout::from_size_align(len, 16).expect("a layout");
    let held = A::alloc(layout, KERNEL).expect("memory");
    assert!(held.len() >= len && (held.cast::<u8>().as_ptr() as usize).is_multiple_of(16));
    fill(held.cast(), 7, held.len());
    let larger = core::alloc::Layout::from_size_align(2 * held.len(), 16).expect("a layout");
    // SAFETY: the memory came from this allocator, and has that many bytes.
    let grown = unsafe { A::grow(held.cast(), held.len(), larger, KERNEL) }.expect("memory");
    assert!(content(grown.cast(), held.len()).iter().all(|&byte| byte == 7));
    // SAFETY: as above.
    unsafe { A::free(grown.cast()) };
    memory.validate().expect("valid");
}

#[test]
fn allocators_grow_what_they_gave() {
    let memory = boot(16);
    for len in [1, 100, 4096, 20_000] {
        fits::<Kmalloc<TestKernel>>(*memory, len);
        fits::<Vmalloc<TestKernel>>(*memory, len);
    }
    let layout = core::alloc::Layout::new::<u64>();
    assert!(Vmalloc::<TestKernel>::alloc(layout, ATOMIC).is_err(), "vmalloc may sleep");
    at_rest(*memory);
}

#[test]
fn containers_compare_convert_and_iterate() {
    let memory = boot(16);
    let mut vec = KVec::<u32, TestKernel>::from_slice(&[3, 1, 2], KERNEL).expect("memory");
    vec.try_extend(4..=6, KERNEL).expect("memory");
    assert_eq!(vec[..], [3, 1, 2, 4, 5, 6]);
    let mut other = KVec::try_collect(7..9, KERNEL).expect("memory");
    vec.append(&mut other, KERNEL).expect("memory");
    assert!(other.is_empty() && vec.len() == 8 && other < vec);
    assert!(vec.drain_all().take(2).eq([3, 1]), "the rest is dropped");
    assert!(vec.is_empty() && vec.capacity() >= 8);
    vec.try_extend([1, 2, 3], KERNEL).expect("memory");
    for value in &mut vec {
        *value *= 2;
    }
    let mut values = vec.into_iter();
    assert_eq!(
        (values.next_back(), values.len(), values.next(), values.next(), values.next()),
        (Some(6), 2, Some(2), Some(4), None)
    );
    let mut text = KString::<TestKernel>::from_str("gr\u{fc}n", KERNEL).expect("memory");
    assert!(text == "gr\u{fc}n" && text.pop() == Some('n') && text == *"gr\u{fc}");
    text.truncate(3);
    assert_eq!(text, "gr", "a character is not cut");
    let bytes = KVec::from(text);
    assert_eq!(&bytes[..], b"gr");
    assert!(KString::from_utf8(bytes).is_ok_and(|text| text == "gr"));
    let broken = KVec::<u8, TestKernel>::from_slice(&[b'x', 0xff], KERNEL).expect("memory");
    assert!(KString::from_utf8(broken).is_err_and(|error| error.error.valid_up_to() == 1 && error.bytes.len() == 2));
    let boxed = KBox::<_, TestKernel>::new(5, KERNEL).expect("memory");
    assert!(*boxed.as_ref() == 5 && boxed.to_string() == "5");
    // SAFETY: it was a box a moment ago.
    let again: KBox<i32, TestKernel> = unsafe { KBox::from_raw(boxed.into_raw()) };
    assert_eq!(again.into_inner(), 5);
    drop((other, values));
    assert!(
        memory
            .objects()
            .caches()
            .filter(|cache| cache.name.as_str().starts_with("size-"))
            .all(|cache| cache.active_objects == 0)
    );
    at_rest(*memory);
}

#[test]
fn a_shared_value_goes_with_its_last_owner() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Relaxed);
        }
    }
    let memory = boot(16);
    let first = KArc::<_, TestKernel>::new(Counted, KERNEL).expect("memory");
    let kernel = *memory;
    std::thread::scope(|threads| {
        for _ in 0..4 {
            let mine = first.clone();
            threads.spawn(move || {
                TestKernel::enter(kernel);
                (0..1000).for_each(|_| drop(mine.clone()));
            });
        }
    });
    assert_eq!((KArc::owners(&first), DROPS.load(Relaxed)), (1, 0));
    drop(first);
    assert_eq!(DROPS.load(Relaxed), 1);
    memory.platform().fail_after(0);
    memory.drop_caches();
    assert!(KArc::<_, TestKernel>::new([0u8; 100_000], KERNEL).is_err());
    memory.platform().fail_never();
    drop(memory.platform().take_reports());
    at_rest(*memory);
}
