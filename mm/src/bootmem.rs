//! Bootmem: memory for callers that run before the page allocator exists.
//!
//! The firmware's map goes in with [`Bootmem::add_ram`] and [`Bootmem::withhold`], what has an owner with
//! [`Bootmem::reserve`], and [`Bootmem::keep_only`] hides what an option leaves out: in any order, overlapping or not.
//! What is withheld or hidden once stays so, and what is reserved stays so until it is freed, whenever the firmware's
//! word for it comes. [`Bootmem::finish`] hands what is left to the page allocator, once, by value, or
//! [`Bootmem::hand_over`] range by range. What was allocated
//! here is never given back to it. (Chapter: "Boot-Time Allocation".)
//!
//! Invariants: (a) what is free is RAM, not withheld, not hidden and not reserved; (b) a firmware map of more pieces
//! than the tables hold costs RAM ([`Bootmem::lost`]), and never makes RAM of what is none; (c) a call that is refused
//! has changed nothing.

use crate::addr::{PAGE_SIZE, Pfn, PfnRange, PhysAddr};
use crate::error::BootmemError;
use crate::gfp::DMA_END;
use crate::region::RegionSet;

/// Where a boot-time allocation may lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootZone {
    /// Below 16 MiB, without exception: the `_low` calls.
    Low,
    /// From 16 MiB on, or lower if there is nothing: the plain calls.
    Normal,
}

impl BootZone {
    /// Where such a request should start at the lowest, and the address that it never reaches beyond.
    pub const fn bounds(self) -> (PhysAddr, PhysAddr) {
        match self {
            Self::Low => (PhysAddr::new(0), DMA_END.phys()),
            Self::Normal => (DMA_END.phys(), PhysAddr::new(u64::MAX)),
        }
    }
}

/// An allocation: where it lies, and whether it had to be taken from below the goal that the caller named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BootBlock {
    /// First byte.
    pub start: PhysAddr,
    /// Whether it lies below the goal.
    pub fell_back: bool,
}

/// The boot-time allocator. Process context of the boot processor only.
pub struct Bootmem {
    /// RAM as the firmware says, without what is withheld.
    ram: RegionSet,
    withheld: RegionSet,
    free: RegionSet,
    /// Reserved or allocated, whether or not it is RAM.
    reserved: RegionSet,
    /// What is not in here is hidden.
    kept: RegionSet,
    /// Unused rest of the last page of the last small allocation: start and end.
    rest: (PhysAddr, PhysAddr),
    /// Frames of RAM that the tables had no room for.
    lost: usize,
}

/// The frames that lie wholly between two addresses.
fn inner_frames(start: PhysAddr, end: PhysAddr) -> PfnRange {
    let first = start.as_u64().div_ceil(PAGE_SIZE as u64);
    let last = end.as_u64() / PAGE_SIZE as u64;
    PfnRange::new(clamp(first), clamp(last))
}

/// The frames that an address range touches.
fn outer_frames(start: PhysAddr, end: PhysAddr) -> PfnRange {
    if end <= start {
        return PfnRange::new(Pfn::new(0), Pfn::new(0));
    }
    let first = start.as_u64() / PAGE_SIZE as u64;
    let last = end.as_u64().div_ceil(PAGE_SIZE as u64);
    PfnRange::new(clamp(first), clamp(last))
}

/// Memory beyond 16 TiB is out of reach.
fn clamp(frame: u64) -> Pfn {
    Pfn::new(u32::try_from(frame).unwrap_or(u32::MAX))
}

impl Bootmem {
    /// Knows no memory yet.
    pub const fn new() -> Self {
        Self {
            ram: RegionSet::new(),
            withheld: RegionSet::new(),
            free: RegionSet::new(),
            reserved: RegionSet::new(),
            kept: RegionSet::whole(),
            rest: (PhysAddr::new(0), PhysAddr::new(0)),
            lost: 0,
        }
    }

    /// The firmware calls `start..end` usable. Partial pages at the ends are left out.
    pub fn add_ram(&mut self, start: PhysAddr, end: PhysAddr) {
        let range = inner_frames(start, end);
        self.lost += self.ram.insert_or_drop(range);
        for gap in self.reserved.gaps(range) {
            for kept in self.kept.ranges() {
                self.free.insert_or_drop(gap.intersection(*kept));
            }
        }
        self.leave_out_withheld();
    }

    /// The firmware calls `start..end` something else: no page that it touches is RAM.
    pub fn withhold(&mut self, start: PhysAddr, end: PhysAddr) {
        let range = outer_frames(start, end);
        self.withheld.insert_or_widen(range);
        self.leave_out_withheld();
        self.forget_rest(range);
    }

