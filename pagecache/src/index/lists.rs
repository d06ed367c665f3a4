//! Pages move between the lists of their mapping.
//!
//! And mappings come on and off the list of those with dirty pages.
//!
//! Lists are in the order in which pages came: of dirty pages the oldest is first, of those on their way out the one
//! whose write began first.

use kapi::Kernel;
use mm::Pfn;

use super::descriptor::{Marks, NONE};
use super::slot::NOBODY;
use super::table::Index;
use crate::backing::Kind;
use crate::flags;
use crate::state::State;

impl<K: Kernel> Index<K> {
    /// Puts a page, which is on no list, at the end of its mapping's list of this state.
    pub(super) fn push(&mut self, frame: u32, state: State) {
        let mapping = self.pool.at(frame).mapping;
        let list = &mut self.slots.at_mut(mapping).lists[state as usize];
        let before = core::mem::replace(&mut list.last, frame);
        if list.first == NONE {
            list.first = frame;
        }
        self.enlist(frame, state, before, NONE);
    }

    /// Puts it at the beginning.
    fn push_first(&mut self, frame: u32, state: State) {
        let mapping = self.pool.at(frame).mapping;
        let list = &mut self.slots.at_mut(mapping).lists[state as usize];
        let after = core::mem::replace(&mut list.first, frame);
        if list.last == NONE {
            list.last = frame;
        }
        self.enlist(frame, state, NONE, after);
    }

    fn enlist(&mut self, frame: u32, state: State, before: u32, after: u32) {
        if before != NONE {
            self.pool.at_mut(before).after = frame;
        }
        if after != NONE {
            self.pool.at_mut(after).before = frame;
        }
        let descriptor = self.pool.at_mut(frame);
        (descriptor.before, descriptor.after, descriptor.state) = (before, after, state);
        let mapping = descriptor.mapping;
        let slot = self.slots.at_mut(mapping);
        slot.lists[state as usize].pages += 1;
        self.counts.states[state as usize][slot.kind as usize] += 1;
        if state == State::Dirty && slot.kind.is_written_back() && slot.list(State::Dirty).pages == 1 {
            self.push_dirty(mapping);
        }
    }

    /// Takes a page off its list.
    pub(super) fn unlink(&mut self, frame: u32) {
        let descriptor = self.pool.at(frame);
        let (mapping, state) = (descriptor.mapping, descriptor.state);
        let (before, after) = (descriptor.before, descriptor.after);
        let slot = self.slots.at_mut(mapping);
        let list = &mut slot.lists[state as usize];
        list.pages -= 1;
        match before {
            NONE => list.first = after,
            before => self.pool.at_mut(before).after = after,
        }
        match after {
            NONE => list.last = before,
            after => self.pool.at_mut(after).before = before,
        }
        self.counts.states[state as usize][slot.kind as usize] -= 1;
        if state == State::Dirty && slot.kind.is_written_back() && slot.list(State::Dirty).pages == 0 {
            self.remove_dirty(mapping);
        }
    }

    /// Moves a kept page to the end of another list.
    pub(crate) fn set_state(&mut self, frame: u32, state: State) {
        let before = self.pool.at(frame).state;
        self.unlink(frame);
        self.push(frame, state);
        self.show_state(frame, before);
    }

    /// A page begins its way out.
    pub(crate) fn begin_write(&mut self, frame: u32) {
        self.writes_begun = self.writes_begun.wrapping_add(1);
        let page = self.pool.at_mut(frame);
        page.stamp = self.writes_begun;
        page.marks -= Marks::FAILED;
        self.set_state(frame, State::Writeback);
    }

    /// A page that was written to on its way out has come there: it is the oldest of the dirty ones, since nobody knows
    /// since when.
    pub(crate) fn dirty_again(&mut self, frame: u32, now: u32) {
        let mapping = self.pool.at(frame).mapping;
        let stamp = self.oldest_stamp(mapping, now);
        self.unlink(frame);
        let descriptor = self.pool.at_mut(frame);
        descriptor.stamp = stamp;
        descriptor.marks -= Marks::REDIRTIED;
        self.push_first(frame, State::Dirty);
        self.show_state(frame, State::Writeback);
    }

