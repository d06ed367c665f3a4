//! Names of files, from a program's memory, and the place where they start.

use kapi::Errno;
use linux_raw_sys::general::AT_FDCWD;
use mm::{GfpFlags, VirtAddr};

use super::call::Call;
use crate::fs::Place;
use crate::mm::KVec;
use crate::user;

/// Bytes of the longest path, with the zero at its end.
const PATH_MAX: usize = 4096;
/// Bytes that nearly all paths have room in.
const SHORT: usize = 256;

/// A path.
pub(super) struct Path {
    short: [u8; SHORT],
    /// Only of a long one.
    long: KVec<u8>,
    len: usize,
}

impl Path {
    /// The path at `at`, which may be empty. `EFAULT`, `ENAMETOOLONG`, `ENOMEM`; `EILSEQ` when it is not UTF-8, as all
    /// names are here.
    pub(super) fn read(at: VirtAddr) -> Result<Self, Errno> {
        let mut path = Self { short: [0; SHORT], long: KVec::new(), len: 0 };
        path.len = match user::read_string(at, &mut path.short) {
            Ok(bytes) => bytes.len(),
            Err(Errno::ENAMETOOLONG) => {
                path.long.resize(PATH_MAX, 0, GfpFlags::KERNEL)?;
                user::read_string(at, &mut path.long)?.len()
            }
            Err(error) => return Err(error),
        };
        core::str::from_utf8(path.bytes()).map_err(|_| Errno::EILSEQ)?;
        Ok(path)
    }

    fn bytes(&self) -> &[u8] {
        let bytes = if self.long.is_empty() { &self.short[..] } else { &self.long[..] };
        &bytes[..self.len]
    }

    /// The path. Whether it is empty, and what that means, is the matter of the call.
    pub(super) fn as_str(&self) -> &str {
        // It was looked at when it was read.
        core::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Call<'_> {
    /// The path at argument number `index`; `ENOENT` for an empty one.
    pub(super) fn path(&self, index: usize) -> Result<Path, Errno> {
        let path = self.path_or_empty(index)?;
        if path.is_empty() { Err(Errno::ENOENT) } else { Ok(path) }
    }

    /// The path at argument number `index`, which may be empty.
    pub(super) fn path_or_empty(&self, index: usize) -> Result<Path, Errno> {
        Path::read(self.address(index))
    }

    /// Where the program stands.
    pub(super) fn place(&self) -> Result<Place, Errno> {
        self.process.place()
    }

    /// Where `path` starts: at the open directory that is argument number `directory`, unless it is an absolute one.
    /// `EBADF`, `ENOTDIR`.
    pub(super) fn place_at(&self, directory: usize, path: &Path) -> Result<Place, Errno> {
        let place = self.place()?;
        if self.int(directory) == AT_FDCWD || path.as_str().starts_with('/') {
            return Ok(place);
        }
        place.at(&self.file(directory)?)
    }
}
