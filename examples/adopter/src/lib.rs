//! The kernel that was there before: a serial port, an end, panics.
//!
//! What it takes to have the allocators in it is in `plain/glue.rs` and, with vmalloc, in `vmalloc/glue.rs`.
#![no_std]

use core::arch::asm;
use core::fmt::{self, Write};
use core::hint::spin_loop;
use core::panic::PanicInfo;

use bootloader_api::config::{BootloaderConfig, Mapping};

/// All physical memory at some address, and a boot stack of 64 KiB.
pub const CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::Dynamic);
    config.kernel_stack_size = 64 << 10;
    config
};

/// Prints a line on the serial port.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints on the serial port.
pub fn print(text: fmt::Arguments<'_>) {
    // The port takes every byte.
    let _ = Serial.write_fmt(text);
}

/// The first serial port. The firmware has set it up.
struct Serial;

const PORT: u16 = 0x3f8;
const STATUS: u16 = PORT + 5;
/// The port takes a byte.
const READY: u8 = 1 << 5;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while read(STATUS) & READY == 0 {
                spin_loop();
            }
            write(PORT, byte);
        }
        Ok(())
    }
}

fn read(port: u16) -> u8 {
    let byte;
    // SAFETY: to read the serial port's status changes nothing.
    unsafe { asm!("in al, dx", in("dx") port, out("al") byte, options(nomem, nostack, preserves_flags)) };
    byte
}

fn write(port: u16, byte: u8) {
    // SAFETY: the ports written to are the serial port's and QEMU's for its end, which touch no memory.
    unsafe { asm!("out dx, al", in("dx") port, in("al") byte, options(nomem, nostack, preserves_flags)) };
}

/// Says that the kernel has begun: Scullery's runner shows what follows this byte.
pub fn begin() {
    print(format_args!("\u{2}"));
}

/// How the machine ends.
#[derive(Clone, Copy)]
pub enum End {
    /// All went well.
    Success = 0x10,
    /// Something did not.
    Failure = 0x11,
}

/// Ends the machine, by QEMU's isa-debug-exit.
pub fn end(end: End) -> ! {
    write(0xf4, end as u8);
    loop {
        spin_loop();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say!("{info}");
    end(End::Failure)
}
