//! An owned mapping of device memory, for sized, volatile accesses.
//! (Chapter: "vmalloc and Friends".)

use core::marker::PhantomData;
use core::ops::Range;

use super::{Calls, Global};
use crate::addr::{Pfn, PhysAddr, VirtAddr};
use crate::error::AllocError;

/// Device memory, mapped by ioremap for as long as the handle lives.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::PhysAddr;
/// use mm::own::IoMem;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// // A frame buffer of 64 KiB, beyond the end of RAM, that starts at an odd place.
/// let frame = IoMem::<TestKernel>::map(PhysAddr::new(0xfe00_0120), 0x1_0000)?;
/// assert_eq!(frame.addr().page_offset(), 0x120);
/// assert_eq!(frame.readl(0x1_0000), None, "behind the end");
/// assert_eq!(frame.writew(1, 7), None, "misaligned");
/// # Ok::<(), mm::AllocError>(())
/// ```
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

        /// Writes a little-endian value at byte `offset`; `None`, and nothing is written, when it is not wholly inside
        /// the mapping or misaligned.
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
    ///
    /// # Errors
    /// As ioremap.
    #[track_caller]
    pub fn map(phys: PhysAddr, len: usize) -> Result<Self, AllocError> {
        Ok(Self { addr: Calls::<K>::ioremap(phys, len)?, len, kernel: PhantomData })
    }

    /// The address of the first mapped byte.
    pub fn addr(&self) -> VirtAddr {
        self.addr
    }

    access!(readb, writeb, u8);
    access!(readw, writew, u16);
    access!(readl, writel, u32);
    access!(readq, writeq, u64);

    /// Copies `to.len()` bytes from byte `offset` on out of the device, by the largest aligned accesses, ascending;
    /// `None`, and nothing is read, when they are not wholly inside the mapping.
    pub fn memcpy_fromio(&self, to: &mut [u8], offset: usize) -> Option<()> {
        self.pieces(offset, to.len(), |at, piece| match <&mut [u8; 8]>::try_from(&mut to[piece.clone()]) {
            Ok(word) => *word = self.readq(at).unwrap_or_default().to_le_bytes(),
            Err(_) => to[piece].iter_mut().zip(at..).for_each(|(byte, at)| *byte = self.readb(at).unwrap_or_default()),
        })
    }

    /// Copies `from` to the device's bytes from `offset` on, as [`memcpy_fromio`](Self::memcpy_fromio) does the other
    /// way.
    pub fn memcpy_toio(&self, offset: usize, from: &[u8]) -> Option<()> {
        self.pieces(offset, from.len(), |at, piece| {
            // `pieces` has checked that each access lies in the mapping.
            let _ = match <[u8; 8]>::try_from(&from[piece.clone()]) {
                Ok(word) => self.writeq(at, u64::from_le_bytes(word)),
                Err(_) => from[piece].iter().zip(at..).try_for_each(|(&byte, at)| self.writeb(at, byte)),
            };
        })
    }

    /// Copies `bytes` of the device to the bytes from `offset` on of the page in `frame`, in bulk: for memory behind a
    /// bus, not for registers. Any context. `None`, and nothing is copied, unless it is a page of a file or a process
    /// and the bytes lie in the mapping and in the page.
    pub fn copy_to_page(&self, bytes: Range<usize>, frame: Pfn, offset: usize) -> Option<()> {
        let (from, len) = self.run(bytes)?;
        K::memory().pages().show_bytes(frame, offset, len, |to| {
            // SAFETY: `run` has checked that the bytes lie in the mapping, and `show_bytes` shows as many of the page.
            unsafe { to.as_mut_ptr::<u8>().copy_from_nonoverlapping(from.as_mut_ptr(), len) };
        })
    }

    /// Copies the bytes from `offset` on of the page in `frame` to `bytes` of the device. As
    /// [`copy_to_page`](Self::copy_to_page).
    pub fn copy_from_page(&self, bytes: Range<usize>, frame: Pfn, offset: usize) -> Option<()> {
        let (to, len) = self.run(bytes)?;
        K::memory().pages().show_bytes(frame, offset, len, |from| {
            // SAFETY: as above.
            unsafe { to.as_mut_ptr::<u8>().copy_from_nonoverlapping(from.as_mut_ptr(), len) };
        })
    }

    /// Where a run of the mapping's bytes lies, and how many these are; `None` when they are not wholly inside.
    fn run(&self, bytes: Range<usize>) -> Option<(VirtAddr, usize)> {
        let len = bytes.end.checked_sub(bytes.start)?;
        (bytes.end <= self.len).then(|| (self.addr.add(bytes.start), len))
    }

    /// Sets `len` bytes of the device from `offset` on to `value`; `None`, and nothing is written, when they are not
    /// wholly inside the mapping.
    pub fn memset_io(&self, offset: usize, value: u8, len: usize) -> Option<()> {
        self.pieces(offset, len, |at, piece| {
            let _ = match piece.len() {
                8 => self.writeq(at, u64::from_le_bytes([value; 8])),
                bytes => (at..at + bytes).try_for_each(|at| self.writeb(at, value)),
            };
        })
    }

    /// Parts `len` bytes from `offset` on into aligned words of 8 bytes and what is left at the ends; calls `each` with
    /// each piece's offset in the mapping and its range among the `len`.
    fn pieces(&self, offset: usize, len: usize, mut each: impl FnMut(usize, Range<usize>)) -> Option<()> {
        const WORD: usize = size_of::<u64>();
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len);
        let mut done = 0;
        while inside && done < len {
            let to_next = WORD - self.addr.add(offset + done).as_usize() % WORD;
            let piece = to_next.min(len - done);
            each(offset + done, done..done + piece);
            done += piece;
        }
        inside.then_some(())
    }

    fn place(&self, offset: usize, bytes: usize) -> Option<VirtAddr> {
        let end = offset.checked_add(bytes)?;
        let at = self.addr.checked_add(offset)?;
        (end <= self.len && at.is_aligned(bytes)).then_some(at)
    }
}

impl<K: Global> Drop for IoMem<K> {
    fn drop(&mut self) {
        let freed = Calls::<K>::iounmap(self.addr);
        debug_assert!(freed.is_ok());
    }
}
