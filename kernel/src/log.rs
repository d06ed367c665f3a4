//! The kernel log: the last 64 KiB of messages, with their times.
//!
//! [`klog!`](crate::klog) works in every context, and from the panic handler. A message is formatted before the log's
//! lock is taken, so that nothing that a `Display` does can come back here under it. The log keeps what the CPU's
//! counter was, and [`Stamp`] makes seconds of it when somebody reads: so even the lines have a time that were written
//! before there was a clock. On the console lines have stamps only if the kernel option `printk.time=1` asks for them.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use core::time::Duration;

use services::message_ring::{MAX_MESSAGE, MessageRing};
use services::options::Switch;

pub use services::message_ring::{Message, Position};

use crate::debug::backtrace::Trace;
use crate::debug::panicking::is_panicking;
use crate::sync::SpinLock;
use crate::{output, time};

/// Bytes that the log keeps.
pub const CAPACITY: usize = 64 << 10;
/// Bytes of the longest stamp.
const MAX_STAMP: usize = 32;

struct Log {
    ring: MessageRing<CAPACITY>,
    /// Where `dmesg` starts.
    cleared: Position,
}

static LOG: SpinLock<Log> = SpinLock::new(Log { ring: MessageRing::new(), cleared: Position::FIRST });

/// Whether lines have stamps on the console.
static STAMPED: AtomicBool = AtomicBool::new(false);
/// The last stamp on the console, in microseconds: as the counter's speed is found out, they shall not go back.
static LAST_SHOWN: AtomicU64 = AtomicU64::new(0);

/// Writes one line to the kernel log and the console, formatted as by `format_args!`. Any context.
#[macro_export]
macro_rules! klog {
    ($($arg:tt)*) => { $crate::log::write(format_args!($($arg)*)) };
}

/// Writes one line to the kernel log and the console; adds the line end. Any context.
pub fn write(message: fmt::Arguments<'_>) {
    let now = time::cycles_since_entry();
    let mut text = Bytes::<MAX_MESSAGE>::new();
    // A message that does not fit is cut.
    let _ = text.write_fmt(message);
    // A panic that came from within the lock loses its place in the log, not on the console.
    if is_panicking() {
        if let Some(mut log) = LOG.try_lock() {
            log.ring.append(now, text.as_bytes());
        }
    } else {
        LOG.with(|log| log.ring.append(now, text.as_bytes()));
    }
    echo(now, text.as_bytes());
}

/// Has lines stamped on the console from here on, or not.
pub fn stamp_console(stamps: Switch) {
    STAMPED.store(stamps == Switch::On, Relaxed);
}

/// Shows a message on the console.
fn echo(time: u64, text: &[u8]) {
    if !STAMPED.load(Relaxed) {
        output::write_line(&[text, b"\n"]);
        return;
    }
    let micros = Stamp::of(time).0.as_micros() as u64;
    let stamp = Stamp(Duration::from_micros(LAST_SHOWN.fetch_max(micros, Relaxed).max(micros)));
    let mut shown = Bytes::<MAX_STAMP>::new();
    // There is room for any time.
    let _ = write!(shown, "{stamp}");
    for line in lines(text) {
        output::write_line(&[shown.as_bytes(), line, b"\n"]);
    }
}

/// The lines of a message, which has one as a rule.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

/// When a message was written, since the kernel's entry, as it stands before the message: `[    0.012345] `.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stamp(Duration);

impl Stamp {
    /// The time of a [`Message`]: zero as long as the counter's speed is not known.
    pub fn of(time: u64) -> Self {
        Self(time::of_cycles(time))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:5}.{:06}] ", self.0.as_secs(), self.0.subsec_micros())
    }
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

/// Where the next message will be. Any context.
pub fn end() -> Position {
    LOG.with(|log| log.ring.end())
}

/// Copies the message at `position` to `message`, and returns the position behind it; `None` at the end. Where the
/// message was overwritten, the oldest one that is left stands for it. Any context.
pub fn read(position: Position, message: &mut Message) -> Option<Position> {
    LOG.with(|log| log.ring.read(position, message))
}

/// Where the messages start that nobody has cleared. Any context.
pub fn since_cleared() -> Position {
    LOG.with(|log| log.cleared)
}

/// Has [`since_cleared`] start at `position`. Any context.
pub fn clear(position: Position) {
    LOG.with(|log| log.cleared = position);
}

/// Text that is being formatted; what does not fit is cut.
struct Bytes<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Bytes<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl<const N: usize> Write for Bytes<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let count = text.len().min(N - self.len);
        self.bytes[self.len..self.len + count].copy_from_slice(&text.as_bytes()[..count]);
        self.len += count;
        if count < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