    fn leave_out_withheld(&mut self) {
        for &held in self.withheld.ranges() {
            self.lost += self.ram.remove_or_drop(held);
            self.free.remove_or_drop(held);
        }
    }

    /// Frames of RAM that were left out because the firmware's map has more pieces than the tables hold.
    pub const fn lost(&self) -> usize {
        self.lost
    }

    /// Hides all free memory outside of `kept`, as the kernel option `mem=` asks, and returns it. What is reserved
    /// there stays reserved for good. A second call hides more.
    ///
    /// # Errors
    /// More separate ranges than the table holds.
    pub fn keep_only(&mut self, kept: &RegionSet) -> Result<RegionSet, BootmemError> {
        let (mut both, mut free, mut hidden) = (self.kept.clone(), self.free.clone(), self.free.clone());
        kept.gaps(PfnRange::ALL).try_for_each(|gap| both.remove(gap))?;
        both.ranges().iter().try_for_each(|&range| hidden.remove(range))?;
        hidden.ranges().iter().try_for_each(|&range| free.remove(range))?;
        (self.free, self.kept) = (free, both);
        if !self.kept.contains(outer_frames(self.rest.0, self.rest.1)) {
            self.rest = (PhysAddr::new(0), PhysAddr::new(0));
        }
        Ok(hidden)
    }

    /// RAM as the firmware says, without what is hidden.
    ///
    /// # Errors
    /// More separate ranges than the table holds.
    pub fn kept_ram(&self) -> Result<RegionSet, BootmemError> {
        let mut ram = self.ram.clone();
        self.kept.gaps(PfnRange::ALL).try_for_each(|gap| ram.remove(gap))?;
        Ok(ram)
    }

    /// The first frame of RAM that is not hidden, and the end of the last; `None` without RAM.
    pub(crate) fn kept_span(&self) -> Option<(Pfn, Pfn)> {
        let mut span: Option<(Pfn, Pfn)> = None;
        self.each_kept(|range| span = Some((span.map_or(range.start, |(first, _)| first), range.end)));
        span
    }

    /// Calls `f` with each run of RAM that is not hidden, lowest first.
    pub(crate) fn each_kept(&self, mut f: impl FnMut(PfnRange)) {
        for ram in self.ram.ranges() {
            let kept = self.kept.ranges().iter().map(|kept| kept.intersection(*ram));
            kept.filter(|range| range.frames() > 0).for_each(&mut f);
        }
    }

    /// Reserves every page that `start..end` touches, RAM or not; returns how many of them were free RAM before. A page
    /// that is reserved twice is so once, and free after one [`free`](Self::free): ask
    /// [`reserved_within`](Self::reserved_within) first.
    ///
    /// # Errors
    /// More separate ranges than the table holds; boot is over.
    pub fn reserve(&mut self, start: PhysAddr, end: PhysAddr) -> Result<usize, BootmemError> {
        let (before, range) = (self.free.frames(), outer_frames(start, end));
        self.take_out(range)?;
        self.forget_rest(range);
        Ok(before - self.free.frames())
    }

    /// Reserves `range`, free or not: all of it or, with full tables, nothing.
    fn take_out(&mut self, range: PfnRange) -> Result<(), BootmemError> {
        self.free.can_remove(range)?;
        self.reserved.insert(range)?;
        self.free.remove(range)
    }

    /// The RAM between `start` and `end` that is reserved, as ranges: a reservation of it would take them twice.
    pub fn reserved_within(&self, start: PhysAddr, end: PhysAddr) -> impl Iterator<Item = PfnRange> {
        let asked = outer_frames(start, end);
        let reserved = |ram: PfnRange| self.reserved.ranges().iter().map(move |held| held.intersection(ram));
        let ram = self.ram.ranges().iter().map(move |ram| ram.intersection(asked));
        ram.flat_map(reserved).filter(|range| range.frames() > 0)
    }

    /// Gives whole pages back that were allocated or reserved before, all of them.
    ///
    /// # Errors
    /// Not RAM, or free already; more separate ranges than the table holds; boot is over.
    pub fn free(&mut self, start: PhysAddr, end: PhysAddr) -> Result<(), BootmemError> {
        let range = inner_frames(start, end);
        if range.frames() == 0 {
            return Err(BootmemError::BadRequest);
        }
        if !self.ram.contains(range) || !self.kept.contains(range) {
            return Err(BootmemError::NotRam);
        }
        if self.free.ranges().iter().any(|free| free.intersection(range).frames() > 0) {
            return Err(BootmemError::AlreadyFree);
        }
        if !self.reserved.contains(range) {
            // RAM that the tables had no room for.
            return Err(BootmemError::NotRam);
        }
        self.free.can_insert(range)?;
        self.reserved.remove(range)?;
        self.free.insert(range)?;
        self.forget_rest(range);
        Ok(())
    }

