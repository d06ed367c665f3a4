//! A ring of messages, each with the time at which it was written.
//!
//! Key types: [`MessageRing`], [`Message`], [`Position`]. The newest messages are kept, as many as there is room for.
//! Each costs its bytes and a header of [`HEADER`] more: one word, which holds the time in its upper bits and the
//! message's length in the ten lowest, so the time is rounded down to a multiple of 1024.
//!
//! Invariants: a. from the oldest position to the newest one, whole messages follow each other.

/// Bytes of the longest message; longer ones are cut.
pub const MAX_MESSAGE: usize = 511;
/// Bytes that a message costs beside its own.
pub const HEADER: usize = size_of::<u64>();

/// The bits of a header that are the length.
const LENGTH: u64 = 1023;

/// A place between two messages. Those that were ever written have positions that only grow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position(u64);

impl Position {
    /// Before the first message ever.
    pub const FIRST: Self = Self(0);
}

/// A message, copied out of the ring.
#[derive(Clone, Debug)]
pub struct Message {
    /// When it was written: a count that its writer understands.
    pub time: u64,
    bytes: [u8; MAX_MESSAGE],
    len: usize,
}

impl Message {
    /// A place for messages.
    pub const fn new() -> Self {
        Self { time: 0, bytes: [0; MAX_MESSAGE], len: 0 }
    }

    /// What it says, without a line end.
    pub fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

/// The newest messages, in `N` bytes; `N` is larger than a message with its header.
pub struct MessageRing<const N: usize> {
    bytes: [u8; N],
    oldest: Position,
    newest: Position,
}

impl<const N: usize> MessageRing<N> {
    /// No messages yet.
    pub const fn new() -> Self {
        const { assert!(N >= HEADER + MAX_MESSAGE) };
        Self { bytes: [0; N], oldest: Position::FIRST, newest: Position::FIRST }
    }

    /// Where the next message will be.
    pub const fn end(&self) -> Position {
        self.newest
    }

    /// Takes in a message. The oldest ones make room for it.
    pub fn append(&mut self, time: u64, text: &[u8]) {
        let text = &text[..text.len().min(MAX_MESSAGE)];
        let end = self.newest.0 + (HEADER + text.len()) as u64;
        while end - self.oldest.0 > N as u64 {
            self.oldest = self.after(self.oldest);
        }
        self.put(self.newest.0, &(time & !LENGTH | text.len() as u64).to_le_bytes());
        self.put(self.newest.0 + HEADER as u64, text);
        self.newest = Position(end);
    }

    /// Copies the message at `position` to `message`, and returns the position behind it; `None` at the end. Where the
    /// message is gone, the oldest one that is left stands for it.
    pub fn read(&self, position: Position, message: &mut Message) -> Option<Position> {
        let position = position.max(self.oldest);
        if position >= self.newest {
            return None;
        }
        let header = self.header(position);
        message.time = header & !LENGTH;
        message.len = (header & LENGTH) as usize;
        self.get(position.0 + HEADER as u64, &mut message.bytes[..message.len]);
        Some(self.after(position))
    }

    fn header(&self, position: Position) -> u64 {
        let mut bytes = [0; HEADER];
        self.get(position.0, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// The position behind the message at `position`, where one is.
    fn after(&self, position: Position) -> Position {
        Position(position.0 + HEADER as u64 + (self.header(position) & LENGTH))
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        let (first, wrapped) = bytes.split_at(bytes.len().min(N - Self::index(at)));
        self.bytes[Self::index(at)..][..first.len()].copy_from_slice(first);
        self.bytes[..wrapped.len()].copy_from_slice(wrapped);
    }

    fn get(&self, at: u64, bytes: &mut [u8]) {
        let (first, wrapped) = bytes.split_at_mut(bytes.len().min(N - Self::index(at)));
        first.copy_from_slice(&self.bytes[Self::index(at)..][..first.len()]);
        wrapped.copy_from_slice(&self.bytes[..wrapped.len()]);
    }

    const fn index(at: u64) -> usize {
        (at % N as u64) as usize
    }
}

impl<const N: usize> Default for MessageRing<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};
    use std::vec::Vec;
    use std::{format, vec};

    use super::{HEADER, MAX_MESSAGE, Message, MessageRing, Position};

    type Ring = MessageRing<1024>;

    fn messages(ring: &Ring, mut position: Position) -> Vec<(u64, String)> {
        let (mut message, mut found) = (Message::new(), Vec::new());
        while let Some(next) = ring.read(position, &mut message) {
            assert!(next > position && next <= ring.end());
            found.push((message.time, String::from_utf8_lossy(message.text()).to_string()));
            position = next;
        }
        assert!(position == ring.end() || found.is_empty());
        found
    }

    #[test]
    fn messages_come_back_in_order_with_their_times() {
        let mut ring = Ring::new();
        assert_eq!(messages(&ring, Position::FIRST), []);
        ring.append(0, b"first");
        let behind_first = ring.end();
        ring.append(5 << 10, b"");
        ring.append((7 << 10) + 1023, b"third\nin two lines");
        ring.append(u64::MAX, b"last");
        let all = messages(&ring, Position::FIRST);
        let expected = [(0, "first"), (5 << 10, ""), (7 << 10, "third\nin two lines"), (!1023, "last")];
        assert_eq!(all, expected.map(|(time, text)| (time, text.to_string())));
        assert_eq!(messages(&ring, behind_first), all[1..]);
        assert_eq!(messages(&ring, ring.end()), []);
    }

    #[test]
    fn the_oldest_messages_make_room_whole() {
        let mut ring = Ring::new();
        let mut written = vec![];
        for index in 0..2000_u64 {
            // Lengths that share no factor with the ring's, so that each byte of a message lies at its end once.
            let text = format!("{index} ").repeat(index as usize % 23);
            ring.append(index << 10, text.as_bytes());
            written.push((index << 10, text));
            let kept = messages(&ring, Position::FIRST);
            assert_eq!(kept, written[written.len() - kept.len()..], "after {index}");
            let bytes: usize = kept.iter().map(|(_, text)| text.len() + HEADER).sum();
            let next = written.iter().rev().nth(kept.len()).map_or(usize::MAX, |(_, text)| text.len() + HEADER);
            assert!(bytes <= 1024 && bytes.saturating_add(next) > 1024, "it keeps what fits");
        }
    }

    #[test]
    fn a_reader_that_was_overtaken_goes_on_with_the_oldest() {
        let mut ring = Ring::new();
        ring.append(0, b"read");
        let position = ring.end();
        (0..100).for_each(|index| ring.append(index << 10, b"0123456789abcdef"));
        let found = messages(&ring, position);
        assert_eq!(found.len(), 1024 / (16 + HEADER));
        assert_eq!(found.last().map(|(time, _)| *time), Some(99 << 10));
    }

    #[test]
    fn a_message_that_is_too_long_is_cut() {
        let mut ring = Ring::new();
        ring.append(0, &[b'x'; 2000]);
        assert_eq!(messages(&ring, Position::FIRST), [(0, "x".repeat(MAX_MESSAGE))]);
    }
}
