//! Memory that is owned: what safe code uses instead of the raw calls.
//!
//! Every type here frees its memory when it is dropped, takes GFP flags wherever it may allocate, and returns
//! [`AllocError`](crate::AllocError) instead of ending the program. The type parameter `K` names the allocators, a
//! zero-sized [`Global`]: handles to pages, objects and areas are one pointer wide, and an `Option` of one is too.

mod allocator;
mod blocks;
mod cache;
mod convert;
mod iomem;
mod kbox;
mod kstring;
mod kvec;
mod page;
mod typed;

use crate::addr::VirtAddr;
use crate::gfp::GfpFlags;
use crate::memory::Memory;
use crate::platform::Platform;

pub use allocator::{Allocator, Kmalloc, Vmalloc};
pub use blocks::{KBytes, PageBlock, VmArea};
pub use cache::{CacheObject, CacheSource, KmemCache};
pub use convert::NotText;
pub use iomem::IoMem;
pub use kbox::KBox;
pub use kstring::KString;
pub use kvec::{Drain, IntoIter, KVec};
pub use page::UserPage;
pub use typed::{KObject, Prepared, TypedCache};

/// The name of the one set of allocators that a program uses.
pub trait Global: Sized + Send + Sync + 'static {
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
pub trait Buffer: Send + Sync {
    /// The memory. What was never written holds what its last owner left.
    fn bytes(&self) -> &[u8];

    /// The memory, to be written.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Its first address.
    fn addr(&self) -> VirtAddr;
}
