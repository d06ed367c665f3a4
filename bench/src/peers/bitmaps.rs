//! Bitmaps behind a spinlock: the tutorials' own, rCore's, and ArceOS's.

use axallocator::{BaseAllocator, BitmapPageAllocator, PageAllocator};
use bitmap_allocator::{BitAlloc, BitAlloc64K};
use mm::{Order, PAGE_SIZE};
use spin::Mutex;

use super::peer::{Block, Metadata, Peer};
use crate::arena::{BYTES, FRAMES};

const WORD_BITS: usize = u64::BITS as usize;

/// One bit a frame, set while it is free, and the lowest word that may have such a bit.
struct Tutorial {
    words: Vec<u64>,
    lowest: usize,
}

impl Tutorial {
    /// The first aligned run of `pages` free frames.
    fn alloc(&mut self, pages: usize) -> Option<usize> {
        if pages >= WORD_BITS {
            return self.alloc_words(pages / WORD_BITS);
        }
        let from = self.words[self.lowest..].iter().position(|&word| word != 0)?;
        self.lowest += from;
        (self.lowest..self.words.len()).find_map(|at| {
            let bit = aligned_run(self.words[at], pages)?;
            self.words[at] &= !(ones(pages) << bit);
            Some(at * WORD_BITS + bit as usize)
        })
    }

    fn alloc_words(&mut self, words: usize) -> Option<usize> {
        let run = self.words.chunks_exact_mut(words).position(|run| run.iter().all(|&word| word == u64::MAX))?;
        self.words[run * words..(run + 1) * words].fill(0);
        Some(run * words * WORD_BITS)
    }

    fn free(&mut self, frame: usize, pages: usize) {
        let at = frame / WORD_BITS;
        if pages >= WORD_BITS {
            self.words[at..at + pages / WORD_BITS].fill(u64::MAX);
        } else {
            self.words[at] |= ones(pages) << (frame % WORD_BITS);
        }
        self.lowest = self.lowest.min(at);
    }
}

/// The lowest bit of the first run of `pages` set bits that starts at a multiple of `pages`.
fn aligned_run(word: u64, pages: usize) -> Option<u32> {
    let starts = (0..pages.trailing_zeros()).fold(word, |starts, log2| starts & starts >> (1 << log2));
    let aligned = starts & (u64::MAX / ones(pages));
    (aligned != 0).then(|| aligned.trailing_zeros())
}

/// The lowest `pages` bits.
fn ones(pages: usize) -> u64 {
    u64::MAX >> (WORD_BITS - pages)
}

/// A page allocator that counts frames from 0, behind a spinlock.
struct Locked<T> {
    name: &'static str,
    inner: Mutex<T>,
    metadata: usize,
}

/// What every tutorial starts with.
pub fn tutorial() -> Box<dyn Peer<Order>> {
    let bitmap = Tutorial { words: vec![u64::MAX; FRAMES / WORD_BITS], lowest: 0 };
    Box::new(Locked { name: "tutorial bitmap", inner: Mutex::new(bitmap), metadata: FRAMES / 8 })
}

/// bitmap-allocator: a tree of 16-bit words.
pub fn rcore() -> Box<dyn Peer<Order>> {
    let mut bitmap = Box::new(BitAlloc64K::DEFAULT);
    bitmap.insert(0..FRAMES);
    Box::new(Locked { name: "bitmap-allocator", inner: Mutex::new(bitmap), metadata: size_of::<BitAlloc64K>() })
}

/// axallocator's page allocator, over the same tree.
pub fn ax() -> Box<dyn Peer<Order>> {
    let mut pages = Box::new(BitmapPageAllocator::<PAGE_SIZE>::new());
    // Only a range of addresses: this allocator does not touch the memory.
    pages.init(AX_BASE, BYTES);
    let metadata = size_of::<BitmapPageAllocator<PAGE_SIZE>>();
    Box::new(Locked { name: "axallocator", inner: Mutex::new(pages), metadata })
}

/// An address that is aligned to 1 GiB, as axallocator likes it.
const AX_BASE: usize = 1 << 30;

impl Peer<Order> for Locked<Tutorial> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alloc(&self, order: Order) -> Option<Block> {
        let frame = self.inner.lock().alloc(order.pages() as usize)?;
        Block::new(frame + 1)
    }

    fn free(&self, block: Block, order: Order) {
        self.inner.lock().free(block.number() - 1, order.pages() as usize);
    }

    fn metadata(&self) -> Metadata {
        Metadata::Outside(self.metadata)
    }
}

impl Peer<Order> for Locked<Box<BitAlloc64K>> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alloc(&self, order: Order) -> Option<Block> {
        let mut bitmap = self.inner.lock();
        let frame = match order {
            Order::ZERO => bitmap.alloc(),
            _ => bitmap.alloc_contiguous(None, order.pages() as usize, order.log2()),
        };
        Block::new(frame? + 1)
    }

    fn free(&self, block: Block, order: Order) {
        let (mut bitmap, frame) = (self.inner.lock(), block.number() - 1);
        match order {
            Order::ZERO => bitmap.dealloc(frame),
            _ => bitmap.dealloc_contiguous(frame, order.pages() as usize),
        };
    }

    fn metadata(&self) -> Metadata {
        Metadata::Outside(self.metadata)
    }
}

impl Peer<Order> for Locked<Box<BitmapPageAllocator<PAGE_SIZE>>> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alloc(&self, order: Order) -> Option<Block> {
        Block::new(self.inner.lock().alloc_pages(order.pages() as usize, order.bytes()).ok()?)
    }

    fn free(&self, block: Block, order: Order) {
        self.inner.lock().dealloc_pages(block.number(), order.pages() as usize);
    }

    fn metadata(&self) -> Metadata {
        Metadata::Outside(self.metadata)
    }
}
