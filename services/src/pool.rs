//! A pool of frames that the page allocator does not know, in blocks.
//!
//! Blocks have any length, are taken first fit, and freed by their first frame. What `bigphysarea` and the `allocator`
//! module share. Key types: [`FramePool`], [`PoolStats`]. The caller locks. One list holds free and used blocks in the
//! order of their addresses; its memory comes from kmalloc, and only [`add`](FramePool::add) and
//! [`alloc`](FramePool::alloc) take any: freeing always works.
//!
//! Invariants: blocks are not empty, ascend and do not overlap; two free blocks never touch. (Chapter: "The bigphysarea
//! Patch", "Reserving High RAM Addresses".)

use mm::own::{Global, KVec};
use mm::{AllocError, FreeError, GfpFlags, Pfn, PfnRange};

/// Whether a block has an owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// It may be allocated.
    Free,
    /// It is allocated.
    Used,
}

/// A run of frames that is free or has one owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolBlock {
    /// Its frames.
    pub range: PfnRange,
    /// Whether it is allocated.
    pub state: Use,
}

/// Sums over the free blocks, or over the used ones.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BlockSums {
    /// How many there are.
    pub blocks: usize,
    /// Frames of the largest.
    pub largest: usize,
    /// Frames of all.
    pub frames: usize,
}

/// What a pool holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PoolStats {
    /// Free blocks.
    pub free: BlockSums,
    /// Used blocks.
    pub used: BlockSums,
}

/// Frames handed out in blocks of any length.
pub struct FramePool<K: Global> {
    blocks: KVec<PoolBlock, K>,
}

impl<K: Global> FramePool<K> {
    /// A pool without frames.
    pub const fn new() -> Self {
        Self { blocks: KVec::new() }
    }

    /// Adds frames, which must not be in the pool yet. Fails, and adds nothing, without memory for the list.
    pub fn add(&mut self, range: PfnRange, gfp: GfpFlags) -> Result<(), AllocError> {
        let meets = |block: &PoolBlock| block.range.intersection(range).frames() > 0;
        if range.frames() == 0 || self.blocks.iter().any(meets) {
            return Err(AllocError);
        }
        let at = self.blocks.partition_point(|block| block.range.start < range.start);
        self.blocks.insert(at, PoolBlock { range, state: Use::Free }, gfp)?;
        self.merge_around(at);
        Ok(())
    }

    /// Allocates `frames` adjacent frames from the lowest place that begins at a multiple of `align` frames (0 counts
    /// as 1) and has room. The list grows by kmalloc with `gfp`.
    pub fn alloc(&mut self, frames: u32, align: u32, gfp: GfpFlags) -> Result<PfnRange, AllocError> {
        let fitting = |block: &PoolBlock| {
            let start = block.range.start.as_u32().checked_next_multiple_of(align.max(1))?;
            let range = PfnRange::new(Pfn::new(start), Pfn::new(start.checked_add(frames)?));
            (block.state == Use::Free && range.end <= block.range.end).then_some(range)
        };
        let found = self.blocks.iter().enumerate().find_map(|(at, block)| Some((at, fitting(block)?)));
        let (at, range) = found.filter(|_| frames > 0).ok_or(AllocError)?;
        self.blocks.reserve(2, gfp)?;
        let whole = core::mem::replace(&mut self.blocks[at], PoolBlock { range, state: Use::Used }).range;
        self.put_free(at + 1, PfnRange::new(range.end, whole.end), gfp)?;
        self.put_free(at, PfnRange::new(whole.start, range.start), gfp)?;
        Ok(range)
    }

    /// Puts what is left of a block back into the list, which has room.
    fn put_free(&mut self, at: usize, range: PfnRange, gfp: GfpFlags) -> Result<(), AllocError> {
        if range.frames() == 0 { Ok(()) } else { self.blocks.insert(at, PoolBlock { range, state: Use::Free }, gfp) }
    }

    /// Frees the block that begins at `start` and returns its frames. [`FreeError`] says what is there instead.
    pub fn free(&mut self, start: Pfn) -> Result<PfnRange, FreeError> {
        let at = self.blocks.iter().position(|block| block.range.contains(start)).ok_or(FreeError::Wild)?;
        let block = &mut self.blocks[at];
        let range = block.range;
        match block.state {
            Use::Free => Err(FreeError::DoubleFree),
            Use::Used if range.start != start => Err(FreeError::Interior),
            Use::Used => {
                block.state = Use::Free;
                self.merge_around(at);
                Ok(range)
            }
        }
    }

    /// Melts the block at `at` into free neighbours that it touches.
    fn merge_around(&mut self, at: usize) {
        self.merge_with_next(at);
        if let Some(before) = at.checked_sub(1) {
            self.merge_with_next(before);
        }
    }

    fn merge_with_next(&mut self, at: usize) {
        let (Some(&block), Some(&next)) = (self.blocks.get(at), self.blocks.get(at + 1)) else { return };
        if block.state == Use::Free && next.state == Use::Free && block.range.end == next.range.start {
            self.blocks[at].range.end = next.range.end;
            self.blocks.remove(at + 1);
        }
    }

    /// All blocks, lowest first.
    pub fn blocks(&self) -> &[PoolBlock] {
        &self.blocks
    }

    /// Sums over all blocks.
    pub fn stats(&self) -> PoolStats {
        let mut stats = PoolStats::default();
        for block in self.blocks() {
            let sums = match block.state {
                Use::Free => &mut stats.free,
                Use::Used => &mut stats.used,
            };
            sums.blocks += 1;
            sums.largest = sums.largest.max(block.range.frames());
            sums.frames += block.range.frames();
        }
        stats
    }

    /// Checks the invariants; the text names the one that is broken.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.blocks.iter().any(|block| block.range.frames() == 0) {
            return Err("an empty block");
        }
        self.blocks.windows(2).try_for_each(|two| {
            let is_free = |block: &PoolBlock| block.state == Use::Free;
            match two[0].range.end.cmp(&two[1].range.start) {
                core::cmp::Ordering::Greater => Err("blocks overlap or are out of order"),
                core::cmp::Ordering::Equal if two.iter().all(is_free) => Err("free blocks that touch are not one"),
                _ => Ok(()),
            }
        })
    }
}

impl<K: Global> Default for FramePool<K> {
    fn default() -> Self {
        Self::new()
    }
}
