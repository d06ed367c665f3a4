//! The terminal: bytes of the serial line or of a script, and lines of them.
//!
//! What is at the other end is asked of QEMU's configuration device: a person at a terminal, whose lines are edited and
//! who may type ^C, or a pipe, whose lines are taken as they are. A script replaces the pipe. The end of a pipe or
//! script, once seen, is seen by all who read after.

use core::sync::atomic::{AtomicBool, Ordering};

use kapi::Errno;
use shell::complete::Names;
use shell::editor::{Editor, Event, LINE, Screen};
use shell::plain::{LineEnds, PlainReader};
use shell::text::Text;

use crate::board::fw_cfg::{CONSOLE, FileRef, FwCfg, SCRIPT};
use crate::input::{self, Listener};
use crate::sched::{self, Mutex};
use crate::sync::SpinLock;
use crate::{klog, output};

const PROMPT: &str = "# ";
/// ^D.
const END_OF_INPUT: u8 = 0x04;
/// What is said of a line that has no place.
const TOO_LONG: &str = "line too long";

static TERMINAL: AtomicBool = AtomicBool::new(false);
/// Whether the end of the pipe or script was seen.
static ENDED: AtomicBool = AtomicBool::new(false);
/// What was read last of the pipe or script, by whomever.
static LINE_ENDS: SpinLock<LineEnds> = SpinLock::new(LineEnds::new());
static SCRIPT_FILE: SpinLock<Option<Script>> = SpinLock::new(None);
/// Lines for commands that read the console; the shell reads past this, with its own editor.
static COOKED: Mutex<Cooked> = Mutex::new(Cooked::new());

/// A script, and how far it was read.
struct Script {
    device: FwCfg,
    file: FileRef,
    position: u32,
}

/// Finds out what is at the other end, and tells it that input is read from here on. `listener` looks at each byte as
/// it arrives.
pub fn start(listener: &'static dyn Listener) {
    if let Some(mut device) = FwCfg::probe() {
        let mut kind = [0; 3];
        let found = device.file(CONSOLE).map(|file| device.read_at(file, 0, &mut kind));
        let script = device.file(SCRIPT).map(|file| Script { device, file, position: 0 });
        TERMINAL.store(found == Some(3) && &kind == b"tty" && script.is_none(), Ordering::Relaxed);
        SCRIPT_FILE.with(|place| *place = script);
    }
    input::set_listener(listener);
    if input::ready_for_input().is_err() {
        klog!("console: no input, the serial port's interrupt line is taken");
    }
}

/// Whether a person sits at the other end.
pub fn is_terminal() -> bool {
    TERMINAL.load(Ordering::Relaxed)
}

/// Shows bytes. Any context.
pub fn write(bytes: &[u8]) {
    output::write(bytes);
}

