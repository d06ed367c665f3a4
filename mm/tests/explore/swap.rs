//! Swap for explored machines: a slot keeps the first bytes of a page.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mm::own::{Global, PageRef};
use mm::space::{ObjectError, SwapSlot, SwapStore};
use mm::{AllocError, GfpFlags, PageFlags, Pfn};
use shuttle::sync::Mutex;

use super::spaces::{TheMachine, byte};

type Page = PageRef<TheMachine>;

/// Bytes of a page that are looked at.
pub const BYTES: usize = 4;

/// Whose pages reclaim writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Those that nobody has but the swap cache.
    ItsOwn,
    /// Those that somebody has mapped, too.
    Any,
}

#[derive(Default)]
struct Slot {
    shares: u32,
    bytes: Option<[u8; BYTES]>,
    page: Option<Page>,
}

/// One area of some slots.
pub struct TestSwap {
    slots: Mutex<Vec<Slot>>,
    writes: Writes,
    /// Whether nothing goes there any more.
    is_closed: AtomicBool,
}

fn slot(nth: usize) -> SwapSlot {
    SwapSlot::new(0, nth as u32).expect("an area")
}

fn bytes_at(frame: Pfn) -> [u8; BYTES] {
    // SAFETY: the page is in the swap cache, and nothing else runs at this step.
    core::array::from_fn(|offset| unsafe { byte(frame, offset).read() })
}

impl TestSwap {
    pub fn start(slots: usize, writes: Writes) -> &'static Self {
        let slots = Mutex::new((0..slots).map(|_| Slot::default()).collect());
        Box::leak(Box::new(Self { slots, writes, is_closed: AtomicBool::new(false) }))
    }

    fn with<R>(&self, f: impl FnOnce(&mut Vec<Slot>) -> R) -> R {
        f(&mut self.slots.lock().expect("no thread fails here"))
    }

    /// Has nothing go there any more.
    pub fn close(&self) {
        self.is_closed.store(true, Relaxed);
    }

    /// Writes pages of the swap cache that nobody has mapped, and drops them.
    pub fn launder(&self) {
        let pages = TheMachine::memory().pages();
        self.with(|slots| {
            for slot in slots {
                let is_due = |page: &&mut Page| page.references() == 1 || self.writes == Writes::Any;
                let Some(page) = slot.page.as_mut().filter(is_due) else { continue };
                let flags = pages.clear_page_flags(page.frame(), PageFlags::DIRTY);
                if flags.contains(PageFlags::DIRTY) {
                    slot.bytes = Some(bytes_at(page.frame()));
                }
                if page.references() == 1 {
                    pages.clear_page_flags(page.frame(), PageFlags::CACHED);
                    slot.page = None;
                }
            }
        });
    }

    /// Whether somebody has a share in a slot.
    pub fn has_shares(&self) -> bool {
        self.with(|slots| slots.iter().any(|slot| slot.shares > 0))
    }

    /// Drops all pages of the cache; nobody has a share in a slot.
    pub fn empty(&self) {
        self.with(|slots| {
            assert!(slots.iter().all(|slot| slot.shares == 0), "a slot has shares");
            for slot in slots {
                if let Some(page) = slot.page.take() {
                    TheMachine::memory().pages().clear_page_flags(page.frame(), PageFlags::CACHED);
                }
            }
        });
    }
}

impl SwapStore for TestSwap {
    fn bring(&self, wanted: SwapSlot) -> Result<Pfn, ObjectError> {
        let nth = wanted.offset() as usize;
        let another = |slots: &[Slot]| Some(slots[nth].page.as_ref()?.another()?.into_frame());
        if let Some(frame) = self.with(|slots| another(slots)) {
            return Ok(frame);
        }
        let page = Page::of_process(GfpFlags::HIGHUSER).map_err(|_| ObjectError::NoMemory)?;
        self.with(|slots| {
            if let Some(frame) = another(slots) {
                return Ok(frame);
            }
            // The slot may be nobody's by now.
            let bytes = slots[nth].bytes.filter(|_| slots[nth].shares > 0).ok_or(ObjectError::Io)?;
            for (offset, value) in bytes.into_iter().enumerate() {
                // SAFETY: the page is the caller's alone.
                unsafe { byte(page.frame(), offset).write(value) };
            }
            let frame = page.another().expect("references can be counted").into_frame();
            TheMachine::memory().pages().set_page_flags(frame, PageFlags::CACHED);
            slots[nth].page = Some(page);
            Ok(frame)
        })
    }

    fn duplicate(&self, slot: SwapSlot) -> Result<(), AllocError> {
        self.with(|slots| slots[slot.offset() as usize].shares += 1);
        Ok(())
    }

    fn release(&self, slot: SwapSlot) {
        self.with(|slots| {
            let slot = &mut slots[slot.offset() as usize];
            slot.shares = slot.shares.checked_sub(1).expect("a share");
            if slot.shares == 0 && slot.page.is_none() {
                slot.bytes = None;
            }
        });
    }

    fn assign(&self, frame: Pfn) -> Option<SwapSlot> {
        if self.is_closed.load(Relaxed) {
            return None;
        }
        self.with(|slots| {
            let has = |slot: &Slot| slot.page.as_ref().is_some_and(|page| page.frame() == frame);
            let is_free = |slot: &Slot| slot.shares == 0 && slot.page.is_none();
            let nth = slots.iter().position(has).or_else(|| {
                let nth = slots.iter().position(is_free)?;
                slots[nth] = Slot { shares: 0, bytes: None, page: Some(Page::to(frame)?) };
                TheMachine::memory().pages().set_page_flags(frame, PageFlags::CACHED | PageFlags::DIRTY);
                Some(nth)
            })?;
            slots[nth].shares += 1;
            Some(slot(nth))
        })
    }

    fn forget(&self, frame: Pfn) -> bool {
        self.with(|slots| {
            let is_it = |slot: &&mut Slot| {
                slot.shares == 0
                    && slot.page.as_ref().is_some_and(|page| page.frame() == frame && page.references() == 2)
            };
            let Some(slot) = slots.iter_mut().find(is_it) else { return false };
            TheMachine::memory().pages().clear_page_flags(frame, PageFlags::CACHED);
            *slot = Slot::default();
            true
        })
    }

    fn note_dirty(&self, _: Pfn) {}

    fn free_pages(&self) -> usize {
        self.with(|slots| slots.iter().filter(|slot| slot.shares == 0).count())
    }
}
