//! printk, sprintf and their kin: texts by format, for the log and into memory.

use core::ffi::{CStr, VaList, c_char, c_int};

use services::printf::{Arguments, format};

use crate::sync::SpinLock;
use crate::{klog, offer};

/// Bytes of the longest line for the log.
const LINE: usize = 1024;

/// What was printed last, while its line has not ended.
struct Line {
    bytes: [u8; LINE],
    len: usize,
}

static LINE_BEGUN: SpinLock<Line> = SpinLock::new(Line { bytes: [0; LINE], len: 0 });

/// The arguments of a function in C.
struct Given<'a, 'b>(&'a mut VaList<'b>);

impl Arguments for Given<'_, '_> {
    fn next(&mut self) -> u64 {
        // SAFETY: C passes each argument in a word of its own, and as many as the format says.
        unsafe { self.0.arg::<u64>() }
    }

    fn text(&self, at: u64, limit: usize, show: &mut dyn FnMut(&[u8])) {
        let at = core::ptr::with_exposed_provenance::<u8>(at as usize);
        let mut len = 0;
        // SAFETY: the caller's text has a zero byte, or as many bytes as the precision says; it does not change.
        while len < limit && unsafe { at.wrapping_add(len).read() } != 0 {
            len += 1;
        }
        // SAFETY: these bytes were just read.
        show(unsafe { core::slice::from_raw_parts(at, len) });
    }
}

/// Formats, and calls `out` with the pieces.
///
/// # Safety
/// `text` is a C string, and `arguments` are what it says.
unsafe fn print(text: *const c_char, mut arguments: VaList<'_>, out: &mut dyn FnMut(&[u8])) {
    // SAFETY: the caller's word.
    let text = unsafe { CStr::from_ptr(text) };
    format(text.to_bytes(), &mut Given(&mut arguments), out);
}

/// Writes to the log; a line goes there when its end comes, and at the latest before the next one that has a level.
// SAFETY: C calls it by this signature, with a format and what that says.
unsafe extern "C" fn printk(text: *const c_char, arguments: ...) -> c_int {
    let mut written = 0;
    let mut level = Level::new();
    // SAFETY: the caller's word.
    unsafe {
        print(text, arguments, &mut |bytes| {
            written += bytes.len();
            bytes.iter().for_each(|&byte| level.take(byte));
        });
    }
    level.end();
    c_int::try_from(written).unwrap_or(c_int::MAX)
}
offer!(printk);

/// What begins a line may be a level, three bytes: it is cut off.
struct Level {
    held: [u8; 3],
    len: usize,
    over: bool,
}

impl Level {
    const fn new() -> Self {
        Self { held: [0; 3], len: 0, over: false }
    }

    fn take(&mut self, byte: u8) {
        if self.over {
            // A level may stand at the start of each line.
            self.over = byte != b'\n';
            return add(byte);
        }
        self.held[self.len] = byte;
        self.len += 1;
        match self.held[..self.len] {
            [b'<'] | [b'<', b'0'..=b'7'] => {}
            [b'<', b'0'..=b'7', b'>'] => {
                (self.len, self.over) = (0, true);
                break_line();
            }
            _ => {
                self.end();
                self.over = byte != b'\n';
            }
        }
    }

    /// It was none.
    fn end(&mut self) {
        self.over = true;
        self.held[..self.len].iter().for_each(|&byte| add(byte));
        self.len = 0;
    }
}

/// Adds a byte to the line, which goes to the log when it has ended, or is full.
fn add(byte: u8) {
    let ended = LINE_BEGUN.with(|line| {
        if byte != b'\n' {
            line.bytes[line.len] = byte;
            line.len += 1;
        }
        (byte == b'\n' || line.len == LINE).then(|| line.take())
    });
    log(ended);
}

/// What of a line there is goes to the log.
fn break_line() {
    log(LINE_BEGUN.with(|line| (line.len > 0).then(|| line.take())));
}

impl Line {
    fn take(&mut self) -> ([u8; LINE], usize) {
        (self.bytes, core::mem::take(&mut self.len))
    }
}

fn log(line: Option<([u8; LINE], usize)>) {
    let Some((bytes, len)) = line else { return };
    let mut chunks = bytes[..len].utf8_chunks().peekable();
    match chunks.next() {
        // As a rule all of it is text.
        Some(only) if chunks.peek().is_none() && only.invalid().is_empty() => klog!("{}", only.valid()),
        None => klog!(""),
        Some(_) => klog!("{}", bytes[..len].escape_ascii()),
    }
}

/// Writes into memory, as far as it goes, and a zero byte behind it; returns the whole length.
///
/// # Safety
/// As [`print`]; `buffer` has `size` bytes, or as many as the text if that is `usize::MAX`.
unsafe fn print_into(buffer: *mut c_char, size: usize, text: *const c_char, arguments: VaList<'_>) -> c_int {
    let mut len = 0_usize;
    let mut put = |byte: u8| {
        if len < size.saturating_sub(1) {
            // SAFETY: the caller's buffer reaches as far.
            unsafe { buffer.cast::<u8>().wrapping_add(len).write(byte) };
        }
        len += 1;
    };
    // SAFETY: the caller's word.
    unsafe { print(text, arguments, &mut |bytes| bytes.iter().for_each(|&byte| put(byte))) };
    if size > 0 {
        // SAFETY: as above.
        unsafe { buffer.cast::<u8>().wrapping_add(len.min(size - 1)).write(0) };
    }
    c_int::try_from(len).unwrap_or(c_int::MAX)
}

// SAFETY: C calls it by this signature.
unsafe extern "C" fn sprintf(buffer: *mut c_char, text: *const c_char, arguments: ...) -> c_int {
    // SAFETY: the caller's buffer holds the text.
    unsafe { print_into(buffer, usize::MAX, text, arguments) }
}
offer!(sprintf);

// SAFETY: C calls it by this signature.
unsafe extern "C" fn snprintf(buffer: *mut c_char, size: usize, text: *const c_char, arguments: ...) -> c_int {
    // SAFETY: the caller's word.
    unsafe { print_into(buffer, size, text, arguments) }
}
offer!(snprintf);

// SAFETY: C calls it by this signature.
unsafe extern "C" fn vsprintf(buffer: *mut c_char, text: *const c_char, arguments: VaList<'_>) -> c_int {
    // SAFETY: the caller's buffer holds the text.
    unsafe { print_into(buffer, usize::MAX, text, arguments) }
}
offer!(vsprintf);

// SAFETY: C calls it by this signature.
unsafe extern "C" fn vsnprintf(buffer: *mut c_char, size: usize, text: *const c_char, arguments: VaList<'_>) -> c_int {
    // SAFETY: the caller's word.
    unsafe { print_into(buffer, size, text, arguments) }
}
offer!(vsnprintf);
