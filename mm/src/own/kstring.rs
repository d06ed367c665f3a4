//! Text in kmalloc'ed memory: at most 131072 bytes.

use core::fmt;
use core::ops::Deref;

use super::{Global, KVec};
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// An owned text that grows.
pub struct KString<K: Global> {
    bytes: KVec<u8, K>,
}

impl<K: Global> KString<K> {
    /// An empty text without memory.
    pub const fn new() -> Self {
        Self { bytes: KVec::new() }
    }

    /// A copy of `text`. Sleeps if `gfp` allows it.
    #[track_caller]
    pub fn from_str(text: &str, gfp: GfpFlags) -> Result<Self, AllocError> {
        let mut string = Self::new();
        string.push_str(text, gfp)?;
        Ok(string)
    }

    /// The formatted text. Sleeps if the caller's context allows it.
    #[track_caller]
    pub fn try_format(arguments: fmt::Arguments<'_>) -> Result<Self, AllocError> {
        let mut string = Self::new();
        fmt::write(&mut string, arguments).map_err(|_| AllocError)?;
        Ok(string)
    }

    /// Appends `text`; without memory the string stays as it was.
    #[track_caller]
    pub fn push_str(&mut self, text: &str, gfp: GfpFlags) -> Result<(), AllocError> {
        self.bytes.extend_from_slice(text.as_bytes(), gfp)
    }

    /// Appends one character; without memory the string stays as it was.
    #[track_caller]
    pub fn push(&mut self, character: char, gfp: GfpFlags) -> Result<(), AllocError> {
        self.push_str(character.encode_utf8(&mut [0; 4]), gfp)
    }

    /// The string over bytes that are whole characters.
    pub(super) const fn from_text(bytes: KVec<u8, K>) -> Self {
        Self { bytes }
    }

    /// The text's bytes, with its memory.
    pub fn into_bytes(self) -> KVec<u8, K> {
        self.bytes
    }

    /// Takes the last character.
    pub fn pop(&mut self) -> Option<char> {
        let last = self.chars().next_back()?;
        self.bytes.truncate(self.bytes.len() - last.len_utf8());
        Some(last)
    }

    /// Shortens the text to `len` bytes. Panics if that is within a character.
    #[track_caller]
    pub fn truncate(&mut self, len: usize) {
        assert!(len >= self.len() || self.is_char_boundary(len), "truncated within a character");
        self.bytes.truncate(len);
    }

    /// Empties the string; its memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self
    }
}

impl<K: Global> Default for KString<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Global> Deref for KString<K> {
    type Target = str;

    fn deref(&self) -> &str {
        // Only whole characters are ever appended.
        core::str::from_utf8(&self.bytes).unwrap_or_default()
    }
}

impl<K: Global> fmt::Write for KString<K> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text, K::context_gfp()).map_err(|_| fmt::Error)
    }
}

impl<K: Global> fmt::Display for KString<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl<K: Global> fmt::Debug for KString<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
