//! The kernel log: the last 64 KiB of messages, and their echo on the console.
//!
//! [`klog!`](crate::klog) works in every context, and from the panic handler. A message is formatted before the log's
//! lock is taken, so that nothing that a `Display` does can come back here under it.

use core::fmt::{self, Write};

use crate::debug::backtrace::Trace;
use crate::debug::panicking::is_panicking;
use crate::output;
use crate::sync::SpinLock;

/// Bytes that the log keeps.
const CAPACITY: usize = 64 << 10;
/// Bytes of the longest message; longer ones are cut.
const MAX_LINE: usize = 512;

struct Ring {
    bytes: [u8; CAPACITY],
    /// Bytes ever written: the next one goes to this position, modulo the capacity.
    end: u64,
}

static RING: SpinLock<Ring> = SpinLock::new(Ring { bytes: [0; CAPACITY], end: 0 });

/// Writes one line to the kernel log and the console, formatted as by `format_args!`. Any context.
#[macro_export]
macro_rules! klog {
    ($($arg:tt)*) => { $crate::log::write(format_args!($($arg)*)) };
}

/// Writes one line to the kernel log and the console; adds the line end. Any context.
pub fn write(message: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; MAX_LINE], len: 0 };
    // A message that does not fit is cut.
    let _ = line.write_fmt(message);
    line.bytes[line.len] = b'\n';
    let line = &line.bytes[..=line.len];
    // A panic that came from within the lock loses its place in the log, not on the console.
    if is_panicking() {
        if let Some(mut ring) = RING.try_lock() {
            ring.append(line);
        }
    } else {
        RING.with(|ring| ring.append(line));
    }
    output::write_line(line);
}

/// Writes a backtrace, a line for each place; a runaway recursion need not fill the screen. Any context.
pub fn write_trace(trace: Trace) {
    const MAX_LINES: usize = 32;
    klog!("backtrace:");
    let mut sites = trace.sites().peekable();
    for _ in 0..MAX_LINES {
        let Some(site) = sites.next() else { return };
        klog!("  {site}");
        let mut repeats = 0u32;
        while sites.next_if_eq(&site).is_some() {
            repeats += 1;
        }
        if repeats > 0 {
            klog!("  the same {repeats} more times");
        }
    }
    klog!("  ... and more");
}

/// Copies the log from `position` on into `buf`. Returns how much, and the position after it; a position that was
/// overwritten is moved up to the oldest byte. At the end it copies nothing. Any context.
pub fn read(position: u64, buf: &mut [u8]) -> (usize, u64) {
    RING.with(|ring| {
        let oldest = ring.end.saturating_sub(CAPACITY as u64);
        let start = position.clamp(oldest, ring.end);
        let count = buf.len().min((ring.end - start) as usize);
        for (offset, byte) in buf[..count].iter_mut().enumerate() {
            *byte = ring.bytes[(start as usize + offset) % CAPACITY];
        }
        (count, start + count as u64)
    })
}

impl Ring {
    fn append(&mut self, line: &[u8]) {
        for &byte in line {
            self.bytes[self.end as usize % CAPACITY] = byte;
            self.end += 1;
        }
    }
}

struct Line {
    bytes: [u8; MAX_LINE],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The last byte is for the line end.
        let room = MAX_LINE - 1 - self.len;
        let count = text.len().min(room);
        self.bytes[self.len..self.len + count].copy_from_slice(&text.as_bytes()[..count]);
        self.len += count;
        if count < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
