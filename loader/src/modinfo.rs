//! What a module says of itself: the section `.modinfo`.

use core::str;

/// The entries `key=value` of a module, each of which ends with a zero byte in the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Modinfo<'a> {
    text: &'a str,
}

impl<'a> Modinfo<'a> {
    /// Takes a section's bytes if they are text, and each entry has a key.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let is_clean = text.chars().all(|c| c == '\0' || !c.is_control());
        (is_clean && entries(text).all(|entry| matches!(entry.find('='), Some(1..)))).then_some(Self { text })
    }

    /// The value of the first entry with this key.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// All entries, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        entries(self.text).filter_map(|entry| entry.split_once('='))
    }
}

/// Entries may be padded with more zero bytes than one.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split('\0').filter(|entry| !entry.is_empty())
}
