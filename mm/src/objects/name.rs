//! The name of a cache.

use core::fmt;
use core::mem::offset_of;

use crate::error::CreateError;
use crate::objects::mix::{KEY, mix};

/// Visible characters of a cache's name.
const NAME_MAX: usize = 19;

/// The name of a cache: 1 to 19 visible characters.
#[derive(Clone, Copy, Eq)]
pub struct CacheName {
    bytes: [u8; NAME_MAX],
    len: u8,
}

impl CacheName {
    /// The first eight characters as one word: most names differ there.
    fn start(&self) -> u64 {
        self.bytes.first_chunk().copied().map_or(0, u64::from_ne_bytes)
    }

    /// A number of so many bits, 1 to 64, that few names have in common.
    #[inline]
    pub(super) fn number(&self, bits: u32) -> usize {
        let middle = self.bytes[8..].first_chunk().copied().map_or(0, u64::from_ne_bytes);
        let end = self.bytes.last_chunk().copied().map_or(0, u64::from_ne_bytes);
        (mix(mix(mix(KEY, self.start()), middle), end) >> (u64::BITS - bits)) as usize
    }
}

impl PartialEq for CacheName {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // What lies behind the last character is 0 and no character is, so lengths are compared too.
        self.start() == other.start() && self.bytes == other.bytes
    }
}

impl fmt::Debug for CacheName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl CacheName {
    /// Characters that a name has room for. Behind its last one are zeros.
    pub(super) const MAX: usize = NAME_MAX;
    /// The offset of the first one.
    pub(super) const CHARACTERS: usize = offset_of!(Self, bytes);

    /// Checks a name. (Chapter: 20 characters with the terminator.)
    ///
    /// # Errors
    /// [`CreateError::BadName`]: the text is no name.
    pub const fn new(name: &str) -> Result<Self, CreateError> {
        let source = name.as_bytes();
        if source.is_empty() || source.len() > NAME_MAX {
            return Err(CreateError::BadName);
        }
        let mut bytes = [0; NAME_MAX];
        let mut at = 0;
        while at < source.len() {
            if !source[at].is_ascii_graphic() {
                return Err(CreateError::BadName);
            }
            bytes[at] = source[at];
            at += 1;
        }
        Ok(Self { bytes, len: source.len() as u8 })
    }

    /// A name that is a constant of the program; an illegal one does not compile in a constant.
    pub(crate) const fn literal(name: &str) -> Self {
        match Self::new(name) {
            Ok(name) => name,
            Err(_) => panic!("an illegal cache name"),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("?")
    }
}
