//! Reclaim takes pages of programs that run: no byte is lost.
//!
//! A program's threads write bytes of their own into pages that they share, and read them back, while reclaim takes the
//! pages, writes them, and while programs are forked and end. Translations live on until they are flushed, and a flush
//! takes a while. What each lock and each flush is for is seen where it is left out.

use core::ops::Range;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use mm::mapper::{Entry, Format, Level, Table, UserFormat};
use mm::space::{FaultAccess, MapRequest, NoObject, Place, Scan, Space, SpaceList, Spaces, SwapStore, UserMachine};
use mm::testing::{HostRights, HostUserFormat};
use mm::{GfpFlags, Lock, MustFlush, PAGE_SIZE, Pfn, VirtAddr};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use super::platform::{ExploredLock, LEFT_OUT};
use super::spaces::{TheMachine, byte, enter};
use super::swap::{TestSwap, Writes};
use super::{Machine, explore, explore_by, join, spawn};

/// Steps of other threads that may run while a flush waits.
const FLUSH_STEPS: usize = 4;
/// Schedules of each kind: the scenarios take long.
const SCHEDULES: usize = 25;

/// What a processor keeps, by root and page.
type Tlb = BTreeMap<(u32, usize), (Pfn, HostRights)>;

std::thread_local! {
    /// What the processors keep. All threads of a test run on one thread of the host.
    static TLB: RefCell<Tlb> = const { RefCell::new(BTreeMap::new()) };
    static SWAP: Cell<Option<&'static TestSwap>> = const { Cell::new(None) };
    /// Whether flushes are left out.
    static UNFLUSHED: Cell<bool> = const { Cell::new(false) };
}

/// Processors that keep translations until they are flushed.
#[derive(Clone, Copy)]
struct Processor;

// SAFETY: what is kept is dropped by a flush, but where a test wants to see what that is for.
unsafe impl UserMachine for Processor {
    type Format = HostUserFormat;

    fn format(&self) -> HostUserFormat {
        HostUserFormat
    }

    fn range(&self) -> Range<VirtAddr> {
        VirtAddr::new(PAGE_SIZE)..VirtAddr::new(1 << 38)
    }

    fn share_kernel(&self, _root: &Table) {}

    fn flush(&self, root: Pfn, must_flush: MustFlush) {
        (0..FLUSH_STEPS).for_each(|_| thread::yield_now());
        if !UNFLUSHED.get() {
            let (root, range) = (root.as_u32(), must_flush.start().as_usize()..must_flush.end().as_usize());
            TLB.with_borrow_mut(|tlb| tlb.retain(|&(of, at), _| of != root || !range.contains(&at)));
        }
        must_flush.flushed();
    }

    fn swap(&self) -> Option<&'static dyn SwapStore> {
        SWAP.get().map(|swap| swap as &dyn SwapStore)
    }

    fn retire(&self, root: Pfn) {
        TLB.with_borrow_mut(|tlb| tlb.retain(|&(of, _), _| of != root.as_u32()));
    }
}

/// The frame that a program gets at `at`: what the processor keeps, or else what the tables say. It notes the use.
fn translate(root: Pfn, at: VirtAddr, access: FaultAccess) -> Option<Pfn> {
    let key = (root.as_u32(), at.as_usize());
    let allows = |rights| access.is_allowed(HostUserFormat::protection(rights));
    match TLB.with_borrow(|tlb| tlb.get(&key).copied()) {
        Some((frame, rights)) if allows(rights) => return Some(frame),
        // What is not allowed is looked up anew.
        _ => TLB.with_borrow_mut(|tlb| _ = tlb.remove(&key)),
    }
    let mut table = root;
    for level in [Level::Three, Level::Two, Level::One] {
        // SAFETY: the root belongs to a space of a running program, whose tables stay as long as it does.
        let entry = unsafe { &(*byte(table, 0).cast::<Table>())[level.index(at)] };
        match HostUserFormat.read(entry.load(Relaxed), level) {
            Entry::Table(below) => table = below,
            Entry::Leaf(frame, rights) if allows(rights) => {
                let used = rights | HostRights::ACCESSED | HostRights::DIRTY;
                entry.store(HostUserFormat.leaf(frame, Level::One, used), Relaxed);
                TLB.with_borrow_mut(|tlb| tlb.insert(key, (frame, used)));
                return Some(frame);
            }
            Entry::Leaf(..) | Entry::Empty => return None,
        }
    }
    None
}

