//! Bootmem: memory for those who need it before the page allocator stands.
//!
//! The firmware's map goes in with [`Bootmem::add_ram`] and [`Bootmem::withhold`] in any order, overlapping or not: what is
//! withheld once stays so. Then come reservations and allocations, and [`Bootmem::finish`] hands what is left to the page
//! allocator, once, by value. What was allocated here is never given back to it. (Chapter: "Boot-Time Allocation".)

use crate::addr::{PAGE_SIZE, Pfn, PfnRange, PhysAddr};
use crate::error::BootmemError;
use crate::memory::DMA_END;
use crate::region::RegionSet;

/// Where a boot-time allocation may lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootZone {
    /// Below 16 MiB, without exception: the `_low` calls.
    Low,
    /// From 16 MiB on, or lower if there is nothing: the plain calls.
    Normal,
}

/// An allocation: where it lies, and whether it had to be taken from below 16 MiB although the caller asked for higher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BootBlock {
    /// First byte.
    pub start: PhysAddr,
    /// Whether the request fell back to low memory.
    pub fell_back: bool,
}

/// The boot-time allocator. Process context of the boot processor only.
pub struct Bootmem {
    /// RAM as the firmware says, without what is withheld.
    ram: RegionSet,
    withheld: RegionSet,
    free: RegionSet,
    /// Unused rest of the last page of the last small allocation: start and end.
    rest: (PhysAddr, PhysAddr),
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
            rest: (PhysAddr::new(0), PhysAddr::new(0)),
        }
    }

    /// The firmware calls `start..end` usable. Partial pages at the ends are left out.
    pub fn add_ram(&mut self, start: PhysAddr, end: PhysAddr) -> Result<(), BootmemError> {
        let range = inner_frames(start, end);
        self.ram.insert(range)?;
        self.free.insert(range)?;
        for held in self.withheld.clone().ranges() {
            self.ram.remove(*held)?;
            self.free.remove(*held)?;
        }
        Ok(())
    }

    /// The firmware calls `start..end` something else: no page that it touches is RAM.
    pub fn withhold(&mut self, start: PhysAddr, end: PhysAddr) -> Result<(), BootmemError> {
        let range = outer_frames(start, end);
        self.withheld.insert(range)?;
        self.ram.remove(range)?;
        self.free.remove(range)
    }

    /// Hides all free memory from `end` on, as the kernel option `mem=` asks; returns the frames hidden. What is reserved
    /// there stays reserved.
    pub fn limit(&mut self, end: PhysAddr) -> Result<usize, BootmemError> {
        let before = self.free.frames();
        self.free.remove(PfnRange::new(clamp(end.as_u64() / PAGE_SIZE as u64), Pfn::new(u32::MAX)))?;
        Ok(before - self.free.frames())
    }

    /// Reserves every page that `start..end` touches; returns how many of them were free RAM before.
    pub fn reserve(&mut self, start: PhysAddr, end: PhysAddr) -> Result<usize, BootmemError> {
        let (before, range) = (self.free.frames(), outer_frames(start, end));
        self.free.remove(range)?;
        self.forget_rest(range);
        Ok(before - self.free.frames())
    }

    /// Gives whole pages back that were allocated or reserved before.
    pub fn free(&mut self, start: PhysAddr, end: PhysAddr) -> Result<(), BootmemError> {
        let range = inner_frames(start, end);
        if range.frames() == 0 {
            return Err(BootmemError::BadRequest);
        }
        if !self.ram.contains(range) {
            return Err(BootmemError::NotRam);
        }
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

    /// Allocates `size` bytes, aligned to `align`, a power of two. Requests of less than a page share pages. The caller
    /// clears the memory.
    pub fn alloc(&mut self, size: usize, align: usize, zone: BootZone) -> Result<BootBlock, BootmemError> {
        if size == 0 || !align.is_power_of_two() {
            return Err(BootmemError::BadRequest);
        }
        if let Some(start) = self.take_rest(size as u64, align as u64, zone) {
            return Ok(BootBlock { start, fell_back: false });
        }
        let frames = u32::try_from(size.div_ceil(PAGE_SIZE)).map_err(|_| BootmemError::NoMemory)?;
        let step = (align / PAGE_SIZE).max(1) as u64;
        let low = PfnRange::new(Pfn::new(0), DMA_END);
        let high = PfnRange::new(DMA_END, Pfn::new(u32::MAX));
        let found = match zone {
            BootZone::Low => self.find(frames, step, low).map(|range| (range, false)),
            BootZone::Normal => match self.find(frames, step, high) {
                Some(range) => Some((range, false)),
                None => self.find(frames, step, PfnRange::new(low.start, high.end)).map(|range| (range, true)),
            },
        };
        let (range, fell_back) = found.ok_or(BootmemError::NoMemory)?;
        self.free.remove(range)?;
        let start = range.start.phys();
        self.rest = (PhysAddr::new(start.as_u64() + size as u64), range.end.phys());
        Ok(BootBlock { start, fell_back })
    }

    /// Serves a small request from the page that the last one left partly unused.
    fn take_rest(&mut self, size: u64, align: u64, zone: BootZone) -> Option<PhysAddr> {
        let (from, to) = self.rest;
        let start = from.as_u64().next_multiple_of(align);
        let is_low = to <= DMA_END.phys();
        if align > PAGE_SIZE as u64 || is_low != (zone == BootZone::Low) || start.checked_add(size)? > to.as_u64() {
            return None;
        }
        self.rest.0 = PhysAddr::new(start + size);
        Some(PhysAddr::new(start))
    }

    /// The lowest free run of `frames` frames within `within` that starts at a multiple of `step` frames.
    fn find(&self, frames: u32, step: u64, within: PfnRange) -> Option<PfnRange> {
        self.free.ranges().iter().find_map(|range| {
            let range = range.intersection(within);
            let start = u32::try_from(u64::from(range.start.as_u32()).checked_next_multiple_of(step)?).ok()?;
            let end = start.checked_add(frames)?;
            (end <= range.end.as_u32()).then_some(PfnRange::new(Pfn::new(start), Pfn::new(end)))
        })
    }

    /// RAM as the firmware says.
    pub const fn ram(&self) -> &RegionSet {
        &self.ram
    }

    /// RAM that nobody has reserved.
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
