//! Lookaside caches: constructors, destruction, /proc, growth in interrupts.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

use common::{ATOMIC, DMA_LIMIT, KERNEL, Log, conserves, in_interrupt};
use kapi::OpenFlags;
use kernel::fs;
use kernel::mm::KernelPlatform;
use kernel::sched;
use kernel::sync::SpinLock;
use kernel::testing::memory;
use mm::{
    CacheFlags, CacheRef, CacheSpec, CacheStats, Context, CreateError, CtorFlags, DestroyError, FreeError, VirtAddr,
};

kernel::test_kernel!(test_main);

type Cache = CacheRef<KernelPlatform>;

/// Calls of [`construct`], and of [`destroy`].
static CONSTRUCTED: AtomicU32 = AtomicU32::new(0);
static DESTROYED: AtomicU32 = AtomicU32::new(0);
/// The flags of the last call of [`construct`].
static LAST_FLAGS: AtomicU32 = AtomicU32::new(0);
/// A destructor ran where it may not.
static WRONG_CONTEXT: AtomicBool = AtomicBool::new(false);

fn construct(object: NonNull<u8>, name: &str, flags: CtorFlags) {
    assert!(name.starts_with("test-"));
    CONSTRUCTED.fetch_add(1, SeqCst);
    LAST_FLAGS.store(flags.bits(), SeqCst);
    // SAFETY: the object is fresh, and larger than this.
    unsafe { object.cast::<u64>().write(0x5ca1_ab1e) };
}

fn destroy(object: NonNull<u8>, _name: &str, flags: CtorFlags) {
    assert!(flags.is_empty());
    // SAFETY: the object is still there, and nobody else has it.
    assert_eq!(unsafe { object.cast::<u64>().read() }, 0x5ca1_ab1e);
    DESTROYED.fetch_add(1, SeqCst);
    if sched::context() == Context::Interrupt {
        WRONG_CONTEXT.store(true, SeqCst);
    }
}

const PLAIN: CacheSpec<'static> =
    CacheSpec { name: "test-plain", size: 200, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
const BUILT: CacheSpec<'static> =
    CacheSpec { name: "test-built", size: 400, ctor: Some(construct), dtor: Some(destroy), ..PLAIN };

fn create(spec: &CacheSpec<'_>) -> Cache {
    CONSTRUCTED.store(0, SeqCst);
    DESTROYED.store(0, SeqCst);
    memory().kmem_cache_create(spec).unwrap()
}

fn counts() -> (u32, u32) {
    (CONSTRUCTED.load(SeqCst), DESTROYED.load(SeqCst))
}

fn stats(name: &str) -> Option<CacheStats> {
    memory().objects().caches().find(|cache| cache.name.as_str() == name)
}

/// Calls `f` with the text of a file.
fn with_file<R>(path: &str, f: impl FnOnce(&str) -> R) -> R {
    let file = fs::open(&fs::Place::root(), path, OpenFlags::READ, 0o666).unwrap();
    let mut text = [0; 8192];
    let len = file.read_bytes(&mut text).unwrap();
    f(core::str::from_utf8(&text[..len]).unwrap())
}

/// Calls `f` with what /proc/slabinfo says of the cache `name`.
fn with_slabinfo<R>(name: &str, f: impl FnOnce(Option<&str>) -> R) -> R {
    with_file("/proc/slabinfo", |text| {
        assert!(text.starts_with("slabinfo - version: 1.1 (SMP)\n"));
        f(text.lines().find(|line| line.split(' ').next() == Some(name)))
    })
}

#[test_case]
fn constructor_runs_once_for_each_object_of_a_new_slab() {
    // Shows: S26, S27, S29
    conserves(|| {
        let cache = create(&BUILT);
        assert_eq!(counts(), (0, 0));
        let first = memory().kmem_cache_alloc(cache, KERNEL).unwrap();
        let objects = stats("test-built").unwrap().objects as u32;
        assert!(objects > 4);
        assert_eq!(counts(), (objects, 0));
        assert_eq!(LAST_FLAGS.load(SeqCst), CtorFlags::CONSTRUCTOR.bits());
        let second = memory().kmem_cache_alloc(cache, KERNEL).unwrap();
        assert_ne!(first, second);
        // SAFETY: the object is ours, and the constructor wrote it.
        assert_eq!(unsafe { second.cast::<u64>().read() }, 0x5ca1_ab1e);
        memory().kmem_cache_free(cache, first).unwrap();
        memory().kmem_cache_free(cache, second).unwrap();
        // Neither an allocation nor a free calls anybody.
        assert_eq!(counts(), (objects, 0));
        assert!(memory().kmem_cache_shrink(cache) > 0);
        assert_eq!(counts(), (objects, objects));
        memory().kmem_cache_destroy(cache).unwrap();
    });
}

#[test_case]
fn slabinfo_shows_a_cache_for_as_long_as_it_lives() {
    // Shows: S32, K14
    conserves(|| {
        with_slabinfo("test-plain", |line| assert_eq!(line, None));
        let cache = create(&PLAIN);
        let objects = [(); 30].map(|()| memory().kmem_cache_alloc(cache, KERNEL).unwrap());
        let all = stats("test-plain").unwrap();
        with_slabinfo("test-plain", |line| {
            let columns = line.unwrap().split_ascii_whitespace().skip(1).map_while(|word| word.parse::<usize>().ok());
            let expected = [30, all.objects, 200, all.active_slabs, all.slabs, all.pages_per_slab];
            assert!(columns.eq(expected), "{line:?}");
        });
        for object in objects {
            memory().kmem_cache_free(cache, object).unwrap();
        }
        memory().kmem_cache_destroy(cache).unwrap();
        with_slabinfo("test-plain", |line| assert_eq!(line, None));
    });
}

/// The number behind `name` in a file of names and numbers.
fn number(path: &str, name: &str) -> usize {
    with_file(path, |text| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    })
}

