//! The first serial port, polled: enough for a boot log and an echo.

use core::fmt;

use spin::Mutex;
use uart_16550::backend::PioBackend;
use uart_16550::{Config, Uart16550};

/// The port's I/O base on every PC.
const BASE: u16 = 0x3f8;

/// First byte the kernel sends: what came before is the firmware's.
const START_MARK: u8 = 0x02;
/// Sent when the console takes input; nothing is forwarded to the guest before it.
const XON: u8 = 0x11;
/// ^D: on an empty line, the end of input.
const END_OF_INPUT: u8 = 0x04;

static PORT: Mutex<Option<Uart16550<PioBackend>>> = Mutex::new(None);

/// Sets the port up and sends the start mark.
pub fn init() {
    // SAFETY: 0x3f8 is the first serial port's, and only this module uses it.
    let uart = unsafe { Uart16550::new_port(BASE) };
    let Ok(mut uart) = uart else { return };
    if uart.init(Config::default()).is_ok() {
        uart.send_bytes_exact(&[START_MARK]);
        *PORT.lock() = Some(uart);
    }
}

/// Tells the other end that input is read from here on.
pub fn ready_for_input() {
    if let Some(uart) = PORT.lock().as_mut() {
        uart.send_bytes_exact(&[XON]);
    }
}

/// Sends each byte back until ^D comes.
pub fn echo_until_end_of_input() {
    while let Some(uart) = PORT.lock().as_mut() {
        match uart.try_receive_byte() {
            Ok(END_OF_INPUT) => return,
            Ok(byte) => uart.send_bytes_exact(&[byte]),
            Err(_) => core::hint::spin_loop(),
        }
    }
}

struct Writer;

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(uart) = PORT.lock().as_mut() {
            uart.send_bytes_exact(text.as_bytes());
        }
        Ok(())
    }
}

/// Writes formatted text to the port; what `print!` expands to.
pub fn print(args: fmt::Arguments<'_>) {
    // The writer never fails.
    let _ = fmt::Write::write_fmt(&mut Writer, args);
}

/// Prints to the console without a line end.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => { $crate::arch::serial::print(format_args!($($arg)*)) };
}

/// Prints one line to the console.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)*) => { $crate::print!("{}\n", format_args!($($arg)*)) };
}
