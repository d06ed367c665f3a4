//! A short text in a fixed buffer.
//!
//! Lines, words and names live in [`Text`], so that a command can be typed and run when no memory is left.

use core::fmt;
use core::ops::Range;

/// The text does not fit into its buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// At most `N` bytes of text. The bytes are UTF-8 as long as only whole characters are put in and taken out.
#[derive(Clone)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

/// Longest path that a command can look up, in bytes.
pub const MAX_PATH: usize = 256;

impl<const N: usize> Text<N> {
    /// An empty text.
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The text, or the part of it before the first byte that is not UTF-8.
    pub fn as_str(&self) -> &str {
        valid_prefix(self.as_bytes())
    }

    /// Bytes in the text.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no text.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that still fit.
    pub const fn room(&self) -> usize {
        N - self.len
    }

    /// Empties the text.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Cuts the text to its first `len` bytes; a shorter one stays as it is.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends `bytes`, all or nothing.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.insert(self.len, bytes)
    }

    /// Inserts `bytes` before byte `at`, all or nothing. `at` is at most the length.
    pub fn insert(&mut self, at: usize, bytes: &[u8]) -> Result<(), Full> {
        if bytes.len() > self.room() {
            return Err(Full);
        }
        self.bytes.copy_within(at..self.len, at + bytes.len());
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        Ok(())
    }

    /// Takes out the bytes in `range`, which lies in the text.
    pub fn remove(&mut self, range: Range<usize>) {
        self.bytes.copy_within(range.end..self.len, range.start);
        self.len -= range.len();
    }

    /// Makes the text `bytes`, cut to what fits.
    pub fn set(&mut self, bytes: &[u8]) {
        let len = bytes.len().min(N);
        self.bytes[..len].copy_from_slice(&bytes[..len]);
        self.len = len;
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes()).map_err(|Full| fmt::Error)
    }
}

/// The longest start of `bytes` that is UTF-8.
pub(crate) fn valid_prefix(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use super::{Full, Text};

    #[test]
    fn inserts_and_removes_in_the_middle() {
        let mut text = Text::<8>::new();
        assert_eq!(text.push(b"abef"), Ok(()));
        assert_eq!(text.insert(2, b"cd"), Ok(()));
        assert_eq!(text.as_str(), "abcdef");
        text.remove(1..3);
        assert_eq!(text.as_str(), "adef");
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut text = Text::<4>::new();
        assert_eq!(text.push(b"abc"), Ok(()));
        assert_eq!(text.insert(0, b"xy"), Err(Full));
        assert_eq!(text.as_str(), "abc");
    }
}
