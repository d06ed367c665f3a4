//! Blocks of frames on their way back to the allocator.

use crate::addr::Pfn;
use crate::atomic::{AtomicU32, Ordering::Relaxed};
use crate::page::{PageMap, PageState};

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

impl FrameChain {
    /// Whether it leads through as many allocated blocks and pages as it counts.
    pub(crate) fn is_sound(mut self, map: &PageMap) -> bool {
        let (blocks, pages) = (self.blocks(), self.pages());
        let order = |block| match map.get(block)?.state() {
            PageState::Allocated(order) => Some(order.pages() as usize),
            _ => None,
        };
        let sizes = (0..blocks).map_while(|_| {
            let size = order(self.last()?)?;
            self.pop(map);
            Some(size)
        });
        let found = sizes.fold((0, 0), |(blocks, pages), size| (blocks + 1, pages + size));
        found == (blocks, pages)
    }
}

/// A place for a chain, written by one CPU.
pub(super) struct FrameWords {
    first: AtomicU32,
    blocks: AtomicU32,
    more: AtomicU32,
}

impl FrameWords {
    pub(super) const fn new() -> Self {
        Self { first: AtomicU32::new(0), blocks: AtomicU32::new(0), more: AtomicU32::new(0) }
    }

    #[inline]
    pub(super) fn get(&self) -> FrameChain {
        FrameChain { first: self.first.load(Relaxed), blocks: self.blocks.load(Relaxed), more: self.more.load(Relaxed) }
    }

    #[inline]
    pub(super) fn set(&self, chain: FrameChain) {
        self.first.store(chain.first, Relaxed);
        self.blocks.store(chain.blocks, Relaxed);
        self.more.store(chain.more, Relaxed);
    }

    /// Takes the chain out.
    pub(super) fn take(&self) -> FrameChain {
        let chain = self.get();
        self.set(FrameChain::EMPTY);
        chain
    }
}
