//! What each frame is, from the entries of the page map in order.

use super::class::Class;
use super::header::Header;
use crate::addr::{Pfn, PfnRange};
use crate::order::Order;
use crate::page::{PageState, Seen};

/// What a frame is.
#[derive(Clone, Copy)]
pub struct View {
    /// What it is used for.
    pub class: Class,
    /// The frames of the block that it lies in; of any other frame, itself.
    pub block: PfnRange,
    /// The entry of the block's first frame; of a frame without a block, its own, if it has any.
    pub entry: Option<Seen>,
}

/// A walk over all frames, from the first on.
pub struct Walk<'a> {
    header: &'a Header,
    /// The block that the walk is in.
    block: View,
    torn: usize,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun.
    pub fn new(header: &'a Header) -> Self {
        let nothing = PfnRange::new(Pfn::new(0), Pfn::new(0));
        Self { header, block: View { class: Class::Hole, block: nothing, entry: None }, torn: 0 }
    }

    /// What the next frame is, by its entry, if it has any. Frames are told in the order of their numbers.
    pub fn next(&mut self, frame: Pfn, entry: Option<Seen>) -> View {
        let starts = entry.and_then(|entry| Class::of(entry).map(|class| (entry, class)));
        let is_inside = frame < self.block.block.end;
        if is_inside && entry.is_some() && starts.is_none() {
            return self.block;
        }
        // Here a block ends that said it was longer.
        self.torn += usize::from(is_inside);
        let order = starts.map_or(Order::ZERO, |(entry, _)| match entry.state() {
            PageState::Free(order) | PageState::Cached(order) | PageState::Allocated(order) => order,
            PageState::Inner | PageState::Slab | PageState::Retired => Order::ZERO,
        });
        let is_aligned = frame.is_aligned(order.pages());
        self.torn += usize::from(!is_aligned);
        let pages = if is_aligned { order.pages() } else { 1 };
        let class = match starts {
            Some((_, class)) => class,
            None => self.header.region_of(frame.as_u32()).unwrap_or(match entry {
                Some(_) => Class::Boot,
                None => Class::Hole,
            }),
        };
        let end = Pfn::new(frame.as_u32().saturating_add(pages));
        self.block = View { class, block: PfnRange::new(frame, end), entry };
        self.block
    }

    /// How often a frame contradicted the ones before it: the map changed while it was read.
    pub fn torn(&self) -> usize {
        self.torn
    }
}
