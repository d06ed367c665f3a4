//! The PC's floppy controller, an 82077: its registers, at their ports.

use kapi::FloppyRegister;
use x86_64::instructions::port::Port;

/// The controller's ports but the one that it shares with the hard disk's controller, and that one: first, count.
pub const PORTS: [(u16, u16); 2] = [(0x3f2, 4), (0x3f7, 1)];
const DIGITAL_OUTPUT: u16 = 0x3f2;
const MAIN_STATUS: u16 = 0x3f4;
const DATA: u16 = 0x3f5;
/// Read: digital input. Written: data rate.
const INPUT_AND_RATE: u16 = 0x3f7;

/// Reads a register. For the owner of [`PORTS`].
pub fn read(register: FloppyRegister) -> u8 {
    let mut port = Port::<u8>::new(port_of(register));
    // SAFETY: the port is the controller's; reading it changes nothing but the controller.
    unsafe { port.read() }
}

/// Writes a register. For the owner of [`PORTS`].
pub fn write(register: FloppyRegister, value: u8) {
    let mut port = Port::<u8>::new(port_of(register));
    // SAFETY: as above; it reaches memory only by the DMA channel, which moves only what a `Transfer` describes.
    unsafe { port.write(value) };
}

fn port_of(register: FloppyRegister) -> u16 {
    match register {
        FloppyRegister::DigitalOutput => DIGITAL_OUTPUT,
        FloppyRegister::MainStatus => MAIN_STATUS,
        FloppyRegister::Data => DATA,
        FloppyRegister::DigitalInput | FloppyRegister::DataRate => INPUT_AND_RATE,
    }
}
