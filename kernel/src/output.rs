//! The console's output: bytes to the first serial port.
//!
//! Output waits until the port takes each byte, so a slow reader loses nothing.

use core::fmt;

use crate::board::serial;
use crate::debug::panicking::is_panicking;
use crate::sync::SpinLock;

/// First byte the kernel sends: what came before is the firmware's.
const START_MARK: u8 = 0x02;

/// Bytes that are sent without letting interrupts in: about a millisecond's worth.
const BURST_LEN: usize = 16;

struct Output {
    at_line_start: bool,
    line_ends: LineEnds,
}

/// What ends a line at the other end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineEnds {
    /// LF, as a pipe wants it.
    Newline,
    /// CR LF, as a terminal does.
    ReturnNewline,
}

static OUTPUT: SpinLock<Output> = SpinLock::new(Output { at_line_start: true, line_ends: LineEnds::Newline });

/// Sets the port up and sends the start mark. Without a port, output goes nowhere.
pub fn init() {
    if serial::init().is_ok() {
        send_mark(START_MARK);
    }
}

/// Sends a byte that is no text, but a sign to the other end. Any context.
pub fn send_mark(mark: u8) {
    OUTPUT.with(|_| serial::send(mark));
}

/// Says what ends a line from here on. Any context.
pub fn set_line_ends(line_ends: LineEnds) {
    with_output(|output| output.line_ends = line_ends);
}

/// Sends bytes as they are, a terminal's line ends and escape sequences among them. Any context.
pub fn send(bytes: &[u8]) {
    for burst in bytes.chunks(BURST_LEN) {
        with_output(|output| output.send(burst));
    }
}

/// Writes text to the console. Others' output may come in between, so that interrupts are not off for
/// long. Any context.
pub fn write(bytes: &[u8]) {
    for burst in bytes.chunks(BURST_LEN) {
        with_output(|output| output.write(burst));
    }
}

/// Writes a whole line, given in parts with its end, that nothing gets between; starts a new line first if need be. Any
/// context.
pub fn write_line(parts: &[&[u8]]) {
    with_output(|output| {
        if !output.at_line_start {
            output.write(b"\n");
        }
        parts.iter().for_each(|part| output.write(part));
    });
}

/// A panic may have come from within the lock: it prints without.
fn with_output(f: impl FnOnce(&mut Output)) {
    if !is_panicking() {
        OUTPUT.with(f);
    } else if let Some(mut output) = OUTPUT.try_lock() {
        f(&mut output);
    } else {
        f(&mut Output { at_line_start: false, line_ends: LineEnds::Newline });
    }
}

impl Output {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' && self.line_ends == LineEnds::ReturnNewline {
                serial::send(b'\r');
            }
            self.send(&[byte]);
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            serial::send(byte);
            self.at_line_start = byte == b'\n';
        }
    }
}

struct Writer;

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

/// Writes formatted text to the console, not to the log; what `print!` expands to. Any context.
pub fn print(args: fmt::Arguments<'_>) {
    // The writer never fails.
    let _ = fmt::Write::write_fmt(&mut Writer, args);
}

/// Prints to the console without a line end.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => { $crate::output::print(format_args!($($arg)*)) };
}

/// Prints one line to the console.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)*) => { $crate::print!("{}\n", format_args!($($arg)*)) };
}
