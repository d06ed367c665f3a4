//! Ending the run under QEMU: the device isa-debug-exit.
//!
//! The runner knows three ends, success, failure and a reboot; QEMU's exit status is `(value << 1) | 1`. A guest that
//! ends in any other way (a triple fault, a reset that nobody asked for) has failed.

use x86_64::instructions::hlt;
use x86_64::instructions::interrupts;
use x86_64::instructions::port::{Port, PortWriteOnly};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ExitCode {
    /// All went well: QEMU exits with status 33.
    Success = 0x10,
    /// A panic, or a test that failed: QEMU exits with status 35.
    Failure = 0x11,
    /// The user wants the machine to start again: QEMU exits with status 37, and the runner starts another.
    Reboot = 0x12,
}

/// Port of isa-debug-exit, as the runner configures it.
const EXIT_PORT: u16 = 0xf4;
/// Line status register of the first serial port.
const LINE_STATUS: u16 = 0x3fd;
/// Bit of the line status register: everything written has left the port.
const TRANSMITTER_EMPTY: u8 = 1 << 6;
/// Reads of the line status after which a silent port is given up.
const PATIENCE: u32 = 1_000_000;

/// Ends the virtual machine, once the serial port has sent all its bytes.
///
/// On a machine without isa-debug-exit the processor halts for good. Any context.
pub fn exit(code: ExitCode) -> ! {
    leave(code);
    loop {
        hlt();
    }
}

/// [`exit`], which comes back, with interrupts off, on a machine without isa-debug-exit.
pub fn leave(code: ExitCode) {
    interrupts::disable();
    drain_serial();
    let mut port = PortWriteOnly::<u32>::new(EXIT_PORT);
    // SAFETY: under QEMU the port belongs to isa-debug-exit; on a PC nothing answers there.
    unsafe { port.write(code as u32) };
}

fn drain_serial() {
    let mut status = Port::<u8>::new(LINE_STATUS);
    for _ in 0..PATIENCE {
        // SAFETY: reading the line status has no side effect but on its error bits, unused from here on.
        let bits = unsafe { status.read() };
        if bits & TRANSMITTER_EMPTY != 0 {
            return;
        }
    }
}
