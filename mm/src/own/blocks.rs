//! Owned bytes from kmalloc, blocks of pages, and vm areas.

use core::marker::PhantomData;
use core::ptr::NonNull;

use super::{Buffer, Calls, Global};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::areas::AreaRef;
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::order::Order;

/// Bytes from kmalloc. They may be more than were asked for: as many as the size class has.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::{Buffer, KBytes};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut quantum = KBytes::<TestKernel>::zeroed(4000, GfpFlags::KERNEL)?;
/// quantum.bytes_mut()[..5].copy_from_slice(b"scull");
/// assert_eq!((quantum.bytes().len(), &quantum.as_ref()[..6]), (4096, &b"scull\0"[..]));
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct KBytes<K: Global> {
    memory: NonNull<u8>,
    kernel: PhantomData<K>,
}

/// A block of pages from `get_free_pages`, aligned to its size.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::own::{Buffer, PageBlock};
/// use mm::{GfpFlags, Order};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let order = Order::new(2).expect("0 to 9");
/// let block = PageBlock::<TestKernel>::new(order, GfpFlags::KERNEL)?;
/// assert_eq!((block.bytes().len(), block.order()), (16_384, order));
/// assert!(block.addr().is_aligned(16_384));
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct PageBlock<K: Global> {
    /// The first byte, and in the low bits, which a page's address has free, the order.
    tagged: NonNull<u8>,
    kernel: PhantomData<K>,
}

/// An area from vmalloc. Creating one may sleep. It may be dropped in any context: where the caller may not sleep, its
/// pages are free as soon as another caller may.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::own::{Buffer, VmArea};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut area = VmArea::<TestKernel>::new(1_000_000)?;
/// area.bytes_mut().fill(7);
/// assert_eq!(area.bytes().len(), 1_003_520, "whole pages");
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct VmArea<K: Global> {
    area: AreaRef,
    kernel: PhantomData<K>,
}

// SAFETY: the handle owns plain memory.
unsafe impl<K: Global> Send for KBytes<K> {}
// SAFETY: as above; shared access only reads.
unsafe impl<K: Global> Sync for KBytes<K> {}
// SAFETY: the handle owns plain memory.
unsafe impl<K: Global> Send for PageBlock<K> {}
// SAFETY: as above; shared access only reads.
unsafe impl<K: Global> Sync for PageBlock<K> {}
// SAFETY: the handle owns plain memory; of the area it reads only what never changes.
unsafe impl<K: Global> Send for VmArea<K> {}
// SAFETY: as above; shared access only reads.
unsafe impl<K: Global> Sync for VmArea<K> {}

impl<K: Global> KBytes<K> {
    /// Allocates at least `len` bytes, 0 to 131072; content undefined. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn new(len: usize, gfp: GfpFlags) -> Result<Self, AllocError> {
        Calls::<K>::kmalloc(len, gfp).map(Self::from_raw)
    }

    /// Allocates at least `len` bytes, all of them zero. As [`new`](Self::new). Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn zeroed(len: usize, gfp: GfpFlags) -> Result<Self, AllocError> {
        let mut zeroed = Self::new(len, gfp)?;
        zeroed.bytes_mut().fill(0);
        Ok(zeroed)
    }

    /// A copy of `bytes`; content undefined behind them. As [`new`](Self::new). Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn from_slice(bytes: &[u8], gfp: GfpFlags) -> Result<Self, AllocError> {
        let mut copy = Self::new(bytes.len(), gfp)?;
        copy.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        Ok(copy)
    }

    /// The owner of memory from kmalloc that has no other owner.
    pub(super) const fn from_raw(memory: NonNull<u8>) -> Self {
        Self { memory, kernel: PhantomData }
    }
}

impl<K: Global> PageBlock<K> {
    /// Allocates 2^`order` contiguous pages; content undefined. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn new(order: Order, gfp: GfpFlags) -> Result<Self, AllocError> {
        Self::of(Calls::<K>::get_free_pages(gfp, order)?, order)
    }

    /// Allocates one page filled with zeros. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn zeroed(gfp: GfpFlags) -> Result<Self, AllocError> {
        Self::of(Calls::<K>::get_zeroed_page(gfp)?, Order::ZERO)
    }

    /// The owner of a block at `addr` that has no other owner.
    fn of(addr: VirtAddr, order: Order) -> Result<Self, AllocError> {
        const { assert!(Order::MAX.log2() < PAGE_SIZE) };
        let tagged = addr.as_mut_ptr::<u8>().map_addr(|addr| addr | order.log2());
        NonNull::new(tagged).map(|tagged| Self { tagged, kernel: PhantomData }).ok_or(AllocError)
    }

    /// The block's size.
    #[inline]
    pub fn order(&self) -> Order {
        Order::new(self.tagged.addr().get() % PAGE_SIZE).unwrap_or(Order::ZERO)
    }

    /// The block's first frame.
    pub fn frame(&self) -> Option<Pfn> {
        K::memory().frame_of(self.addr())
    }
}

impl<K: Global> VmArea<K> {
    /// Allocates at least `len` bytes of contiguous addresses, page by page; content undefined. Process context.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn new(len: usize) -> Result<Self, AllocError> {
        Ok(Self { area: Calls::<K>::vmalloc(len)?, kernel: PhantomData })
    }
}

macro_rules! buffer {
    ($name:ident, |$this:ident| $addr:expr, $len:expr, $footprint:expr) => {
        impl<K: Global> Buffer for $name<K> {
            fn bytes(&self) -> &[u8] {
                let $this = self;
                // SAFETY: the handle owns this many bytes from this address on, for as long as it lives.
                unsafe { core::slice::from_raw_parts(self.addr().as_mut_ptr(), $len) }
            }

            fn bytes_mut(&mut self) -> &mut [u8] {
                let $this = &*self;
                // SAFETY: as in `bytes`, and the handle is borrowed exclusively.
                unsafe { core::slice::from_raw_parts_mut($this.addr().as_mut_ptr(), $len) }
            }

            fn addr(&self) -> VirtAddr {
                let $this = self;
                $addr
            }

            fn footprint(&self) -> usize {
                let $this = self;
                $footprint
            }
        }
    };
}

buffer!(
    KBytes,
    |this| VirtAddr::from_ptr(this.memory.as_ptr()),
    K::memory().objects().object_bytes(this.addr()),
    K::memory().objects().footprint(this.addr())
);
buffer!(
    PageBlock,
    |this| VirtAddr::from_ptr(this.tagged.as_ptr().map_addr(|addr| addr & !(PAGE_SIZE - 1))),
    this.order().bytes(),
    this.order().bytes()
);
buffer!(VmArea, |this| this.area.start, this.area.bytes(), K::memory().areas().footprint(this.area));

as_bytes!(KBytes);
as_bytes!(PageBlock);
as_bytes!(VmArea);

impl<K: Global> Drop for KBytes<K> {
    fn drop(&mut self) {
        // SAFETY: the memory is this value's, which ends.
        let freed = unsafe { Calls::<K>::kfree(self.memory.as_ptr()) };
        debug_assert!(freed.is_ok());
    }
}

impl<K: Global> Drop for PageBlock<K> {
    fn drop(&mut self) {
        // SAFETY: the block is this value's, which ends.
        let freed = unsafe { Calls::<K>::free_pages(self.addr(), self.order()) };
        debug_assert!(freed.is_ok());
    }
}

impl<K: Global> Drop for VmArea<K> {
    fn drop(&mut self) {
        let freed = Calls::<K>::vfree(self.area.start);
        debug_assert!(freed.is_ok());
    }
}