#[test_case]
fn sums_of_slabinfo_agree_with_meminfo() {
    // Shows: S32, K14
    conserves(|| {
        let objects = [64, 700, 4000, 131_072].map(|size| memory().kmalloc(size, KERNEL).unwrap());
        // An open file is objects too, some of them allocated when its text is written: this makes slabs for them.
        with_file("/proc/slabinfo", |_| {});
        let pages = with_file("/proc/slabinfo", |text| {
            let pages = |line: &str| {
                let mut counts = line.split_ascii_whitespace().skip(5).map_while(|word| word.parse::<usize>().ok());
                counts.next().unwrap() * counts.next().unwrap()
            };
            text.lines().skip(1).map(pages).sum::<usize>()
        });
        assert!(pages > 32);
        assert_eq!(number("/proc/meminfo", "Slab:"), pages * 4);
        assert_eq!(memory().objects().caches().map(|cache| cache.pages).sum::<usize>(), pages);
        for object in objects {
            memory().kfree(object.as_ptr()).unwrap();
        }
    });
}

#[test_case]
fn a_cache_with_leaked_objects_is_reported_and_stays() {
    // Shows: S31, K15
    conserves(|| {
        let cache = create(&PLAIN);
        let leaked = memory().kmem_cache_alloc(cache, KERNEL).unwrap();
        let log = Log::from_here();
        assert_eq!(memory().kmem_cache_destroy(cache), Err(DestroyError::Busy(1)));
        assert!(log.shows("kmem_cache_destroy: Can't free all objects of test-plain: 1 left"));
        assert_eq!(stats("test-plain").unwrap().active_objects, 1);
        let second = memory().kmem_cache_alloc(cache, KERNEL).unwrap();
        memory().kmem_cache_free(cache, second).unwrap();
        memory().kmem_cache_free(cache, leaked).unwrap();
        assert_eq!(memory().kmem_cache_destroy(cache), Ok(()));
        // A handle that was kept is of no use.
        assert_eq!(memory().kmem_cache_destroy(cache), Err(DestroyError::NoSuchCache));
        assert!(memory().kmem_cache_alloc(cache, KERNEL).is_err());
        assert_eq!(memory().kmem_cache_free(cache, leaked), Err(FreeError::WrongCache));
        assert_eq!(memory().kmem_cache_shrink(cache), 0);
    });
}

#[test_case]
fn bad_specifications_are_refused() {
    // Shows: S20, S25, K13
    conserves(|| {
        let cache = create(&CacheSpec { name: "test-nineteen-chars", ..PLAIN });
        let create = |spec: CacheSpec<'_>| memory().kmem_cache_create(&spec).err();
        let log = Log::from_here();
        assert_eq!(create(CacheSpec { name: "test-nineteen-chars", ..PLAIN }), Some(CreateError::DuplicateName));
        assert!(log.shows("kmem_cache_create: a cache of this name exists"));
        assert_eq!(create(CacheSpec { name: "size-32", ..PLAIN }), Some(CreateError::DuplicateName));
        assert_eq!(create(CacheSpec { name: "test-twenty-charactr", ..PLAIN }), Some(CreateError::BadName));
        assert_eq!(create(CacheSpec { name: "", ..PLAIN }), Some(CreateError::BadName));
        assert_eq!(create(CacheSpec { dtor: Some(destroy), ..PLAIN }), Some(CreateError::DestructorAlone));
        assert_eq!(create(CacheSpec { size: 131_073, ..PLAIN }), Some(CreateError::BadSize));
        assert_eq!(create(CacheSpec { size: 0, ..PLAIN }), Some(CreateError::BadSize));
        memory().kmem_cache_destroy(cache).unwrap();
    });
}

#[test_case]
fn flags_place_objects() {
    // Shows: S21, S23, S24
    conserves(|| {
        let flags = CacheFlags::HWCACHE_ALIGN | CacheFlags::CACHE_DMA;
        let cache = create(&CacheSpec { size: 100, flags, ..PLAIN });
        let objects = [(); 100].map(|()| memory().kmem_cache_alloc(cache, KERNEL).unwrap());
        for object in objects {
            let addr = VirtAddr::from_ptr(object.as_ptr());
            assert!(addr.is_aligned(64));
            assert!(memory().frame_of(addr).unwrap().phys().as_u64() < DMA_LIMIT);
            memory().kmem_cache_free(cache, object).unwrap();
        }
        memory().kmem_cache_destroy(cache).unwrap();
    });
}