type TestSpace = Space<TheMachine, Processor, NoObject>;

/// Swap and the spaces of a scenario.
#[derive(Clone, Copy)]
struct World {
    swap: &'static TestSwap,
    spaces: &'static SpaceList<TheMachine, Processor>,
}

impl World {
    fn start(machine: &'static Machine, writes: Writes) -> Self {
        enter(machine);
        TLB.take();
        let (swap, list) = (TestSwap::start(8, writes), SpaceList::new(ExploredLock::new(Spaces::new())));
        SWAP.set(Some(swap));
        Self { swap, spaces: Box::leak(Box::new(list)) }
    }

    /// What reclaim does `times` times.
    fn reclaim(self, times: usize) {
        for _ in 0..times {
            self.spaces.swap_out(GfpFlags::HIGHUSER, 2);
            self.swap.launder();
        }
    }

    /// Nothing is left of it, but the memory of the list.
    fn end(self) {
        self.swap.empty();
        // SAFETY: the list is this scenario's, which ends, and no space is in it.
        drop(unsafe { Box::from_raw(core::ptr::from_ref(self.spaces).cast_mut()) });
    }
}

const AT: VirtAddr = VirtAddr::new(0x10_0000);
const PAGES: usize = 2;

/// A program that may have several threads.
struct Process {
    root: Pfn,
    space: Mutex<TestSpace>,
}

impl Process {
    fn start(world: World) -> Arc<Self> {
        let mut space = TestSpace::new_in(Processor, world.spaces).expect("there is memory");
        let request = MapRequest { at: Place::Fixed(AT), ..MapRequest::anonymous(PAGES * PAGE_SIZE) };
        space.map(request).expect("addresses");
        Self::of(space)
    }

    fn of(space: TestSpace) -> Arc<Self> {
        Arc::new(Self { root: space.root(), space: Mutex::new(space) })
    }

    /// The byte of a page, for one use before anybody else runs.
    fn reach(&self, page: usize, offset: usize, access: FaultAccess) -> *mut u8 {
        let at = AT.add(page * PAGE_SIZE);
        loop {
            // A switch to another thread, as between any two instructions.
            thread::yield_now();
            if let Some(frame) = translate(self.root, at, access) {
                return byte(frame, offset);
            }
            let resolved = self.space.lock().expect("no thread fails here").fault(at, access);
            resolved.expect("there is memory, unless the pages of a space are miscounted");
        }
    }

    fn write(&self, page: usize, offset: usize, value: u8) {
        let byte = self.reach(page, offset, FaultAccess::Write);
        // SAFETY: the page shows to the program, and nothing else runs at this step.
        unsafe { byte.write(value) };
    }

    /// As the tables have it: a processor may forget a translation at any time.
    fn read(&self, page: usize, offset: usize) -> u8 {
        let key = (self.root.as_u32(), AT.add(page * PAGE_SIZE).as_usize());
        TLB.with_borrow_mut(|tlb| tlb.remove(&key));
        let byte = self.reach(page, offset, FaultAccess::Read);
        // SAFETY: as above.
        unsafe { byte.read() }
    }

    fn fork(&self) -> Arc<Self> {
        Self::of(self.space.lock().expect("no thread fails here").fork().expect("there is memory"))
    }

    /// What a thread does that has the bytes at `own` of all pages: they hold what it wrote last.
    fn live(&self, own: usize, rounds: u8) {
        for round in 1..=rounds {
            (0..PAGES).for_each(|page| self.write(page, own, round));
            (0..PAGES).for_each(|page| assert_eq!(self.read(page, own), round, "a byte is lost"));
        }
    }

    fn check(&self) {
        assert_eq!(self.space.lock().expect("no thread fails here").validate(), Ok(()));
    }
}

/// Two threads of a program, and reclaim twice.
fn faults_against_the_scan(machine: &'static Machine, writes: Writes) {
    let world = World::start(machine, writes);
    let process = Process::start(world);
    let threads = [0, 1].map(|own| {
        let process = process.clone();
        spawn(own, move || process.live(own, 3))
    });
    let reclaim = [0, 1].map(|cpu| spawn(cpu, move || world.reclaim(6)));
    join(threads.into_iter().chain(reclaim));
    process.check();
    drop(process);
    world.end();
}

