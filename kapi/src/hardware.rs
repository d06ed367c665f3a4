//! The machine as drivers see it: claims, the frame buffer, hidden memory.
//!
//! Claims are on addresses; hidden memory is outside of the page allocator.

use mm::own::Buffer;
use mm::{AllocError, PfnRange, PhysAddr};

use crate::errno::Errno;
use crate::kernel::Kernel;

/// A kernel on a machine that has devices. All of it is for process context.
pub trait Hardware: Kernel {
    /// Contiguous memory of any length, from the area that the kernel option `bigphysarea=` set aside.
    type BigBuffer: Buffer;
    /// A claim on physical addresses, given back when it is dropped.
    type MemRegion: Send;

    /// Takes `bytes` bytes of that area, rounded up to whole pages; content undefined.
    fn big_buffer(bytes: usize) -> Result<Self::BigBuffer, AllocError>;

    /// Claims `len` bytes of physical addresses for the driver `name`. `EBUSY` when a part of them is claimed,
    /// `ENOMEM`.
    fn claim_memory(start: PhysAddr, len: u64, name: &str) -> Result<Self::MemRegion, Errno>;

    /// The display's frame buffer: its first address and its bytes.
    fn frame_buffer() -> Option<(PhysAddr, u64)>;

    /// Calls `visit` with each run of RAM that the kernel option `mem=` hid from the allocators and nobody else has.
    fn hidden_ram(visit: &mut dyn FnMut(PfnRange));
}
