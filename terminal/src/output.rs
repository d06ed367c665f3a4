//! From programs to the wire: newlines, tabs, and the cursor's column.

use crate::termios::{InputModes, OutputModes, Termios};

/// Where a terminal's output goes.
pub trait Wire {
    /// Sends bytes, in their order.
    fn send(&mut self, bytes: &[u8]);
}

/// Columns from one tab stop to the next.
const TAB: usize = 8;
/// As many blanks.
const BLANKS: &[u8; TAB] = b"        ";

/// The column of the cursor, as far as the terminal can know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Column(pub usize);

impl Column {
    /// Columns from here to the next tab stop.
    pub const fn to_tab_stop(self) -> usize {
        TAB - self.0 % TAB
    }

    /// The column behind `byte` that shows here.
    pub const fn after(self, byte: u8, input: InputModes) -> Self {
        match byte {
            b'\r' => Self(0),
            b'\t' => Self(self.0 + self.to_tab_stop()),
            0x08 => Self(self.0.saturating_sub(1)),
            _ if byte.is_ascii_control() || is_inside_character(byte, input) => self,
            _ => Self(self.0 + 1),
        }
    }

    /// Sends what programs write.
    pub fn write(&mut self, bytes: &[u8], termios: &Termios, wire: &mut impl Wire) {
        if !termios.output.contains(OutputModes::OPOST) {
            return wire.send(bytes);
        }
        let is_plain = |byte: &u8| !matches!(byte, b'\n' | b'\r' | b'\t');
        for part in bytes.chunk_by(|a, b| is_plain(a) && is_plain(b)) {
            match part {
                [byte] if !is_plain(byte) => self.put(*byte, termios, wire),
                _ => {
                    *self = part.iter().fold(*self, |column, byte| column.after(*byte, termios.input));
                    wire.send(part);
                }
            }
        }
    }

    /// Sends a byte that moves the cursor in a way of its own.
    fn put(&mut self, byte: u8, termios: &Termios, wire: &mut impl Wire) {
        let modes = termios.output;
        match byte {
            b'\n' if modes.contains(OutputModes::ONLCR) => wire.send(b"\r\n"),
            b'\r' if modes.contains(OutputModes::ONOCR) && self.0 == 0 => {}
            b'\r' if modes.contains(OutputModes::OCRNL) => wire.send(b"\n"),
            b'\t' if modes.contains(OutputModes::XTABS) => wire.send(&BLANKS[..self.to_tab_stop()]),
            _ => wire.send(&[byte]),
        }
        let is_newline = byte == b'\n' || (byte == b'\r' && modes.contains(OutputModes::OCRNL));
        if !is_newline {
            *self = self.after(byte, termios.input);
        } else if modes.intersects(OutputModes::ONLCR | OutputModes::ONLRET) {
            *self = Self(0);
        }
    }
}

/// Whether `byte` goes on with a character that another one began.
pub const fn is_inside_character(byte: u8, input: InputModes) -> bool {
    input.contains(InputModes::IUTF8) && byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{Column, Wire};
    use crate::termios::{OutputModes, Termios};

    struct Sent(Vec<u8>);

    impl Wire for Sent {
        fn send(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    fn written(modes: OutputModes, text: &str) -> (Vec<u8>, usize) {
        let (mut column, mut sent) = (Column(0), Sent(Vec::new()));
        column.write(text.as_bytes(), &Termios { output: modes, ..Termios::SANE }, &mut sent);
        (sent.0, column.0)
    }

    #[test]
    fn newlines_and_tabs_become_what_the_modes_say() {
        let post = OutputModes::OPOST;
        assert_eq!(written(post | OutputModes::ONLCR, "a\nbc"), (b"a\r\nbc".to_vec(), 2));
        assert_eq!(written(post, "a\nbc"), (b"a\nbc".to_vec(), 3));
        assert_eq!(written(post | OutputModes::ONLRET, "a\nbc"), (b"a\nbc".to_vec(), 2));
        assert_eq!(written(post | OutputModes::OCRNL, "a\rb"), (b"a\nb".to_vec(), 2));
        assert_eq!(written(post | OutputModes::ONOCR, "\ra\rb"), (b"a\rb".to_vec(), 1));
        assert_eq!(written(post | OutputModes::XTABS, "ab\tc"), (b"ab      c".to_vec(), 9));
        assert_eq!(written(post, "ab\tc"), (b"ab\tc".to_vec(), 9));
    }

    #[test]
    fn without_post_processing_all_goes_out_as_it_is() {
        assert_eq!(written(OutputModes::ONLCR, "a\n\tb").0, b"a\n\tb");
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(written(OutputModes::OPOST, "\u{e4}\u{f6}x\x08\x1b").1, 2);
    }
}