#[test]
fn programs_lose_nothing_while_their_pages_are_taken() {
    explore_by(SCHEDULES, |machine| faults_against_the_scan(machine, Writes::ItsOwn));
}

#[test]
fn forks_lose_nothing_while_their_pages_are_taken() {
    explore_by(SCHEDULES, |machine| {
        let world = World::start(machine, Writes::ItsOwn);
        let process = Process::start(world);
        let parent = spawn(0, move || {
            for round in 1..4 {
                process.live(0, round);
                let child = process.fork();
                (0..PAGES).for_each(|page| assert_eq!(child.read(page, 0), round));
                child.live(1, 2);
                process.live(0, 1);
                (0..PAGES).for_each(|page| assert_eq!((child.read(page, 0), child.read(page, 1)), (round, 2)));
            }
        });
        join([parent, spawn(1, move || world.reclaim(10))]);
        world.end();
    });
}

#[test]
fn programs_end_while_their_pages_are_taken() {
    explore_by(SCHEDULES, |machine| {
        let world = World::start(machine, Writes::ItsOwn);
        let programs = [0, 1].map(|cpu| {
            spawn(cpu, move || {
                for round in 1..4 {
                    let process = Process::start(world);
                    process.live(0, round);
                    let child = process.fork();
                    drop(process);
                    child.live(0, 1);
                }
            })
        });
        let reclaim = [0, 1].map(|cpu| spawn(cpu, move || world.reclaim(6)));
        join(programs.into_iter().chain(reclaim));
        world.end();
    });
}

#[test]
fn an_area_goes_while_its_pages_are_brought_back() {
    explore_by(SCHEDULES, |machine| {
        let world = World::start(machine, Writes::ItsOwn);
        let process = Process::start(world);
        process.live(0, 1);
        process.live(1, 1);
        world.reclaim(3);
        let child = process.fork();
        world.swap.close();
        let threads = [process.clone(), child.clone()].map(|process| spawn(0, move || process.live(0, 3)));
        let swapoff = spawn(1, move || {
            // An owner who brings a page gives his share back a moment later.
            while world.swap.has_shares() {
                world.spaces.unswap(0, &mut |slot| world.swap.bring(slot)).expect("all can be read");
                thread::yield_now();
            }
            world.swap.empty();
        });
        join(threads.into_iter().chain([swapoff]));
        for process in [process, child] {
            process.check();
            assert_eq!(process.space.lock().expect("no thread fails here").usage().swapped, 0);
            (0..PAGES).for_each(|page| assert_eq!((process.read(page, 0), process.read(page, 1)), (3, 1)));
        }
        world.end();
    });
}

/// Sets a cell for as long as the value lives.
struct During<T: Copy + 'static>(&'static std::thread::LocalKey<Cell<T>>, T);

impl<T: Copy> During<T> {
    fn new(cell: &'static std::thread::LocalKey<Cell<T>>, value: T) -> Self {
        Self(cell, cell.replace(value))
    }
}

impl<T: Copy> Drop for During<T> {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

/// The lock matters: without it the scan takes a page whose entry names another by then.
#[test]
#[should_panic(expected = "the pages of a space are miscounted")]
fn without_the_lock_of_page_tables_bytes_are_lost() {
    let _during = During::new(&LEFT_OUT, Some("mm::space::tables::State"));
    explore(|machine| faults_against_the_scan(machine, Writes::ItsOwn));
}

/// The flush matters: without it a program goes on writing to a page that has left.
#[test]
#[should_panic(expected = "a byte is lost")]
fn without_the_flush_bytes_are_lost() {
    let _during = During::new(&UNFLUSHED, true);
    explore(|machine| faults_against_the_scan(machine, Writes::ItsOwn));
}

/// The reference matters that the scan keeps until the flush: who writes pages that others have loses bytes.
#[test]
#[should_panic(expected = "a byte is lost")]
fn pages_written_while_others_have_them_lose_bytes() {
    explore(|machine| faults_against_the_scan(machine, Writes::Any));
}
