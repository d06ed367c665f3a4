//! Physical and virtual addresses, page frame numbers and ranges of them.
//!
//! Key types: [`PhysAddr`], [`VirtAddr`], [`Pfn`], [`PfnRange`]. They are plain numbers with a unit; nothing here reads
//! memory. A kernel converts them to the types of its architecture crate at its own border.

use core::fmt;

/// log2 of the page size.
pub const PAGE_SHIFT: u32 = 12;
/// Bytes in a page frame.
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;

/// Kibibytes in so many pages; `usize::MAX` where these are more.
pub const fn kib(pages: usize) -> usize {
    pages.saturating_mul(PAGE_SIZE / 1024)
}

/// A physical address, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysAddr(u64);

impl PhysAddr {
    /// The address `bytes`.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The address as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The frame that holds this address, or `None` beyond 2^32 frames (16 TiB).
    pub const fn frame(self) -> Option<Pfn> {
        let frame = self.0 >> PAGE_SHIFT;
        if frame > u32::MAX as u64 { None } else { Some(Pfn(frame as u32)) }
    }

    /// Offset of this address in its page, 0..4095.
    pub const fn page_offset(self) -> usize {
        (self.0 & (PAGE_SIZE as u64 - 1)) as usize
    }

    /// The address `bytes` further on, or `None` past the end of the address space.
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }
}

/// A virtual address, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtAddr(usize);

impl VirtAddr {
    /// The address `bytes`.
    pub const fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// The address of a pointer's target.
    pub fn from_ptr<T: ?Sized>(ptr: *const T) -> Self {
        Self(ptr.cast::<u8>() as usize)
    }

    /// The address as a number.
    pub const fn as_usize(self) -> usize {
        self.0
    }

    /// A pointer to this address; valid only as far as the owner of the memory says.
    pub const fn as_mut_ptr<T>(self) -> *mut T {
        self.0 as *mut T
    }

    /// Whether the address is a multiple of `align`, a power of two or 0, of which 0 is the only multiple.
    pub const fn is_aligned(self, align: usize) -> bool {
        self.0 & align.wrapping_sub(1) == 0
    }

    /// The first address of this address's page.
    pub const fn page_down(self) -> Self {
        Self(self.0 & !(PAGE_SIZE - 1))
    }

    /// Offset of this address in its page, 0..4095.
    pub const fn page_offset(self) -> usize {
        self.0 & (PAGE_SIZE - 1)
    }

    /// The address `bytes` further on, or `None` past the end of the address space.
    pub const fn checked_add(self, bytes: usize) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The address `bytes` further on, wrapping around; for addresses whose range was checked before.
    pub const fn add(self, bytes: usize) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

/// A page frame number: physical address / 4096. 2^32 frames are 16 TiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pfn(u32);

impl Pfn {
    /// The frame with number `number`.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The frame's number.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// The frame's number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Physical address of the frame's first byte.
    pub const fn phys(self) -> PhysAddr {
        PhysAddr((self.0 as u64) << PAGE_SHIFT)
    }

    /// The frame `frames` further on; wraps at 2^32 frames.
    pub const fn add(self, frames: u32) -> Self {
        Self(self.0.wrapping_add(frames))
    }

    /// Whether the number is a multiple of `frames`, a power of two or 0, of which 0 is the only multiple.
    pub const fn is_aligned(self, frames: u32) -> bool {
        self.0 & frames.wrapping_sub(1) == 0
    }
}

/// A half-open range of frames, `start..end`; empty when `end <= start`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PfnRange {
    /// First frame.
    pub start: Pfn,
    /// Frame after the last one.
    pub end: Pfn,
}

impl PfnRange {
    /// Every frame that has a number.
    pub const ALL: Self = Self { start: Pfn::new(0), end: Pfn::new(u32::MAX) };

    /// The range `start..end`.
    pub const fn new(start: Pfn, end: Pfn) -> Self {
        Self { start, end }
    }

    /// Frames in the range.
    pub const fn frames(self) -> usize {
        self.end.0.saturating_sub(self.start.0) as usize
    }

    /// Whether `frame` lies in the range.
    pub const fn contains(self, frame: Pfn) -> bool {
        self.start.0 <= frame.0 && frame.0 < self.end.0
    }

    /// The frames that both ranges hold; empty when they do not meet.
    pub fn intersection(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), end: self.end.min(other.end) }
    }
}

impl fmt::Debug for PhysAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhysAddr({:#x})", self.0)
    }
}

impl fmt::Debug for VirtAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtAddr({:#x})", self.0)
    }
}

impl fmt::Debug for Pfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pfn({:#x})", self.0)
    }
}

impl fmt::Debug for PfnRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pfn({:#x}..{:#x})", self.start.0, self.end.0)
    }
}
