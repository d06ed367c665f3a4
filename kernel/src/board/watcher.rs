//! The port by which the kernel waits for who watches its memory.
//!
//! Behind it is a pipe of the host's. A write that finds it full takes until the host has read, and no time passes in
//! the machine meanwhile: so a picture is of one moment, and the same in each run that counts instructions.

use mm::outside::Mark;
use x86_64::instructions::port::Port;

/// Whether somebody watches. Any context.
pub fn is_there() -> bool {
    let mut port = Port::<u8>::new(Mark::PORT);
    // SAFETY: the port belongs to QEMU's debug console or, on a PC, to nothing: a read changes nothing.
    unsafe { port.read() == Mark::ANSWER }
}

/// Comes back when the watcher has taken a picture. Any context; only where somebody watches.
pub fn wait() {
    let mut port = Port::<u8>::new(Mark::PORT);
    for _ in 0..Mark::BYTES_SENT {
        // SAFETY: as above; a byte there goes to the watcher.
        unsafe { port.write(0) };
    }
}
