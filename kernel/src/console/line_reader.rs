//! The lines that the built-in shell reads.
//!
//! On a terminal they are edited; others are echoed behind a prompt when they are complete.
//!
//! While a line is edited the terminal gives each key to the editor; commands find it in its usual modes.

use shell::complete::Names;
use shell::editor::{Editor, Event, LINE, Screen};
use shell::plain::PlainReader;
use shell::text::Text;
use terminal::Termios;

use crate::tty;

const PROMPT: &str = "# ";
/// What is said of a line that has no place.
const TOO_LONG: &str = "line too long";

/// The editor's view of the terminal.
struct Display;

impl Screen for Display {
    fn show(&mut self, bytes: &[u8]) {
        tty::show(bytes);
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

/// Reads the shell's lines.
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
        let (event, line) = if tty::is_terminal() {
            (self.edited(names), self.editor.line())
        } else {
            (read_plain(&mut self.plain), self.plain.line())
        };
        match event {
            Event::EndOfInput => return Line::End,
            Event::Interrupt | Event::None => return Line::Abandoned,
            Event::Line | Event::TooLong | Event::Unprintable => {}
        }
        if !tty::is_terminal() {
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
        tty::set_modes(Termios::RAW);
        self.editor.start(&mut Display);
        let event = loop {
            let event = match tty::read_key() {
                Ok(byte) => self.editor.feed(byte, names, &mut Display),
                Err(_) => Event::Interrupt,
            };
            if event != Event::None {
                break event;
            }
        };
        tty::set_modes(Termios::SANE);
        event
    }
}

/// Shows a line of a pipe as if it had been typed at the prompt.
fn echo(line: &Text<LINE>) {
    tty::show(PROMPT.as_bytes());
    tty::show(line.as_bytes());
    tty::show(b"\n");
}

fn read_plain(plain: &mut PlainReader) -> Event {
    loop {
        let event = match tty::read_plain_byte() {
            Ok(Some(byte)) => plain.feed(byte),
            // A last line without its newline is a line too.
            Ok(None) if !plain.at_start() => plain.feed(b'\n'),
            Ok(None) => Event::EndOfInput,
            Err(_) => Event::Interrupt,
        };
        if event == Event::EndOfInput {
            tty::end_input();
        }
        if event != Event::None {
            return event;
        }
    }
}
