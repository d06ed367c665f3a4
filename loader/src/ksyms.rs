//! The table `KSYM`: from a place in the code to a function's name.
//!
//! The kernel's image and each module carry one in the section `.ksyms`. All numbers are little endian:
//!
//! - header: the bytes `KSYM`, the number of entries (u32), the length of the names in bytes (u32)
//! - entries, sorted: the function's offset (u32), its name's place in the names (u32)
//! - names: a length byte, then that many bytes of ASCII
//!
//! Offsets count from the start of the image, or of the module's text.

use core::str;

use crate::bytes::{u32_at, usize_at};

const MAGIC: &[u8] = b"KSYM";
const HEADER_LEN: usize = 12;
const ENTRY_LEN: usize = 8;

/// A table of functions and their names, in the bytes that hold it.
#[derive(Clone, Copy, Debug)]
pub struct Ksyms<'a> {
    entries: &'a [u8],
    names: &'a [u8],
}

impl<'a> Ksyms<'a> {
    /// The table at the start of `bytes`, and what lies behind it; `None` if there is none, or not all of it.
    pub fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let body = bytes.strip_prefix(MAGIC)?.get(HEADER_LEN - MAGIC.len()..)?;
        let (count, names) = (usize_at(bytes, 4)?, usize_at(bytes, 8)?);
        let (entries, rest) = body.split_at_checked(count.checked_mul(ENTRY_LEN)?)?;
        let (names, rest) = rest.split_at_checked(names)?;
        Some((Self { entries, names }, rest))
    }

    /// The table at the start of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        Self::split(bytes).map(|(table, _)| table)
    }

    /// How many functions it has.
    pub fn len(&self) -> usize {
        self.entries.len() / ENTRY_LEN
    }

    /// Whether it has no function.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The last function that starts at `offset` or before it: its own offset, and its name.
    pub fn find(&self, offset: u32) -> Option<(u32, &'a str)> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.offset(middle)? <= offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.get(low.checked_sub(1)?)
    }

    /// All functions in the order of their offsets. An entry whose name is damaged ends the walk.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
        let table = *self;
        (0..table.len()).map_while(move |index| table.get(index))
    }

    fn get(&self, index: usize) -> Option<(u32, &'a str)> {
        Some((self.offset(index)?, self.name(index)?))
    }

    fn offset(&self, index: usize) -> Option<u32> {
        u32_at(self.entries, index * ENTRY_LEN)
    }

    fn name(&self, index: usize) -> Option<&'a str> {
        let from = self.names.get(usize_at(self.entries, index * ENTRY_LEN + 4)?..)?;
        let (len, rest) = from.split_first()?;
        str::from_utf8(rest.get(..usize::from(*len))?).ok()
    }
}
