//! A program in an address space, and an object for it to map.
#![allow(dead_code, reason = "each test file uses a part of this")]

use core::cell::Cell;
use core::sync::atomic::{AtomicIsize, Ordering::SeqCst};
use std::rc::Rc;

use mm::own::PageRef;
use mm::space::{
    FaultAccess, FaultError, MapRequest, Object, ObjectError, Place, Protection, Sharing, Space, SpaceList,
};
use mm::testing::{HostUser, TestKernel};
use mm::{GfpFlags, Order, Pfn, VirtAddr};

pub type TestSpace = Space<TestKernel, HostUser, TestObject>;

pub const NONE: Protection = Protection::empty();
pub const R: Protection = Protection::READ;
pub const RW: Protection = Protection::READ.union(Protection::WRITE);
pub const RX: Protection = Protection::READ.union(Protection::EXEC);

/// A file of some pages, all in memory.
#[derive(Clone)]
pub struct TestObject(Rc<Pages>);

struct Pages {
    frames: Vec<Pfn>,
    /// Whose they are, if they are of the page cache.
    cached: Vec<PageRef<TestKernel>>,
    /// How many areas show it, as it was told.
    areas: AtomicIsize,
    /// Whether reads fail.
    broken: Cell<bool>,
    writes: Cell<usize>,
    /// What is done whenever it is asked for a page.
    on_page: Cell<Option<Box<dyn Fn()>>>,
    /// Whether its pages come again and again.
    endless: bool,
}

impl Drop for Pages {
    fn drop(&mut self) {
        for &frame in self.frames.iter().filter(|_| self.cached.is_empty()) {
            TestKernel::memory().free_frames(frame, Order::ZERO).expect("the object's own");
        }
    }
}

impl TestObject {
    /// An object of zeroed pages.
    pub fn new(pages: usize) -> Self {
        Self::make(pages, false)
    }

    /// An object of zeroed pages of the page cache.
    pub fn cached(pages: usize) -> Self {
        let page = |_| {
            let mut page = PageRef::of_file(GfpFlags::HIGHUSER).expect("memory");
            page.show_mut(|bytes| bytes.fill(0)).expect("process context");
            page
        };
        let cached: Vec<_> = (0..pages).map(page).collect();
        Self::of(cached.iter().map(PageRef::frame).collect(), cached, false)
    }

    /// An object whose one page is every page of it.
    pub fn endless() -> Self {
        Self::make(1, true)
    }

    fn make(pages: usize, endless: bool) -> Self {
        let page = |_| TestKernel::memory().pages().alloc_zeroed_page(GfpFlags::HIGHUSER).expect("memory");
        Self::of((0..pages).map(page).collect(), Vec::new(), endless)
    }

    fn of(frames: Vec<Pfn>, cached: Vec<PageRef<TestKernel>>, endless: bool) -> Self {
        Self(Rc::new(Pages {
            frames,
            cached,
            areas: AtomicIsize::new(0),
            broken: Cell::new(false),
            writes: Cell::new(0),
            on_page: Cell::new(None),
            endless,
        }))
    }

    /// The frame of a page.
    pub fn frame(&self, page: usize) -> Pfn {
        self.0.frames[page]
    }

    /// How many areas show it, as it was told.
    pub fn areas(&self) -> isize {
        self.0.areas.load(SeqCst)
    }

    /// How often it was asked for a page to be written to.
    pub fn writes(&self) -> usize {
        self.0.writes.get()
    }

    /// References to a page beside the object's own.
    pub fn users(&self, page: usize) -> u32 {
        let entry = TestKernel::memory().pages().map().get(self.0.frames[page]).expect("memory");
        entry.count() - 1
    }

    /// Has a page have as many references as can be counted.
    pub fn saturate(&self, page: usize) {
        HostUser.set_references(self.0.frames[page], u32::MAX);
    }

    /// Has a page have a reference beside the object's own.
    pub fn relax(&self, page: usize) {
        HostUser.set_references(self.0.frames[page], 2);
    }

    /// From now on its pages can, or cannot, be read.
    pub fn set_broken(&self, broken: bool) {
        self.0.broken.set(broken);
    }

    /// Has something done whenever it is asked for a page.
    pub fn on_page(&self, action: Option<impl Fn() + 'static>) {
        self.0.on_page.set(action.map(|action| Box::new(action) as Box<dyn Fn()>));
    }

