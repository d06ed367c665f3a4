//! Code that goes: what the allocators have of it.
//! Nothing leads there any more.

mod common;

use core::ops::Range;
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use common::{KERNEL, at_rest, blocks, boot, order};
use mm::areas::AreaState;
use mm::objects::{DebugChoice, DebugFlags};
use mm::testing::{Booted, Machine, TestKernel, TestMemory};
use mm::{
    AllocError, CacheFlags, CacheRef, CacheSpec, Context, CreateError, CtorFlags, DestroyError, GfpFlags, PAGE_SIZE,
    Pfn, PfnRange, Reference, Shrinker, VirtAddr,
};

/// The code that goes: a constant that names the place of a call.
fn code_of(place: &'static Location<'static>) -> Range<VirtAddr> {
    let start = VirtAddr::from_ptr(core::ptr::from_ref(place));
    start..start.add(size_of::<Location<'_>>())
}

/// The function at `entry` alone.
fn function(entry: usize) -> Range<VirtAddr> {
    VirtAddr::new(entry)..VirtAddr::new(entry + 1)
}

/// What `disown` names, as text without the addresses of objects, and how much still leads there.
fn disown(memory: &'static TestMemory, code: &[Range<VirtAddr>]) -> (Vec<String>, usize) {
    let mut named = Vec::new();
    let left = memory.disown(code, &mut |reference| named.push(reference.to_string())).expect("process context");
    (named, left)
}

fn referred(memory: &'static TestMemory, code: &[Range<VirtAddr>]) -> usize {
    let mut named = 0;
    let count = memory.references_into(code, &mut |_| named += 1);
    assert_eq!(count, named);
    count
}

/// A machine on which all caches remember their users.
fn boot_tracking() -> Booted {
    TestKernel::boot(&Machine {
        debug: DebugChoice { all: DebugFlags::USERS, ..DebugChoice::NONE },
        ..Machine::with_mib(24)
    })
}

#[track_caller]
fn create(memory: &'static TestMemory, spec: &CacheSpec<'_>) -> (CacheRef<mm::testing::HostPlatform>, Range<VirtAddr>) {
    (memory.kmem_cache_create(spec).expect("a new name"), code_of(Location::caller()))
}

const PLAIN: CacheSpec<'_> =
    CacheSpec { name: "theirs", size: 100, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };

#[test]
fn an_area_that_is_left_is_named_and_a_freed_one_forgets() {
    let memory = boot(24);
    #[track_caller]
    fn take(memory: &'static TestMemory) -> (VirtAddr, Range<VirtAddr>) {
        (memory.vmalloc(3 * PAGE_SIZE).expect("memory"), code_of(Location::caller()))
    }
    let mut taken = (0..3).map(|_| take(*memory));
    let (first, code) = taken.next().expect("an area");
    let (second, _) = taken.next().expect("an area");
    let code = [code];
    assert_eq!(memory.vfree(first), Ok(()));
    assert_eq!(referred(*memory, &code), 1);
    let (named, left) = disown(*memory, &code);
    assert_eq!(left, 1);
    let start = second.as_usize();
    assert!(named[0].starts_with(&format!("area {start:016x}, pages: 3, allocated at mm/tests/references.rs:")));
    let freed = memory.areas().try_area_at(first).expect("it is cached");
    assert_eq!((freed.state, freed.caller), (AreaState::Free, None));
    assert!(memory.areas().area_at(second).is_some_and(|area| area.caller.is_some()));
    // Freed by whoever finds it.
    assert_eq!(memory.vfree(second), Ok(()));
    assert_eq!(disown(*memory, &code), (vec![], 0));
    assert_eq!(memory.areas().try_area_at(second).expect("it is cached").caller, None);
    // Nobody else's place is touched.
    let other = memory.vmalloc(1).expect("memory");
    assert_eq!(disown(*memory, &code), (vec![], 0));
    assert!(memory.areas().area_at(other).is_some_and(|area| area.caller.is_some()));
    assert_eq!(memory.vfree(other), Ok(()));
    at_rest(*memory);
}

#[test]
fn areas_that_wait_to_be_taken_apart_forget_too() {
    let memory = boot(24);
    #[track_caller]
    fn take() -> (mm::own::VmArea<TestKernel>, Range<VirtAddr>) {
        (mm::own::VmArea::new(1).expect("memory"), code_of(Location::caller()))
    }
    let (area, code) = take();
    memory.platform().in_context(Context::Atomic, || drop(area));
    assert_eq!(referred(*memory, core::slice::from_ref(&code)), 1, "it was not taken apart");
    assert_eq!(disown(*memory, &[code]), (vec![], 0));
    at_rest(*memory);
}

#[test]
fn a_cache_without_objects_is_destroyed() {
    let memory = boot(24);
    memory.kmem_cache_create(&CacheSpec { name: "ours", ..PLAIN }).expect("a new name");
    // The memory of caches stays theirs.
    let (room, _) = create(*memory, &PLAIN);
    assert_eq!(memory.kmem_cache_destroy(room), Ok(()));
    memory.drop_caches();
    let before = blocks(*memory);
    let (cache, code) = create(*memory, &PLAIN);
    let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
    assert_eq!(memory.kmem_cache_free(cache, object), Ok(()));
    assert_eq!(referred(*memory, core::slice::from_ref(&code)), 1);
    let (named, left) = disown(*memory, &[code]);
    assert!(named[0].starts_with("cache theirs, objects: 0, created at mm/tests/references.rs:"), "{named:?}");
    assert_eq!((named.len(), left), (1, 0));
    assert_eq!(memory.kmem_cache_alloc(cache, KERNEL), Err(AllocError));
    assert_eq!(memory.kmem_cache_destroy(cache), Err(DestroyError::NoSuchCache));
    assert_eq!(memory.platform().take_reports().len(), 2);
    memory.drop_caches();
    assert_eq!(blocks(*memory), before);
    assert!(memory.objects().caches().any(|cache| cache.name.as_str() == "ours"));
    at_rest(*memory);
}

static CONSTRUCTED: AtomicUsize = AtomicUsize::new(0);
static DESTROYED: AtomicUsize = AtomicUsize::new(0);

fn construct(_: NonNull<u8>, _: &str, _: CtorFlags) {
    CONSTRUCTED.fetch_add(1, SeqCst);
}

fn destroy(_: NonNull<u8>, _: &str, _: CtorFlags) {
    DESTROYED.fetch_add(1, SeqCst);
}

#[test]
fn a_cache_with_objects_stays_and_calls_nobody() {
    let memory = boot(24);
    for callee in [construct as *const () as usize, destroy as *const () as usize] {
        let spec = CacheSpec { ctor: Some(construct), dtor: Some(destroy), ..PLAIN };
        // Created by somebody else: the callee alone lies there.
        let (cache, creator) = create(*memory, &spec);
        let before = memory.objects().caches().count();
        let objects = [(); 2].map(|()| memory.kmem_cache_alloc(cache, KERNEL).expect("memory"));
        let (constructed, destroyed) = (CONSTRUCTED.load(SeqCst), DESTROYED.load(SeqCst));
        let (named, left) = disown(*memory, &[function(callee)]);
        assert!(named[0].starts_with("cache theirs, objects: 2, created at "), "{named:?}");
        assert_eq!(left, 0, "nobody calls it, and its creator is there");
        assert_eq!(referred(*memory, &[function(callee)]), 0);
        assert_eq!(referred(*memory, core::slice::from_ref(&creator)), 1);
        assert_eq!(memory.kmem_cache_alloc(cache, KERNEL), Err(AllocError));
        assert_eq!(memory.kmem_cache_destroy(cache), Err(DestroyError::NoSuchCache));
        assert_eq!(memory.platform().take_reports().len(), 2);
        // The next one may have the name.
        let (next, _) = create(*memory, &PLAIN);
        assert_eq!(memory.kmem_cache_create(&PLAIN).err(), Some(CreateError::DuplicateName));
        assert_eq!(memory.platform().take_reports().len(), 1);
        assert_eq!(memory.kmem_cache_destroy(next), Ok(()));
        memory.drop_caches();
        assert_eq!(memory.objects().caches().count(), before);
        // Whoever has its objects may free them; then it goes.
        for object in objects {
            assert_eq!(memory.kfree(object.as_ptr()), Ok(()));
        }
        memory.drop_caches();
        assert_eq!(memory.objects().caches().count(), before - 1);
        assert_eq!((CONSTRUCTED.load(SeqCst), DESTROYED.load(SeqCst)), (constructed, destroyed));
        assert_eq!(disown(*memory, &[creator]), (vec![], 0));
    }
    at_rest(*memory);
}

#[test]
fn a_cache_that_its_creator_leaves_with_objects_still_leads_there() {
    let memory = boot(24);
    let (cache, code) = create(*memory, &PLAIN);
    let object = memory.kmem_cache_alloc(cache, KERNEL).expect("memory");
    let code = [code];
    let (named, left) = disown(*memory, &code);
    assert_eq!((named.len(), left), (1, 1));
    assert_eq!(disown(*memory, &code), (vec![], 1), "it is named once");
    assert_eq!(memory.kfree(object.as_ptr()), Ok(()));
    memory.drop_caches();
    assert_eq!(disown(*memory, &code), (vec![], 0));
    at_rest(*memory);
}

#[track_caller]
fn take_object(memory: &'static TestMemory, size: usize) -> (NonNull<u8>, Range<VirtAddr>) {
    (memory.kmalloc(size, GfpFlags::KERNEL).expect("memory"), code_of(Location::caller()))
}

#[test]
fn live_objects_are_named_once_each_where_users_are_remembered() {
    let memory = boot_tracking();
    let mut code = None;
    let mut objects: Vec<_> = (0..100)
        .map(|nth| {
            let (object, place) = take_object(*memory, 20 + nth * 3);
            code = Some(place);
            object.as_ptr() as usize
        })
        .collect();
    let others: Vec<_> = (0..50).map(|_| memory.kmalloc(40, KERNEL).expect("memory")).collect();
    let code = [code.expect("objects")];
    let mut named = Vec::new();
    let left = memory.disown(&code, &mut |reference| {
        let Reference::Object(object) = reference else { panic!("{reference}") };
        named.push(object.addr.as_usize());
    });
    assert_eq!(left, Ok(100));
    named.sort_unstable();
    objects.sort_unstable();
    assert_eq!(named, objects);
    let mut first = None;
    memory.references_into(&code, &mut |reference| first = first.take().or(Some(reference.to_string())));
    let first = first.expect("an object");
    assert!(first.contains(" of size-") && first.contains(", allocated at mm/tests/references.rs:"), "{first}");
    for object in
        objects.into_iter().map(|addr| addr as *const u8).chain(others.into_iter().map(|o| o.as_ptr().cast_const()))
    {
        assert_eq!(memory.kfree(object), Ok(()));
    }
    at_rest(*memory);
}

#[test]
fn free_objects_forget_their_users() {
    let memory = boot_tracking();
    #[track_caller]
    fn use_object(memory: &'static TestMemory) -> (NonNull<u8>, [Range<VirtAddr>; 1]) {
        let (object, code) = take_object(memory, 50);
        assert_eq!(memory.kfree(object.as_ptr()), Ok(()));
        (object, [code])
    }
    for bytes in [0, 1 << 16] {
        memory.objects().set_quarantine(bytes);
        let (object, code) = use_object(*memory);
        let info = || memory.objects().object_info(VirtAddr::from_ptr(object.as_ptr())).expect("an object");
        assert!(info().allocated.is_some() && info().freed.is_some());
        assert_eq!(disown(*memory, &code), (vec![], 0));
        assert_eq!((info().allocated, info().freed), (None, None), "quarantine of {bytes} bytes");
        // A report of a double free has nobody to name.
        assert!(memory.kfree(object.as_ptr()).is_err());
        assert!(!memory.platform().take_reports()[0].contains("freed at"));
    }
    memory.objects().set_quarantine(0);
    // A live one forgets who freed it before, and knows who has it.
    let (object, code) = use_object(*memory);
    let again = memory.kmalloc(50, KERNEL).expect("memory");
    assert_eq!(again, object);
    assert_eq!(disown(*memory, &code), (vec![], 0));
    let info = memory.objects().object_info(VirtAddr::from_ptr(object.as_ptr())).expect("an object");
    assert!(info.allocated.is_some() && info.freed.is_none());
    assert_eq!(memory.kfree(again.as_ptr()), Ok(()));
    at_rest(*memory);
}

#[test]
fn blocks_of_pages_are_named_where_owners_are_remembered() {
    let memory = boot(24);
    #[track_caller]
    fn take(memory: &'static TestMemory, log2: usize) -> (Pfn, [Range<VirtAddr>; 1]) {
        (memory.alloc_pages(KERNEL, order(log2)).expect("memory"), [code_of(Location::caller())])
    }
    let (unknown, code) = take(*memory, 0);
    assert_eq!(disown(*memory, &code), (vec![], 0));
    assert_eq!(memory.pages().frame_info(unknown).and_then(|info| info.allocated), None);
    assert_eq!(memory.free_frames(unknown, order(0)), Ok(()));
    assert_eq!((memory.remember_page_owners(), memory.remember_page_owners()), (Ok(()), Ok(())));
    let mut named = Vec::new();
    for log2 in [0, 1, 4, 9] {
        let (block, code) = take(*memory, log2);
        let left = memory.disown(&code, &mut |reference| named.push(reference.to_string()));
        assert_eq!(left, Ok(1));
        let (frame, pages) = (block.as_u32(), 1 << log2);
        let start = format!("pages from pfn {frame:#x} on: {pages}, allocated at mm/tests/references.rs:");
        assert!(named.pop().is_some_and(|named| named.starts_with(&start)) && named.is_empty());
        let info = || memory.pages().frame_info(block).expect("memory");
        assert!(info().allocated.is_some_and(|caller| caller.file() == file!()));
        assert_eq!(memory.free_frames(block, order(log2)), Ok(()));
        assert_eq!(disown(*memory, &code), (vec![], 0));
        // Whoever gets it now is its owner.
        let next = memory.alloc_pages(KERNEL, order(log2)).expect("memory");
        assert_eq!((next, disown(*memory, &code)), (block, (vec![], 0)));
        assert_eq!(memory.free_frames(next, order(log2)), Ok(()));
    }
    at_rest(*memory);
}

#[test]
fn pages_of_slabs_areas_and_tables_are_not_named_and_forget() {
    let memory = boot(24);
    assert_eq!(memory.remember_page_owners(), Ok(()));
    #[track_caller]
    fn take(memory: &'static TestMemory) -> ([NonNull<u8>; 2], VirtAddr, [Range<VirtAddr>; 1]) {
        let objects = [5000, 131_072].map(|size| memory.kmalloc(size, KERNEL).expect("memory"));
        (objects, memory.vmalloc(PAGE_SIZE).expect("memory"), [code_of(Location::caller())])
    }
    let (objects, area, code) = take(*memory);
    let (named, left) = disown(*memory, &code);
    assert!(left == 1 && named.len() == 1 && named[0].starts_with("area "), "{named:?}");
    objects.iter().for_each(|object| assert_eq!(memory.kfree(object.as_ptr()), Ok(())));
    assert_eq!(memory.vfree(area), Ok(()));
    memory.drop_caches();
    let range = PfnRange::new(Pfn::new(2048), Pfn::new(2056));
    assert_eq!(memory.alloc_contig_range(range, KERNEL), Ok(()));
    assert_eq!(disown(*memory, &code), (vec![], 0), "they have a new owner");
    assert!(memory.pages().frame_info(range.start).is_some_and(|info| info.allocated.is_some()));
    // SAFETY: the pages are the test's.
    assert_eq!(unsafe { memory.free_contig_range(range) }, Ok(()));
    at_rest(*memory);
}

#[test]
fn a_machine_without_room_for_the_table_of_owners_is_told() {
    let memory = boot(24);
    memory.platform().fail_after(3);
    assert_eq!(memory.remember_page_owners(), Err(AllocError));
    memory.platform().fail_never();
    assert_eq!(memory.platform().take_reports().len(), 1);
    assert!(!memory.pages().are_owners_remembered());
    at_rest(*memory);
}

struct Buffers;

static ASKED: AtomicUsize = AtomicUsize::new(0);
static HOLD: AtomicBool = AtomicBool::new(false);
static HELD: AtomicBool = AtomicBool::new(false);

impl Shrinker for Buffers {
    fn shrink(&'static self, _: GfpFlags) -> usize {
        ASKED.fetch_add(1, SeqCst);
        while HOLD.load(SeqCst) {
            HELD.store(true, SeqCst);
            thread::yield_now();
        }
        0
    }
}

#[test]
fn shrinkers_are_taken_out_and_waited_for() {
    let memory = boot(24);
    #[track_caller]
    fn register(memory: &'static TestMemory) -> [Range<VirtAddr>; 1] {
        memory.pages().register_shrinker(&Buffers).expect("room");
        [code_of(Location::caller())]
    }
    let code = register(*memory);
    assert_eq!(referred(*memory, &code), 1);
    assert!(memory.pages().unregister_shrinker(&Buffers) && !memory.pages().unregister_shrinker(&Buffers));
    assert_eq!(referred(*memory, &code), 0);

    let code = register(*memory);
    HOLD.store(true, SeqCst);
    let machine: &'static TestMemory = *memory;
    thread::scope(|scope| {
        let reclaimer = scope.spawn(|| machine.pages().reclaim(KERNEL));
        while !HELD.load(SeqCst) {
            thread::yield_now();
        }
        let disowner = scope.spawn(|| disown(machine, &code));
        while referred(machine, &code) > 0 {
            thread::yield_now();
        }
        assert!(!disowner.is_finished(), "it is still called");
        HOLD.store(false, SeqCst);
        let (named, left) = disowner.join().expect("no panic");
        assert!(named[0].starts_with("shrinker, registered at mm/tests/references.rs:"), "{named:?}");
        assert_eq!((named.len(), left), (1, 0));
        reclaimer.join().expect("no panic");
    });
    let asked = ASKED.load(SeqCst);
    memory.pages().reclaim(KERNEL);
    memory.drop_caches();
    assert_eq!(ASKED.load(SeqCst), asked);
    at_rest(*memory);
}

#[test]
fn who_may_not_sleep_is_refused() {
    let memory = boot(24);
    let refused = memory.platform().in_context(Context::Atomic, || memory.disown(&[], &mut |_| ()));
    assert_eq!(refused, Err(AllocError));
    assert!(!memory.platform().in_context(Context::Atomic, || memory.pages().unregister_shrinker(&Buffers)));
    let refusals =
        ["disown: may sleep, called in atomic context", "unregister_shrinker: may sleep, called in atomic context"];
    assert_eq!(memory.platform().take_reports(), refusals);
    at_rest(*memory);
}
