//! A format for the page tables of the test machine: three levels, and large pages of 2 MiB.

use crate::addr::{PAGE_SHIFT, Pfn};
use crate::mapper::{Entry, Format, Level};
use crate::platform::Mapping;

const PRESENT: u64 = 1;
const TABLE: u64 = 2;
const DEVICE: u64 = 4;

/// Frame number from bit 12 on, flags below.
pub(crate) struct HostFormat;

impl Format for HostFormat {
    const TOP: Level = Level::Three;

    type Rights = Mapping;

    fn largest(&self) -> Level {
        Level::Two
    }

    fn leaf(&self, frame: Pfn, _level: Level, rights: Mapping) -> u64 {
        let device = if rights == Mapping::Device { DEVICE } else { 0 };
        frame.phys().as_u64() | device | PRESENT
    }

    fn table(&self, frame: Pfn) -> u64 {
        frame.phys().as_u64() | TABLE | PRESENT
    }

    fn read(&self, bits: u64, _level: Level) -> Entry<Mapping> {
        let frame = Pfn::new((bits >> PAGE_SHIFT) as u32);
        match (bits & PRESENT, bits & TABLE) {
            (0, _) => Entry::Empty,
            (_, 0) => Entry::Leaf(frame, if bits & DEVICE == 0 { Mapping::Memory } else { Mapping::Device }),
            _ => Entry::Table(frame),
        }
    }
}
