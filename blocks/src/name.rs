//! A disk's name.

use core::fmt;

/// A short name, such as `ram0`, kept inline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DiskName {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl DiskName {
    /// Bytes of the longest one.
    pub const MAX: usize = 15;

    /// The name `text`; `None` if it is empty or too long, or could not be the name of a file in /dev.
    pub fn new(text: &str) -> Option<Self> {
        let is_good = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let mut bytes = [0; Self::MAX];
        let place = bytes.get_mut(..text.len()).filter(|place| !place.is_empty() && is_good)?;
        place.copy_from_slice(text.as_bytes());
        Some(Self { bytes, len: text.len() as u8 })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // `new` had it as text.
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Display for DiskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DiskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
