//! Paths as users type them, made plain.

use kapi::Errno;

/// Bytes in the longest path.
const MAX: usize = 255;

/// A path from the root, without leading, doubled or trailing slashes and without `.` and `..`.
pub(super) struct Path {
    bytes: [u8; MAX],
    len: usize,
    directory: bool,
}

impl Path {
    /// Makes `path` plain. There is no current directory: every path starts at the root, and `..` there stays there.
    /// `ENOENT` for an empty one, `ENAMETOOLONG`.
    pub(super) fn new(path: &str) -> Result<Self, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let directory = path.ends_with(['/']) || path.ends_with("/.") || path.ends_with("/..");
        let mut plain = Self { bytes: [0; MAX], len: 0, directory };
        for component in path.split('/') {
            match component {
                "" | "." => {}
                ".." => plain.len = plain.as_str().rfind('/').unwrap_or(0),
                name => plain.push(name)?,
            }
        }
        Ok(plain)
    }

    fn push(&mut self, name: &str) -> Result<(), Errno> {
        let slash = usize::from(self.len > 0);
        let end = self.len + slash + name.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(Errno::ENAMETOOLONG)?;
        room[..slash].fill(b'/');
        room[slash..].copy_from_slice(name.as_bytes());
        self.len = end;
        Ok(())
    }

    /// The path; "" is the root.
    pub(super) fn as_str(&self) -> &str {
        // Made of whole components of a text.
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    /// Whether the path was written so that only a directory can be meant.
    pub(super) const fn must_be_directory(&self) -> bool {
        self.directory
    }
}