    /// Has a page's word say what its state is now; it was another before. What lies in memory alone is never dirty for
    /// anybody.
    fn show_state(&self, frame: u32, before: State) {
        let page = self.pool.at(frame);
        if self.slots.at(page.mapping).kind != Kind::Memory {
            flags::show_state::<K>(Pfn::new(frame), before, page.state);
        }
    }

    /// When the oldest dirty page of a mapping became so; a tick ago at least.
    fn oldest_stamp(&self, mapping: u32, now: u32) -> u32 {
        let first = self.slots.at(mapping).list(State::Dirty).first;
        let just_before = now.wrapping_sub(1);
        match first {
            NONE => just_before,
            first if self.pool.at(first).age(now) > 1 => self.pool.at(first).stamp,
            _ => just_before,
        }
    }

    fn push_dirty(&mut self, mapping: u32) {
        let before = core::mem::replace(&mut self.last_dirty, mapping);
        match before {
            NOBODY => self.first_dirty = mapping,
            before => self.slots.at_mut(before).after = mapping,
        }
        let slot = self.slots.at_mut(mapping);
        (slot.before, slot.after) = (before, NOBODY);
    }

    fn remove_dirty(&mut self, mapping: u32) {
        let slot = self.slots.at_mut(mapping);
        let (before, after) = (slot.before, slot.after);
        (slot.before, slot.after) = (NOBODY, NOBODY);
        match before {
            NOBODY => self.first_dirty = after,
            before => self.slots.at_mut(before).after = after,
        }
        match after {
            NOBODY => self.last_dirty = before,
            after => self.slots.at_mut(after).before = before,
        }
    }

    /// The mappings with dirty pages that are written back.
    pub(crate) fn dirty_mappings(&self) -> impl Iterator<Item = u32> {
        let dirty = |number: u32| (number != NOBODY).then_some(number);
        core::iter::successors(dirty(self.first_dirty), move |&at| dirty(self.slots.at(at).after))
    }

    /// The first dirty page of a mapping, with its age at the tick `now`.
    pub(crate) fn first_dirty_of(&self, mapping: u32, now: u32) -> Option<(u32, i32)> {
        let first = self.slot(mapping)?.list(State::Dirty).first;
        (first != NONE).then(|| (first, self.pool.at(first).age(now)))
    }

    /// The page behind this one on its list.
    pub(crate) fn behind(&self, frame: u32) -> Option<u32> {
        let after = self.pool.at(frame).after;
        (after != NONE).then_some(after)
    }

    /// A sync of a mapping begins: pages whose write had failed before are tried again, each once.
    pub(crate) fn begin_sync(&mut self, mapping: u32) {
        let slot = self.slots.at_mut(mapping);
        if !core::mem::replace(&mut slot.has_failed, false) {
            return;
        }
        let mut at = slot.list(State::Dirty).first;
        while at != NONE {
            let page = self.pool.at_mut(at);
            page.marks -= Marks::FAILED;
            at = page.after;
        }
    }

    /// Whether all writes of a mapping's pages that had begun when `writes` had have ended.
    pub(crate) fn has_ended(&self, mapping: u32, writes: u32) -> bool {
        let first = self.slots.at(mapping).list(State::Writeback).first;
        first == NONE || (writes.wrapping_sub(self.pool.at(first).stamp) as i32) < 0
    }

    /// Looks for damage: `kept` pages are on the lists.
    pub(super) fn validate_lists(&self, kept: usize) -> Result<(), &'static str> {
        let mut seen = 0;
        for mapping in 0..self.slots.len() {
            let slot = self.slots.at(mapping);
            for state in [State::Clean, State::Dirty, State::Writeback] {
                let list = slot.list(state);
                let (mut at, mut before, mut pages) = (list.first, NONE, 0);
                while at != NONE && pages <= kept {
                    let descriptor = self.pool.at(at);
                    let is_his = descriptor.mapping == mapping && descriptor.state == state;
                    if !is_his || descriptor.before != before || !descriptor.is_kept() {
                        return Err("a page is on a wrong list");
                    }
                    (before, at) = (at, descriptor.after);
                    pages += 1;
                }
                if pages != list.pages || list.last != before {
                    return Err("a list is counted wrong, or ends elsewhere");
                }
                seen += pages;
            }
        }
        if seen == kept { Ok(()) } else { Err("a page is on no list") }
    }
}
