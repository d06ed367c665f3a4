//! Names out of a file's string tables.

use core::str;

use crate::limits::MAX_NAME;
use crate::refusal::NameFault;

/// A string table.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    bytes: &'a [u8],
}

impl<'a> Names<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The name at `offset`: printable ASCII without blanks, up to its zero byte. It may be empty.
    pub fn get(&self, offset: u32) -> Result<&'a str, NameFault> {
        let from =
            usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..)).ok_or(NameFault::Outside)?;
        let shortened = from.get(..MAX_NAME + 1).unwrap_or(from);
        let Some(len) = shortened.iter().position(|byte| *byte == 0) else {
            return Err(if shortened.len() > MAX_NAME { NameFault::TooLong } else { NameFault::Endless });
        };
        let name = shortened.get(..len).unwrap_or_default();
        if !name.iter().all(u8::is_ascii_graphic) {
            return Err(NameFault::NoText);
        }
        str::from_utf8(name).map_err(|_| NameFault::NoText)
    }
}
