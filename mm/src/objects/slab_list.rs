//! A list of slabs of one cache.
//!
//! Its links are in the descriptors. Whoever takes a slab out has checked that it [is sound](SlabRef::is_sound): then
//! its links lead to slabs, whose own links may be wrong, and stay so.

use crate::objects::descriptor::SlabRef;

/// A list of slabs of one cache, newest first.
#[derive(Default)]
pub(super) struct SlabList {
    head: Option<SlabRef>,
    len: usize,
}

impl SlabList {
    pub(super) const fn new() -> Self {
        Self { head: None, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn head(&self) -> Option<SlabRef> {
        self.head
    }

    pub(super) fn push(&mut self, slab: SlabRef) {
        slab.set_prev(None);
        slab.set_next(self.head);
        if let Some(head) = self.head {
            head.set_prev(Some(slab));
        }
        self.head = Some(slab);
        self.len += 1;
    }

    pub(super) fn remove(&mut self, slab: SlabRef) {
        match slab.prev() {
            Some(prev) => prev.set_next(slab.next()),
            None => self.head = slab.next(),
        }
        if let Some(next) = slab.next() {
            next.set_prev(slab.prev());
        }
        self.len -= 1;
    }

    /// The slabs, up to the first whose links cannot be believed, which is the last.
    pub(super) fn iter(&self) -> impl Iterator<Item = SlabRef> {
        core::iter::successors(self.head, |slab| slab.next().filter(|_| slab.is_sound()))
    }
}
