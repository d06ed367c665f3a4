//! Lines from a pipe: no editing, no escape sequences.

use crate::editor::{Event, LINE};
use crate::text::Text;

/// Puts lines together from the bytes of a pipe or a script.
///
/// CR, LF, and CR with LF each end a line; ^D on an empty line ends the input. A byte that does not fit is lost, and
/// the line is then [`Event::TooLong`].
#[derive(Default)]
pub struct PlainReader {
    line: Text<LINE>,
    after_return: bool,
    done: bool,
    overflowed: bool,
}

impl PlainReader {
    /// A reader at the start of a line.
    pub const fn new() -> Self {
        Self { line: Text::new(), after_return: false, done: false, overflowed: false }
    }

    /// The line so far, or the whole line after [`Event::Line`] and until the next byte.
    pub fn line(&self) -> &Text<LINE> {
        &self.line
    }

    /// Whether no byte of a next line has come.
    pub fn at_start(&self) -> bool {
        self.done || self.line.is_empty()
    }

    /// Takes a byte.
    pub fn feed(&mut self, byte: u8) -> Event {
        if core::mem::take(&mut self.done) {
            self.line.clear();
        }
        let after_return = core::mem::take(&mut self.after_return);
        match byte {
            b'\n' if after_return => Event::None,
            b'\r' | b'\n' => {
                self.after_return = byte == b'\r';
                self.done = true;
                if core::mem::take(&mut self.overflowed) { Event::TooLong } else { Event::Line }
            }
            0x04 if self.line.is_empty() => Event::EndOfInput,
            b'\t' | 0x20.. => {
                self.overflowed |= self.line.push(&[byte]).is_err();
                Event::None
            }
            _ => Event::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PlainReader;
    use crate::editor::{Event, LINE};
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut reader = PlainReader::new();
        let mut lines = Vec::new();
        for &byte in bytes {
            match reader.feed(byte) {
                Event::Line => lines.push(reader.line().as_str().to_string()),
                Event::EndOfInput => lines.push("^D".to_string()),
                Event::TooLong => lines.push("too long".to_string()),
                _ => {}
            }
        }
        lines
    }

    #[test]
    fn every_line_end_ends_one_line() {
        assert_eq!(lines(b"a\nb\rc\r\n\nd\r\n"), ["a", "b", "c", "", "d"]);
    }

    #[test]
    fn end_of_input_counts_on_an_empty_line_only() {
        assert_eq!(lines(b"a\x04b\n\x04"), ["ab", "^D"]);
    }

    #[test]
    fn control_characters_are_dropped() {
        assert_eq!(lines(b"a\x03\x1b\x08\tb\n"), ["a\tb"]);
    }

    #[test]
    fn a_line_that_does_not_fit_is_reported_and_the_next_is_not() {
        let mut bytes = std::vec![b'x'; LINE + 1];
        bytes.extend_from_slice(b"\nok\n");
        assert_eq!(lines(&bytes), ["too long", "ok"]);
    }
}
