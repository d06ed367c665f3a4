//! How the objects of a cache lie in their slabs.
//!
//! A slab is a run of pages: a block of 2^order pages, or its first part, the rest being given back at once. Objects
//! start at its beginning, shifted by the slab's colour; the descriptor stands at the very end of the block, or, for
//! objects of 512 bytes and more, outside of it unless the rest of the block has room. Kmalloc's small classes take the
//! smallest order that wastes at most an eighth of the block; other caches of small objects take one that spends at
//! most a fiftieth on anything but objects. Objects of 512 bytes and more share blocks of up to 8 pages, since a slab
//! costs as much to make as a dozen of them; those of a cache with `HWCACHE_ALIGN` have the small slabs of the
//! chapter's kernel. Where no such block is free, a slab has as few pages as hold an object: [`Geometry::fallback`].

use bitflags::bitflags;

use crate::addr::PAGE_SIZE;
use crate::error::CreateError;
use crate::objects::debug::{DebugFlags, ZONE, behind};
use crate::objects::descriptor::Slab;
use crate::order::Order;

bitflags! {
    /// How a cache treats its objects. (Chapter: "Lookaside Caches".)
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CacheFlags: u32 {
        /// Writes before and behind objects are found, reported and repaired.
        const RED_ZONE = 0x400;
        /// Writes into free objects are found, reported and repaired; not in a cache with a constructor.
        const POISON = 0x800;
        /// Low memory does not shrink the cache.
        const NO_REAP = 0x1000;
        /// Objects start at a cache line, or at a part of it that several small objects share.
        const HWCACHE_ALIGN = 0x2000;
        /// Objects lie in memory that ISA DMA reaches.
        const CACHE_DMA = 0x4000;
    }
}

impl CacheFlags {
    /// The debugging that they ask for.
    pub(super) fn debug(self) -> DebugFlags {
        let asked = |flag, debug| if self.contains(flag) { debug } else { DebugFlags::empty() };
        asked(Self::RED_ZONE, DebugFlags::RED_ZONE) | asked(Self::POISON, DebugFlags::POISON)
    }
}

/// Bytes of a cache line.
pub const CACHE_LINE: usize = 64;
/// Smallest and largest object, in bytes.
pub const OBJECT_SIZES: core::ops::RangeInclusive<usize> = WORD..=131_072;
/// From this size on the descriptor leaves the slab.
const OFF_SLAB_SIZE: usize = 512;
/// Objects that an off-slab descriptor has room for.
pub(super) const OFF_SLAB_OBJECTS: usize = 32;
/// Largest block that a slab is made of: 32 pages, the largest object.
const MAX_SLAB_ORDER: u32 = 5;
const MAX_SLAB_PAGES: u32 = 1 << MAX_SLAB_ORDER;
/// Largest block that small objects get to be packed densely, and that large ones share: 8 pages.
const DENSE_SLAB_ORDER: u32 = 3;
const WORD: usize = 8;

/// The layout of every slab of a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Bytes from one object to the next.
    pub stride: usize,
    /// Bytes of an object that its owner may use: the stride, unless it is debugged.
    pub usable: usize,
    /// Bytes before the first object, besides its colour: 0, unless it is debugged.
    pub lead: usize,
    /// Pages of a slab.
    pub pages: u32,
    /// Size of the block that they are the first of.
    pub order: Order,
    /// Objects in a slab.
    pub objects: usize,
    /// Bytes that one colour shifts the objects by.
    pub colour_step: usize,
    /// Colours after the first: slabs take the shifts 0, step, ... colours * step in turn.
    pub colours: usize,
    /// Where the descriptor stands in the block, in bytes; `None` when it stands outside.
    pub descriptor_offset: Option<usize>,
}

impl Geometry {
    /// The layout for objects of `size` bytes. `offset` is the colour step, 0 for a cache line.
    pub fn for_cache(size: usize, offset: usize, flags: CacheFlags) -> Result<Self, CreateError> {
        if !OBJECT_SIZES.contains(&size) {
            return Err(CreateError::BadSize);
        }
        if offset > size {
            return Err(CreateError::BadOffset);
        }
        let align = match flags.contains(CacheFlags::HWCACHE_ALIGN) {
            true => line_share(size.next_multiple_of(WORD)),
            false => natural_align(size),
        };
        let step = if offset == 0 { CACHE_LINE } else { offset }.next_multiple_of(align);
        let stride = size.next_multiple_of(align);
        let large = match stride {
            ..OFF_SLAB_SIZE => Self::dense(stride),
            _ if flags.contains(CacheFlags::HWCACHE_ALIGN) => None,
            _ => Self::shared(stride),
        };
        let mut geometry = large.unwrap_or_else(|| Self::smallest(stride));
        geometry.colour_step = step;
        geometry.colours = geometry.leftover() / step;
        Ok(geometry)
    }

