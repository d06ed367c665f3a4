//! Swap that keeps pages as bytes, and watches what is done with them.
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use mm::own::PageRef;
use mm::space::{ObjectError, Scan, SpaceList, Spaces, SwapSlot, SwapStore};
use mm::testing::{HostLock, HostUser, TestKernel};
use mm::{AllocError, GfpFlags, Lock, PAGE_SIZE, PageFlags, Pfn};

type Page = PageRef<TestKernel>;

/// A slot of an area.
#[derive(Default)]
struct Slot {
    shares: u32,
    bytes: Option<Box<[u8]>>,
    /// The page of the swap cache.
    page: Option<Page>,
}

struct State {
    slots: BTreeMap<SwapSlot, Slot>,
    cached: BTreeMap<u32, SwapSlot>,
    free: BTreeSet<SwapSlot>,
    /// The area that nothing goes to.
    closed: Option<u8>,
    /// Shares that a slot may have.
    most: u32,
    /// What reads fail with.
    broken: Option<ObjectError>,
    /// How often a page that is to be forgotten is busy.
    busy: u32,
    written: BTreeSet<u32>,
}

/// Two areas of some slots.
pub struct ModelSwap(Mutex<State>);

/// A machine's swap and the spaces that use it; leaked.
#[derive(Clone, Copy)]
pub struct Swap {
    pub store: &'static ModelSwap,
    pub spaces: &'static SpaceList<TestKernel, HostUser>,
}

/// The slots of an area, of which none has the number 0.
fn slots(area: u8, count: usize) -> impl Iterator<Item = SwapSlot> {
    (1..=count as u32).filter_map(move |offset| SwapSlot::new(area, offset))
}

impl Swap {
    /// Swap of two areas of `count` slots for this thread's machine.
    pub fn start(count: usize) -> Self {
        let state = State {
            slots: BTreeMap::new(),
            cached: BTreeMap::new(),
            free: slots(0, count).chain(slots(5, count)).collect(),
            closed: None,
            most: u32::MAX,
            broken: None,
            busy: 0,
            written: BTreeSet::new(),
        };
        let store: &'static ModelSwap = Box::leak(Box::new(ModelSwap(Mutex::new(state))));
        let spaces = Box::leak(Box::new(SpaceList::new(HostLock::new(Spaces::new()))));
        HostUser.set_swap(Some(store));
        Self { store, spaces }
    }

    /// Has another thread use it.
    pub fn enter(self) {
        HostUser.set_swap(Some(self.store));
    }

    /// Takes up to `pages` pages away; returns how many.
    pub fn out(self, pages: usize) -> usize {
        let done = self.spaces.swap_out(GfpFlags::HIGHUSER, pages);
        assert!(done.unmapped <= pages && done.swapped <= done.unmapped && done.unmapped <= done.scanned);
        done.unmapped
    }

    /// Takes all pages away that may go, those that were used among them, and writes them.
    pub fn all_out(self) -> usize {
        let first = self.out(usize::MAX);
        self.store.launder();
        first + self.out(usize::MAX)
    }

    /// Brings all pages of an area back.
    pub fn off(self, area: u8) -> Result<(), ObjectError> {
        self.store.state().closed = Some(area);
        let done = self.spaces.unswap(area, &mut |slot| self.store.bring(slot));
        if done.is_ok() {
            self.store.forget_area(area);
        }
        self.store.state().closed = None;
        done
    }
}

impl ModelSwap {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What reads fail with from now on.
    pub fn set_broken(&self, broken: Option<ObjectError>) {
        self.state().broken = broken;
    }

    /// Has pages that are to be forgotten be busy so many times.
    pub fn set_busy(&self, times: u32) {
        self.state().busy = times;
    }

    /// Has no slot have more shares than these.
    pub fn set_most(&self, most: u32) {
        self.state().most = most;
    }

    /// Shares in all slots.
    pub fn shares(&self) -> usize {
        self.state().slots.values().map(|slot| slot.shares as usize).sum()
    }

    /// The most shares that a slot has.
    pub fn most_shares(&self) -> u32 {
        self.state().slots.values().map(|slot| slot.shares).max().unwrap_or(0)
    }

    /// Slots that somebody has a share in, or whose page the cache has.
    pub fn used(&self) -> usize {
        self.state().slots.len()
    }

    /// Pages in the swap cache.
    pub fn cached(&self) -> usize {
        self.state().cached.len()
    }

    /// Frames that were told to be dirty since the last call.
    pub fn take_written(&self) -> BTreeSet<u32> {
        core::mem::take(&mut self.state().written)
    }

    /// Writes pages of the swap cache that nobody else has, and drops them: as reclaim does. Returns how many.
    pub fn launder(&self) -> usize {
        let pages = TestKernel::memory().pages();
        let mut state = self.state();
        let State { slots, cached, free, .. } = &mut *state;
        let before = cached.len();
        cached.retain(|&frame, slot| {
            let found = slots.get_mut(slot).expect("a page of the cache has its slot");
            let page =
                found.page.as_mut().filter(|page| page.frame().as_u32() == frame).expect("the slot has the page");
            if page.references() > 1 {
                return true;
            }
            assert!(!HostUser.leads_to(page.frame()), "a TLB leads to a page that is written");
            if found.shares > 0 && pages.clear_page_flags(page.frame(), PageFlags::DIRTY).contains(PageFlags::DIRTY) {
                found.bytes = Some(bytes_of(page));
            }
            assert!(found.shares == 0 || found.bytes.is_some(), "a clean page has its content in its slot");
            pages.clear_page_flags(page.frame(), PageFlags::CACHED);
            found.page = None;
            if found.shares == 0 {
                slots.remove(slot);
                free.insert(*slot);
            }
            false
        });
        before - cached.len()
    }

