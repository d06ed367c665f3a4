//! Names and their limits.

use core::ops::Deref;

use kapi::Errno;

/// Bytes of the longest name.
pub const NAME_MAX: usize = 255;

/// Bytes of the longest path, and of the longest text of a link.
pub const PATH_MAX: usize = 4095;

/// Whether a file may be called `name`. `EINVAL` for what no name is, `ENAMETOOLONG`.
pub fn check(name: &str) -> Result<(), Errno> {
    if name.len() > NAME_MAX {
        Err(Errno::ENAMETOOLONG)
    } else if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        Err(Errno::EINVAL)
    } else {
        Ok(())
    }
}

/// A name by itself, without memory of an allocator.
#[derive(Clone, Copy)]
pub struct Name {
    bytes: [u8; NAME_MAX],
    len: u8,
}

impl Name {
    /// A copy of `name`; `ENAMETOOLONG`.
    pub fn new(name: &str) -> Result<Self, Errno> {
        let mut bytes = [0; NAME_MAX];
        let len = u8::try_from(name.len()).map_err(|_| Errno::ENAMETOOLONG)?;
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Self { bytes, len })
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        // Copied from a text, whole.
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use kapi::Errno;

    use super::{NAME_MAX, Name, check};

    #[test]
    fn names_have_limits() {
        for wrong in ["", ".", "..", "a/b", "/", "a\0"] {
            assert_eq!(check(wrong), Err(Errno::EINVAL), "{wrong:?}");
        }
        let longest = "n".repeat(NAME_MAX);
        assert_eq!(check(&longest), Ok(()));
        assert_eq!(&*Name::new(&longest).expect("it fits"), longest);
        let longer = "n".repeat(NAME_MAX + 1);
        assert_eq!(check(&longer), Err(Errno::ENAMETOOLONG));
        assert_eq!(Name::new(&longer).err(), Some(Errno::ENAMETOOLONG));
        for right in ["...", "a", "\u{e4}", ".a", "a b"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
    }
}