    /// The layout for objects of `size` bytes that may be debugged.
    pub(super) fn for_debugged_cache(
        size: usize,
        offset: usize,
        flags: CacheFlags,
        debug: DebugFlags,
    ) -> Result<Self, CreateError> {
        let plain = Self::for_cache(size, offset, flags)?;
        if !debug.need_space() {
            return Ok(plain);
        }
        let align = if flags.contains(CacheFlags::HWCACHE_ALIGN) { line_share(size) } else { WORD };
        Ok(Self::spaced(size, align, debug))
    }

    /// The layout of a kmalloc class: no colours, so that each object is aligned to its own size, a power of two. With
    /// room around its objects, the stride doubles.
    pub fn for_class(size: usize, debug: DebugFlags) -> Self {
        if debug.need_space() {
            return Self::spaced(size, size, debug);
        }
        let shared = if size < OFF_SLAB_SIZE { None } else { Self::shared(size) };
        shared.unwrap_or_else(|| Self::smallest(size))
    }

    /// The layout of a slab whose block could not be allocated: as few pages as hold an object, and fewer objects.
    /// `None` where there is no smaller one, and for objects that have room around them.
    ///
    /// Less than half of such a slab is left over: a second object did not fit.
    pub fn fallback(&self) -> Option<Self> {
        if self.order == Order::ZERO {
            return None;
        }
        let mut smaller = Self::layout(self.stride, self.stride.div_ceil(PAGE_SIZE) as u32)?;
        smaller.colour_step = self.colour_step;
        smaller.colours = if self.colours > 0 { smaller.leftover() / self.colour_step } else { 0 };
        let is_plain = self.usable == self.stride;
        (is_plain && smaller.order < self.order && smaller.objects < self.objects).then_some(smaller)
    }

    /// The smallest layout with room for debugging before and behind each object.
    fn spaced(size: usize, align: usize, debug: DebugFlags) -> Self {
        let needed = size + behind(size, debug);
        let lead = ZONE.next_multiple_of(align);
        let stride = (needed + ZONE).next_multiple_of(align);
        let fit = |pages: u32| {
            let bytes = pages as usize * PAGE_SIZE;
            let end = |objects: usize| lead + (objects - 1) * stride + needed;
            let fits =
                |&objects: &usize| descriptor_offset(bytes, objects).is_some_and(|offset| end(objects) <= offset);
            let objects = (1..=bytes / stride + 1).rev().find(fits)?;
            let descriptor_offset = descriptor_offset(bytes, objects);
            Some(Self { objects, usable: size, lead, descriptor_offset, ..Self::single(stride, pages) })
        };
        (1..).find_map(fit).unwrap_or(Self::single(stride, MAX_SLAB_PAGES))
    }

    /// The layout of one of the allocators' own caches: a page with its descriptor. No two objects share a cache line:
    /// they may belong to different CPUs.
    pub(super) fn for_descriptors(size: usize) -> Self {
        let stride = size.next_multiple_of(CACHE_LINE);
        Self::layout_on_slab(stride, 1).unwrap_or(Self::single(stride, MAX_SLAB_PAGES))
    }

    /// Bytes of a slab.
    pub const fn bytes(&self) -> usize {
        self.pages as usize * PAGE_SIZE
    }

    /// Bytes of a slab for each of its objects, rounded up.
    pub(super) const fn share(&self) -> usize {
        self.bytes().div_ceil(self.objects)
    }

    /// Bytes between the last object and the descriptor, or the end of the slab.
    pub(super) fn leftover(&self) -> usize {
        self.descriptor_offset.unwrap_or(self.bytes()) - self.objects * self.stride
    }

    /// The smallest block of a few pages that spends at most a fiftieth on anything but objects, if there is one.
    fn dense(stride: usize) -> Option<Self> {
        let mut layouts = (0..=DENSE_SLAB_ORDER).filter_map(|order| Self::layout(stride, 1 << order));
        layouts.find(|layout| (layout.bytes() - layout.objects * stride) * 50 <= layout.bytes())
    }

