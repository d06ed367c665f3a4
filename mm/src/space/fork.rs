//! A space once more: the child of a process.
//!
//! Pages are shared, run by run: a page that either might write to loses that right in both.

use super::area::Area;
use super::object::Object;
use super::words::Sharing;
use super::{Space, UserMachine, call};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::error::{AllocError, MapError};
use crate::mapper::{Slots, UserFormat};
use crate::own::Global;
use crate::pages::PageKind;

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
        while let Some(slots) = self.mapper.slots(at, end) {
            at = slots.end();
            if !slots.are_empty() {
                child.make_table(slots.start())?;
                child.take_pages(&slots, sharing)?;
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

    /// Shows the pages of these entries of the parent's here too.
    fn take_pages(&mut self, parents: &Slots<'_, M::Format>, sharing: Sharing) -> Result<(), AllocError> {
        let pages = K::memory().pages();
        let Some(own) = self.mapper.slots(parents.start(), parents.end()) else { return Ok(()) };
        let (mut resident, mut anonymous) = (0, 0);
        let shared = parents.share(&own, |frame, rights| {
            anonymous += usize::from(pages.share_page(frame)? == PageKind::Anonymous);
            resident += 1;
            Ok(if sharing == Sharing::Private { M::Format::without_write(rights) } else { rights })
        });
        self.usage.resident += resident;
        self.usage.anonymous += anonymous;
        shared
    }
}
