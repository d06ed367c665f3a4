//! brk: the heap's end moves.

use super::area::Area;
use super::heap::{Heap, page_up};
use super::object::Object;
use super::words::{MapRequest, Role, SpaceError};
use super::{Space, UserMachine};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::own::Global;

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// Has the heap begin at `at`, empty: behind the program's data.
    pub fn init_break(&mut self, at: VirtAddr) {
        self.heap = Heap { start: at, end: at };
    }

    /// Moves the heap's end, if that can be: not below its start, past a limit, or into another area. Returns where it
    /// is then: that is brk, which has no errors. `None` asks for no more. Process context; may sleep.
    pub fn set_break(&mut self, to: Option<VirtAddr>) -> VirtAddr {
        if let Some(to) = to
            && self.heap.start <= to
            && self.move_break(to).is_ok()
        {
            self.heap.end = to;
        }
        self.heap.end
    }

    fn move_break(&mut self, to: VirtAddr) -> Result<(), SpaceError> {
        let (Some(from), Some(end)) = (page_up(self.heap.end), page_up(to)) else {
            return Err(SpaceError::OutOfRange);
        };
        if end <= from {
            return if end < from { self.unmap(end, from.as_usize() - end.as_usize()) } else { Ok(()) };
        }
        let bytes = end.as_usize() - from.as_usize();
        self.check_range(from, bytes)?;
        if to.as_usize() - self.heap.start.as_usize() > self.limits.data || !self.is_free(from, end) {
            return Err(SpaceError::NoMemory);
        }
        self.check_limits(bytes / PAGE_SIZE, 0)?;
        self.areas.reserve(1)?;
        self.add(Area::new(from, end, MapRequest { role: Role::Heap, ..MapRequest::anonymous(bytes) }));
        Ok(())
    }
}
