//! The line editor for a terminal: keys in, bytes to show out.
//!
//! A state machine without input or output of its own: the caller feeds bytes and shows what comes back. The terminal
//! needs to know CR, backspace, `ESC [ K` (clear to the end of the line) and no more. A line longer than the window is
//! shown in part, around the cursor.

use core::fmt::Write;

use crate::complete::{self, Names};
use crate::history::History;
use crate::keys::{Decoder, Key};
use crate::text::Text;

/// Longest line, in bytes.
pub const LINE: usize = 1024;
/// Columns of a line that are shown at once, prompt included: one less than the narrowest terminal has.
const WINDOW: usize = 79;
/// Most candidates that Tab lists.
const MAX_CANDIDATES: usize = 200;

/// What a byte led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Nothing yet.
    None,
    /// The line is complete.
    Line,
    /// The line is complete, but did not fit: it is not what was typed, and must not run.
    TooLong,
    /// The line is complete, but has a control character.
    Unprintable,
    /// ^C: the line is given up.
    Interrupt,
    /// ^D on an empty line.
    EndOfInput,
}

/// Where the editor shows the line.
pub trait Screen {
    /// Shows `bytes`.
    fn show(&mut self, bytes: &[u8]);
}

/// A line while it is edited.
pub struct Editor {
    prompt: &'static str,
    line: Text<LINE>,
    cursor: usize,
    decoder: Decoder,
    history: History,
    /// How many steps back in the history the line is from; 0 for the line itself.
    back: usize,
    /// The line that was typed before going back in the history.
    kept: Text<LINE>,
    /// Whether something typed did not fit into the line, or into the kept one.
    overflowed: bool,
    kept_overflowed: bool,
}

impl Editor {
    /// An editor with an empty line and no history.
    pub const fn new(prompt: &'static str) -> Self {
        Self {
            prompt,
            line: Text::new(),
            cursor: 0,
            decoder: Decoder::new(),
            history: History::new(),
            back: 0,
            kept: Text::new(),
            overflowed: false,
            kept_overflowed: false,
        }
    }

    /// Starts an empty line with its prompt.
    pub fn start(&mut self, screen: &mut impl Screen) {
        self.line.clear();
        self.cursor = 0;
        self.back = 0;
        self.overflowed = false;
        screen.show(self.prompt.as_bytes());
    }

    /// The line.
    pub fn line(&self) -> &Text<LINE> {
        &self.line
    }

    /// Takes a byte, and shows what it changes.
    pub fn feed(&mut self, byte: u8, names: &impl Names, screen: &mut impl Screen) -> Event {
        match self.decoder.feed(byte) {
            None => Event::None,
            Some(Key::Enter) => {
                self.leave(b"\n", screen);
                if self.overflowed {
                    return Event::TooLong;
                }
                self.history.add(self.line.as_bytes());
                Event::Line
            }
            Some(Key::Interrupt) => {
                self.leave(b"^C\n", screen);
                Event::Interrupt
            }
            Some(Key::EndOfInput) if self.line.is_empty() => {
                screen.show(b"\n");
                Event::EndOfInput
            }
            Some(Key::Tab) => {
                self.complete(names, screen);
                Event::None
            }
            Some(Key::Byte(byte)) => {
                self.insert(&[byte], screen);
                Event::None
            }
            Some(Key::Clear) => {
                screen.show(b"\x1b[H\x1b[2J");
                self.redraw(screen);
                Event::None
            }
            Some(key) => {
                self.edit(key);
                self.redraw(screen);
                Event::None
            }
        }
    }

    /// Puts the cursor behind the line and shows `end`.
    fn leave(&mut self, end: &[u8], screen: &mut impl Screen) {
        if self.cursor < self.line.len() {
            self.cursor = self.line.len();
            self.redraw(screen);
        }
        screen.show(end);
    }

    /// Changes the line or the cursor.
    fn edit(&mut self, key: Key) {
        let (cursor, len) = (self.cursor, self.line.len());
        match key {
            Key::Left => self.cursor = self.before(cursor),
            Key::Right => self.cursor = self.after(cursor),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = len,
            Key::Backspace => self.delete(self.before(cursor), cursor),
            Key::Delete | Key::EndOfInput => self.delete(cursor, self.after(cursor)),
            Key::KillBefore => self.delete(0, cursor),
            Key::KillAfter => self.delete(cursor, len),
            Key::KillWord => self.delete(self.word_start(), cursor),
            Key::Up => self.recall(self.back + 1),
            Key::Down => self.recall(self.back.saturating_sub(1)),
            Key::Byte(_) | Key::Enter | Key::Tab | Key::Interrupt | Key::Clear => {}
        }
    }

