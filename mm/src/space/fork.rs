//! A space once more: the child of a process.
//!
//! Pages are shared, run by run: a page that either might write to loses that right in both.

use super::area::Area;
use super::object::Object;
use super::words::Sharing;
use super::{Space, UserMachine, call};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::{AllocError, MapError};
use crate::mapper::{Protection, Slots, UserFormat};
use crate::own::Global;

/// Pages whose references are taken together.
const BATCH: usize = 64;

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// A space with the same areas, content, heap and limits, in which what one writes the other does not see, but for
    /// shared objects. Process context; may sleep.
    ///
    /// # Errors
    /// No memory, or a page has as many references as can be counted. The parent is as it was.
    pub fn fork(&mut self) -> Result<Self, AllocError> {
        let mut child = Self::new(self.machine)?;
        child.areas = self.areas.try_clone()?;
        (child.heap, child.limits, child.usage.total) = (self.heap, self.limits, self.usage.total);
        let mut first = None;
        let mut at = VirtAddr::new(0);
        let mut copied = Ok(());
        while let Some(area) = self.areas.next(at) {
            let &Area { start, end, sharing, .. } = area;
            first = first.or(Some(start));
            at = end;
            copied = self.copy_pages(&mut child, start, end, sharing);
            if copied.is_err() {
                break;
            }
        }
        if let Some(first) = first {
            self.flush(first, (at.as_usize() - first.as_usize()) / PAGE_SIZE);
        }
        copied.map(|()| child)
    }

    /// Has the child show the pages of a range of an area.
    fn copy_pages(
        &mut self,
        child: &mut Self,
        from: VirtAddr,
        end: VirtAddr,
        sharing: Sharing,
    ) -> Result<(), AllocError> {
        let mut at = from;
        while let Some(mut slots) = self.mapper.slots(at, end) {
            let (start, next) = (slots.start(), slots.end());
            at = next;
            let mut place = 0;
            while place < slots.len() {
                let mut frames = [Pfn::new(0); BATCH];
                let (mut count, first) = (0, place);
                while place < slots.len() && count < BATCH {
                    if let Some((frame, _)) = slots.leaf(place) {
                        frames[count] = frame;
                        count += 1;
                    }
                    place += 1;
                }
                if count > 0 {
                    child.make_table(start.add(first * PAGE_SIZE))?;
                    K::memory().pages().get_pages(&frames[..count])?;
                    child.take_pages(&mut slots, first..place, sharing);
                }
            }
        }
        Ok(())
    }

    /// Makes the table of level one for `at`.
    fn make_table(&mut self, at: VirtAddr) -> Result<(), AllocError> {
        let mut spare = None;
        loop {
            match self.mapper.slot(at, &mut spare) {
                Ok(_) => return Ok(()),
                Err(MapError::TableMissing) => {
                    spare = Some(K::memory().tables().new_table(call())?);
                    self.usage.tables += 1;
                }
                Err(_) => return Err(AllocError),
            }
        }
    }

    /// Shows the pages of these entries of the parent's here too, whose references were taken.
    fn take_pages(&mut self, parents: &mut Slots<'_, M::Format>, places: core::ops::Range<usize>, sharing: Sharing) {
        let pages = K::memory().pages();
        let from = parents.start().add(places.start * PAGE_SIZE);
        let Some(mut own) = self.mapper.slots(from, from.add(places.len() * PAGE_SIZE)) else { return };
        for place in places.clone() {
            let Some((frame, rights)) = parents.leaf(place) else { continue };
            let mut shared = rights;
            let protection = M::Format::protection(rights);
            if sharing == Sharing::Private && protection.contains(Protection::WRITE) {
                shared = M::Format::user(protection.difference(Protection::WRITE));
                parents.set(place, frame, shared);
            }
            own.set(place - places.start, frame, shared);
            pages.note_mapped(frame);
            self.usage.resident += 1;
            self.usage.anonymous += usize::from(pages.is_anonymous(frame));
        }
    }
}
