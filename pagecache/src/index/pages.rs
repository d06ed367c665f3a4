//! Pages come into the index, are written to, and leave it.

use kapi::Kernel;
use mm::Pfn;
use mm::own::PageRef;

use super::descriptor::{Descriptor, Marks, NONE};
use super::table::Index;
use crate::backing::Kind;
use crate::flags;
use crate::state::State;

/// Why a page was not put into a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotInserted {
    /// There is a page for that index.
    Exists,
    /// The page is in a mapping, or is locked.
    Busy,
    /// The backing does not want it, or the page cannot be counted once more.
    Refused,
}

impl<K: Kernel> Index<K> {
    /// Puts a page in, with the cache's reference to it; it is clean. On failure it is returned.
    pub(crate) fn insert(
        &mut self,
        mapping: u32,
        index: u32,
        page: PageRef<K>,
        marks: Marks,
    ) -> Result<u32, (PageRef<K>, NotInserted)> {
        let frame = page.frame().as_u32();
        if self.find(mapping, index).is_some() {
            return Err((page, NotInserted::Exists));
        }
        let chain = self.chain_of(mapping, index);
        let made = self.pool.make(frame, Descriptor::new).zip(self.heads.make(chain, || NONE));
        let Some((descriptor, _)) = made else { return Err((page, NotInserted::Refused)) };
        if descriptor.is_kept() || descriptor.has(Marks::LOCKED) {
            return Err((page, NotInserted::Busy));
        }
        let slot = self.slots.at(mapping);
        let kind = slot.kind;
        if !slot.backing.as_ref().is_some_and(|backing| backing.entering(index.into())) {
            return Err((page, NotInserted::Refused));
        }
        flags::enter::<K>(page.frame());
        let next = core::mem::replace(self.heads.at_mut(chain), frame);
        let descriptor = self.pool.at_mut(frame);
        *descriptor = Descriptor { page: Some(page), mapping, index, chain: next, marks, ..Descriptor::new() };
        self.push(frame, State::Clean);
        self.counts.pages[kind as usize] += 1;
        Ok(frame)
    }

    /// Takes a kept page out; returns the cache's reference to it, to be dropped without the lock. A lock of it stays.
    pub(crate) fn take(&mut self, frame: u32) -> Option<PageRef<K>> {
        let (mapping, index) = (self.pool.at(frame).mapping, self.pool.at(frame).index);
        if !self.pool.at(frame).is_kept() {
            return None;
        }
        self.unlink(frame);
        self.unchain(frame, mapping, index);
        let descriptor = self.pool.at_mut(frame);
        let marks = descriptor.marks & (Marks::LOCKED | Marks::WANTED);
        let page = core::mem::replace(descriptor, Descriptor { marks, ..Descriptor::new() }).page;
        flags::leave::<K>(Pfn::new(frame));
        let slot = self.slots.at(mapping);
        self.counts.pages[slot.kind as usize] -= 1;
        if let Some(backing) = &slot.backing {
            backing.left(index.into());
        }
        page
    }

    /// Takes a page out of its chain.
    fn unchain(&mut self, frame: u32, mapping: u32, index: u32) {
        let chain = self.chain_of(mapping, index);
        let next = self.pool.at(frame).chain;
        let head = self.heads.at_mut(chain);
        if *head == frame {
            *head = next;
            return;
        }
        let mut at = *head;
        while at != NONE {
            let after = self.pool.at(at).chain;
            if after == frame {
                self.pool.at_mut(at).chain = next;
                return;
            }
            at = after;
        }
    }

    /// Takes a page out that nobody has, nor will ask for.
    pub(crate) fn take_unwanted(&mut self, frame: u32) -> Option<PageRef<K>> {
        let is_unwanted = self.is_unused(frame) && !self.is_wanted(frame);
        is_unwanted.then(|| self.take(frame)).flatten()
    }

    /// A page was written to at the tick `now`: it is dirty, if there is such a page at all.
    pub(crate) fn dirty(&mut self, frame: u32, now: u32) {
        let Some(descriptor) = self.pool.get(frame) else { return };
        if descriptor.is_kept() && self.slots.at(descriptor.mapping).bytes_of(descriptor.index) > 0 {
            match descriptor.state {
                State::Clean => {
                    self.pool.at_mut(frame).stamp = now;
                    self.set_state(frame, State::Dirty);
                }
                State::Dirty => {}
                State::Writeback => self.pool.at_mut(frame).marks |= Marks::REDIRTIED,
            }
        }
    }

    /// Looks for damage.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let mut kept = 0;
        for frame in 1..self.pool.end() {
            let Some(descriptor) = self.pool.get(frame) else { continue };
            let Some(page) = &descriptor.page else { continue };
            kept += 1;
            if page.frame().as_u32() != frame {
                return Err("a descriptor has another page's reference");
            }
            if self.find(descriptor.mapping, descriptor.index) != Some(frame) {
                return Err("a page is not where its descriptor says");
            }
            let is_shown = self.slots.at(descriptor.mapping).kind != Kind::Memory;
            if is_shown && !flags::agree::<K>(Pfn::new(frame), descriptor.state) {
                return Err("a page's word tells another state than its descriptor");
            }
            let is_coming = !descriptor.has(Marks::UP_TO_DATE);
            if is_coming && (descriptor.state != State::Clean || !descriptor.has(Marks::LOCKED)) {
                return Err("a page that is not up to date is dirty, or nobody reads it");
            }
        }
        let counted: usize = self.counts.pages.iter().sum();
        if kept != counted {
            return Err("pages are counted wrong");
        }
        self.validate_lists(kept)
    }
}
