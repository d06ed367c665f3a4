//! An owned mapping of device memory, read and written by sized, volatile accesses. (Chapter: "vmalloc and Friends".)

use core::marker::PhantomData;

use super::Global;
use crate::addr::{PhysAddr, VirtAddr};
use crate::error::AllocError;

/// Device memory, mapped by ioremap for as long as the handle lives.
pub struct IoMem<K: Global> {
    addr: VirtAddr,
    len: usize,
    kernel: PhantomData<K>,
}

macro_rules! access {
    ($read:ident, $write:ident, $type:ty) => {
        /// Reads a little-endian value at byte `offset`; `None` when it is not wholly inside the mapping or misaligned.
        pub fn $read(&self, offset: usize) -> Option<$type> {
            let at = self.place(offset, size_of::<$type>())?;
            // SAFETY: `place` has checked that the access lies in the mapping and is aligned.
            Some(<$type>::from_le(unsafe { at.as_mut_ptr::<$type>().read_volatile() }))
        }

        /// Writes a little-endian value at byte `offset`; `None`, and nothing is written, when it is not wholly inside the
        /// mapping or misaligned.
        pub fn $write(&self, offset: usize, value: $type) -> Option<()> {
            let at = self.place(offset, size_of::<$type>())?;
            // SAFETY: `place` has checked that the access lies in the mapping and is aligned.
            unsafe { at.as_mut_ptr::<$type>().write_volatile(value.to_le()) };
            Some(())
        }
    };
}

impl<K: Global> IoMem<K> {
    /// Maps `len` bytes of device memory at `phys`. Process context. Refused as `ioremap` says.
    #[track_caller]
    pub fn map(phys: PhysAddr, len: usize) -> Result<Self, AllocError> {
        Ok(Self { addr: K::memory().ioremap(phys, len)?, len, kernel: PhantomData })
    }

    /// The address of the first mapped byte.
    pub fn addr(&self) -> VirtAddr {
        self.addr
    }

    access!(readb, writeb, u8);
    access!(readw, writew, u16);
    access!(readl, writel, u32);
    access!(readq, writeq, u64);

    fn place(&self, offset: usize, bytes: usize) -> Option<VirtAddr> {
        let end = offset.checked_add(bytes)?;
        let at = self.addr.checked_add(offset)?;
        (end <= self.len && at.is_aligned(bytes)).then_some(at)
    }
}

impl<K: Global> Drop for IoMem<K> {
    fn drop(&mut self) {
        let freed = K::memory().iounmap(self.addr);
        debug_assert!(freed.is_ok());
    }
}
