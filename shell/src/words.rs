//! Words of a command, quotes off and `$?` filled in, in a fixed buffer.

use core::fmt::Write;

use crate::env::Status;
use crate::text::{Full, Text};

/// Most words of one command, its name included.
pub const MAX_WORDS: usize = 64;
/// Most bytes that the words of one command take.
pub const MAX_BYTES: usize = 1024;

/// The words of a command.
pub struct Words {
    text: Text<MAX_BYTES>,
    ends: [u16; MAX_WORDS],
    count: usize,
}

impl Words {
    /// No words.
    pub const fn new() -> Self {
        Self { text: Text::new(), ends: [0; MAX_WORDS], count: 0 }
    }

    /// Appends the word that was typed as `raw`. `last` is what `$?` stands for.
    pub fn push(&mut self, raw: &str, last: Status) -> Result<(), Full> {
        if self.count == MAX_WORDS {
            return Err(Full);
        }
        expand(raw, last, &mut self.text)?;
        self.ends[self.count] = self.text.len() as u16;
        self.count += 1;
        Ok(())
    }

    /// All words.
    pub const fn all(&self) -> Args<'_> {
        Args { words: self, first: 0 }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::new()
    }
}

/// The words of a command from some word on.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    words: &'a Words,
    first: usize,
}

impl<'a> Args<'a> {
    /// The word with number `index`, 0 for the first.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        let index = self.first + index;
        if index >= self.words.count {
            return None;
        }
        let start = if index == 0 { 0 } else { usize::from(self.words.ends[index - 1]) };
        self.words.text.as_str().get(start..usize::from(self.words.ends[index]))
    }

    /// How many words there are.
    pub const fn len(&self) -> usize {
        self.words.count - self.first
    }

    /// Whether there are no words.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The words from word `count` on; no words when there are fewer.
    pub fn skip(&self, count: usize) -> Self {
        Self { words: self.words, first: (self.first + count).min(self.words.count) }
    }

    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let args = *self;
        (0..args.len()).filter_map(move |index| args.get(index))
    }
}

/// Appends to `out` what the word typed as `raw` means.
///
/// Single quotes keep everything, double quotes all but `$?` and a backslash before `"`, `\`, `$` or a backquote;
/// elsewhere a backslash keeps the next character. Nothing is expanded but `$?`: the lexer refuses what else could be.
pub fn expand<const N: usize>(raw: &str, last: Status, out: &mut Text<N>) -> Result<(), Full> {
    let mut rest = raw.chars();
    let mut quote = None;
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', None) => push_char(rest.next().unwrap_or('\\'), out)?,
            ('\\', Some('"')) if rest.as_str().starts_with(['"', '\\', '$', '`']) => {
                push_char(rest.next().unwrap_or('\\'), out)?;
            }
            ('$', None | Some('"')) if rest.as_str().starts_with('?') => {
                rest.next();
                write!(out, "{}", last.code()).map_err(|_| Full)?;
            }
            _ => push_char(c, out)?,
        }
    }
    Ok(())
}

fn push_char<const N: usize>(c: char, out: &mut Text<N>) -> Result<(), Full> {
    out.push(c.encode_utf8(&mut [0; 4]).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{MAX_WORDS, Words, expand};
    use crate::env::Status;
    use crate::text::{Full, Text};
    use std::string::{String, ToString};

    fn word(raw: &str) -> String {
        let mut out = Text::<64>::new();
        expand(raw, Status::new(3), &mut out).unwrap();
        out.as_str().to_string()
    }

    #[test]
    fn quotes_are_taken_off() {
        assert_eq!(word(r#"a'b c'"d e"f"#), "ab cd ef");
        assert_eq!(word(r#"'a"\b'"#), r#"a"\b"#);
        assert_eq!(word(r#""a\"b\\c\nd'""#), r#"a"b\c\nd'"#);
        assert_eq!(word(r"\a\ \\\'"), r"a \'");
        assert_eq!(word("''"), "");
        assert_eq!(word(r#""\`\$X""#), "`$X");
    }

    #[test]
    fn status_is_filled_in_outside_of_single_quotes() {
        assert_eq!(word(r#"$?"<$?>"'$?'\$?"#), "3<3>$?$?");
        assert_eq!(word("$HOME"), "$HOME");
    }

    #[test]
    fn words_can_be_empty_and_are_counted() {
        let mut words = Words::new();
        for raw in ["echo", "''", "b"] {
            words.push(raw, Status::OK).unwrap();
        }
        let args = words.all();
        assert_eq!((args.len(), args.get(1), args.get(2), args.get(3)), (3, Some(""), Some("b"), None));
        assert_eq!(args.skip(2).get(0), Some("b"));
        assert!(args.skip(9).is_empty());
    }

    #[test]
    fn too_many_words_are_refused() {
        let mut words = Words::new();
        for _ in 0..MAX_WORDS {
            words.push("a", Status::OK).unwrap();
        }
        assert_eq!(words.push("a", Status::OK), Err(Full));
    }
}
