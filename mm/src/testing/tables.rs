//! Page tables of the test machine: three levels, and large pages of 2 MiB.

use crate::addr::{PAGE_SHIFT, Pfn};
use crate::mapper::{Access, Entry, Format, Level, Mapping};

const PRESENT: u64 = 1;
const TABLE: u64 = 2;
const DEVICE: u64 = 4;
const CONSTANT: u64 = 8;
const CODE: u64 = 16;

/// Frame number from bit 12 on, flags below.
pub(super) struct HostFormat;

// SAFETY: no processor reads these entries, but `read` alone.
unsafe impl Format for HostFormat {
    const TOP: Level = Level::Three;

    type Rights = (Mapping, Access);

    fn largest(&self) -> Level {
        Level::Two
    }

    fn leaf(&self, frame: Pfn, _level: Level, (mapping, access): Self::Rights) -> u64 {
        let device = if mapping == Mapping::Device { DEVICE } else { 0 };
        let access = match access {
            Access::ReadWrite => 0,
            Access::Read => CONSTANT,
            Access::Execute => CODE,
        };
        frame.phys().as_u64() | device | access | PRESENT
    }

    fn table(&self, frame: Pfn) -> u64 {
        frame.phys().as_u64() | TABLE | PRESENT
    }

    fn read(&self, bits: u64, _level: Level) -> Entry<Self::Rights> {
        let mapping = if bits & DEVICE == 0 { Mapping::Memory } else { Mapping::Device };
        let access = match (bits & CONSTANT, bits & CODE) {
            (0, 0) => Access::ReadWrite,
            (_, 0) => Access::Read,
            _ => Access::Execute,
        };
        let frame = Pfn::new((bits >> PAGE_SHIFT) as u32);
        match (bits & PRESENT, bits & TABLE) {
            (0, _) => Entry::Empty,
            (_, 0) => Entry::Leaf(frame, (mapping, access)),
            _ => Entry::Table(frame),
        }
    }
    fn rights(mapping: Mapping) -> Self::Rights {
        (mapping, Access::ReadWrite)
    }

    fn with_access((mapping, _): Self::Rights, access: Access) -> Self::Rights {
        (mapping, access)
    }
}