/// The next byte; `None` at the end of a pipe or script. Sleeps; ^C ends the wait with `EINTR`.
fn next_byte() -> Result<Option<u8>, Errno> {
    if ENDED.load(Ordering::Relaxed) {
        return Ok(None);
    }
    if let Some(byte) = SCRIPT_FILE.with(|script| script.as_mut().map(Script::next_byte)) {
        if byte.is_none() {
            ENDED.store(true, Ordering::Relaxed);
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

/// The next byte of a pipe or script, all line ends made newlines; `None` at its end.
fn next_plain_byte() -> Result<Option<u8>, Errno> {
    while let Some(byte) = next_byte()? {
        if let Some(byte) = LINE_ENDS.with(|ends| ends.feed(byte)) {
            return Ok(Some(byte));
        }
    }
    Ok(None)
}

impl Script {
    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        let read = self.device.read_at(self.file, self.position, &mut byte);
        self.position += read as u32;
        (read == 1).then_some(byte[0])
    }
}

/// The editor's view of the terminal.
struct Display;

impl Screen for Display {
    fn show(&mut self, bytes: &[u8]) {
        write(bytes);
    }
}

/// What the shell read.
pub enum Line<'a> {
    /// A line to run.
    Typed(&'a str),
    /// A line that cannot be run, and why.
    Bad(&'static str),
    /// ^C gave the line up.
    Abandoned,
    /// There are no more lines.
    End,
}

/// Reads the shell's lines: edited on a terminal, else echoed behind a prompt when they are complete.
pub struct LineReader {
    editor: Editor,
    plain: PlainReader,
}

impl LineReader {
    /// A reader at the start of a session.
    pub const fn without_history() -> Self {
        Self { editor: Editor::new(PROMPT), plain: PlainReader::new() }
    }

    /// The next line; Tab completes to `names`. Sleeps until there is one.
    pub fn read_line(&mut self, names: &impl Names) -> Line<'_> {
        let (event, line) = if is_terminal() {
            (self.edited(names), self.editor.line())
        } else {
            (read_plain(&mut self.plain), self.plain.line())
        };
        match event {
            Event::EndOfInput => return Line::End,
            Event::Interrupt | Event::None => return Line::Abandoned,
            Event::Line | Event::TooLong | Event::Unprintable => {}
        }
        if !is_terminal() {
            echo(line);
        }
        match core::str::from_utf8(line.as_bytes()) {
            _ if event == Event::TooLong => Line::Bad(TOO_LONG),
            _ if event == Event::Unprintable => Line::Bad("control character in line"),
            Ok(text) => Line::Typed(text),
            Err(_) => Line::Bad("line is not UTF-8"),
        }
    }

    fn edited(&mut self, names: &impl Names) -> Event {
        self.editor.start(&mut Display);
        loop {
            let event = match next_byte() {
                Ok(Some(byte)) => self.editor.feed(byte, names, &mut Display),
                Ok(None) => Event::EndOfInput,
                Err(_) => Event::Interrupt,
            };
            if event != Event::None {
                return event;
            }
        }
    }
}

/// Shows a line of a pipe as if it had been typed at the prompt.
fn echo(line: &Text<LINE>) {
    write(PROMPT.as_bytes());
    write(line.as_bytes());
    write(b"\n");
}

fn read_plain(plain: &mut PlainReader) -> Event {
    loop {
        let event = match next_plain_byte() {
            Ok(Some(byte)) => plain.feed(byte),
            // A last line without its newline is a line too.
            Ok(None) if !plain.at_start() => plain.feed(b'\n'),
            Ok(None) => Event::EndOfInput,
            Err(_) => Event::Interrupt,
        };
        if event == Event::EndOfInput {
            ENDED.store(true, Ordering::Relaxed);
        }
        if event != Event::None {
            return event;
        }
    }
}

/// Input for commands: the line, or the part of one, that is being given out, and how far.
struct Cooked {
    editor: Editor,
    line: Text<{ LINE + 1 }>,
    given: usize,
}

/// Reads what is typed, as a command sees it: at most a line at a time, 0 bytes at ^D. Sleeps; `EINTR` on ^C.
pub fn read(bytes: &mut [u8]) -> Result<usize, Errno> {
    COOKED.lock()?.read(bytes)
}

impl Cooked {
    const fn new() -> Self {
        Self { editor: Editor::new(""), line: Text::new(), given: 0 }
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Errno> {
        if self.given == self.line.len() {
            let more = if is_terminal() { self.typed()? } else { self.plain()? };
            if !more {
                return Ok(0);
            }
        }
        let rest = &self.line.as_bytes()[self.given..];
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }

    /// Waits for a line from the terminal; false at ^D. One that does not fit is refused, and may be typed again.
    fn typed(&mut self) -> Result<bool, Errno> {
        self.line.clear();
        self.given = 0;
        self.editor.start(&mut Display);
        loop {
            let Some(byte) = next_byte()? else { return Ok(false) };
            match self.editor.feed(byte, &NoNames, &mut Display) {
                Event::None => {}
                Event::Interrupt => return Err(Errno::EINTR),
                Event::EndOfInput => return Ok(false),
                Event::TooLong | Event::Unprintable => {
                    write(TOO_LONG.as_bytes());
                    write(b"\n");
                    self.editor.start(&mut Display);
                }
                Event::Line => break,
            }
        }
        self.line.set(self.editor.line().as_bytes());
        // One byte longer than the longest line: there is room.
        let _ = self.line.push(b"\n");
        Ok(true)
    }

    /// Waits for a line from the pipe or script, or for as much of it as there is room for; false at its end. All bytes
    /// are taken as they are, but ^D at the start of a line.
    fn plain(&mut self) -> Result<bool, Errno> {
        let at_start = matches!(self.line.as_bytes().last(), None | Some(b'\n'));
        self.line.clear();
        self.given = 0;
        while let Some(byte) = next_plain_byte()? {
            if byte == END_OF_INPUT && at_start && self.line.is_empty() {
                ENDED.store(true, Ordering::Relaxed);
                return Ok(false);
            }
            // There is room: a full line was given out.
            let _ = self.line.push(&[byte]);
            if byte == b'\n' || self.line.room() == 0 {
                break;
            }
        }
        Ok(!self.line.is_empty())
    }
}

/// Nothing to complete to.
struct NoNames;

impl Names for NoNames {
    fn commands(&self, _: &mut dyn FnMut(&str)) {}

    fn entries(&self, _: &str, _: &mut dyn FnMut(&str)) {}
}
