//! Blocks strung together by their entries: last one in, first one out.
//!
//! Key types: [`BlockChain`], [`ChainCell`]. A chain has no memory of its own: the link of a block's first entry leads
//! to the next block. Magazines of pages are chains, and so are the frames of freed areas.

use super::map::PageMap;
use super::word::Word;
use crate::addr::Pfn;
use crate::atomic::{AtomicU32, Ordering::Relaxed};

/// No block: the end of a chain.
pub(crate) const NIL: u32 = u32::MAX;

/// A chain of blocks that only its owner uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BlockChain {
    head: u32,
    len: u32,
}

impl BlockChain {
    /// No blocks.
    pub(crate) const EMPTY: Self = Self { head: NIL, len: 0 };

    /// The chain of `len` blocks that starts at a block.
    pub(crate) const fn from_head(head: u32, len: u32) -> Self {
        Self { head, len }
    }

    /// The number of the block that came last; [`NIL`] in an empty chain.
    #[inline]
    pub(crate) const fn head(self) -> u32 {
        self.head
    }

    /// Blocks in it.
    #[inline]
    pub(crate) const fn len(self) -> u32 {
        self.len
    }

    /// The block that came last.
    #[inline]
    pub(crate) const fn first(self) -> Option<Pfn> {
        if self.len == 0 { None } else { Some(Pfn::new(self.head)) }
    }

    /// Adds a block.
    #[inline(always)]
    pub(crate) fn push(&mut self, map: &PageMap, block: Pfn) {
        map.at(block).set_link(self.head.into());
        self.head = block.as_u32();
        // There are fewer blocks than numbers.
        self.len = self.len.wrapping_add(1);
    }

    /// Takes the block that came last.
    #[inline(always)]
    pub(crate) fn pop(&mut self, map: &PageMap) -> Option<Pfn> {
        let block = self.first()?;
        self.head = map.at(block).link() as u32;
        self.len = self.len.wrapping_sub(1);
        Some(block)
    }

    /// Gives every block of these chains this word. It goes along all chains at once: of one alone, the processor knows
    /// no block's entry before it has read the one before.
    pub(crate) fn set_words(mut chains: [Self; 8], map: &PageMap, word: Word) {
        while chains.iter().any(|chain| chain.len() > 0) {
            chains.iter_mut().filter_map(|chain| chain.pop(map)).for_each(|block| map.at(block).set_word(word));
        }
    }

    /// Checks that it has as many blocks as it counts, and that `is_right` holds for the word of each.
    pub(crate) fn is_sound(mut self, map: &PageMap, is_right: impl Fn(Word) -> bool) -> bool {
        while let Some(block) = self.first() {
            if !map.get(block).is_some_and(|page| is_right(page.word())) {
                return false;
            }
            self.pop(map);
        }
        true
    }
}

/// A place for a chain, written by one CPU at a time. Head and length are two words: the processor forwards each store
/// to the next load of that word.
pub(crate) struct ChainCell {
    head: AtomicU32,
    len: AtomicU32,
}

impl ChainCell {
    /// A place with an empty chain.
    pub(crate) const fn new() -> Self {
        Self { head: AtomicU32::new(NIL), len: AtomicU32::new(0) }
    }

    /// Blocks in the chain. From another CPU a moment old.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len.load(Relaxed)
    }

    #[inline]
    pub(crate) fn get(&self) -> BlockChain {
        BlockChain { head: self.head.load(Relaxed), len: self.len.load(Relaxed) }
    }

    #[inline]
    pub(crate) fn set(&self, chain: BlockChain) {
        self.head.store(chain.head, Relaxed);
        self.len.store(chain.len, Relaxed);
    }

    /// Takes the chain out.
    pub(crate) fn take(&self) -> BlockChain {
        let chain = self.get();
        self.set(BlockChain::EMPTY);
        chain
    }
}
