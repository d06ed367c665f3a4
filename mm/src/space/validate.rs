//! The invariants, checked.

use core::ops::ControlFlow;

use super::area::Area;
use super::object::Object;
use super::words::Sharing;
use super::{Space, UserMachine};
use crate::addr::{Pfn, VirtAddr};
use crate::mapper::{Protection, UserEntry, UserFormat};
use crate::own::Global;
use crate::page::PageState;

/// What was found in page tables.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    resident: usize,
    anonymous: usize,
    swapped: usize,
}

impl Seen {
    fn add_leaf<K: Global>(&mut self, frame: Pfn) {
        self.resident += 1;
        self.anonymous += usize::from(K::memory().pages().is_anonymous(frame));
    }
}

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// Checks every invariant; returns the first that is broken. For tests, while reclaim does not run.
    ///
    /// # Errors
    /// The first invariant that is broken, in a few words.
    pub fn validate(&mut self) -> Result<(), &'static str> {
        self.areas.validate()?;
        let (range, mut at) = (self.tables.machine().range(), VirtAddr::new(0));
        let (mut total, mut seen) = (0, Seen::default());
        while let Some(area) = self.areas.next(at).cloned() {
            if area.start < range.start || range.end < area.end {
                return Err("an area lies outside of the users' addresses");
            }
            total += area.pages();
            self.check_pages(&area, &mut seen)?;
            at = area.end;
        }
        let mut all = Seen::default();
        let mut from = range.start;
        while let Some(slots) = self.tables.mapper().slots(from, range.end) {
            slots.each(|_, entry| match entry {
                UserEntry::Leaf(frame, _) => all.add_leaf::<K>(frame),
                UserEntry::Swapped(_) => all.swapped += 1,
                UserEntry::Empty => {}
            });
            from = slots.end();
        }
        let usage = self.usage();
        let counted = Seen { resident: usage.resident, anonymous: usage.anonymous, swapped: usage.swapped };
        match (all == seen, (total, seen) == (usage.total, counted)) {
            (true, true) => Ok(()),
            (false, _) => Err("a page shows where no area is"),
            (_, false) => Err("the pages of a space are miscounted"),
        }
    }

    /// Checks the pages of an area, and counts them.
    fn check_pages(&self, area: &Area<O>, seen: &mut Seen) -> Result<(), &'static str> {
        let (pages, mut at) = (K::memory().pages(), area.start);
        while let Some(slots) = self.tables.mapper().slots(at, area.end) {
            let broken = slots.try_each(|_, entry| {
                let (frame, rights) = match entry {
                    UserEntry::Leaf(frame, rights) => (frame, rights),
                    UserEntry::Swapped(_) => {
                        seen.swapped += 1;
                        return ControlFlow::Continue(());
                    }
                    UserEntry::Empty => return ControlFlow::Break("an entry says nothing"),
                };
                let allowed = M::Format::protection(rights);
                let state = pages.map().get(frame).map(|page| page.state());
                if !matches!(state, Some(PageState::Allocated(_))) {
                    return ControlFlow::Break("a page that is free shows");
                }
                seen.add_leaf::<K>(frame);
                if !area.protection.contains(allowed & (Protection::WRITE | Protection::EXEC)) {
                    return ControlFlow::Break("a page allows what its area does not");
                }
                let is_own = area.sharing == Sharing::Shared || pages.is_sole_anonymous(frame);
                if allowed.contains(Protection::WRITE) && !is_own {
                    return ControlFlow::Break("a page that others have may be written to");
                }
                ControlFlow::Continue(())
            });
            if let ControlFlow::Break(what) = broken {
                return Err(what);
            }
            at = slots.end();
        }
        Ok(())
    }
}
