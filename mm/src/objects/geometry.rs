//! How the objects of a cache lie in their slabs.
//!
//! A slab is a run of pages: a block of 2^order pages, or its first part, the rest being given back at once. Objects
//! start at its beginning, shifted by the slab's colour; the descriptor stands at the block's end, or, for objects of
//! 512 bytes and more, outside of it unless the rest of the block has room. 64 bytes that belong to nobody lie before
//! its states, and as many behind it: writes that run on from an object here, or from one in the next page, end there.
//!
//! Kmalloc's small classes take the smallest order that wastes at most an eighth of the block; other caches of small
//! objects take one that spends at most a fortieth on anything but objects. Objects of 512 bytes and more share blocks
//! of up to 8 pages, since a slab costs as much to make as a dozen of them; those of a cache with `HWCACHE_ALIGN` have
//! the small slabs of the chapter's kernel. Where no such block is free, a slab has as few pages as hold an object:
//! [`Geometry::fallback`].

use bitflags::bitflags;

use crate::addr::PAGE_SIZE;
use crate::error::CreateError;
use crate::objects::debug::DebugFlags;
use crate::objects::descriptor::{GUARD, PLACES_MAX, Slab};
use crate::objects::watched::{ZONE, behind};
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
/// Bytes that belong to nobody: before and behind a descriptor in its slab, its guard included, and before the
/// allocators' own objects.
pub(super) const GAP: usize = 64;
/// Places that an off-slab descriptor has room for; [`OFF_SLAB_OBJECTS`] objects fill seven eighths of them at least.
const OFF_SLAB_PLACES: usize = 56;
/// Bytes of an off-slab descriptor and its states.
pub(super) const OFF_SLAB_BYTES: usize = Slab::room(OFF_SLAB_PLACES) + Slab::BYTES;
/// Objects that an off-slab descriptor has room for.
pub(super) const OFF_SLAB_OBJECTS: usize = 32;
/// Largest block that a slab is made of: 32 pages, the largest object.
const MAX_SLAB_ORDER: u32 = 5;
const MAX_SLAB_PAGES: u32 = 1 << MAX_SLAB_ORDER;
/// Largest block that small objects get to be packed densely, and that large ones share: 8 pages.
const DENSE_SLAB_ORDER: u32 = 3;
/// The smallest of which a descriptor for the fewest objects is no more than a fortieth.
const LEAST_DENSE_ORDER: u32 = {
    let mut order = 0;
    while (Slab::BYTES + 2 * GAP + Slab::room((PAGE_SIZE << order) / OFF_SLAB_SIZE) - GUARD) * 40 > PAGE_SIZE << order {
        order += 1;
    }
    order
};
const WORD: usize = 8;

