//! Why a program is refused.

use core::fmt;

use crate::limits::MAX_SEGMENTS;

/// Why a file is not run. It prints as one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramRefusal {
    /// It begins otherwise, or ends within its header.
    NotElf,
    /// It is for another machine, or no 64-bit little-endian file of the known version.
    Machine(u16),
    /// It is no program, by the number that ELF has for its kind.
    Kind(u16),
    /// Its headers of segments are of another length.
    HeaderLength(u16),
    /// It has no segments, or more than [`MAX_SEGMENTS`].
    SegmentCount(u16),
    /// Its table of segments goes beyond its end.
    TableCut,
    /// It wants a dynamic linker.
    Dynamic,
    /// It has no segment to load.
    NothingToLoad,
    /// Its first instruction lies in none of its pages.
    Entry,
    /// This segment goes beyond the file's end.
    Cut(usize),
    /// This segment has more bytes in the file than in memory.
    Smaller(usize),
    /// Place and offset of this segment are not the same within a page.
    Misplaced(usize),
    /// This segment begins in, or before, the last page of the one before it.
    Order(usize),
    /// This segment reaches beyond the addresses that programs may have.
    TooHigh(usize),
    /// The alignment of this segment is no power of two.
    Alignment(usize),
}

impl fmt::Display for ProgramRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotElf => f.write_str("no ELF file"),
            Self::Machine(machine) => write!(f, "for another machine ({machine})"),
            Self::Kind(kind) => write!(f, "no program, by its kind ({kind})"),
            Self::HeaderLength(bytes) => write!(f, "headers of segments of {bytes} bytes"),
            Self::SegmentCount(count) => write!(f, "{count} segments: there may be 1 to {MAX_SEGMENTS}"),
            Self::TableCut => f.write_str("the table of segments goes beyond the file's end"),
            Self::Dynamic => f.write_str("dynamically linked: only static programs run"),
            Self::NothingToLoad => f.write_str("no segment to load"),
            Self::Entry => f.write_str("begins outside of its segments"),
            Self::Cut(index) => write!(f, "segment {index} goes beyond the file's end"),
            Self::Smaller(index) => write!(f, "segment {index} has more bytes in the file than in memory"),
            Self::Misplaced(index) => write!(f, "segment {index}: address and offset differ within a page"),
            Self::Order(index) => write!(f, "segment {index} begins before the one before it ends"),
            Self::TooHigh(index) => write!(f, "segment {index} lies beyond the addresses of programs"),
            Self::Alignment(index) => write!(f, "segment {index}: alignment is no power of two"),
        }
    }
}
