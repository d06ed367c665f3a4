//! Calls made at the prompt: only what was handed out is ever freed.
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

use common::{ATOMIC, KERNEL, Log, conserves, order};
use kernel::console::names::KernelNames;
use kernel::mm::handouts::{self, Answer, Block, Callees, From, NewCache, Refusal, Request, State, What};
use kernel::mm::{KString, KVec, PageBlock, VmArea};
use kernel::testing::memory;
use mm::objects::{CacheFlags, CacheName};
use mm::own::Buffer;
use mm::{CreateError, FreeError, GfpFlags, Order, PAGE_SIZE, PhysAddr, Tag, VirtAddr};
use shell::complete::complete;

kernel::test_kernel!(test_main);

fn call(request: Request) -> Result<Answer, Refusal> {
    handouts::perform(request, From::Thread)
}

/// What a call hands out.
fn handed(request: Request) -> handouts::Handout {
    match call(request).unwrap() {
        Answer::Handed(handout) => handout,
        other => panic!("{other:?}"),
    }
}

fn addr(handout: &handouts::Handout) -> VirtAddr {
    handout.what.addr().unwrap()
}

fn name(text: &str) -> CacheName {
    CacheName::new(text).unwrap()
}

/// A free of each kind, of one address.
fn frees(at: VirtAddr, order: Order) -> [Request; 4] {
    [Request::Kfree(at), Request::FreePages(Block::At(at), order), Request::Vfree(at), Request::Iounmap(at)]
}

/// A small random number generator.
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Memory of owners that know nothing of the prompt, filled with what its address says.
struct Foreign {
    buffers: KVec<(VirtAddr, usize)>,
    objects: KVec<KVec<u8>>,
    blocks: KVec<PageBlock>,
    areas: KVec<VmArea>,
}

impl Foreign {
    fn new() -> Self {
        let mut all = Self { buffers: KVec::new(), objects: KVec::new(), blocks: KVec::new(), areas: KVec::new() };
        for size in [8, 32, 60, 100, 500, 2000, 4096, 8192, 20_000, 131_072] {
            for _ in 0..3 {
                let object = KVec::with_capacity(size, KERNEL).unwrap();
                all.objects.push(object, KERNEL).unwrap();
            }
        }
        for log2 in [0, 0, 1, 2, 5] {
            all.blocks.push(PageBlock::new(order(log2), KERNEL).unwrap(), KERNEL).unwrap();
        }
        for pages in [1, 3] {
            all.areas.push(VmArea::new(pages * PAGE_SIZE).unwrap(), KERNEL).unwrap();
        }
        for object in all.objects.iter_mut() {
            let start = object.as_ptr().addr() as u8;
            (0..object.capacity()).for_each(|_| object.push(start, KERNEL).unwrap());
            all.buffers.push((VirtAddr::from_ptr(object.as_ptr()), object.len()), KERNEL).unwrap();
        }
        for buffer in all.blocks.iter_mut().map(|block| block as &mut dyn Buffer) {
            Self::fill(&mut all.buffers, buffer);
        }
        for buffer in all.areas.iter_mut().map(|area| area as &mut dyn Buffer) {
            Self::fill(&mut all.buffers, buffer);
        }
        all
    }

    fn fill(buffers: &mut KVec<(VirtAddr, usize)>, buffer: &mut dyn Buffer) {
        let at = buffer.addr();
        buffer.bytes_mut().fill(at.as_usize() as u8);
        buffers.push((at, buffer.bytes().len()), KERNEL).unwrap();
    }

    fn is_whole(&self) -> bool {
        let object = |object: &KVec<u8>| object.iter().all(|&byte| byte == object.as_ptr().addr() as u8);
        let buffer = |buffer: &dyn Buffer| buffer.bytes().iter().all(|&byte| byte == buffer.addr().as_usize() as u8);
        self.objects.iter().all(object)
            && self.blocks.iter().all(|block| buffer(block))
            && self.areas.iter().all(|area| buffer(area))
    }
}

#[test_case]
fn no_address_frees_what_has_another_owner() {
    conserves(|| {
        let foreign = Foreign::new();
        let mut rng = Rng(1);
        let mut own = KVec::new();
        for round in 0..800 {
            let (start, len) = foreign.buffers[rng.below(foreign.buffers.len())];
            // The start of it most of the time, else a page or a byte of it or around it.
            let at = match rng.below(6) {
                0 => start.add(rng.below(len)),
                1 => start.add(rng.below(len)).page_down(),
                2 => VirtAddr::new(start.as_usize().wrapping_sub(rng.below(8192))),
                _ => start,
            };
            if own.iter().any(|handout| addr(handout) == at) {
                continue;
            }
            let request = frees(at, order(rng.below(10)))[rng.below(4)];
            let from = if round % 50 == 0 { From::Timer } else { From::Thread };
            // What the caches keep is free, and nothing of the test's: a free can succeed nowhere.
            let done = handouts::perform(request, from);
            assert!(done.is_err(), "{request:?}: {done:?}");
            if rng.below(20) == 0 {
                own.push(handed(Request::Kmalloc(rng.below(3000), KERNEL)), KERNEL).unwrap();
            }
        }
        assert!(foreign.is_whole());
        for handout in own.iter() {
            let freed = call(Request::Kfree(addr(handout)));
            assert!(matches!(freed, Ok(Answer::Freed(freed)) if freed.number == handout.number));
        }
    });
}

