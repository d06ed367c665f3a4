//! The kernel's own symbol table: from an address to a function's name.
//!
//! The image builder writes the table of `loader::Ksyms` into the segment between `__symbols_start` and
//! `__symbols_end` (kernel.ld). An image that was not post-processed has an empty one; every lookup then finds nothing.

use core::slice;

use loader::Ksyms;
use x86_64::VirtAddr;

unsafe extern "C" {
    static __kernel_start: u8;
    static __text_end: u8;
    static __symbols_start: u8;
    static __symbols_end: u8;
}

/// The function that holds `address`, and how many bytes into it the address lies. Any context.
pub fn lookup(address: VirtAddr) -> Option<(&'static str, usize)> {
    let start = VirtAddr::from_ptr(&raw const __kernel_start);
    let end = VirtAddr::from_ptr(&raw const __text_end);
    if address < start || address >= end {
        return None;
    }
    let offset = u32::try_from(address - start).ok()?;
    let (begin, name) = Ksyms::parse(section())?.find(offset)?;
    Some((name, usize::try_from(offset - begin).ok()?))
}

/// The bytes between the linker's two marks.
fn section() -> &'static [u8] {
    let start = &raw const __symbols_start;
    let len = (&raw const __symbols_end).addr() - start.addr();
    // SAFETY: the linker script reserves exactly this range; it is mapped read-only and never changes.
    unsafe { slice::from_raw_parts(start, len) }
}
