//! The interval timer: interrupts at a fixed rate.

use x86_64::instructions::port::Port;

/// What the timer counts down with, in Hz.
const FREQUENCY: u32 = 1_193_182;
/// Command: counter 0, both bytes, rate generator, binary.
const RATE_GENERATOR: u8 = 0x34;

/// Has the timer interrupt `HZ` times a second, from 19 on.
pub fn start<const HZ: u32>() {
    const { assert!(FREQUENCY / HZ <= u16::MAX as u32, "the counter has 16 bits") };
    let divisor = const { (FREQUENCY + HZ / 2) / HZ } as u16;
    let mut command = Port::<u8>::new(0x43);
    let mut counter = Port::<u8>::new(0x40);
    let [low, high] = divisor.to_le_bytes();
    // SAFETY: the ports are the interval timer's, and only this function uses counter 0.
    unsafe { command.write(RATE_GENERATOR) };
    // SAFETY: as above; the timer expects the low byte first.
    unsafe { counter.write(low) };
    // SAFETY: as above.
    unsafe { counter.write(high) };
}