#[test_case]
fn a_live_object_of_another_owner_is_refused_and_anything_else_goes_to_the_call() {
    conserves(|| {
        let theirs = KVec::<u8>::with_capacity(3000, KERNEL).unwrap();
        let at = VirtAddr::from_ptr(theirs.as_ptr());
        let log = Log::from_here();
        assert_eq!(call(Request::Kfree(at)).unwrap_err(), Refusal::NotYours(at));
        assert_eq!(log.count("kfree:"), 0, "the call was not made");
        assert_eq!(call(Request::Kfree(at.add(8))).unwrap_err(), Refusal::Free(FreeError::Interior));
        assert_eq!(log.count("kfree:"), 1, "the call was made");
        let block = PageBlock::new(order(2), KERNEL).unwrap();
        let free = |log2| call(Request::FreePages(Block::At(block.addr()), order(log2))).unwrap_err();
        assert_eq!(free(2), Refusal::NotYours(block.addr()));
        assert_eq!(free(1), Refusal::Free(FreeError::WrongOrder));
        let area = memory().areas().vmalloc_tagged(PAGE_SIZE, Tag::Driver).unwrap();
        assert_eq!(call(Request::Vfree(area)).unwrap_err(), Refusal::Free(FreeError::Owned(Tag::Driver)));
        memory().areas().vfree_tagged(area, Tag::Driver).unwrap();
    });
}

#[test_case]
fn a_handout_that_was_freed_and_has_a_new_owner_is_theirs() {
    conserves(|| {
        let handout = handed(Request::Kmalloc(5000, KERNEL));
        let at = addr(&handout);
        call(Request::Kfree(at)).unwrap();
        assert_eq!(call(Request::Kfree(at)).unwrap_err(), Refusal::Free(FreeError::DoubleFree));
        assert_eq!(handouts::find(handout.number).unwrap().unwrap().state, State::Freed);
        // The magazine hands out what came last.
        let theirs = KVec::<u8>::with_capacity(5000, KERNEL).unwrap();
        assert_eq!(VirtAddr::from_ptr(theirs.as_ptr()), at);
        assert_eq!(call(Request::Kfree(at)).unwrap_err(), Refusal::NotYours(at));
    });
}

#[test_case]
fn calls_from_a_timer_are_made_in_interrupt_context() {
    conserves(|| {
        let log = Log::from_here();
        let at_irq = |request| handouts::perform(request, From::Timer);
        assert_eq!(at_irq(Request::Kmalloc(64, KERNEL)).unwrap_err(), Refusal::Alloc);
        assert!(log.shows("kmalloc: may sleep, called in interrupt context"));
        assert_eq!(at_irq(Request::Vmalloc(64)).unwrap_err(), Refusal::Alloc);
        assert_eq!(at_irq(Request::Ioremap(PhysAddr::new(0xfeb0_0000), 64)).unwrap_err(), Refusal::Alloc);
        let Ok(Answer::Handed(handout)) = at_irq(Request::Kmalloc(64, ATOMIC)) else { panic!("there is memory") };
        let Ok(Answer::Handed(block)) = at_irq(Request::GetPages(order(1), ATOMIC)) else { panic!("there is memory") };
        assert!(matches!(at_irq(Request::Kfree(addr(&handout))), Ok(Answer::Freed(_))));
        assert!(matches!(at_irq(Request::FreePages(Block::At(addr(&block)), order(1))), Ok(Answer::Freed(_))));
        let area = handed(Request::Vmalloc(64));
        assert_eq!(at_irq(Request::Vfree(addr(&area))).unwrap_err(), Refusal::Free(FreeError::WrongContext));
        call(Request::Vfree(addr(&area))).unwrap();
    });
}

