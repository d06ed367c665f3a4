//! What memory ISA DMA reaches: the chapter's reason for a DMA zone.
//!
//! The controller of the PC, the 8237, has 24 address bits, of which its counter moves 16: a transfer lies below 16 MiB
//! and inside 64 KiB that begin at a multiple of 64 KiB, in adjacent frames. [`Transfer`] is the proof that a buffer
//! does; there is no other way to make one. (Chapter: "The Flags Argument", `__GFP_DMA`; "get_free_page and Friends",
//! `__get_dma_pages`.)

use mm::DMA_END;
use mm::{Memory, PhysAddr, Platform, VirtAddr};

/// Bytes that the controller's counter spans.
const SPAN: u64 = 64 << 10;

/// Why the controller cannot reach a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DmaError {
    /// The address is not one of the direct map, as vmalloc's are not: adjacent bytes may lie anywhere.
    NotDirect,
    /// The buffer reaches beyond 16 MiB.
    TooHigh,
    /// The buffer lies across a multiple of 64 KiB.
    CrossesBoundary,
    /// The buffer has no bytes.
    Empty,
}

impl DmaError {
    /// The reason in a few words, as the kernel log shows it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotDirect => "it has no physical address of its own",
            Self::TooHigh => "it lies above 16 MiB",
            Self::CrossesBoundary => "it crosses a 64 KiB boundary",
            Self::Empty => "it is empty",
        }
    }
}

/// A buffer that ISA DMA reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transfer {
    start: u32,
    last: u32,
}

impl Transfer {
    /// `bytes` bytes of physical memory from `start` on.
    pub fn new(start: PhysAddr, bytes: usize) -> Result<Self, DmaError> {
        let rest = bytes.checked_sub(1).ok_or(DmaError::Empty)?;
        let last = start.checked_add(rest as u64).ok_or(DmaError::TooHigh)?;
        if last >= DMA_END.phys() {
            return Err(DmaError::TooHigh);
        }
        let (start, last) = (start.as_u64(), last.as_u64());
        if start / SPAN != last / SPAN {
            return Err(DmaError::CrossesBoundary);
        }
        // Both are below 16 MiB.
        Ok(Self { start: start as u32, last: last as u32 })
    }

    /// `bytes` bytes from a virtual address on: those of kmalloc and get_free_pages have a physical one.
    pub fn of_buffer<P: Platform>(memory: &Memory<P>, addr: VirtAddr, bytes: usize) -> Result<Self, DmaError> {
        let frame = memory.frame_of(addr).ok_or(DmaError::NotDirect)?;
        let start = frame.phys().as_u64() + addr.page_offset() as u64;
        Self::new(PhysAddr::new(start), bytes)
    }

    /// Address bits 16 to 23: what goes into the channel's page register.
    pub const fn page(self) -> u8 {
        (self.start >> 16) as u8
    }

    /// Address bits 0 to 15, where the channel's counter begins.
    pub const fn offset(self) -> u16 {
        self.start as u16
    }

    /// Bytes less one, as the channel counts.
    pub const fn count(self) -> u16 {
        (self.last - self.start) as u16
    }
}