/// The layout of every slab of a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Bytes from one object to the next.
    pub stride: usize,
    /// Bytes of an object that its owner may use: the stride, unless it is debugged.
    pub usable: usize,
    /// Bytes before the first object, besides its colour: 0, unless it is debugged or the allocators' own.
    pub lead: usize,
    /// Bytes behind each object that belong to it: 0, unless it is debugged.
    pub behind: usize,
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
    ///
    /// # Errors
    /// The size or the offset is none that a cache has.
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
        let plain = Self::for_cache(size, offset, flags);
        if plain.is_err() || !debug.need_space() {
            return plain;
        }
        let align = if flags.contains(CacheFlags::HWCACHE_ALIGN) { line_share(size) } else { WORD };
        Ok(Self::spaced(size, align))
    }

    /// The layout of a kmalloc class: no colours, so that each object is aligned to its own size, a power of two. With
    /// room around its objects, the stride doubles, at least. A size that no class has counts as that of the next one.
    pub fn for_class(size: usize, debug: DebugFlags) -> Self {
        let size = size.clamp(*OBJECT_SIZES.start(), *OBJECT_SIZES.end()).next_power_of_two();
        if debug.need_space() {
            return Self::spaced(size, size);
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
    fn spaced(size: usize, align: usize) -> Self {
        let (lead, behind) = (ZONE.next_multiple_of(align), behind(size));
        let stride = (size + behind + ZONE).next_multiple_of(align);
        let layout = |pages| Self { usable: size, lead, behind, ..Self::single(stride, pages) };
        (1..).find_map(|pages| layout(pages).filled()).unwrap_or(Self::single(stride, MAX_SLAB_PAGES))
    }

    /// The layout of one of the allocators' own caches: a page with its descriptor. No two objects share a cache line:
    /// they may belong to different CPUs. Writes that run on from an object in the page before end before the first.
    pub(super) fn for_descriptors(size: usize) -> Self {
        let stride = size.next_multiple_of(CACHE_LINE);
        let page = Self { lead: GAP, ..Self::single(stride, 1) };
        page.filled().unwrap_or(Self::single(stride, MAX_SLAB_PAGES))
    }

    /// Bytes of a slab.
    pub const fn bytes(&self) -> usize {
        self.pages as usize * PAGE_SIZE
    }

    /// Bytes of a slab for each of its objects, rounded up.
    pub(super) const fn share(&self) -> usize {
        self.bytes().div_ceil(self.objects)
    }

    /// Bytes of the slab's pages, in objects: each address where one could start has a number below.
    pub(super) const fn places(&self) -> usize {
        self.bytes().div_ceil(self.stride)
    }

    /// Where the descriptor stands in its memory, if that is an object of its own.
    pub(super) const fn off_slab_offset() -> usize {
        Slab::room(OFF_SLAB_PLACES)
    }

    /// Bytes before a descriptor in the slab: states, and a gap that ends with the guard.
    fn states_room(&self) -> usize {
        Slab::room(self.places()) + GAP - GUARD
    }

    /// Bytes from the start of the first object to what lies behind the last one: its end, or that of its surroundings.
    pub(super) const fn reach(&self) -> usize {
        (self.objects - 1) * self.stride + self.usable + self.behind
    }

    /// Bytes between the last object and what surrounds the descriptor, or the end of the slab.
    #[inline]
    pub(super) fn leftover(&self) -> usize {
        let end = self.descriptor_offset.map_or(self.bytes(), |offset| offset - self.states_room());
        end - self.lead - self.reach()
    }

    /// The smallest block of a few pages that spends at most a fortieth on anything but objects, if there is one.
    fn dense(stride: usize) -> Option<Self> {
        let mut layouts = (LEAST_DENSE_ORDER..=DENSE_SLAB_ORDER).filter_map(|order| Self::layout(stride, 1 << order));
        layouts.find(|layout| (layout.bytes() - layout.objects * stride) * 40 <= layout.bytes())
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
            return Self::single(stride, pages).filled();
        }
        let objects = (pages as usize * PAGE_SIZE / stride).min(OFF_SLAB_OBJECTS);
        if objects == 0 {
            return None;
        }
        let off_slab = Self { objects, ..Self::single(stride, pages) };
        Some(off_slab.on_slab().unwrap_or(off_slab))
    }

    /// The layout with as many objects as fit beside the descriptor, if any does.
    fn filled(self) -> Option<Self> {
        let others = self.lead + self.usable + self.behind + self.states_room();
        let fit = |end: usize| Some(end.checked_sub(others)? / self.stride + 1);
        // Fewer objects need no larger alignment of the descriptor.
        let most = fit(self.bytes().checked_sub(Slab::BYTES + GAP)?)?;
        let objects = fit(descriptor_offset(self.bytes(), most)?)?;
        Self { objects, ..self }.with_descriptor()
    }

    /// The same layout with its descriptor in the slab, if there is room.
    fn on_slab(self) -> Option<Self> {
        let layout = self.with_descriptor()?;
        let needed = layout.lead + layout.reach() + layout.states_room();
        layout.descriptor_offset.is_some_and(|offset| needed <= offset).then_some(layout)
    }

    /// The same layout with its descriptor where it stands in the slab.
    fn with_descriptor(self) -> Option<Self> {
        let offset = descriptor_offset(self.bytes(), self.objects)?;
        (self.places() <= PLACES_MAX).then_some(Self { descriptor_offset: Some(offset), ..self })
    }

    /// One object in `pages` pages.
    fn single(stride: usize, pages: u32) -> Self {
        let order = Order::for_bytes(pages as usize * PAGE_SIZE).unwrap_or(Order::MAX);
        Self {
            stride,
            usable: stride,
            lead: 0,
            behind: 0,
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

/// Where the descriptor of a slab with `objects` objects starts when it stands at the block's end. The states before
/// it, unless they are few, end at a cache line, or, if they need more than one, at a pair of lines, which processors
/// fetch together: no two CPUs then write to what either fetches for the states of fresh objects.
fn descriptor_offset(bytes: usize, objects: usize) -> Option<usize> {
    let align = match objects {
        0..=WORD => WORD,
        _ if objects <= CACHE_LINE => CACHE_LINE,
        _ => 2 * CACHE_LINE,
    };
    Some(bytes.checked_sub(Slab::BYTES + GAP)? & !(align - 1))
}

const _: () = assert!(MAX_SLAB_PAGES as usize == 131_072 / PAGE_SIZE);

#[cfg(test)]
mod tests;