#[test_case]
fn caches_count_what_their_constructors_do() {
    conserves(|| {
        let demo = name("demo");
        let new = |flags, callees| NewCache { name: demo, size: 100, offset: 0, flags, callees };
        assert_eq!(call(Request::CacheAlloc(demo, KERNEL)).unwrap_err(), Refusal::NoSuchCache);
        call(Request::CacheCreate(new(CacheFlags::empty(), Callees::CtorAndDtor))).unwrap();
        assert!(matches!(call(Request::CacheCreate(new(CacheFlags::empty(), Callees::None))), Err(Refusal::Create(_))));
        let object = handed(Request::CacheAlloc(demo, KERNEL));
        let state = handouts::all_caches().unwrap().next().unwrap();
        assert!(state.constructed > 1 && state.destroyed == 0, "a whole slab: {state:?}");
        let mut mark = [0; 8];
        assert_eq!(handouts::read(addr(&object), &mut mark), Ok(8));
        assert_eq!(&mark, b"CREATED!");
        assert!(matches!(call(Request::CacheDestroy(demo)), Err(Refusal::Destroy(_))));
        // kfree takes the objects of any cache.
        assert!(matches!(call(Request::Kfree(addr(&object))), Ok(Answer::Freed(freed)) if freed == object));
        let Ok(Answer::Shrunk(pages)) = call(Request::CacheShrink(demo)) else { panic!("it has pages") };
        assert!(pages > 0);
        let Ok(Answer::Destroyed(last)) = call(Request::CacheDestroy(demo)) else { panic!("it is empty") };
        assert_eq!((last.constructed, last.destroyed), (state.constructed, state.constructed));
        assert_eq!(call(Request::CacheShrink(demo)).unwrap_err(), Refusal::NoSuchCache);
    });
}

#[test_case]
fn a_constructor_is_told_not_to_sleep_where_its_caller_may_not() {
    conserves(|| {
        let demo = name("demo");
        let new = |callees, offset| NewCache { name: demo, size: 100, offset, flags: CacheFlags::empty(), callees };
        let alone = call(Request::CacheCreate(new(Callees::Dtor, 0)));
        assert_eq!(alone.unwrap_err(), Refusal::Create(CreateError::DestructorAlone));
        let offset = call(Request::CacheCreate(new(Callees::None, 101)));
        assert_eq!(offset.unwrap_err(), Refusal::Create(CreateError::BadOffset));
        call(Request::CacheCreate(new(Callees::Ctor, 8))).unwrap();
        let atomic = || handouts::all_caches().unwrap().next().unwrap().atomic;
        let first = handed(Request::CacheAlloc(demo, KERNEL));
        assert_eq!(atomic(), 0);
        let mut own = KVec::new();
        while atomic() == 0 {
            own.push(handed(Request::CacheAlloc(demo, ATOMIC)), KERNEL).unwrap();
        }
        own.iter().chain([&first]).for_each(|handout| _ = call(handout.what.free()).unwrap());
        call(Request::CacheDestroy(demo)).unwrap();
    });
}

#[test_case]
fn as_many_caches_as_can_be_remembered() {
    let names = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"].map(name);
    let new = |name| NewCache { name, size: 64, offset: 0, flags: CacheFlags::empty(), callees: Callees::Ctor };
    names.into_iter().for_each(|name| _ = call(Request::CacheCreate(new(name))).unwrap());
    assert_eq!(call(Request::CacheCreate(new(name("c8")))).unwrap_err(), Refusal::TooManyCaches);
    assert_eq!(handouts::all_caches().unwrap().count(), names.len());
    names.into_iter().for_each(|name| _ = call(Request::CacheDestroy(name)).unwrap());
}

#[test_case]
fn a_full_table_refuses_and_loses_nothing() {
    conserves(|| {
        let mut own = KVec::new();
        let full = loop {
            match call(Request::Kmalloc(40, KERNEL)) {
                Ok(Answer::Handed(handout)) => own.push(handout, KERNEL).unwrap(),
                Ok(other) => panic!("{other:?}"),
                Err(refusal) => break refusal,
            }
        };
        assert_eq!((full, own.len()), (Refusal::Full, 512));
        let next = |before: &handouts::Handout| handouts::live_after(before.number).unwrap();
        let live = core::iter::successors(handouts::live_after(0).unwrap(), next);
        assert!(live.eq(own.iter().copied()), "oldest first");
        for handout in own.iter() {
            call(handout.what.free()).unwrap();
        }
        let one = handed(Request::GetPages(Order::ZERO, KERNEL));
        assert_eq!(handouts::find(own[0].number), Ok(None), "the oldest made room");
        call(Request::FreePages(Block::At(addr(&one)), Order::ZERO)).unwrap();
    });
}

