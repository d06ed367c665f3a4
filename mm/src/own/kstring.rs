//! Text in kmalloc'ed memory: at most 131072 bytes.

use core::fmt;
use core::ops::{Deref, DerefMut};

use super::{Global, KVec};
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// An owned text that grows.
///
/// As `String`, but what may allocate takes GFP flags and may fail, and a place within a character, or none at all, is
/// told by the result: no method panics.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use core::fmt::Write;
/// use mm::GfpFlags;
/// use mm::own::KString;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut text = KString::<TestKernel>::from_str("scull", GfpFlags::KERNEL)?;
/// text.push('p', GfpFlags::ATOMIC)?;
/// text.insert_str(0, "/dev/", GfpFlags::KERNEL)?;
/// write!(text, "{}", 3).expect("memory for what the caller's context may ask for");
/// assert_eq!(text, "/dev/scullp3");
/// assert_eq!((text.pop(), text.remove(0), text.remove(99)), (Some('3'), Some('/'), None));
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct KString<K: Global> {
    /// Whole characters.
    bytes: KVec<u8, K>,
}

impl<K: Global> KString<K> {
    /// An empty text without memory.
    pub const fn new() -> Self {
        Self { bytes: KVec::new() }
    }

    /// An empty text with room for `capacity` bytes. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn with_capacity(capacity: usize, gfp: GfpFlags) -> Result<Self, AllocError> {
        Ok(Self { bytes: KVec::with_capacity(capacity, gfp)? })
    }

    /// A copy of `text`. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn from_str(text: &str, gfp: GfpFlags) -> Result<Self, AllocError> {
        let mut string = Self::new();
        string.push_str(text, gfp)?;
        Ok(string)
    }

    /// The formatted text. Sleeps if the caller's context allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn try_format(arguments: fmt::Arguments<'_>) -> Result<Self, AllocError> {
        let mut string = Self::new();
        fmt::write(&mut string, arguments).map_err(|_| AllocError)?;
        Ok(string)
    }

    /// The text of these characters. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn try_collect(characters: impl IntoIterator<Item = char>, gfp: GfpFlags) -> Result<Self, AllocError> {
        let mut string = Self::new();
        string.try_extend(characters, gfp)?;
        Ok(string)
    }

    /// A text of its own that is the same. (What `Clone` cannot do, since it must not fail.) Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn try_clone(&self, gfp: GfpFlags) -> Result<Self, AllocError> {
        Self::from_str(self, gfp)
    }

    /// Makes room for `more` further bytes. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn reserve(&mut self, more: usize, gfp: GfpFlags) -> Result<(), AllocError> {
        self.bytes.reserve(more, gfp)
    }

    /// Appends `text`; without memory the string stays as it was. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn push_str(&mut self, text: &str, gfp: GfpFlags) -> Result<(), AllocError> {
        self.bytes.extend_from_slice(text.as_bytes(), gfp)
    }

    /// Appends one character; without memory the string stays as it was. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn push(&mut self, character: char, gfp: GfpFlags) -> Result<(), AllocError> {
        self.push_str(character.encode_utf8(&mut [0; 4]), gfp)
    }

    /// Appends characters; without memory the string keeps what it has got so far. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn try_extend(&mut self, characters: impl IntoIterator<Item = char>, gfp: GfpFlags) -> Result<(), AllocError> {
        characters.into_iter().try_for_each(|character| self.push(character, gfp))
    }

    /// Puts `text` before byte `at`; fails without memory, and where no character starts and the text does not end. The
    /// string stays as it was then. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory, or no character begins at that place.
    #[track_caller]
    pub fn insert_str(&mut self, at: usize, text: &str, gfp: GfpFlags) -> Result<(), AllocError> {
        if !self.is_char_boundary(at) {
            return Err(AllocError);
        }
        self.push_str(text, gfp)?;
        self.bytes[at..].rotate_right(text.len());
        Ok(())
    }

    /// Puts a character before byte `at`, as [`insert_str`](Self::insert_str) puts a text. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory, or no character begins at that place.
    #[track_caller]
    pub fn insert(&mut self, at: usize, character: char, gfp: GfpFlags) -> Result<(), AllocError> {
        self.insert_str(at, character.encode_utf8(&mut [0; 4]), gfp)
    }

    /// Takes the character that starts at byte `at` out, if one does.
    pub fn remove(&mut self, at: usize) -> Option<char> {
        let character = self.get(at..)?.chars().next()?;
        drop(self.bytes.drain(at..at + character.len_utf8()));
        Some(character)
    }

    /// Keeps the characters that `keep` says yes to, in order.
    pub fn retain(&mut self, mut keep: impl FnMut(char) -> bool) {
        let mut at = 0;
        while let Some(character) = self.get(at..).and_then(|rest| rest.chars().next()) {
            if keep(character) {
                at += character.len_utf8();
            } else {
                self.remove(at);
            }
        }
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

    /// Shortens the text to `len` bytes, or to fewer where that is within a character.
    pub fn truncate(&mut self, len: usize) {
        let end = (0..=len.min(self.len())).rev().find(|&end| self.is_char_boundary(end));
        self.bytes.truncate(end.unwrap_or(0));
    }

    /// Empties the string; its memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Bytes that fit without more memory.
    pub const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes of memory that the string costs: 0 before the first.
    pub fn footprint(&self) -> usize {
        self.bytes.footprint()
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
        // SAFETY: only whole characters are put in, and only whole ones taken out.
        unsafe { core::str::from_utf8_unchecked(&self.bytes) }
    }
}

impl<K: Global> DerefMut for KString<K> {
    fn deref_mut(&mut self) -> &mut str {
        // SAFETY: as in `deref`; what is done to a `str` leaves whole characters.
        unsafe { core::str::from_utf8_unchecked_mut(&mut self.bytes) }
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