#[test_case]
fn objects_of_another_cache_are_refused() {
    // Shows: K4
    conserves(|| {
        let (cache, other) = (create(&PLAIN), create(&BUILT));
        let object = memory().kmem_cache_alloc(cache, KERNEL).unwrap();
        let log = Log::from_here();
        assert_eq!(memory().kmem_cache_free(other, object), Err(FreeError::WrongCache));
        assert!(log.shows("kmem_cache_free: ") && log.shows("object of another cache (cache test-plain)"));
        assert_eq!(stats("test-plain").unwrap().active_objects, 1);
        assert_eq!(memory().kmem_cache_free(cache, object), Ok(()));
        assert_eq!(memory().kmem_cache_free(cache, object), Err(FreeError::DoubleFree));
        memory().kmem_cache_destroy(cache).unwrap();
        memory().kmem_cache_destroy(other).unwrap();
    });
}

static CACHE: SpinLock<Option<Cache>> = SpinLock::new(None);
static OBJECT: AtomicUsize = AtomicUsize::new(0);

fn shared_cache() -> Cache {
    CACHE.with(|cache| *cache).unwrap()
}

#[test_case]
fn in_interrupt_context_a_cache_grows_only_with_gfp_atomic() {
    // Shows: S28, K11
    conserves(|| {
        let cache = create(&BUILT);
        CACHE.with(|slot| *slot = Some(cache));
        let log = Log::from_here();
        in_interrupt(|| {
            assert_eq!(sched::context(), Context::Interrupt);
            let cache = shared_cache();
            assert!(memory().kmem_cache_alloc(cache, KERNEL).is_err());
            assert_eq!(counts(), (0, 0));
            let object = memory().kmem_cache_alloc(cache, ATOMIC).unwrap();
            // Free objects are there now; a call that may sleep is refused all the same.
            assert!(memory().kmem_cache_alloc(cache, KERNEL).is_err());
            OBJECT.store(object.as_ptr() as usize, SeqCst);
        });
        assert!(log.shows("kmem_cache_alloc: may sleep, called in interrupt context"));
        let all = stats("test-built").unwrap();
        assert_eq!((all.active_objects, all.slabs), (1, 1));
        assert_eq!(counts(), (all.objects as u32, 0));
        assert_eq!(LAST_FLAGS.load(SeqCst), (CtorFlags::CONSTRUCTOR | CtorFlags::ATOMIC).bits());
        // The last object goes in interrupt context; the destructor waits for a thread.
        in_interrupt(|| {
            let object = NonNull::new(OBJECT.load(SeqCst) as *mut u8).unwrap();
            memory().kmem_cache_free(shared_cache(), object).unwrap();
        });
        assert_eq!(counts().1, 0);
        memory().kmem_cache_destroy(cache).unwrap();
        assert_eq!(counts().1, all.objects as u32);
        assert!(!WRONG_CONTEXT.load(SeqCst));
    });
}

#[test_case]
fn caches_come_and_go_in_process_context_only() {
    // Shows: K11
    conserves(|| {
        let cache = create(&PLAIN);
        CACHE.with(|slot| *slot = Some(cache));
        let log = Log::from_here();
        in_interrupt(|| {
            let spec = CacheSpec { name: "test-irq", ..PLAIN };
            assert_eq!(memory().kmem_cache_create(&spec).err(), Some(CreateError::WrongContext));
            assert_eq!(memory().kmem_cache_destroy(shared_cache()), Err(DestroyError::WrongContext));
            assert_eq!(memory().kmem_cache_shrink(shared_cache()), 0);
        });
        for call in ["kmem_cache_create", "kmem_cache_destroy", "kmem_cache_shrink"] {
            assert!(log.shows(call), "{call} was not reported");
        }
        assert!(stats("test-irq").is_none() && stats("test-plain").is_some());
        memory().kmem_cache_destroy(cache).unwrap();
    });
}

#[test_case]
fn reaping_spares_a_cache_that_asks_for_it() {
    // Shows: S22
    conserves(|| {
        let spared = create(&CacheSpec { name: "test-spared", flags: CacheFlags::NO_REAP, ..PLAIN });
        let reaped = create(&PLAIN);
        for cache in [spared, reaped] {
            let object = memory().kmem_cache_alloc(cache, KERNEL).unwrap();
            memory().kmem_cache_free(cache, object).unwrap();
        }
        memory().pages().reclaim(KERNEL);
        assert_eq!(stats("test-spared").unwrap().slabs, 1);
        assert_eq!(stats("test-plain").unwrap().slabs, 0);
        let pages = stats("test-spared").unwrap().pages_per_slab;
        assert_eq!(memory().kmem_cache_shrink(spared), pages);
        memory().kmem_cache_destroy(spared).unwrap();
        memory().kmem_cache_destroy(reaped).unwrap();
    });
}
