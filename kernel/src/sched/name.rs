//! Names of threads.
//!
//! Key types: [`Name`], [`NameCell`].

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A thread's name: up to 15 bytes, kept inline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Name {
    /// Bytes of the longest name; longer ones are cut.
    pub const MAX: usize = 15;

    /// The name `text`, cut to what fits.
    pub const fn new(text: &str) -> Self {
        let mut len = if text.len() < Self::MAX { text.len() } else { Self::MAX };
        while !text.is_char_boundary(len) {
            len -= 1;
        }
        let mut bytes = [0; Self::MAX];
        let mut i = 0;
        while i < len {
            bytes[i] = text.as_bytes()[i];
            i += 1;
        }
        Self { bytes, len: len as u8 }
    }

    const fn words(self) -> [u64; 2] {
        let mut words = [self.len as u64, 0];
        let mut i = 0;
        while i < Self::MAX {
            words[(i + 1) / 8] |= (self.bytes[i] as u64) << ((i + 1) % 8 * 8);
            i += 1;
        }
        words
    }

    fn from_words(words: [u64; 2]) -> Self {
        let mut bytes = [0; Self::MAX];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = (words[(i + 1) / 8] >> ((i + 1) % 8 * 8)) as u8;
        }
        Self { bytes, len: (words[0] as u8).min(Self::MAX as u8) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // `new` cuts between characters, so this never falls back.
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("?")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A place for a name that changes while others read it, in any context. Who reads meanwhile may get the beginning of
/// one name and the end of the other.
pub struct NameCell([AtomicU64; 2]);

impl NameCell {
    /// A place that has `name`.
    pub const fn new(name: Name) -> Self {
        let [first, second] = name.words();
        Self([AtomicU64::new(first), AtomicU64::new(second)])
    }

    /// The name.
    pub fn get(&self) -> Name {
        Name::from_words([self.0[0].load(Relaxed), self.0[1].load(Relaxed)])
    }

    /// Replaces the name.
    pub fn set(&self, name: Name) {
        let [first, second] = name.words();
        self.0[0].store(first, Relaxed);
        self.0[1].store(second, Relaxed);
    }
}