    fn insert(&mut self, bytes: &[u8], screen: &mut impl Screen) {
        if self.line.insert(self.cursor, bytes).is_err() {
            // What is there is not what was meant, whatever is deleted of it later.
            self.overflowed = true;
            screen.show(b"\x07");
            return;
        }
        self.cursor += bytes.len();
        let fits = self.prompt.len() + self.line.len() < WINDOW;
        if fits && self.cursor == self.line.len() {
            screen.show(bytes);
        } else {
            self.redraw(screen);
        }
    }

    fn delete(&mut self, from: usize, to: usize) {
        self.line.remove(from..to);
        self.cursor = from;
        // An empty line is a new one.
        self.overflowed &= !self.line.is_empty();
    }

    /// Replaces the line by the one `back` steps back in the history.
    fn recall(&mut self, back: usize) {
        if self.back == 0 {
            self.kept.set(self.line.as_bytes());
            self.kept_overflowed = self.overflowed;
        }
        let line = match back {
            0 => Some(self.kept.as_bytes()),
            _ => self.history.back(back - 1),
        };
        if let Some(line) = line {
            self.overflowed = back == 0 && self.kept_overflowed;
            self.line.set(line);
            self.cursor = self.line.len();
            self.back = back;
        }
    }

    /// The start of the character before byte `at`.
    fn before(&self, at: usize) -> usize {
        let bytes = self.line.as_bytes();
        (0..at).rev().find(|index| is_start(bytes[*index])).unwrap_or(0)
    }

    /// The start of the character behind the one at byte `at`.
    fn after(&self, at: usize) -> usize {
        let bytes = self.line.as_bytes();
        (at + 1..bytes.len()).find(|index| is_start(bytes[*index])).unwrap_or(bytes.len())
    }

    /// Where the word before the cursor starts.
    fn word_start(&self) -> usize {
        let before = &self.line.as_bytes()[..self.cursor];
        let word_end = before.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        before[..word_end].iter().rposition(|byte| *byte == b' ').map_or(0, |blank| blank + 1)
    }

    /// Completes the word before the cursor; shows the candidates when there are several and nothing to add.
    fn complete(&mut self, names: &impl Names, screen: &mut impl Screen) {
        let mut line = Text::<LINE>::new();
        line.set(&self.line.as_bytes()[..self.cursor]);
        let found = complete::complete(line.as_str(), names);
        if !found.insert.is_empty() {
            self.insert(found.insert.as_bytes(), screen);
        } else if found.candidates > 1 {
            screen.show(b"\n");
            show_candidates(line.as_str(), found.candidates, names, screen);
            screen.show(b"\n");
            self.redraw(screen);
        } else {
            screen.show(b"\x07");
        }
    }

    /// Shows the line, or the part of it around the cursor.
    fn redraw(&self, screen: &mut impl Screen) {
        let room = WINDOW - self.prompt.len();
        let bytes = self.line.as_bytes();
        // Whole characters: half of one shows as something else.
        let whole = |at: &usize| bytes.get(*at).is_none_or(|byte| is_start(*byte));
        let start = (self.cursor.saturating_sub(room)..=self.cursor).find(whole).unwrap_or(self.cursor);
        let end = (self.cursor..=bytes.len().min(start + room)).rev().find(whole).unwrap_or(self.cursor);
        screen.show(b"\r");
        screen.show(self.prompt.as_bytes());
        screen.show(without_part(&bytes[start..end]));
        screen.show(b"\x1b[K");
        for _ in bytes[self.cursor..end].iter().filter(|byte| is_start(**byte)) {
            screen.show(b"\x08");
        }
    }
}

/// Shows what the word at the end of `line` could become; only how many that are, where they are too many to read.
fn show_candidates(line: &str, count: usize, names: &impl Names, screen: &mut impl Screen) {
    if count > MAX_CANDIDATES {
        let mut text = Text::<48>::new();
        // The longest number fits.
        let _ = write!(text, "{count} names");
        screen.show(text.as_bytes());
        return;
    }
    complete::candidates(line, names, &mut |name| {
        screen.show(name.as_bytes());
        screen.show(b"  ");
    });
}

/// `bytes` without a character at their end that is not complete yet: more of it is on its way.
fn without_part(bytes: &[u8]) -> &[u8] {
    match core::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

/// Whether a byte starts a character.
fn is_start(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
#[path = "editor/tests.rs"]
mod tests;
