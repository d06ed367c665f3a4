//! Faults, copies under a device's lock, forks and reclaim, in the right order.
//!
//! The order is: a space's lock, the lock of what it maps, the allocators'. A copy to a program is made under the
//! device's lock, and so brings no page: it ends where one is missing, and that page is brought when no lock is held.
//! The explorer ends a test in which all threads wait for each other.

use core::ops::Range;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mm::mapper::{Entry, Format, Level, Protection, Table, UserFormat};
use mm::own::Global;
use mm::space::{FaultAccess, MapRequest, Object, ObjectError, Place, Sharing, Space, UserMachine};
use mm::testing::HostUserFormat;
use mm::{GfpFlags, Memory, MustFlush, Order, PAGE_SIZE, Pfn, Platform, VirtAddr};
use shuttle::sync::Mutex;

use super::platform::Explored;
use super::{Machine, explore, join, spawn};

std::thread_local! {
    /// The allocators of the machine that this test explores. All of its threads run on one thread of the host.
    static MEMORY: Cell<Option<&'static Memory<Explored>>> = const { Cell::new(None) };
}

/// Those allocators.
pub struct TheMachine;

// SAFETY: they are up before a scenario begins.
unsafe impl Global for TheMachine {
    type Platform = Explored;

    fn memory() -> &'static Memory<Explored> {
        MEMORY.with(Cell::get).expect("a scenario has begun")
    }
}

/// Processors without a TLB: what the tables say counts at once.
#[derive(Clone, Copy)]
struct Processor;

// SAFETY: nothing is kept that would have to be flushed.
unsafe impl UserMachine for Processor {
    type Format = HostUserFormat;

    fn format(&self) -> HostUserFormat {
        HostUserFormat
    }

    fn range(&self) -> Range<VirtAddr> {
        VirtAddr::new(PAGE_SIZE)..VirtAddr::new(1 << 38)
    }

    fn share_kernel(&self, _root: &Table) {}

    fn flush(&self, _root: Pfn, must_flush: MustFlush) {
        must_flush.flushed();
    }

    fn retire(&self, _root: Pfn) {}
}

/// Has this test's threads explore a machine.
pub fn enter(machine: &'static Machine) {
    MEMORY.with(|memory| memory.set(Some(machine.memory)));
}

/// Where the machine's memory shows a byte of a frame.
pub fn byte(frame: Pfn, offset: usize) -> *mut u8 {
    let window = TheMachine::memory().platform().direct_map();
    window.add(frame.index() * PAGE_SIZE + offset).as_mut_ptr()
}

/// The frame that a program gets at `at`, as a processor finds it: without a lock.
fn walk(root: Pfn, at: VirtAddr, access: FaultAccess) -> Option<Pfn> {
    let mut table = root;
    for level in [Level::Three, Level::Two, Level::One] {
        // SAFETY: the root belongs to the caller's space, whose tables stay as long as it does.
        let entries = unsafe { &*byte(table, 0).cast::<Table>() };
        match HostUserFormat.read(entries[level.index(at)].load(Relaxed), level) {
            Entry::Table(below) => table = below,
            Entry::Leaf(frame, rights) => {
                let needed = if access == FaultAccess::Write { Protection::WRITE } else { Protection::READ };
                return HostUserFormat::protection(rights).contains(needed).then_some(frame);
            }
            Entry::Empty => return None,
        }
    }
    None
}

/// A device of two pages under a lock, which is emptied only while no area shows it.
struct Device {
    pages: Mutex<Vec<Pfn>>,
    areas: AtomicUsize,
}

/// What is in the first byte of the device's first page.
const MARK: u8 = 7;

#[derive(Clone, Copy)]
struct Shown(&'static Device);

impl Object for Shown {
    fn page(&self, index: u64, _: FaultAccess) -> Result<Pfn, ObjectError> {
        let pages = self.0.pages.lock().expect("no thread fails here");
        let frame = *pages.get(index as usize).ok_or(ObjectError::Beyond)?;
        if TheMachine::memory().get_page(frame) { Ok(frame) } else { Err(ObjectError::NoMemory) }
    }

    fn mapped(&self) {
        self.0.areas.fetch_add(1, Relaxed);
    }

    fn unmapped(&self) {
        self.0.areas.fetch_sub(1, Relaxed);
    }
}

impl Device {
    fn new() -> &'static Self {
        let page = |first| {
            let frame = TheMachine::memory().alloc_pages(GfpFlags::KERNEL, Order::ZERO).expect("there is memory");
            // SAFETY: the page is the device's, and nobody else knows it yet.
            unsafe { byte(frame, 0).write(first) };
            frame
        };
        let pages = vec![page(MARK), page(0)];
        Box::leak(Box::new(Self { pages: Mutex::new(pages), areas: AtomicUsize::new(0) }))
    }

    /// Gives all pages back; says whether it could.
    fn trim(&self) -> bool {
        let mut pages = self.pages.lock().expect("no thread fails here");
        if self.areas.load(Relaxed) > 0 {
            return false;
        }
        for page in pages.drain(..) {
            // SAFETY: no area shows it, and the device has forgotten it.
            unsafe { TheMachine::memory().free_frames(page, Order::ZERO) }.expect("the device's page");
        }
        true
    }
}

