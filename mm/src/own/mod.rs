//! Memory that is owned: what safe code uses instead of the raw calls.
//!
//! Every type here frees its memory when it is dropped, takes GFP flags wherever it may allocate, and returns
//! [`AllocError`](crate::AllocError) instead of ending the program. The type parameter `K` names the allocators, a
//! zero-sized [`Global`]: handles to pages, objects and areas are one pointer wide, and an `Option` of one is too.

/// The usual traits of a [`Buffer`]: its bytes by reference, and where and how many they are.
macro_rules! as_bytes {
    ($name:ident) => {
        impl<K: Global> AsRef<[u8]> for $name<K> {
            fn as_ref(&self) -> &[u8] {
                self.bytes()
            }
        }

        impl<K: Global> AsMut<[u8]> for $name<K> {
            fn as_mut(&mut self) -> &mut [u8] {
                self.bytes_mut()
            }
        }

        impl<K: Global> core::fmt::Debug for $name<K> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({:?}, {} bytes)"), self.addr(), self.bytes().len())
            }
        }
    };
}

mod allocator;
mod any;
mod blocks;
mod cache;
mod calls;
mod code;
mod convert;
mod heap;
mod iomem;
mod karc;
mod kbox;
mod kstring;
mod kvec;
mod page;
mod page_ref;
mod typed;

use crate::addr::VirtAddr;
use crate::gfp::GfpFlags;
use crate::memory::Memory;
use crate::platform::Platform;

pub use allocator::{Allocator, KVmalloc, Kmalloc, Vmalloc, Wiped};
pub use any::AnyBox;
pub use blocks::{KBytes, PageBlock, VmArea};
pub use cache::{CacheObject, CacheSource, KmemCache};
pub use calls::Calls;
pub use code::{CodeArea, SealedArea};
pub use convert::NotText;
pub use heap::Heap;
pub use iomem::IoMem;
pub use karc::{Arc, KArc};
pub use kbox::{Box, KBox, KVBox, VBox};
pub use kstring::KString;
pub use kvec::{Drain, IntoIter, KVVec, KVec, VVec, Vec};
pub use page::UserPage;
pub use page_ref::{PageRef, PageRefs};
pub use typed::{KObject, Prepared, TypedCache};

/// The name of the one set of allocators that a program uses.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::Context;
/// use mm::own::{Global, KBox};
///
/// /// Code that is generic over the kernel asks it for the caller's flags.
/// fn boxed<K: Global>(value: u32) -> Result<KBox<u32, K>, mm::AllocError> {
///     KBox::new(value, K::context_gfp())
/// }
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// assert_eq!(boxed::<TestKernel>(5).map(KBox::into_inner), Ok(5));
/// let in_interrupt = || boxed::<TestKernel>(6).map(KBox::into_inner);
/// assert_eq!(TestKernel::memory().platform().in_context(Context::Interrupt, in_interrupt), Ok(6));
/// ```
///
/// # Safety
/// [`memory`](Self::memory) returns the same allocators each time: what was allocated by one call is freed by others.
pub unsafe trait Global: Sized + Send + Sync + 'static {
    /// The kernel beneath.
    type Platform: Platform;

    /// The allocators. They are up before the first call.
    fn memory() -> &'static Memory<Self::Platform>;

    /// The strongest flags that the caller's context allows: `KERNEL` where it may sleep, else `ATOMIC`.
    fn context_gfp() -> GfpFlags {
        if Self::memory().platform().context().may_sleep() { GfpFlags::KERNEL } else { GfpFlags::ATOMIC }
    }
}

/// A piece of owned memory, whatever allocator it came from.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::{Buffer, KBytes, PageBlock, VmArea};
///
/// fn stamp(quantum: &mut dyn Buffer) -> usize {
///     quantum.bytes_mut().fill(0x5a);
///     quantum.bytes().len()
/// }
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// assert_eq!(stamp(&mut KBytes::<TestKernel>::new(100, GfpFlags::KERNEL)?), 128);
/// assert_eq!(stamp(&mut PageBlock::<TestKernel>::zeroed(GfpFlags::KERNEL)?), 4096);
/// assert_eq!(stamp(&mut VmArea::<TestKernel>::new(5000)?), 8192);
/// assert!(KBytes::<TestKernel>::new(100, GfpFlags::KERNEL)?.footprint() > 128, "a slab is not objects alone");
/// # Ok::<(), mm::AllocError>(())
/// ```
pub trait Buffer: Send + Sync {
    /// The memory. What was never written holds what its last owner left.
    fn bytes(&self) -> &[u8];

    /// The memory, to be written.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Its first address.
    fn addr(&self) -> VirtAddr;

    /// Bytes of memory that it costs, with what the allocator keeps for it: what a limit should count.
    fn footprint(&self) -> usize {
        self.bytes().len()
    }
}
