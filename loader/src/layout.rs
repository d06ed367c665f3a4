//! Where each section lies within its part.

use crate::file::Section;
use crate::limits::{MAX_BYTES, MAX_SECTIONS};
use crate::part::Part;
use crate::refusal::FileFault;
use crate::section::alignment;

/// Where a section lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub part: Part,
    /// From the part's start, in bytes.
    pub offset: u32,
}

impl Place {
    /// Where that is, for parts at `bases`.
    pub fn address(&self, bases: &[u64; Part::COUNT]) -> u64 {
        bases[self.part.index()].wrapping_add(u64::from(self.offset))
    }
}

/// The places of all loaded sections, in the order of the file.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Apart from the offsets: together they would be padded, and this lies on a kernel's stack.
    parts: [Option<Part>; MAX_SECTIONS],
    offsets: [u32; MAX_SECTIONS],
    bytes: [u32; Part::COUNT],
    alignments: [u64; Part::COUNT],
}

impl Layout {
    pub fn new() -> Self {
        Self {
            parts: [None; MAX_SECTIONS],
            offsets: [0; MAX_SECTIONS],
            bytes: [0; Part::COUNT],
            alignments: [1; Part::COUNT],
        }
    }

    /// Gives the section a place behind those that the part has.
    pub fn add(&mut self, section: &Section<'_>, part: Part) -> Result<(), FileFault> {
        let alignment = alignment(section);
        let end = u64::from(self.bytes[part.index()]);
        let offset = end.checked_next_multiple_of(alignment).ok_or(FileFault::TooLarge)?;
        let end = offset.checked_add(section.header.sh_size).ok_or(FileFault::TooLarge)?;
        *self.parts.get_mut(section.index).ok_or(FileFault::TooManySections)? = Some(part);
        self.offsets[section.index] = u32::try_from(offset).map_err(|_| FileFault::TooLarge)?;
        self.bytes[part.index()] = u32::try_from(end).map_err(|_| FileFault::TooLarge)?;
        self.alignments[part.index()] = self.alignments[part.index()].max(alignment);
        if Part::ALL.into_iter().map(|part| self.bytes(part)).sum::<usize>() > MAX_BYTES {
            return Err(FileFault::TooLarge);
        }
        Ok(())
    }

    /// Where the section with this index lies, if it is loaded.
    pub fn place(&self, section: usize) -> Option<Place> {
        let part = self.parts.get(section).copied().flatten()?;
        Some(Place { part, offset: self.offsets[section] })
    }

    /// How many bytes a part takes.
    pub fn bytes(&self, part: Part) -> usize {
        self.bytes[part.index()] as usize
    }

    /// What a part's address has to be a multiple of.
    pub fn alignment(&self, part: Part) -> u64 {
        self.alignments[part.index()]
    }
}

#[cfg(test)]
mod tests {
    use elf::section::SectionHeader;

    use super::{Layout, MAX_SECTIONS, Part, Section};

    #[test]
    fn sections_lie_aligned_one_behind_the_other_within_their_parts() {
        let mut layout = Layout::new();
        let mut ends = [0; Part::COUNT];
        let mut random = 0x5eed_u64;
        for index in 1..MAX_SECTIONS {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let (part, size, align) =
                (Part::ALL[(random >> 33) as usize % 5], random >> 40 & 0xfff, 1 << (random >> 60));
            let align = align.min(4096);
            layout.add(&section(index, size, align), part).expect("less than the limit");
            let place = layout.place(index).expect("the section just added");
            let offset = u64::from(place.offset);
            assert_eq!((place.part, offset % align), (part, 0));
            assert!(offset >= ends[part.index()]);
            ends[part.index()] = offset + size;
        }
        assert_eq!(Part::ALL.map(|part| layout.bytes(part) as u64), ends);
    }

    fn section(index: usize, sh_size: u64, sh_addralign: u64) -> Section<'static> {
        let header = SectionHeader {
            sh_name: 0,
            sh_type: elf::abi::SHT_PROGBITS,
            sh_flags: 0,
            sh_addr: 0,
            sh_offset: 0,
            sh_size,
            sh_link: 0,
            sh_info: 0,
            sh_addralign,
            sh_entsize: 0,
        };
        Section { index, name: "", header }
    }
}
