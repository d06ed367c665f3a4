//! Arguments and environment of a program, on the way into its memory.
//!
//! Key types: [`StringList`], [`Room`]. What a program is called with is copied into the kernel, so that the old space
//! may go before the new one is used, and that no other process changes it meanwhile.

use kapi::Errno;
use loader::program::Strings;
use mm::GfpFlags;

use crate::mm::KVVec;

/// Bytes of the longest argument, with its zero.
const LONGEST: usize = 128 << 10;
/// Most bytes of arguments and environment together, however large the stack may be.
const MOST: u64 = 2 << 20;
/// Bytes that a list has room for at first.
const FIRST: usize = 512;

/// How many bytes arguments and environment may still have, with a pointer for each string.
pub struct Room(usize);

impl Room {
    /// Room for a program whose stack may have `stack_limit` bytes: a quarter of that.
    pub fn for_stack(stack_limit: u64) -> Self {
        Self((stack_limit / 4).min(MOST) as usize)
    }

    fn take(&mut self, bytes: usize) -> Result<(), Errno> {
        self.0 = self.0.checked_sub(bytes).ok_or(Errno::E2BIG)?;
        Ok(())
    }
}

/// Strings one after the other, each with a zero at its end and none within.
pub struct StringList {
    bytes: KVVec<u8>,
    /// Where the string begins that is being added.
    last: usize,
}

impl StringList {
    /// No strings. `ENOMEM`.
    pub fn new() -> Result<Self, Errno> {
        Ok(Self { bytes: KVVec::with_capacity(FIRST, GfpFlags::KERNEL)?, last: 0 })
    }

    /// Adds `string`, up to its first zero if it has one; `E2BIG`, `ENOMEM`.
    pub fn push(&mut self, string: &[u8], room: &mut Room) -> Result<(), Errno> {
        let len = string.iter().position(|byte| *byte == 0).unwrap_or(string.len());
        self.push_part(&string[..len], room)?;
        self.end(room)
    }

    /// Adds a part of a string, which has no zeros; [`end`](Self::end) comes after the last part. `E2BIG`, `ENOMEM`.
    pub fn push_part(&mut self, part: &[u8], room: &mut Room) -> Result<(), Errno> {
        if self.bytes.len() - self.last + part.len() >= LONGEST {
            return Err(Errno::E2BIG);
        }
        room.take(part.len())?;
        Ok(self.bytes.extend_from_slice(part, GfpFlags::KERNEL)?)
    }

    /// Ends the string whose parts were added; `E2BIG`, `ENOMEM`.
    pub fn end(&mut self, room: &mut Room) -> Result<(), Errno> {
        room.take(1 + size_of::<u64>())?;
        self.bytes.push(0, GfpFlags::KERNEL)?;
        self.last = self.bytes.len();
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds all strings of `other` but its first one; `E2BIG`, `ENOMEM`.
    pub fn push_rest(&mut self, other: &Self, room: &mut Room) -> Result<(), Errno> {
        other.iter().skip(1).try_for_each(|string| self.push(string, room))
    }

    /// The strings, without their zeros.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split_inclusive(|byte| *byte == 0).map(|string| string.strip_suffix(&[0]).unwrap_or(string))
    }

    /// As a program's stack wants them.
    pub fn strings(&self) -> Strings<'_> {
        // Each string got its zero.
        Strings::new(&self.bytes).unwrap_or_default()
    }
}
