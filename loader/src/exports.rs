//! The table `KEXP`: from the hash of a symbol's name to the symbol.
//!
//! It lies in the image's section `.ksyms`, behind the table of [`Ksyms`](crate::Ksyms). All numbers are little endian,
//! and no part is aligned:
//!
//! - header: the bytes `KEXP`, the number of entries (u32), the length of the version in bytes (u32)
//! - the version: what a module has to say of the kernel that it was built for, ASCII
//! - the [hashes](crate::hash()) of the names (u64 each), in rising order
//! - the symbols' offsets from the image's start (u32 each), in the same order

use core::str;

use crate::bytes::{u32_at, u64_at, usize_at};

const MAGIC: &[u8] = b"KEXP";
const HEADER_LEN: usize = 12;
const HASH_LEN: usize = 8;
const OFFSET_LEN: usize = 4;

/// A table of symbols by the hash of their names, in the bytes that hold it.
#[derive(Clone, Copy, Debug)]
pub struct Exports<'a> {
    version: &'a str,
    hashes: &'a [u8],
    offsets: &'a [u8],
}

impl<'a> Exports<'a> {
    /// The table at the start of `bytes`; `None` if there is none, or not all of it.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let body = bytes.strip_prefix(MAGIC)?.get(HEADER_LEN - MAGIC.len()..)?;
        let (count, version) = (usize_at(bytes, 4)?, usize_at(bytes, 8)?);
        let (version, rest) = body.split_at_checked(version)?;
        let (hashes, rest) = rest.split_at_checked(count.checked_mul(HASH_LEN)?)?;
        let offsets = rest.get(..count.checked_mul(OFFSET_LEN)?)?;
        Some(Self { version: str::from_utf8(version).ok()?, hashes, offsets })
    }

    /// The kernel's version: a module is for this kernel if it names the same.
    pub fn version(&self) -> &'a str {
        self.version
    }

    /// How many symbols it has.
    pub fn len(&self) -> usize {
        self.hashes.len() / HASH_LEN
    }

    /// Whether it has no symbol.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// How many bytes into the image the symbol lies whose name has this hash.
    pub fn find(&self, hash: u64) -> Option<u32> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let found = u64_at(self.hashes, middle * HASH_LEN)?;
            if found == hash {
                return u32_at(self.offsets, middle * OFFSET_LEN);
            }
            if found < hash {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        None
    }
}