/// When a page is brought that a copy under the device's lock misses.
#[derive(Clone, Copy, PartialEq)]
enum Bring {
    /// When the lock is given back.
    Later,
    /// At once.
    UnderTheLock,
}

type TestSpace = Space<TheMachine, Processor, Shown>;

/// A process with one thread.
struct Process {
    root: Pfn,
    space: Mutex<TestSpace>,
}

const DEVICE_AT: VirtAddr = VirtAddr::new(0x10_0000);
const MEMORY_AT: VirtAddr = VirtAddr::new(0x20_0000);

impl Process {
    fn new(space: TestSpace) -> Self {
        Self { root: space.root(), space: Mutex::new(space) }
    }

    /// One that has the device and a page of memory mapped.
    fn start(device: &'static Device) -> Self {
        let mut space = TestSpace::new(Processor).expect("there is memory");
        let protection = Protection::READ | Protection::WRITE;
        let shown = MapRequest::object(Shown(device), 0, 2 * PAGE_SIZE);
        let shown = MapRequest { at: Place::Fixed(DEVICE_AT), protection, sharing: Sharing::Shared, ..shown };
        space.map(shown).expect("addresses");
        let own = MapRequest { at: Place::Fixed(MEMORY_AT), ..MapRequest::anonymous(PAGE_SIZE) };
        space.map(own).expect("addresses");
        Self::new(space)
    }

    fn fault(&self, at: VirtAddr, access: FaultAccess) {
        self.space.lock().expect("no thread fails here").fault(at, access).expect("something is mapped there");
    }

    /// The frame at `at`, brought if need be.
    fn reach(&self, at: VirtAddr, access: FaultAccess) -> Pfn {
        loop {
            match walk(self.root, at, access) {
                Some(frame) => return frame,
                None => self.fault(at, access),
            }
        }
    }

    /// The device's first byte to `to`, copied under the device's lock.
    fn read(&self, device: &Device, to: VirtAddr, bring: Bring) {
        loop {
            let pages = device.pages.lock().expect("no thread fails here");
            let found = walk(self.root, to, FaultAccess::Write);
            if let Some(frame) = found {
                // SAFETY: the device's page is read under its lock.
                let first = unsafe { byte(pages[0], 0).read() };
                // SAFETY: the page is the program's as long as it is mapped; two that have it store the same byte.
                return unsafe { byte(frame, 0).write(first) };
            }
            if bring == Bring::Later {
                drop(pages);
            }
            self.fault(to, FaultAccess::Write);
        }
    }

    fn fork(&self) -> Self {
        Self::new(self.space.lock().expect("no thread fails here").fork().expect("there is memory"))
    }
}

/// What a program does that reads a device into memory and into the device itself.
fn live(device: &'static Device) {
    let process = Process::start(device);
    process.read(device, MEMORY_AT, Bring::Later);
    let child = process.fork();
    child.read(device, MEMORY_AT, Bring::Later);
    drop(child);
    process.read(device, DEVICE_AT.add(PAGE_SIZE), Bring::Later);
    for at in [MEMORY_AT, DEVICE_AT, DEVICE_AT.add(PAGE_SIZE)] {
        let frame = process.reach(at, FaultAccess::Read);
        // SAFETY: the program has the page mapped.
        assert_eq!(unsafe { byte(frame, 0).read() }, MARK);
    }
}

fn new_device(machine: &'static Machine) -> &'static Device {
    enter(machine);
    Device::new()
}

#[test]
fn programs_that_read_a_device_into_itself_wait_for_nobody_for_ever() {
    explore(|machine| {
        let device = new_device(machine);
        let programs = [0, 1].map(|cpu| spawn(cpu, move || live(device)));
        let reclaim = spawn(0, move || {
            for _ in 0..3 {
                machine.memory.drop_caches();
                shuttle::thread::yield_now();
            }
        });
        join(programs.into_iter().chain([reclaim]));
        assert!(device.trim(), "no area shows it any more");
    });
}

/// The order matters: the explorer sees what becomes of a page that is brought under the device's lock.
#[test]
#[should_panic(expected = "deadlock")]
fn a_page_brought_under_the_devices_lock_ends_in_a_deadlock() {
    explore(|machine| {
        let device = new_device(machine);
        // It never ends.
        let process = Box::leak(Box::new(Process::start(device)));
        process.read(device, DEVICE_AT.add(PAGE_SIZE), Bring::UnderTheLock);
    });
}
