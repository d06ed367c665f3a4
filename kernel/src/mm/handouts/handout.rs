//! One handout: what was handed out, by which number, and whether it was freed.

use ::mm::{Order, Pfn, PhysAddr, VirtAddr};

/// Handouts that are remembered.
pub(super) const HANDOUTS: usize = 512;

/// What was handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// An object from kmalloc, for so many bytes.
    Object(VirtAddr, usize),
    /// A block of pages, and its address if it has one.
    Block(Pfn, Order, Option<VirtAddr>),
    /// An area from vmalloc, for so many bytes.
    Area(VirtAddr, usize),
    /// Device memory from ioremap: where it shows, where it is, how many bytes.
    Device(VirtAddr, PhysAddr, usize),
    /// An object of the cache in this place.
    OfCache(VirtAddr, usize),
}

impl What {
    /// The address, if it has one.
    pub const fn addr(self) -> Option<VirtAddr> {
        match self {
            Self::Object(addr, _) | Self::Area(addr, _) | Self::Device(addr, ..) | Self::OfCache(addr, _) => Some(addr),
            Self::Block(_, _, addr) => addr,
        }
    }
}

/// Whether a handout was freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Not freed.
    Live,
    /// Freed.
    Freed,
}

/// What a call handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handout {
    /// Its number, from 1 on: `m1`.
    pub number: u32,
    /// What it is.
    pub what: What,
    /// Whether it was freed.
    pub state: State,
}

impl Handout {
    /// None: all of it is zeros, so that a table of them takes no room in the image.
    pub(super) const NONE: Self = Self { number: 0, what: What::Object(VirtAddr::new(0), 0), state: State::Live };
}
