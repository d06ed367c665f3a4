//! The firmware's map of physical memory, as the bootloader hands it over.

use core::fmt;

use ::mm::PhysAddr;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind};

use crate::sync::SpinLock;

/// Regions kept; neighbours of one kind count as one. UEFI hands over some 125 before merging.
const CAPACITY: usize = 512;

/// What the firmware or the bootloader says of a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Memory that is free.
    Usable,
    /// Memory that the bootloader used: the kernel, the initial files, its own tables, its stack.
    Bootloader,
    /// The firmware's own.
    Reserved,
}

/// A region of physical addresses, `start..end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// First byte.
    pub start: PhysAddr,
    /// Byte after the last.
    pub end: PhysAddr,
    /// What it is.
    pub kind: Kind,
}

struct Map {
    regions: [Region; CAPACITY],
    len: usize,
    /// Regions that did not fit.
    lost: usize,
}

const NOTHING: Region = Region { start: PhysAddr::new(0), end: PhysAddr::new(0), kind: Kind::Reserved };

static MAP: SpinLock<Map> = SpinLock::new(Map { regions: [NOTHING; CAPACITY], len: 0, lost: 0 });

/// Keeps the bootloader's regions, neighbours of one kind merged. Returns how many did not fit.
pub(super) fn remember(regions: &[MemoryRegion]) -> usize {
    MAP.with(|map| {
        regions.iter().for_each(|region| map.add(region.into()));
        map.lost
    })
}

impl From<&MemoryRegion> for Region {
    fn from(region: &MemoryRegion) -> Self {
        let kind = match region.kind {
            MemoryRegionKind::Usable => Kind::Usable,
            MemoryRegionKind::Bootloader => Kind::Bootloader,
            _ => Kind::Reserved,
        };
        Self { start: PhysAddr::new(region.start), end: PhysAddr::new(region.end), kind }
    }
}

/// The `nth` region in the firmware's order.
pub fn region(nth: usize) -> Option<Region> {
    MAP.with(|map| map.regions[..map.len].get(nth).copied())
}

/// All regions, in the firmware's order.
pub fn regions() -> impl Iterator<Item = Region> {
    (0..).map_while(region)
}

impl Map {
    fn add(&mut self, region: Region) {
        if region.end <= region.start {
            return;
        }
        if let Some(last) = self.regions[..self.len].last_mut()
            && last.end == region.start
            && last.kind == region.kind
        {
            last.end = region.end;
        } else if let Some(place) = self.regions.get_mut(self.len) {
            *place = region;
            self.len += 1;
        } else {
            self.lost += 1;
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::Usable => "usable",
            Kind::Bootloader => "bootloader",
            Kind::Reserved => "reserved",
        };
        write!(f, "{:016x} @ {:016x} ({name})", self.end.as_u64() - self.start.as_u64(), self.start.as_u64())
    }
}