    /// Has the cache have no page of an area that is used no more.
    fn forget_area(&self, area: u8) {
        let mut state = self.state();
        let State { slots, cached, free, .. } = &mut *state;
        cached.retain(|_, slot| {
            let found = slots.get(slot).filter(|_| slot.area() == area);
            let Some(page) = found.and_then(|found| found.page.as_ref()) else { return true };
            TestKernel::memory().pages().clear_page_flags(page.frame(), PageFlags::CACHED);
            slots.remove(slot);
            free.insert(*slot);
            false
        });
        assert!(slots.keys().all(|slot| slot.area() != area), "an area has slots in use after swapoff");
    }

    /// Checks that nothing is left.
    pub fn at_rest(&self) {
        self.launder();
        assert_eq!((self.used(), self.cached(), self.shares()), (0, 0, 0));
    }
}

/// The bytes of a page that nobody changes meanwhile.
fn bytes_of(page: &Page) -> Box<[u8]> {
    page.show(|bytes| bytes.into()).expect("process context")
}

impl State {
    /// Gives a slot back that nobody has a share in, and whose page the cache does not have.
    fn drop_unused(&mut self, slot: SwapSlot) {
        if self.slots.get(&slot).is_some_and(|found| found.shares == 0 && found.page.is_none()) {
            self.slots.remove(&slot);
            self.free.insert(slot);
        }
    }

    /// Has the cache have a page.
    fn insert(&mut self, slot: SwapSlot, page: Page, flags: PageFlags) {
        let pages = TestKernel::memory().pages();
        pages.set_cache_entry(page.frame(), slot.offset());
        let before = pages.set_page_flags(page.frame(), flags | PageFlags::CACHED);
        assert!(!before.contains(PageFlags::CACHED));
        self.cached.insert(page.frame().as_u32(), slot);
        self.slots.entry(slot).or_default().page = Some(page);
    }
}

impl SwapStore for ModelSwap {
    fn bring(&self, slot: SwapSlot) -> Result<Pfn, ObjectError> {
        let another = |state: &State| {
            let page = state.slots.get(&slot)?.page.as_ref()?;
            page.another().map(Page::into_frame)
        };
        if let Some(frame) = another(&self.state()) {
            return Ok(frame);
        }
        if let Some(broken) = self.state().broken {
            return Err(broken);
        }
        let mut page = Page::of_process(GfpFlags::HIGHUSER).map_err(|_| ObjectError::NoMemory)?;
        let bytes = self.state().slots.get(&slot).and_then(|found| found.bytes.clone()).ok_or(ObjectError::Io)?;
        page.show_mut(|page| page.copy_from_slice(&bytes)).expect("process context");
        let mut state = self.state();
        // Somebody else may have been faster, or the slot is nobody's any more.
        if let Some(frame) = another(&state) {
            return Ok(frame);
        }
        if state.slots.get(&slot).is_none_or(|found| found.bytes.is_none()) {
            return Err(ObjectError::Io);
        }
        let frame = page.another().expect("references can be counted").into_frame();
        state.insert(slot, page, PageFlags::empty());
        Ok(frame)
    }

    fn duplicate(&self, slot: SwapSlot) -> Result<(), AllocError> {
        let mut state = self.state();
        let most = state.most;
        let found = state.slots.get_mut(&slot).filter(|found| found.shares > 0).expect("a share");
        if found.shares >= most {
            return Err(AllocError);
        }
        found.shares += 1;
        Ok(())
    }

    fn release(&self, slot: SwapSlot) {
        let mut state = self.state();
        let found = state.slots.get_mut(&slot).filter(|found| found.shares > 0).expect("a share");
        found.shares -= 1;
        state.drop_unused(slot);
    }

    fn assign(&self, frame: Pfn) -> Option<SwapSlot> {
        let mut state = self.state();
        if let Some(&slot) = state.cached.get(&frame.as_u32()) {
            let (is_open, most) = (state.closed != Some(slot.area()), state.most);
            let found = state.slots.get_mut(&slot).filter(|found| is_open && found.shares < most)?;
            found.shares += 1;
            return Some(slot);
        }
        let slot = state.free.iter().copied().find(|slot| state.closed != Some(slot.area()))?;
        let page = Page::to(frame)?;
        let tag = TestKernel::memory().pages().map().get(frame).map(mm::page::Page::tag);
        assert_eq!(tag, Some(mm::Tag::Anonymous));
        state.free.remove(&slot);
        state.insert(slot, page, PageFlags::DIRTY);
        state.slots.entry(slot).or_default().shares = 1;
        Some(slot)
    }

    fn forget(&self, frame: Pfn) -> bool {
        let mut state = self.state();
        let Some(&slot) = state.cached.get(&frame.as_u32()) else { return false };
        if state.busy > 0 {
            state.busy -= 1;
            return false;
        }
        let is_unused =
            |found: &&mut Slot| found.shares == 0 && found.page.as_ref().is_some_and(|page| page.references() == 2);
        let Some(found) = state.slots.get_mut(&slot).filter(is_unused) else { return false };
        TestKernel::memory().pages().clear_page_flags(frame, PageFlags::CACHED);
        found.page = None;
        state.cached.remove(&frame.as_u32());
        state.drop_unused(slot);
        true
    }

    fn note_dirty(&self, frame: Pfn) {
        self.state().written.insert(frame.as_u32());
    }

    fn free_pages(&self) -> usize {
        self.state().free.len()
    }
}

/// Whether a page has zeros but at these places.
pub fn is_zero_but_at(page: &[u8], places: &[usize]) -> bool {
    assert_eq!(page.len(), PAGE_SIZE);
    page.iter().enumerate().all(|(place, &byte)| byte == 0 || places.contains(&place))
}
