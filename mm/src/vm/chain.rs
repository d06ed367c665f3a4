//! Blocks of frames on their way back to the allocator.

use crate::addr::Pfn;
use crate::page::PageMap;

/// Blocks chained by the links of their first page-map entries, which are their owner's; last one in, first one out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameChain {
    first: u32,
    blocks: u32,
    /// Pages beyond the first of each block.
    more: u32,
}

impl FrameChain {
    pub(crate) const EMPTY: Self = Self { first: 0, blocks: 0, more: 0 };

    /// Blocks in the chain.
    pub(crate) const fn blocks(self) -> usize {
        self.blocks as usize
    }

    /// Pages of its blocks, until the first is taken.
    pub(crate) const fn pages(self) -> usize {
        self.blocks as usize + self.more as usize
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
        // No machine has 2^32 pages in areas.
        self.blocks = self.blocks.wrapping_add(1);
        self.more = self.more.wrapping_add(pages as u32 - 1);
    }

    /// Takes the block that came last.
    #[inline(always)]
    pub(crate) fn pop(&mut self, map: &PageMap) -> Option<Pfn> {
        let block = self.last()?;
        self.first = map.at(block).link() as u32;
        self.blocks = self.blocks.wrapping_sub(1);
        Some(block)
    }
}
