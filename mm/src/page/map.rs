//! The array of all entries, found by frame number.
//! Large holes in RAM need no entries.

use core::ptr::NonNull;

use super::entry::Page;
use super::word::PageState;
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr};
use crate::bootmem::Bootmem;
use crate::error::{BootmemError, FreeError};
use crate::gfp::DMA_END;
use crate::order::Order;
use crate::tag::Tag;

/// Frames of one bit of [`PageMap`]'s presence map: 2 MiB, the largest block.
pub const SECTION_FRAMES: u32 = Order::MAX.pages();

/// The entries of all frames from 0 up to the last of RAM; entries of large holes need not exist. A handle: copies lead
/// to the same entries.
#[derive(Clone, Copy)]
pub struct PageMap {
    /// Where the entry of frame 0 is, or would be.
    pages: NonNull<Page>,
    frames: u32,
    /// Frames from 0 up to the first missing section: their entries need no look at the presence map.
    gapless: u32,
    present: &'static [u64],
}

// SAFETY: the entries are atomics, and the pointer and the presence map never change.
unsafe impl Send for PageMap {}
// SAFETY: as above.
unsafe impl Sync for PageMap {}

impl PageMap {
    /// Words of a presence map for `frames` frames.
    pub const fn present_words(frames: u32) -> usize {
        frames.div_ceil(SECTION_FRAMES).div_ceil(u64::BITS) as usize
    }

    /// Bytes of entries that one section needs.
    pub const SECTION_BYTES: usize = SECTION_FRAMES as usize * size_of::<Page>();

    /// A map over `frames` frames whose entries start at `pages`: for a kernel that gives the array addresses of its
    /// own, with holes. [`from_bootmem`](Self::from_bootmem) does without.
    ///
    /// Bit `s` of `present` says that the entries of the frames `s * 512 .. (s + 1) * 512` exist.
    ///
    /// # Safety
    /// For each bit that is set, the section's 512 entries, counted from `pages`, must be valid, initialised and never
    /// go away; nothing else may use them.
    #[inline]
    pub const unsafe fn new(pages: NonNull<Page>, frames: u32, present: &'static [u64]) -> Self {
        Self { pages, frames, gapless: gapless(frames, present), present }
    }

    /// A map of all of bootmem's RAM that is not hidden, in memory of bootmem below `highmem_start`, which stays
    /// reserved. One run of memory is taken for all entries, from the first RAM to the last; what lies in it for large
    /// holes goes back. Boot.
    ///
    /// # Errors
    /// [`BootmemError::NoMemory`]: there is no RAM, or no run that is free and so long. Nothing is taken then.
    ///
    /// # Safety
    /// What is free in `bootmem` is memory that nobody uses; below `highmem_start` it shows at its offset from
    /// `direct_map` on, for ever.
    pub unsafe fn from_bootmem(
        bootmem: &mut Bootmem,
        direct_map: VirtAddr,
        highmem_start: Pfn,
    ) -> Result<Self, BootmemError> {
        let (first, end) = bootmem.kept_span().ok_or(BootmemError::NoMemory)?;
        let sections = first.as_u32() / SECTION_FRAMES..end.as_u32().div_ceil(SECTION_FRAMES);
        let (frames, words) = (sections.end * SECTION_FRAMES, Self::present_words(sections.end * SECTION_FRAMES));
        // The entry of frame 0 would lie as far before the array; this high up that is in RAM too, so that a pointer
        // there is one into the same memory.
        let before = (sections.start * SECTION_FRAMES) as usize;
        let room = sections.start as u64 * Self::SECTION_BYTES as u64;
        let goal = DMA_END.phys().max(PhysAddr::new(first.phys().as_u64() + room));
        let limit = highmem_start.phys();
        let array = bootmem.alloc_at(sections.len() * Self::SECTION_BYTES, PAGE_SIZE, goal, limit)?.start;
        let of_section = |section: u32| {
            let bytes = (section - sections.start) as u64 * Self::SECTION_BYTES as u64;
            PhysAddr::new(array.as_u64() + bytes)
        };
        let table = bootmem.alloc_at(words * size_of::<u64>(), align_of::<u64>(), goal, limit);
        let table = table.inspect_err(|_| {
            // It was taken a moment ago: there is room in bootmem's tables for what was there before.
            let _: Result<(), _> = bootmem.free(array, of_section(sections.end));
        })?;
        let shown = |phys: PhysAddr| direct_map.add(phys.as_u64() as usize);
        let present = shown(table.start).as_mut_ptr::<u64>();
        // SAFETY: bootmem gave these bytes for good, aligned, and they show there.
        unsafe { present.write_bytes(0, words) };
        // SAFETY: they were cleared a moment ago, and nothing else refers to them.
        let present = unsafe { core::slice::from_raw_parts_mut(present, words) };
        bootmem.each_kept(|range| mark_present(present, range));
        let entries = shown(array).as_mut_ptr::<Page>();
        for section in sections.clone() {
            if present[(section / u64::BITS) as usize] >> (section % u64::BITS) & 1 == 0 {
                // What bootmem's tables have no room for stays reserved.
                let _: Result<(), _> = bootmem.free(of_section(section), of_section(section + 1));
                continue;
            }
            for frame in 0..SECTION_FRAMES {
                let nth = (section - sections.start) * SECTION_FRAMES + frame;
                // SAFETY: the array has an entry for each frame of each section.
                let entry = unsafe { entries.add(nth as usize) };
                // SAFETY: it shows there, and nothing else uses it.
                unsafe { entry.write(Page::new()) };
            }
        }
        // Memory that starts so high lies further from the direct map's start than its entries are long.
        let pages = NonNull::new(entries.wrapping_sub(before)).ok_or(BootmemError::NoMemory)?;
        Ok(Self { pages, frames, gapless: gapless(frames, present), present })
    }

