//! The invariants, checked.

use core::ops::ControlFlow;

use super::object::Object;
use super::words::Sharing;
use super::{Space, UserMachine};
use crate::addr::VirtAddr;
use crate::mapper::{Protection, UserFormat};
use crate::own::Global;
use crate::page::PageState;

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// Checks every invariant; returns the first that is broken. For tests.
    ///
    /// # Errors
    /// The first invariant that is broken, in a few words.
    pub fn validate(&mut self) -> Result<(), &'static str> {
        self.areas.validate()?;
        let (range, mut at) = (self.machine.range(), VirtAddr::new(0));
        let (mut total, mut resident, mut anonymous) = (0, 0, 0);
        while let Some(area) = self.areas.next(at).cloned() {
            if area.start < range.start || range.end < area.end {
                return Err("an area lies outside of the users' addresses");
            }
            total += area.pages();
            let (pages, own) = self.check_pages(area.start, area.end, area.protection, area.sharing)?;
            (resident, anonymous, at) = (resident + pages, anonymous + own, area.end);
        }
        let mut all = 0;
        let mut from = range.start;
        while let Some(slots) = self.mapper.slots(from, range.end) {
            slots.each(|_, _, _| all += 1);
            from = slots.end();
        }
        let usage = self.usage;
        match (all == resident, (total, resident, anonymous) == (usage.total, usage.resident, usage.anonymous)) {
            (true, true) => Ok(()),
            (false, _) => Err("a page shows where no area is"),
            (_, false) => Err("the pages of a space are miscounted"),
        }
    }

    /// Checks the pages of an area; returns how many there are, and how many of these are memory of processes.
    fn check_pages(
        &mut self,
        start: VirtAddr,
        end: VirtAddr,
        protection: Protection,
        sharing: Sharing,
    ) -> Result<(usize, usize), &'static str> {
        let pages = K::memory().pages();
        let (mut at, mut resident, mut anonymous) = (start, 0, 0);
        while let Some(slots) = self.mapper.slots(at, end) {
            let broken = slots.try_each(|_, frame, rights| {
                let allowed = M::Format::protection(rights);
                let state = pages.map().get(frame).map(|page| page.state());
                if !matches!(state, Some(PageState::Allocated(_))) {
                    return ControlFlow::Break("a page that is free shows");
                }
                resident += 1;
                anonymous += usize::from(pages.is_anonymous(frame));
                if !protection.contains(allowed & (Protection::WRITE | Protection::EXEC)) {
                    return ControlFlow::Break("a page allows what its area does not");
                }
                let is_own = sharing == Sharing::Shared || pages.is_sole_anonymous(frame);
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
        Ok((resident, anonymous))
    }
}
