//! A moment that somebody in the machine wants to have a picture of.

use super::header::Header;

/// Words of a mark's name.
const NAME_WORDS: usize = 8;

/// A moment that was marked, by a number and a name. It stands behind the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The first mark has number 1; before that there is none.
    pub number: u64,
    /// Its name, and zeros.
    name: [u8; Self::NAME_MAX],
}

impl Mark {
    /// Words of a mark, from word [`Header::WORDS`] of the header's page on.
    pub const WORDS: usize = 1 + NAME_WORDS;
    /// Bytes of the longest name.
    pub const NAME_MAX: usize = NAME_WORDS * 8;
    /// What the kernel sends by the watcher's port for each mark: one byte more than the host's pipe holds, so that it
    /// goes on when the picture was taken.
    pub const BYTES_SENT: usize = Self::PIPE_BYTES + 1;
    /// What the pipe holds.
    pub const PIPE_BYTES: usize = 4096;
    /// The port. A read of it says [`ANSWER`](Self::ANSWER) where somebody watches.
    pub const PORT: u16 = 0xe9;
    /// What the watcher's device answers.
    pub const ANSWER: u8 = 0xe9;

    /// A mark. `None` unless the name has 1 to 64 letters, digits, `.`, `-` and `_`, and does not start with `.`: it
    /// becomes the name of a file.
    pub fn new(number: u64, name: &str) -> Option<Self> {
        let is_fit = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
        let fits = !name.is_empty() && !name.starts_with('.') && name.bytes().all(|byte| is_fit(&byte));
        let mut bytes = [0; Self::NAME_MAX];
        bytes.get_mut(..name.len()).filter(|_| fits)?.copy_from_slice(name.as_bytes());
        Some(Self { number, name: bytes })
    }

    /// The mark as it stands in memory.
    pub fn to_words(self) -> [u64; Self::WORDS] {
        let mut words = [0; Self::WORDS];
        words[0] = self.number;
        for (word, bytes) in words[1..].iter_mut().zip(self.name.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }

    /// The mark that these words are. `None` if they are none.
    pub fn from_words(words: &[u64; Self::WORDS]) -> Option<Self> {
        let mut name = [0; Self::NAME_MAX];
        for (bytes, word) in name.as_chunks_mut().0.iter_mut().zip(&words[1..]) {
            *bytes = word.to_le_bytes();
        }
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(Self::NAME_MAX);
        let text = core::str::from_utf8(&name[..end]).ok()?;
        Self::new(words[0], text)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(Self::NAME_MAX);
        core::str::from_utf8(&self.name[..end]).unwrap_or("?")
    }
}

const _: () = assert!((Header::WORDS + Mark::WORDS) * 8 <= crate::addr::PAGE_SIZE);

#[cfg(test)]
mod tests {
    use super::Mark;

    #[test]
    fn a_mark_comes_back_from_memory() {
        let mark = Mark::new(7, "kswapd-low.2").expect("a name");
        assert_eq!(Mark::from_words(&mark.to_words()), Some(mark));
        assert_eq!(mark.name(), "kswapd-low.2");
        let longest = "x".repeat(Mark::NAME_MAX);
        assert_eq!(Mark::new(1, &longest).map(|mark| mark.name().len()), Some(Mark::NAME_MAX));
    }

    #[test]
    fn what_cannot_be_a_files_name_is_refused() {
        for name in ["", ".", "..", "a/b", "a b", "\u{e4}", &"x".repeat(65)] {
            assert!(Mark::new(1, name).is_none(), "{name:?}");
        }
        assert!(Mark::from_words(&[u64::MAX; Mark::WORDS]).is_none());
    }
}
