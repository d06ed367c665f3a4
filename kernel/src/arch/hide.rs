//! Values about which the optimiser shall know nothing, for measurements.
//!
//! `core::hint::black_box` sends a value through memory, which costs about what is to be measured. Here it stays in its
//! register and nothing is executed.

use core::arch::asm;
use core::hint::black_box;
use core::ptr::NonNull;

use mm::{CacheRef, Pfn, Platform, VirtAddr};

/// A value that can be hidden.
pub trait Hide: Copy {
    /// The same value, of which nothing is known any more.
    fn hidden(self) -> Self;
}

impl Hide for usize {
    #[inline(always)]
    fn hidden(mut self) -> Self {
        // SAFETY: a comment does nothing.
        unsafe { asm!("/* {0} */", inout(reg) self, options(nomem, nostack, preserves_flags)) };
        self
    }
}

impl Hide for NonNull<u8> {
    #[inline(always)]
    fn hidden(self) -> Self {
        let mut object = self.as_ptr();
        // SAFETY: a comment does nothing.
        unsafe { asm!("/* {0} */", inout(reg) object, options(readonly, nostack, preserves_flags)) };
        // SAFETY: it is the address that it was.
        unsafe { Self::new_unchecked(object) }
    }
}

impl Hide for VirtAddr {
    #[inline(always)]
    fn hidden(self) -> Self {
        Self::new(self.as_usize().hidden())
    }
}

impl Hide for Pfn {
    #[inline(always)]
    fn hidden(self) -> Self {
        Self::new((self.as_u32() as usize).hidden() as u32)
    }
}

impl<P: Platform> Hide for CacheRef<P> {
    #[inline(always)]
    fn hidden(self) -> Self {
        black_box(self)
    }
}
