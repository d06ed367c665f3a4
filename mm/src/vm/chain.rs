//! Blocks of frames on their way back to the allocator.

use crate::addr::Pfn;
use crate::page::PageMap;

/// Blocks chained by the links of their first page-map entries, which are their owner's; last one in, first one out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameChain {
    first: u32,
    last: u32,
    blocks: u32,
    pages: u32,
}

impl FrameChain {
    pub(crate) const EMPTY: Self = Self { first: 0, last: 0, blocks: 0, pages: 0 };

    /// Blocks in the chain.
    pub(crate) const fn blocks(self) -> usize {
        self.blocks as usize
    }

    /// Pages that were ever pushed.
    pub(crate) const fn pages(self) -> usize {
        self.pages as usize
    }

    /// The block that came last.
    #[inline]
    pub(crate) const fn last(self) -> Option<Pfn> {
        if self.blocks == 0 { None } else { Some(Pfn::new(self.first)) }
    }

    /// Adds a block that the caller owns.
    #[inline(always)]
    pub(crate) fn push(&mut self, map: &PageMap, block: Pfn, pages: usize) {
        map.at(block).set_link(self.first.into());
        self.first = block.as_u32();
        self.last = if self.blocks == 0 { self.first } else { self.last };
        // No machine has 2^32 pages in areas.
        self.blocks = self.blocks.wrapping_add(1);
        self.pages = self.pages.wrapping_add(pages as u32);
    }

    /// Takes the block that came last.
    #[inline(always)]
    pub(crate) fn pop(&mut self, map: &PageMap) -> Option<Pfn> {
        let block = self.last()?;
        self.first = map.at(block).link() as u32;
        self.blocks = self.blocks.wrapping_sub(1);
        Some(block)
    }

    /// Adds all blocks of another chain.
    #[inline]
    pub(crate) fn append(&mut self, map: &PageMap, other: Self) {
        if other.blocks == 0 {
            return;
        }
        map.at(Pfn::new(other.last)).set_link(self.first.into());
        *self = Self {
            first: other.first,
            last: if self.blocks == 0 { other.last } else { self.last },
            blocks: self.blocks.wrapping_add(other.blocks),
            pages: self.pages.wrapping_add(other.pages),
        };
    }
}
