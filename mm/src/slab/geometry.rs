//! How the objects of a cache lie in their slabs.
//!
//! A slab is a block of 2^order pages. Objects start at its beginning, shifted by the slab's colour; the descriptor
//! stands at the very end of the block, or, for objects of 512 bytes and more, outside of it unless the rest of the
//! block has room. The order is the smallest that wastes at most an eighth of the block; a cache of small objects that
//! somebody creates takes one that spends at most a fiftieth on anything but objects.

use bitflags::bitflags;

use crate::addr::PAGE_SIZE;
use crate::error::CreateError;
use crate::order::Order;
use crate::slab::descriptor::Slab;

bitflags! {
    /// How a cache treats its objects. (Chapter: "Lookaside Caches".)
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CacheFlags: u32 {
        /// Low memory does not shrink the cache.
        const NO_REAP = 0x1000;
        /// Objects start at a cache line, or at a part of it that several small objects share.
        const HWCACHE_ALIGN = 0x2000;
        /// Objects lie in memory that ISA DMA reaches.
        const CACHE_DMA = 0x4000;
    }
}

/// Bytes of a cache line.
pub const CACHE_LINE: usize = 64;
/// Smallest and largest object, in bytes.
pub const OBJECT_SIZES: core::ops::RangeInclusive<usize> = WORD..=131_072;
/// From this size on the descriptor leaves the slab.
const OFF_SLAB_SIZE: usize = 512;
/// Objects that an off-slab descriptor has room for.
pub(crate) const OFF_SLAB_OBJECTS: usize = 32;
/// Largest block that a slab is made of: 32 pages, the largest object.
const MAX_SLAB_ORDER: usize = 5;
/// Largest block that small objects get to be packed densely: 8 pages.
const DENSE_SLAB_ORDER: usize = 3;
const WORD: usize = 8;

/// The layout of every slab of a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Bytes from one object to the next.
    pub stride: usize,
    /// Size of a slab's block.
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
        let dense = if stride < OFF_SLAB_SIZE { Self::dense(stride) } else { None };
        let mut geometry = dense.unwrap_or_else(|| Self::smallest(stride));
        geometry.colour_step = step;
        geometry.colours = geometry.leftover() / step;
        Ok(geometry)
    }

    /// The layout of a kmalloc class: no colours, so that each object is aligned to its own size, a power of two.
    pub fn for_class(size: usize) -> Self {
        Self::smallest(size)
    }

    /// The layout of one of the allocators' own caches: a page, which needs no descriptor from elsewhere.
    pub(crate) fn for_descriptors(size: usize) -> Self {
        let stride = size.next_multiple_of(WORD);
        Self::layout_on_slab(stride, Order::ZERO).unwrap_or(Self::whole_block(stride, Order::MAX))
    }

    /// Bytes of a slab's block.
    pub const fn bytes(&self) -> usize {
        self.order.bytes()
    }

    /// Bytes between the last object and the descriptor, or the end of the block.
    fn leftover(&self) -> usize {
        self.descriptor_offset.unwrap_or(self.bytes()) - self.objects * self.stride
    }

    /// The smallest block of a few pages that spends at most a fiftieth on anything but objects, if there is one.
    fn dense(stride: usize) -> Option<Self> {
        let mut layouts = (0..=DENSE_SLAB_ORDER).filter_map(Order::new).filter_map(|order| Self::layout(stride, order));
        layouts.find(|layout| (layout.bytes() - layout.objects * stride) * 50 <= layout.bytes())
    }

    /// The smallest block that wastes at most an eighth, or the one that wastes the smallest share.
    fn smallest(stride: usize) -> Self {
        let layouts = (0..=MAX_SLAB_ORDER).filter_map(Order::new).filter_map(|order| Self::layout(stride, order));
        let mut best: Option<Self> = None;
        for layout in layouts {
            if layout.leftover() * 8 <= layout.bytes() {
                return layout;
            }
            let share = |other: &Self| layout.leftover() * other.bytes() < other.leftover() * layout.bytes();
            if best.as_ref().is_none_or(share) {
                best = Some(layout);
            }
        }
        best.unwrap_or(Self::whole_block(stride, Order::MAX))
    }

    /// As many objects as fit into a block of `order`, if any does.
    fn layout(stride: usize, order: Order) -> Option<Self> {
        let bytes = order.bytes();
        if stride < OFF_SLAB_SIZE {
            return Self::layout_on_slab(stride, order);
        }
        let objects = (bytes / stride).min(OFF_SLAB_OBJECTS);
        let on_slab = descriptor_offset(bytes, objects).filter(|&offset| objects * stride <= offset);
        (objects > 0).then_some(Self { objects, descriptor_offset: on_slab, ..Self::whole_block(stride, order) })
    }

    /// As many objects as fit into a block of `order` beside the descriptor, if any does.
    fn layout_on_slab(stride: usize, order: Order) -> Option<Self> {
        let bytes = order.bytes();
        let fits =
            |&objects: &usize| descriptor_offset(bytes, objects).is_some_and(|offset| objects * stride <= offset);
        let most = (bytes - Slab::bytes(0)) / (stride + Slab::bytes(1) - Slab::bytes(0));
        let objects = (1..=most).rev().find(fits)?;
        Some(Self { objects, descriptor_offset: descriptor_offset(bytes, objects), ..Self::whole_block(stride, order) })
    }

    const fn whole_block(stride: usize, order: Order) -> Self {
        Self { stride, order, objects: 1, colour_step: CACHE_LINE, colours: 0, descriptor_offset: None }
    }
}

/// The alignment that an object of this size can need: what its size is a multiple of, 4 or 8.
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

/// Where the descriptor of a slab with `objects` objects starts when it stands at the block's end.
fn descriptor_offset(bytes: usize, objects: usize) -> Option<usize> {
    bytes.checked_sub(Slab::bytes(objects)).map(|offset| offset & !(WORD - 1))
}

const _: () = assert!(1 << MAX_SLAB_ORDER == 131_072 / PAGE_SIZE);

#[cfg(test)]
mod tests {
    use super::{CacheFlags, Geometry, OBJECT_SIZES};
    use crate::error::CreateError;
    use crate::slab::descriptor::Slab;

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
    fn classes_waste_at_most_an_eighth() {
        for shift in 5..=17 {
            let g = Geometry::for_class(1 << shift);
            assert_eq!(g.colours, 0);
            assert!(g.leftover() * 8 <= g.bytes(), "{g:?}");
        }
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
