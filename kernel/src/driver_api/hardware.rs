//! The machine, as drivers see it: [`kapi::Hardware`] for this kernel.

use kapi::Errno;
use mm::{AllocError, PfnRange, PhysAddr};

use crate::mm::Kernel;
use crate::mm::bigphysarea::BigBuffer;
use crate::resource::{MemRegion, pci};

impl kapi::Hardware for Kernel {
    type BigBuffer = BigBuffer;
    type MemRegion = MemRegion;

    fn big_buffer(bytes: usize) -> Result<BigBuffer, AllocError> {
        BigBuffer::new(bytes)
    }

    fn claim_memory(start: PhysAddr, len: u64, name: &str) -> Result<MemRegion, Errno> {
        MemRegion::request(start, len, name)
    }

    fn frame_buffer() -> Option<(PhysAddr, u64)> {
        let mut ranges = pci::find(pci::VGA)?.ranges();
        let pixels = ranges.find(|range| range.kind == pci::Kind::Prefetchable)?;
        Some((PhysAddr::new(pixels.start), pixels.size))
    }

    fn hidden_ram(visit: &mut dyn FnMut(PfnRange)) {
        crate::mm::hidden_ram().for_each(visit);
    }
}
