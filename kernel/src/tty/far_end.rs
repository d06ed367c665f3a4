//! What is at the other end of the line: a person, a pipe or a script.
//!
//! QEMU's configuration device says so. The end of a pipe or script, once seen, is seen by all who read after.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use kapi::Errno;
use shell::plain::LineEnds;
use terminal::Window;

use crate::board::fw_cfg::{self, CONSOLE, FileRef, SCRIPT};
use crate::input;
use crate::sched;
use crate::sync::SpinLock;

/// What the device says of a terminal: this, and mostly its rows and columns.
const TERMINAL_KIND: &str = "tty";
/// Bytes of all that it may say.
const LONGEST_KIND: usize = 16;

static FOUND: AtomicBool = AtomicBool::new(false);
static TERMINAL: AtomicBool = AtomicBool::new(false);
/// Whether the end of the pipe or script was seen.
static ENDED: AtomicBool = AtomicBool::new(false);
/// What was read last of the pipe or script, by whomever.
static LINE_ENDS: SpinLock<LineEnds> = SpinLock::new(LineEnds::new());
static SCRIPT_FILE: SpinLock<Option<Script>> = SpinLock::new(None);

/// A script, and how far it was read.
struct Script {
    file: FileRef,
    position: u32,
}

/// Finds it out, and how large a terminal is; `None` the second time.
pub(super) fn find() -> Option<Window> {
    if FOUND.swap(true, Relaxed) {
        return None;
    }
    let mut kind = [0; LONGEST_KIND];
    let len = fw_cfg::file(CONSOLE).map_or(0, |file| fw_cfg::read_at(file, 0, &mut kind));
    let mut words = core::str::from_utf8(&kind[..len]).unwrap_or_default().split(' ');
    let script = fw_cfg::file(SCRIPT).map(|file| Script { file, position: 0 });
    TERMINAL.store(words.next() == Some(TERMINAL_KIND) && script.is_none(), Relaxed);
    SCRIPT_FILE.with(|place| *place = script);
    let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Some(Window { rows: number(), columns: number(), width: 0, height: 0 })
}

/// Whether a person sits at the other end. Any context.
pub fn is_terminal() -> bool {
    TERMINAL.load(Relaxed)
}

/// The pipe or script is at its end, for all who read after.
pub fn end() {
    ENDED.store(true, Relaxed);
}

/// Whether a read of the pipe or script would not wait.
pub(super) fn is_readable() -> bool {
    ENDED.load(Relaxed) || input::has_bytes() || SCRIPT_FILE.with(|script| script.is_some())
}

/// The next byte of the pipe or script, all line ends made newlines; `None` at its end. Sleeps; ^C and signals end the
/// wait with `EINTR`.
pub(super) fn next_byte() -> Result<Option<u8>, Errno> {
    while let Some(byte) = next_raw_byte()? {
        if let Some(byte) = LINE_ENDS.with(|ends| ends.feed(byte)) {
            return Ok(Some(byte));
        }
    }
    Ok(None)
}

fn next_raw_byte() -> Result<Option<u8>, Errno> {
    if ENDED.load(Relaxed) {
        return Ok(None);
    }
    if let Some(byte) = SCRIPT_FILE.with(|script| script.as_mut().map(Script::next_byte)) {
        if byte.is_none() {
            end();
        }
        return Ok(byte);
    }
    let mut byte = None;
    input::INPUT_ARRIVED.wait_until_interruptible(|| {
        // Asked again after a yes, it must not take another byte.
        byte = byte.or_else(|| input::read_byte(sched::interrupted));
        byte.is_some()
    })?;
    Ok(byte)
}

impl Script {
    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        let read = fw_cfg::read_at(self.file, self.position, &mut byte);
        self.position += read as u32;
        (read == 1).then_some(byte[0])
    }
}
