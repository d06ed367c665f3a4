//! Bytes from a terminal as keys.

/// A key, or a control character that means one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A byte of text. Characters beyond ASCII come as their UTF-8 bytes.
    Byte(u8),
    /// Enter: CR, LF, or CR and LF as one.
    Enter,
    /// Backspace or ^H.
    Backspace,
    /// The Delete key.
    Delete,
    /// Left arrow or ^B.
    Left,
    /// Right arrow or ^F.
    Right,
    /// Up arrow or ^P.
    Up,
    /// Down arrow or ^N.
    Down,
    /// Home or ^A.
    Home,
    /// End or ^E.
    End,
    /// Tab.
    Tab,
    /// ^C.
    Interrupt,
    /// ^D.
    EndOfInput,
    /// ^U: deletes what stands before the cursor.
    KillBefore,
    /// ^K: deletes what stands behind the cursor.
    KillAfter,
    /// ^W: deletes the word before the cursor.
    KillWord,
    /// ^L: clears the screen.
    Clear,
}

/// Puts keys together from bytes.
#[derive(Default)]
pub struct Decoder {
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    /// After CR: an LF belongs to it.
    Return,
    /// After ESC.
    Escape,
    /// After ESC O or ESC [ and at most one digit of its parameter.
    Sequence(u8),
    /// In a sequence of a form that means no key.
    Unknown,
}

impl Decoder {
    /// A decoder between keys.
    pub const fn new() -> Self {
        Self { state: State::Plain }
    }

    /// Takes a byte; returns the key that it completes.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        let state = core::mem::take(&mut self.state);
        match (state, byte) {
            (State::Escape, b'[' | b'O') => self.state = State::Sequence(0),
            (State::Sequence(0), b'0'..=b'9') => self.state = State::Sequence(byte),
            (State::Sequence(_) | State::Unknown, b'0'..=b'9' | b';') => self.state = State::Unknown,
            (State::Sequence(digit), _) => return sequence(digit, byte),
            (State::Escape | State::Unknown, _) => {}
            (State::Return, b'\n') => {}
            (State::Plain | State::Return, _) => return self.plain(byte),
        }
        None
    }

    fn plain(&mut self, byte: u8) -> Option<Key> {
        Some(match byte {
            0x01 => Key::Home,
            0x02 => Key::Left,
            0x03 => Key::Interrupt,
            0x04 => Key::EndOfInput,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x08 | 0x7f => Key::Backspace,
            b'\t' => Key::Tab,
            b'\n' => Key::Enter,
            b'\r' => {
                self.state = State::Return;
                Key::Enter
            }
            0x0b => Key::KillAfter,
            0x0c => Key::Clear,
            0x0e => Key::Down,
            0x10 => Key::Up,
            0x15 => Key::KillBefore,
            0x17 => Key::KillWord,
            0x1b => {
                self.state = State::Escape;
                return None;
            }
            0x00..0x20 => return None,
            _ => Key::Byte(byte),
        })
    }
}

/// The key of ESC [ `digit` `last`.
fn sequence(digit: u8, last: u8) -> Option<Key> {
    match (digit, last) {
        (0, b'A') => Some(Key::Up),
        (0, b'B') => Some(Key::Down),
        (0, b'C') => Some(Key::Right),
        (0, b'D') => Some(Key::Left),
        (0, b'H') | (b'1' | b'7', b'~') => Some(Key::Home),
        (0, b'F') | (b'4' | b'8', b'~') => Some(Key::End),
        (b'3', b'~') => Some(Key::Delete),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Decoder, Key};
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::new();
        bytes.iter().filter_map(|byte| decoder.feed(*byte)).collect()
    }

    #[test]
    fn all_line_ends_are_one_enter() {
        assert_eq!(keys(b"\r\n\n\r\r"), [Key::Enter; 4]);
    }

    #[test]
    fn sequences_of_the_usual_terminals_are_known() {
        assert_eq!(keys(b"\x1b[A\x1bOB\x1b[C\x1b[D"), [Key::Up, Key::Down, Key::Right, Key::Left]);
        assert_eq!(keys(b"\x1b[H\x1b[4~\x1b[3~\x1b[1~"), [Key::Home, Key::End, Key::Delete, Key::Home]);
    }

    #[test]
    fn unknown_sequences_leave_nothing_behind() {
        assert_eq!(keys(b"\x1b[15~\x1b[1;5Ca\x1bxb\x00"), [Key::Byte(b'a'), Key::Byte(b'b')]);
    }
}
