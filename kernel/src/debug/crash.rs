//! Bad ends on request: what `crash` does, and `reboot` in the end.

use core::hint::black_box;
use core::ptr;

use x86_64::instructions::interrupts;

use crate::board::keyboard;

/// An address in the page that is never mapped.
const NULL_PAGE: usize = 8;

/// Reads where nothing is mapped: a page fault that is no guarded access.
pub fn fault() -> ! {
    let target = ptr::without_provenance::<u8>(NULL_PAGE);
    // SAFETY: the page at 0 is never mapped, so the read has no effect but the fault, which does not return here.
    let byte = unsafe { target.read_volatile() };
    panic!("the null page holds {byte}")
}

/// Has `memset` write where nothing is mapped.
pub fn fault_in_memset() -> ! {
    let (target, len) = (black_box(ptr::without_provenance_mut::<u8>(NULL_PAGE)), black_box(64));
    // SAFETY: the page at 0 is never mapped, so nothing is written.
    unsafe { target.write_bytes(0, len) };
    panic!("the null page was written to")
}

/// Calls until the stack is used up.
#[expect(unconditional_recursion, reason = "it is to use up its stack")]
pub fn overflow(depth: u64) -> u64 {
    let words = black_box([depth; 16]);
    overflow(depth + 1) + words[7]
}

/// Stops for good, deaf to interrupts.
pub fn hang() -> ! {
    interrupts::disable();
    loop {
        core::hint::spin_loop();
    }
}

/// Resets the machine.
pub fn reset() -> ! {
    keyboard::reset();
    hang()
}