    /// Frames from 0 on that all have entries.
    #[inline]
    pub const fn gapless(&self) -> u32 {
        self.gapless
    }

    /// Frames that the map spans, holes included.
    #[inline]
    pub const fn frames(&self) -> u32 {
        self.frames
    }

    /// Bytes of page-map entries that exist.
    pub fn bytes(&self) -> usize {
        self.present.iter().map(|word| word.count_ones() as usize).sum::<usize>() * Self::SECTION_BYTES
    }

    /// The entry of `frame`, or `None` where there is no RAM.
    #[inline]
    pub fn get(&self, frame: Pfn) -> Option<&Page> {
        let section = frame.as_u32() / SECTION_FRAMES;
        let word = self.present.get((section / u64::BITS) as usize)?;
        if word >> (section % u64::BITS) & 1 == 0 {
            return None;
        }
        Some(self.at(frame))
    }

    /// The entry of a frame that is known to exist: it came from the allocator or from [`get`](Self::get), or it is in
    /// the same 2 MiB as one that did.
    #[inline]
    pub(crate) fn at(&self, frame: Pfn) -> &Page {
        debug_assert!(frame.as_u32() < self.frames.next_multiple_of(SECTION_FRAMES));
        // SAFETY: by the rule above the frame's section is present, so its entry lies within the map.
        let entry = unsafe { self.pages.add(frame.index()) };
        // SAFETY: present entries are valid and initialised for ever (contract of `new`).
        unsafe { entry.as_ref() }
    }

    /// The entry of the frame around the byte `offset` of physical memory; as in [`at`](Self::at), it is known to
    /// exist.
    #[inline]
    pub(crate) fn at_offset(&self, offset: usize) -> &Page {
        debug_assert!(offset / PAGE_SIZE < self.frames.next_multiple_of(SECTION_FRAMES) as usize);
        // SAFETY: as in `at`.
        let entry = unsafe { self.pages.add(offset / PAGE_SIZE) };
        // SAFETY: as in `at`.
        unsafe { entry.as_ref() }
    }

    /// Why `frame` is not the start of an untagged block that can be freed by the order that was given.
    #[cold]
    pub(crate) fn explain(&self, frame: Pfn) -> FreeError {
        let Some(page) = self.get(frame) else { return FreeError::Wild };
        match page.state() {
            PageState::Allocated(_) => match page.tag() {
                Tag::None => FreeError::WrongOrder,
                tag => FreeError::Owned(tag),
            },
            PageState::Free(_) | PageState::Cached(_) => FreeError::DoubleFree,
            PageState::Slab | PageState::Retired => FreeError::SlabPage,
            PageState::Inner => match self.block_of(frame) {
                Some((_, PageState::Free(_) | PageState::Cached(_))) => FreeError::DoubleFree,
                Some(_) => FreeError::Interior,
                None => FreeError::Reserved,
            },
        }
    }

    /// Whether `frame` has an owner: it lies in an allocated block or a slab.
    pub(crate) fn is_allocated(&self, frame: Pfn) -> bool {
        matches!(self.block_of(frame), Some((_, PageState::Allocated(_) | PageState::Slab)))
    }

    /// The block that `frame` lies in: its first frame and that one's state; for a page of a slab, the page alone.
    /// `None` for a frame outside of all blocks.
    pub fn block_of(&self, frame: Pfn) -> Option<(Pfn, PageState)> {
        let own = self.get(frame)?.state();
        if matches!(own, PageState::Slab | PageState::Retired) {
            return Some((frame, own));
        }
        Order::all().find_map(|size| {
            let head = Pfn::new(frame.as_u32() & !(size.pages() - 1));
            let state = self.at(head).state();
            match state {
                PageState::Free(order) | PageState::Cached(order) | PageState::Allocated(order)
                    if frame.as_u32() - head.as_u32() < order.pages() =>
                {
                    Some((head, state))
                }
                _ => None,
            }
        })
    }
}

/// Frames of the map before the first section that is missing.
const fn gapless(frames: u32, present: &[u64]) -> u32 {
    let sections = frames.div_ceil(SECTION_FRAMES);
    let mut section = 0;
    while section < sections && present[(section / u64::BITS) as usize] >> (section % u64::BITS) & 1 == 1 {
        section += 1;
    }
    if section == sections { frames } else { section * SECTION_FRAMES }
}

/// Marks the sections that `range` touches in a presence map, as far as it has bits for them.
pub fn mark_present(present: &mut [u64], range: PfnRange) {
    if range.frames() == 0 {
        return;
    }
    let last = (range.end.as_u32() - 1) / SECTION_FRAMES;
    for section in range.start.as_u32() / SECTION_FRAMES..=last {
        let Some(word) = present.get_mut((section / u64::BITS) as usize) else { return };
        *word |= 1 << (section % u64::BITS);
    }
}

const _: () = assert!(PageMap::SECTION_BYTES == 2 * PAGE_SIZE);
