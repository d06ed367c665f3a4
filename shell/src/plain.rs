//! Lines from a pipe: no editing, no escape sequences.

use crate::editor::{Event, LINE};
use crate::text::Text;

/// Makes one newline of CR, of LF, and of CR with LF.
#[derive(Default)]
pub struct LineEnds {
    after_return: bool,
}

impl LineEnds {
    /// At the start of a line.
    pub const fn new() -> Self {
        Self { after_return: false }
    }

    /// Takes a byte; `None` for the LF of a CR that has ended the line already.
    pub fn feed(&mut self, byte: u8) -> Option<u8> {
        let after_return = core::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            b'\n' if after_return => None,
            b'\r' => Some(b'\n'),
            _ => Some(byte),
        }
    }
}

/// Puts the shell's lines together from the bytes of a pipe or a script, [`LineEnds`] made plain.
///
/// A newline ends a line; ^D on an empty line ends the input. A byte that does not fit is lost, and the line is then
/// [`Event::TooLong`]; with any other control character in it but the tab it is [`Event::Unprintable`].
#[derive(Default)]
pub struct PlainReader {
    line: Text<LINE>,
    done: bool,
    overflowed: bool,
    unprintable: bool,
}

impl PlainReader {
    /// A reader at the start of a line.
    pub const fn new() -> Self {
        Self { line: Text::new(), done: false, overflowed: false, unprintable: false }
    }

    /// The line so far, or the whole line when it is complete and until the next byte.
    pub fn line(&self) -> &Text<LINE> {
        &self.line
    }

    /// Whether no byte of a next line has come.
    pub fn at_start(&self) -> bool {
        self.done || (self.line.is_empty() && !self.unprintable)
    }

    /// Takes a byte.
    pub fn feed(&mut self, byte: u8) -> Event {
        let at_start = self.at_start();
        if core::mem::take(&mut self.done) {
            *self = Self::new();
        }
        match byte {
            b'\n' => {
                self.done = true;
                return match (self.overflowed, self.unprintable) {
                    (true, _) => Event::TooLong,
                    (false, true) => Event::Unprintable,
                    (false, false) => Event::Line,
                };
            }
            0x04 if at_start => return Event::EndOfInput,
            b'\t' => self.push(byte),
            _ if byte.is_ascii_control() => self.unprintable = true,
            _ => self.push(byte),
        }
        Event::None
    }

    fn push(&mut self, byte: u8) {
        self.overflowed |= self.line.push(&[byte]).is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::{LineEnds, PlainReader};
    use crate::editor::{Event, LINE};
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let (mut ends, mut reader) = (LineEnds::new(), PlainReader::new());
        let mut lines = Vec::new();
        for byte in bytes.iter().filter_map(|byte| ends.feed(*byte)) {
            match reader.feed(byte) {
                Event::Line => lines.push(reader.line().as_str().to_string()),
                Event::EndOfInput => lines.push("^D".to_string()),
                Event::TooLong => lines.push("too long".to_string()),
                Event::Unprintable => lines.push("unprintable".to_string()),
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
        assert_eq!(lines(b"a\x04b\na\n\x04"), ["unprintable", "a", "^D"]);
    }

    #[test]
    fn a_line_with_a_control_character_is_reported_and_the_next_is_not() {
        assert_eq!(lines(b"a\x03b\na\tb\n"), ["unprintable", "a\tb"]);
        for byte in ["\0", "\x1b", "\x08", "\x7f"] {
            assert_eq!(lines([byte, "\nok\n"].concat().as_bytes()), ["unprintable", "ok"]);
        }
    }

    #[test]
    fn a_line_that_does_not_fit_is_reported_and_the_next_is_not() {
        let mut bytes = std::vec![b'x'; LINE + 1];
        bytes.extend_from_slice(b"\nok\n");
        assert_eq!(lines(&bytes), ["too long", "ok"]);
    }
}
