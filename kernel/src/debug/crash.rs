//! Bad ends on request: what `crash` and `reboot` do.

use x86_64::instructions::interrupts;

use crate::board::keyboard;

/// An address in the page that is never mapped.
const NULL_PAGE: usize = 8;

/// Reads where nothing is mapped: a page fault that is no guarded access.
pub fn fault() -> ! {
    let target = core::ptr::without_provenance::<u8>(NULL_PAGE);
    // SAFETY: the page at 0 is never mapped, so the read has no effect but the fault, which does not return here.
    let byte = unsafe { target.read_volatile() };
    panic!("the null page holds {byte}")
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
