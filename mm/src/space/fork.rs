//! A space once more: the child of a process.
//!
//! Pages are shared, run by run: a page that either might write to loses that right in both. What is in swap gets a
//! share more. Nobody else knows the child before it is whole, so only the parent's tables are locked.

use super::area::Area;
use super::object::Object;
use super::tables::Tables;
use super::words::Sharing;
use super::{Space, UserMachine, call};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::error::{AllocError, MapError};
use crate::mapper::{Slots, UserEntry, UserFormat};
use crate::own::Global;
use crate::pages::PageKind;

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// A space with the same areas, content, heap and limits, in which what one writes the other does not see, but for
    /// shared objects. Process context; may sleep.
    ///
    /// # Errors
    /// No memory, or a page or a slot of swap has as many references as can be counted. The parent is as it was.
    pub fn fork(&mut self) -> Result<Self, AllocError> {
        let mut child = Self::new(*self.tables.machine())?;
        child.areas = self.areas.try_clone()?;
        (child.heap, child.limits, child.total) = (self.heap, self.limits, self.total);
        let mut first = None;
        let mut at = VirtAddr::new(0);
        let mut copied = Ok(());
        while let Some(area) = self.areas.next(at) {
            let &Area { start, end, sharing, .. } = area;
            first = first.or(Some(start));
            at = end;
            copied = self.copy_pages(&mut child, (start, end), sharing);
            if copied.is_err() {
                break;
            }
        }
        if let Some(first) = first {
            self.flush(first, (at.as_usize() - first.as_usize()) / PAGE_SIZE);
        }
        copied?;
        if let Some(spaces) = self.spaces {
            child.enter(spaces)?;
        }
        Ok(child)
    }

    /// Has the child show the pages of a range of an area.
    fn copy_pages(
        &mut self,
        child: &mut Self,
        (from, end): (VirtAddr, VirtAddr),
        sharing: Sharing,
    ) -> Result<(), AllocError> {
        let mut at = from;
        while let Some(slots) = self.tables.mapper().slots(at, end) {
            at = slots.end();
            if slots.are_empty() {
                continue;
            }
            child.make_table(slots.start())?;
            if let Some(childs) = child.tables.mapper().slots(slots.start(), slots.end()) {
                self.share_pages(&slots, &child.tables, &childs, sharing)?;
            }
        }
        Ok(())
    }

    /// Makes the table of level one for `at`.
    fn make_table(&mut self, at: VirtAddr) -> Result<(), AllocError> {
        let mut spare = None;
        loop {
            match self.tables.mapper().slot(at, &mut spare) {
                Ok(_) => return Ok(()),
                Err(MapError::TableMissing) => {
                    spare = Some(K::memory().tables().new_table(call())?);
                    self.table_count += 1;
                }
                Err(_) => return Err(AllocError),
            }
        }
    }

    /// Has these entries of a child's show what these of the parent's do.
    fn share_pages(
        &self,
        parents: &Slots<'_, M::Format>,
        child: &Tables<K, M>,
        childs: &Slots<'_, M::Format>,
        sharing: Sharing,
    ) -> Result<(), AllocError> {
        let (pages, swap) = (K::memory().pages(), self.tables.swap());
        let (mut resident, mut anonymous, mut swapped) = (0, 0, 0);
        let shared = self.tables.change(|_| {
            parents.share(
                childs,
                |frame, rights| {
                    anonymous += usize::from(pages.share_page(frame)? == PageKind::Anonymous);
                    resident += 1;
                    Ok(if sharing == Sharing::Private { M::Format::without_write(rights) } else { rights })
                },
                |slot| {
                    swapped += 1;
                    swap.map_or(Ok(()), |store| store.duplicate(slot))
                },
            )
        });
        child.counts.resident.fetch_add(resident, Relaxed);
        child.counts.anonymous.fetch_add(anonymous, Relaxed);
        child.counts.swapped.fetch_add(swapped, Relaxed);
        if pages.are_mappings_counted() {
            childs.each(|_, entry| {
                if let UserEntry::Leaf(frame, _) = entry {
                    pages.note_mapped(frame);
                }
            });
        }
        shared
    }
}