    /// A byte of it, as the system call read sees it.
    pub fn byte(&self, at: usize) -> *mut u8 {
        HostUser.byte(self.0.frames[at / 4096], VirtAddr::new(at % 4096))
    }

    pub fn read(&self, at: usize) -> u8 {
        // SAFETY: the page is the object's, and tests have one thread.
        unsafe { self.byte(at).read() }
    }

    pub fn write(&self, at: usize, value: u8) {
        // SAFETY: as above.
        unsafe { self.byte(at).write(value) };
    }
}

impl Object for TestObject {
    fn page(&self, index: u64, access: FaultAccess) -> Result<Pfn, ObjectError> {
        if self.0.broken.get() {
            return Err(ObjectError::Io);
        }
        if let Some(action) = self.0.on_page.take() {
            action();
            self.0.on_page.set(Some(action));
        }
        let index = if self.0.endless { 0 } else { index };
        let frame = usize::try_from(index).ok().and_then(|index| self.0.frames.get(index).copied());
        let frame = frame.ok_or(ObjectError::Beyond)?;
        if access == FaultAccess::Write {
            self.0.writes.set(self.0.writes.get() + 1);
        }
        if TestKernel::memory().get_page(frame) { Ok(frame) } else { Err(ObjectError::NoMemory) }
    }

    fn mapped(&self) {
        self.0.areas.fetch_add(1, SeqCst);
    }

    fn unmapped(&self) {
        let before = self.0.areas.fetch_sub(1, SeqCst);
        assert!(before > 0, "more areas went than came");
    }

    fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// A program: it uses addresses, and goes on after each fault that can be resolved.
pub struct Program {
    pub space: TestSpace,
}

impl Program {
    pub fn new() -> Self {
        Self { space: Space::new(HostUser).expect("memory") }
    }

    /// One whose pages reclaim may take.
    pub fn new_in(spaces: &'static SpaceList<TestKernel, HostUser>) -> Self {
        Self { space: Space::new_in(HostUser, spaces).expect("memory") }
    }

    pub fn fork(&mut self) -> Self {
        Self { space: self.space.fork().expect("memory") }
    }

    /// Maps memory of its own.
    pub fn map(&mut self, at: usize, pages: usize, protection: Protection) {
        let at = Place::FixedNoReplace(VirtAddr::new(at));
        let request = MapRequest { at, protection, ..MapRequest::anonymous(pages * 4096) };
        self.space.map(request).expect("free addresses");
    }

    /// Maps an object from a page of it on.
    pub fn map_object(
        &mut self,
        at: usize,
        (object, first): (&TestObject, u64),
        pages: usize,
        (protection, sharing): (Protection, Sharing),
    ) {
        let at = Place::FixedNoReplace(VirtAddr::new(at));
        let request = MapRequest::object(object.clone(), first, pages * 4096);
        self.space.map(MapRequest { at, protection, sharing, ..request }).expect("free addresses");
    }

    pub fn unmap(&mut self, at: usize, pages: usize) {
        self.space.unmap(VirtAddr::new(at), pages * 4096).expect("a range");
    }

    /// Gets at a page, by as many faults as it takes, which are few.
    pub fn reach(&mut self, at: usize, access: FaultAccess) -> Result<*mut u8, FaultError> {
        let (at, root) = (VirtAddr::new(at), self.space.root());
        for _ in 0..3 {
            match HostUser.access(root, at, access) {
                Some(frame) => return Ok(HostUser.byte(frame, at)),
                None => _ = self.space.fault(at, access)?,
            }
        }
        panic!("it faults for ever at {:#x}", at.as_usize());
    }

    pub fn read(&mut self, at: usize) -> Result<u8, FaultError> {
        // SAFETY: the page shows to this program, and tests have one thread.
        self.reach(at, FaultAccess::Read).map(|byte| unsafe { byte.read() })
    }

    pub fn write(&mut self, at: usize, value: u8) -> Result<(), FaultError> {
        // SAFETY: as above.
        self.reach(at, FaultAccess::Write).map(|byte| unsafe { byte.write(value) })
    }

    pub fn run(&mut self, at: usize) -> Result<(), FaultError> {
        self.reach(at, FaultAccess::Execute).map(|_| ())
    }

    /// The areas: start, end, protection.
    pub fn areas(&self) -> Vec<(usize, usize, Protection)> {
        self.space.areas().map(|area| (area.start.as_usize(), area.end.as_usize(), area.protection)).collect()
    }
}