#[test_case]
fn only_what_is_handed_out_can_be_read_and_written() {
    conserves(|| {
        let (object, area) = (handed(Request::Kmalloc(100, KERNEL)), handed(Request::Vmalloc(PAGE_SIZE + 1)));
        let mut bytes = [0; 64];
        for (handout, len) in [(&object, 128), (&area, 2 * PAGE_SIZE)] {
            let at = addr(handout);
            assert_eq!(handouts::write(at, 0x5a, usize::MAX), Ok(len));
            assert_eq!(handouts::read(at.add(len - 10), &mut bytes), Ok(10));
            assert!(bytes[..10].iter().all(|&byte| byte == 0x5a));
            assert_eq!((handouts::read(at.add(len), &mut bytes), handouts::write(at.add(len), 1, 1)), (Ok(0), Ok(0)));
        }
        call(Request::Kfree(addr(&object))).unwrap();
        call(Request::Vfree(addr(&area))).unwrap();
        assert_eq!(handouts::read(addr(&object), &mut bytes), Ok(0), "it is free");
        let device = handed(Request::Ioremap(PhysAddr::new(0xfeb0_0000), 64));
        assert_eq!(handouts::read(addr(&device), &mut bytes), Ok(0), "a device");
        let is_device = |at| handouts::is_device(at).unwrap();
        assert_eq!([0, 63, 64].map(|at| is_device(addr(&device).add(at))), [true, true, false]);
        call(Request::Iounmap(addr(&device))).unwrap();
    });
}

#[test_case]
fn device_memory_goes_by_any_byte_of_its_first_page() {
    conserves(|| {
        let map = || handed(Request::Ioremap(PhysAddr::new(0xfeb0_0120), 64));
        for byte in [0, 1, 0x120, PAGE_SIZE - 1] {
            let device = map();
            let at = addr(&device).page_down().add(byte);
            assert!(matches!(call(Request::Iounmap(at)), Ok(Answer::Freed(freed)) if freed == device), "{byte}");
            assert_eq!(handouts::find(device.number).unwrap().unwrap().state, State::Freed);
        }
        let device = map();
        let after = addr(&device).page_down().add(PAGE_SIZE);
        assert_eq!(call(Request::Iounmap(after)).unwrap_err(), Refusal::Free(FreeError::NoArea));
        call(Request::Iounmap(addr(&device))).unwrap();
    });
}

#[test_case]
fn a_zeroed_page_is_one_whatever_it_held() {
    conserves(|| {
        let page = handed(Request::GetPages(Order::ZERO, KERNEL));
        handouts::write(addr(&page), 0x5a, PAGE_SIZE).unwrap();
        call(page.what.free()).unwrap();
        let mut bytes = [0; PAGE_SIZE];
        let again = handed(Request::GetZeroedPage(KERNEL));
        assert_eq!(handouts::read(addr(&again), &mut bytes), Ok(PAGE_SIZE));
        assert!(bytes.iter().all(|&byte| byte == 0));
        call(Request::FreePages(Block::At(addr(&again)), Order::ZERO)).unwrap();
    });
}

#[test_case]
fn tab_finds_what_a_call_may_be_given() {
    conserves(|| {
        let (object, area) = (handed(Request::Kmalloc(64, KERNEL)), handed(Request::Vmalloc(64)));
        let only = |line: &str, insert: &str| {
            let found = complete(line, &KernelNames);
            assert_eq!((found.candidates, found.insert.as_str()), (1, insert), "{line}");
        };
        for (line, handout) in [("kfree ", &object), ("@irq kfree ", &object), ("vfree ", &area)] {
            let number = KString::try_format(format_args!("m{} ", handout.number)).unwrap();
            only(line, number.as_str());
        }
        assert_eq!(complete("page ", &KernelNames).candidates, 2);
        only("@irq cache al", "loc ");
        only("@irq kmalloc 64 GFP_AT", "OMIC ");
        only("cache create x 100 SLAB_NO", "_REAP ");
        assert_eq!(complete("iounmap ", &KernelNames).candidates, 0);
        assert_eq!(complete("kmalloc ", &KernelNames).candidates, 0);
        for handout in [object, area] {
            call(handout.what.free()).unwrap();
        }
    });
}

#[test_case]
fn high_memory_is_handed_out_by_its_frame() {
    conserves(|| {
        let handout = handed(Request::GetPages(order(1), GfpFlags::HIGHUSER));
        let What::Block(frame, size, at) = handout.what else { panic!("{handout:?}") };
        assert_eq!((size, at), (order(1), memory().page_address(frame)));
        let wrong = call(Request::FreePages(Block::Frame(frame), order(0)));
        assert_eq!(wrong.unwrap_err(), Refusal::Free(FreeError::WrongOrder));
        call(Request::FreePages(Block::Frame(frame), order(1))).unwrap();
        let theirs = memory().alloc_pages(GfpFlags::HIGHUSER, order(1)).unwrap();
        let refused = call(Request::FreePages(Block::Frame(theirs), order(1)));
        assert_eq!(refused.unwrap_err(), Refusal::NotYourBlock(theirs));
        memory().free_frames(theirs, order(1)).unwrap();
    });
}