    /// The smallest block of a few pages with as many large objects as a descriptor counts, or else the largest, unless
    /// it wastes more than an eighth or has one object only.
    fn shared(stride: usize) -> Option<Self> {
        let layouts = (0..=DENSE_SLAB_ORDER).filter_map(|order| Self::layout(stride, 1 << order));
        let most = layouts.reduce(|best, layout| if layout.objects > best.objects { layout } else { best })?;
        (most.objects > 1 && most.leftover() * 8 <= most.bytes()).then_some(most)
    }

    /// The smallest block that wastes at most an eighth, or else the smallest run of pages.
    fn smallest(stride: usize) -> Self {
        let blocks = (0..=MAX_SLAB_ORDER).map(|order| 1 << order);
        let mut layouts = blocks.chain(1..=MAX_SLAB_PAGES).filter_map(|pages| Self::layout(stride, pages));
        layouts.find(|layout| layout.leftover() * 8 <= layout.bytes()).unwrap_or(Self::single(stride, MAX_SLAB_PAGES))
    }

    /// As many objects as fit into `pages` pages, if any does.
    fn layout(stride: usize, pages: u32) -> Option<Self> {
        if stride < OFF_SLAB_SIZE {
            return Self::layout_on_slab(stride, pages);
        }
        let bytes = pages as usize * PAGE_SIZE;
        let objects = (bytes / stride).min(OFF_SLAB_OBJECTS);
        let on_slab = descriptor_offset(bytes, objects).filter(|&offset| objects * stride <= offset);
        (objects > 0).then_some(Self { objects, descriptor_offset: on_slab, ..Self::single(stride, pages) })
    }

    /// As many objects as fit into `pages` pages beside the descriptor, if any does.
    fn layout_on_slab(stride: usize, pages: u32) -> Option<Self> {
        let bytes = pages as usize * PAGE_SIZE;
        let fits =
            |&objects: &usize| descriptor_offset(bytes, objects).is_some_and(|offset| objects * stride <= offset);
        let most = (bytes - Slab::bytes(0)) / (stride + Slab::bytes(1) - Slab::bytes(0));
        let objects = (1..=most).rev().find(fits)?;
        Some(Self { objects, descriptor_offset: descriptor_offset(bytes, objects), ..Self::single(stride, pages) })
    }

    /// One object in `pages` pages.
    fn single(stride: usize, pages: u32) -> Self {
        let order = Order::for_bytes(pages as usize * PAGE_SIZE).unwrap_or(Order::MAX);
        let (usable, lead) = (stride, 0);
        Self {
            stride,
            usable,
            lead,
            pages,
            order,
            objects: 1,
            colour_step: CACHE_LINE,
            colours: 0,
            descriptor_offset: None,
        }
    }
}

/// The alignment that an object of this size can need: the one of 4 and 8 that divides its size.
const fn natural_align(size: usize) -> usize {
    if size.next_multiple_of(WORD / 2).is_multiple_of(WORD) { WORD } else { WORD / 2 }
}

/// The alignment of small objects that share a cache line evenly.
fn line_share(size: usize) -> usize {
    let mut align = CACHE_LINE;
    while size < align / 2 {
        align /= 2;
    }
    align
}

/// Where the descriptor of a slab with `objects` objects starts when it stands at the block's end. The states behind
/// it, unless they are few, start at a cache line, or, if they need more than one, at a pair of lines, which processors
/// fetch together: no two CPUs then write to what either fetches for the states of fresh objects.
fn descriptor_offset(bytes: usize, objects: usize) -> Option<usize> {
    let align = match objects {
        0..=WORD => WORD,
        _ if objects <= CACHE_LINE => CACHE_LINE,
        _ => 2 * CACHE_LINE,
    };
    let states = bytes.checked_sub(objects)? & !(align - 1);
    states.checked_sub(Slab::bytes(0))
}

const _: () = assert!(MAX_SLAB_PAGES as usize == 131_072 / PAGE_SIZE);

#[cfg(test)]
mod tests {
    use super::{CacheFlags, DebugFlags, Geometry, OBJECT_SIZES};
    use crate::error::CreateError;
    use crate::objects::descriptor::Slab;

    fn stride(size: usize) -> usize {
        Geometry::for_cache(size, 0, CacheFlags::HWCACHE_ALIGN).expect("a legal size").stride
    }

    #[test]
    fn line_aligned_sizes_follow_2_4() {
        // Shows: S23
        for (size, expected) in [(8, 16), (9, 32), (31, 64), (100, 128), (200, 256), (700, 704), (1500, 1536)] {
            assert_eq!(stride(size), expected, "{size}");
        }
        for (size, expected) in [(2000, 2048), (3000, 3008), (4000, 4032), (5000, 5056)] {
            assert_eq!(stride(size), expected, "{size}");
        }
    }

