//! The keyboard controller (8042): the line by which it resets the CPU.

use x86_64::instructions::port::Port;

/// Command port.
const COMMAND: u16 = 0x64;
/// Command: pulse the processor's reset line.
const PULSE_RESET: u8 = 0xfe;

/// Resets the machine: some instructions later, and not at all where there is no such controller.
pub fn reset() {
    let mut port = Port::<u8>::new(COMMAND);
    // SAFETY: every PC's keyboard controller takes this command, and its only effect is the reset.
    unsafe { port.write(PULSE_RESET) };
}
