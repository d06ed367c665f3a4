//! The allocators of this kernel, and its name for generic types.

use ::mm::{Global, Memory};

use super::boot_cell::BootCell;
use super::platform::KernelPlatform;

pub(super) static MEMORY: BootCell<Memory<KernelPlatform>> = BootCell::new();

/// The allocators.
///
/// # Panics
/// Before [`take_over`](super::take_over).
#[inline(always)]
pub fn memory() -> &'static Memory<KernelPlatform> {
    let Some(memory) = MEMORY.get() else { not_up() };
    memory
}

/// [`memory`], for what modules call: without a look whether it is there.
///
/// # Safety
/// The caller runs on behalf of a module, which was loaded into memory of the allocators'.
#[inline(always)]
pub unsafe fn memory_of_modules() -> &'static Memory<KernelPlatform> {
    // SAFETY: they are up, by the contract.
    unsafe { MEMORY.get().unwrap_unchecked() }
}

#[cold]
#[inline(never)]
fn not_up() -> ! {
    panic!("the allocators are not up yet")
}

/// The name of this kernel, for the types that are generic over one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kernel;

// SAFETY: there is one cell, which is set once.
unsafe impl Global for Kernel {
    type Platform = KernelPlatform;

    #[inline]
    fn memory() -> &'static Memory<KernelPlatform> {
        memory()
    }
}

/// One value in kmalloc'ed memory.
pub type KBox<T> = ::mm::own::KBox<T, Kernel>;
/// A growing array in kmalloc'ed memory.
pub type KVec<T> = ::mm::own::KVec<T, Kernel>;
/// A growing array in kmalloc'ed memory, or, if it is large, in vmalloc'ed.
pub type KVVec<T> = ::mm::own::KVVec<T, Kernel>;
/// Text in kmalloc'ed memory.
pub type KString = ::mm::own::KString<Kernel>;
/// A block of pages.
pub type PageBlock = ::mm::own::PageBlock<Kernel>;
/// A page that may be of high memory.
pub type UserPage = ::mm::own::UserPage<Kernel>;
/// One of the references to a page of a file or of processes.
pub type PageRef = ::mm::own::PageRef<Kernel>;
/// An area from vmalloc.
pub type VmArea = ::mm::own::VmArea<Kernel>;
/// An area of a module that is being filled.
pub type CodeArea = ::mm::own::CodeArea<Kernel>;
/// An area of a module as it is used.
pub type SealedArea = ::mm::own::SealedArea<Kernel>;
/// A mapping of device memory.
pub type IoMem = ::mm::own::IoMem<Kernel>;
/// A lookaside cache.
pub type KmemCache = ::mm::own::KmemCache<Kernel>;
