//! Entries of directories, as `getdents64` hands them out, end to end.

use core::mem::offset_of;

use linux_raw_sys::general::linux_dirent64;

use crate::record::put;

/// Entries start where 64-bit numbers may.
const ALIGN: usize = 8;

/// A buffer that is filled with entries.
pub struct Dirents<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

/// The buffer has no room for the entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// An entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dirent<'a> {
    /// The file's number in its file system.
    pub inode: u64,
    /// The position from which the next entry is read.
    pub next: u64,
    /// The file's kind: one of `DT_*`.
    pub kind: u8,
    /// Its name.
    pub name: &'a [u8],
}

impl<'a> Dirents<'a> {
    /// Nothing, in `buffer`.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, used: 0 }
    }

    /// Bytes that the entries take.
    pub const fn used(&self) -> usize {
        self.used
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; then nothing has changed.
    pub fn push(&mut self, entry: &Dirent<'_>) -> Result<(), Full> {
        let name_at = offset_of!(linux_dirent64, d_name);
        let length = (name_at + entry.name.len() + 1).next_multiple_of(ALIGN);
        let place = self.buffer.get_mut(self.used..).and_then(|rest| rest.get_mut(..length)).ok_or(Full)?;
        let length_field = u16::try_from(length).map_err(|_| Full)?;
        place.fill(0);
        put(place, offset_of!(linux_dirent64, d_ino), &entry.inode);
        put(place, offset_of!(linux_dirent64, d_off), &entry.next);
        put(place, offset_of!(linux_dirent64, d_reclen), &length_field);
        put(place, offset_of!(linux_dirent64, d_type), &entry.kind);
        place[name_at..name_at + entry.name.len()].copy_from_slice(entry.name);
        self.used += length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Dirent, Dirents, Full};

    #[test]
    fn entries_lie_one_behind_the_other() {
        let mut buffer = [0xff; 64];
        let mut entries = Dirents::new(&mut buffer);
        let entry = Dirent { inode: 9, next: 2, kind: 4, name: b"." };
        assert_eq!(entries.push(&entry), Ok(()));
        assert_eq!(entries.push(&Dirent { name: b"abcde", ..entry }), Ok(()));
        assert_eq!(entries.used(), 24 + 32);
        assert_eq!(entries.push(&entry), Err(Full));
        assert_eq!((buffer[0], buffer[8], buffer[16], buffer[18], buffer[19], buffer[20]), (9, 2, 24, 4, b'.', 0));
        assert_eq!((buffer[24 + 16], &buffer[24 + 19..24 + 26]), (32, &b"abcde\0\0"[..]));
        assert_eq!(buffer[56], 0xff);
    }
}