    /// Serves no more small requests from a page that has another owner now.
    fn forget_rest(&mut self, range: PfnRange) {
        let (from, to) = self.rest;
        if outer_frames(from, to).intersection(range).frames() > 0 {
            self.rest = (PhysAddr::new(0), PhysAddr::new(0));
        }
    }

    /// Allocates `size` bytes, aligned to `align`, a power of two, where `zone` says. The caller clears the memory.
    ///
    /// # Errors
    /// No bytes or a wrong alignment; no free range is large enough; boot is over.
    pub fn alloc(&mut self, size: usize, align: usize, zone: BootZone) -> Result<BootBlock, BootmemError> {
        let (goal, limit) = zone.bounds();
        self.alloc_at(size, align, goal, limit)
    }

    /// Allocates `size` bytes, aligned to `align`, a power of two: from `goal` on or, if there is nothing, lower; all
    /// of it below `limit`. Requests that fill no whole pages share them. The caller clears the memory.
    ///
    /// # Errors
    /// As [`alloc`](Self::alloc).
    pub fn alloc_at(
        &mut self,
        size: usize,
        align: usize,
        goal: PhysAddr,
        limit: PhysAddr,
    ) -> Result<BootBlock, BootmemError> {
        if size == 0 || !align.is_power_of_two() {
            return Err(BootmemError::BadRequest);
        }
        let (size, align) = (size as u64, align as u64);
        // No frame has a higher number.
        let limit = limit.min(Pfn::new(u32::MAX).phys());
        if let Some(start) = self.take(size, align, goal, limit)? {
            return Ok(BootBlock { start, fell_back: false });
        }
        let start = self.take(size, align, PhysAddr::new(0), limit)?.ok_or(BootmemError::NoMemory)?;
        Ok(BootBlock { start, fell_back: true })
    }

    /// Takes `size` bytes between `from` and `limit`.
    fn take(
        &mut self,
        size: u64,
        align: u64,
        from: PhysAddr,
        limit: PhysAddr,
    ) -> Result<Option<PhysAddr>, BootmemError> {
        let page = PAGE_SIZE as u64;
        let (start, frames) = match self.behind_the_last(size, align, from, limit) {
            Some(found) => found,
            None => {
                let within = PfnRange::new(clamp(from.as_u64().div_ceil(page)), clamp(limit.as_u64() / page));
                let Some(found) = self.find(size.div_ceil(page), (align / page).max(1), within) else {
                    return Ok(None);
                };
                (found.start.phys(), found)
            }
        };
        self.take_out(frames)?;
        let end = start.as_u64() + size;
        self.rest = (PhysAddr::new(end), PhysAddr::new(end.next_multiple_of(page)));
        Ok(Some(start))
    }

    /// A place that begins in the rest of the last request's page, and the frames that it needs behind that page.
    fn behind_the_last(&self, size: u64, align: u64, from: PhysAddr, limit: PhysAddr) -> Option<(PhysAddr, PfnRange)> {
        let (rest, page_end) = self.rest;
        let start = PhysAddr::new(rest.as_u64().checked_next_multiple_of(align)?);
        let end = start.checked_add(size)?;
        if align > PAGE_SIZE as u64 || start >= page_end || start < from || end > limit {
            return None;
        }
        let frames = outer_frames(page_end, end);
        self.free.contains(frames).then_some((start, frames))
    }

    /// The lowest free run of `frames` frames within `within` that starts at a multiple of `step` frames.
    fn find(&self, frames: u64, step: u64, within: PfnRange) -> Option<PfnRange> {
        let frames = u32::try_from(frames).ok()?;
        self.free.ranges().iter().find_map(|range| {
            let range = range.intersection(within);
            let start = u32::try_from(u64::from(range.start.as_u32()).checked_next_multiple_of(step)?).ok()?;
            let end = start.checked_add(frames)?;
            (end <= range.end.as_u32()).then_some(PfnRange::new(Pfn::new(start), Pfn::new(end)))
        })
    }

    /// Hands a range of what is free over for good: it is neither free nor reserved from now on. `None` when all is.
    pub fn hand_over(&mut self) -> Option<PfnRange> {
        let range = *self.free.ranges().last()?;
        self.free.remove(range).ok()?;
        self.forget_rest(range);
        Some(range)
    }

    /// RAM as the firmware says.
    pub const fn ram(&self) -> &RegionSet {
        &self.ram
    }

    /// RAM that is neither reserved nor allocated.
    pub const fn unreserved(&self) -> &RegionSet {
        &self.free
    }

    /// Ends bootmem: the frames that are free, for the page allocator.
    pub fn finish(self) -> RegionSet {
        self.free
    }
}

impl Default for Bootmem {
    fn default() -> Self {
        Self::new()
    }
}