    #[test]
    fn objects_and_descriptor_never_overlap() {
        for size in OBJECT_SIZES {
            for flags in [CacheFlags::empty(), CacheFlags::HWCACHE_ALIGN] {
                let g = Geometry::for_cache(size, 0, flags).expect("a legal size");
                let end = g.colours * g.colour_step + g.objects * g.stride;
                assert!(g.objects > 0 && g.stride >= size);
                assert!(end <= g.descriptor_offset.unwrap_or(g.bytes()), "{size}: {g:?}");
                if let Some(offset) = g.descriptor_offset {
                    assert!(offset + Slab::bytes(g.objects) <= g.bytes(), "{size}: {g:?}");
                }
            }
        }
    }

    #[test]
    fn no_slab_wastes_more_than_an_eighth() {
        for size in OBJECT_SIZES {
            for flags in [CacheFlags::empty(), CacheFlags::HWCACHE_ALIGN] {
                let g = Geometry::for_cache(size, 0, flags).expect("a legal size");
                assert!(g.leftover() * 8 <= g.bytes(), "{size}: {g:?}");
                assert!(g.pages <= g.order.pages() && g.pages * 2 > g.order.pages(), "{size}: {g:?}");
            }
        }
    }

    #[test]
    fn debugging_doubles_the_stride_of_a_class() {
        // Shows: K3
        for debug in [DebugFlags::RED_ZONE, DebugFlags::RED_ZONE | DebugFlags::USERS | DebugFlags::POISON] {
            for shift in 5..=17 {
                let g = Geometry::for_class(1 << shift, debug);
                assert_eq!((g.stride, g.usable, g.lead), (2 << shift, 1 << shift, 1 << shift), "{g:?}");
            }
        }
    }

    #[test]
    fn small_objects_are_packed_densely() {
        for (size, percent) in [(64, 2), (100, 4), (192, 2)] {
            let g = Geometry::for_cache(size, 0, CacheFlags::empty()).expect("a legal size");
            let spent = g.bytes() - g.objects * size;
            assert!(spent * 100 <= percent * g.bytes(), "{size}: {g:?}");
        }
    }

    #[test]
    fn classes_waste_at_most_an_eighth() {
        for shift in 5..=17 {
            let g = Geometry::for_class(1 << shift, DebugFlags::empty());
            assert_eq!(g.colours, 0);
            assert!(g.leftover() * 8 <= g.bytes(), "{g:?}");
            // What is no object, in thousandths of the slab: leftover and descriptor.
            let wasted = (g.bytes() - g.objects * g.stride) * 1000 / g.bytes();
            assert_eq!(wasted, [46, 31, 31, 62].get(shift - 5).copied().unwrap_or(0), "{g:?}");
        }
    }

    #[test]
    fn a_fallback_has_as_few_pages_as_hold_an_object() {
        for size in OBJECT_SIZES {
            let g = Geometry::for_cache(size, 0, CacheFlags::empty()).expect("a legal size");
            let Some(smaller) = g.fallback() else { continue };
            assert_eq!(smaller.pages as usize, g.stride.div_ceil(4096), "{size}");
            assert!(smaller.order < g.order && smaller.objects < g.objects && smaller.fallback().is_none(), "{size}");
            assert!(smaller.leftover() * 2 < smaller.bytes(), "{size}: less than half of it is left over");
            let end = smaller.colours * smaller.colour_step + smaller.objects * smaller.stride;
            assert!(smaller.objects > 0 && end <= smaller.descriptor_offset.unwrap_or(smaller.bytes()), "{size}");
        }
        let fallback = |g: Geometry| g.fallback().map(|smaller| (g.pages, smaller.pages));
        assert_eq!(fallback(Geometry::for_class(4096, DebugFlags::empty())), Some((8, 1)));
        assert_eq!(fallback(Geometry::for_class(4096, DebugFlags::RED_ZONE)), None);
        assert_eq!(fallback(Geometry::for_class(32_768, DebugFlags::empty())), None);
    }

    #[test]
    fn bad_sizes_and_offsets_are_refused() {
        let create = |size, offset| Geometry::for_cache(size, offset, CacheFlags::empty());
        assert_eq!(create(0, 0), Err(CreateError::BadSize));
        assert_eq!(create(7, 0), Err(CreateError::BadSize));
        assert_eq!(create(131_073, 0), Err(CreateError::BadSize));
        assert_eq!(create(100, 101), Err(CreateError::BadOffset));
        assert!(create(100, 100).is_ok());
    }
}
