//! Characters of a line that need not be UTF-8.

/// A character of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Symbol {
    /// A character.
    Char(char),
    /// A byte that belongs to no character.
    Stray,
}

/// The character that stands at byte `at`, and its bytes; `None` at the end.
pub fn symbol_at(line: &[u8], at: usize) -> Option<(Symbol, usize)> {
    let first = *line.get(at)?;
    if first.is_ascii() {
        return Some((Symbol::Char(char::from(first)), 1));
    }
    let longest = &line[at..line.len().min(at + 4)];
    let chunk = longest.utf8_chunks().next();
    let c = chunk.and_then(|chunk| chunk.valid().chars().next());
    Some(c.map_or((Symbol::Stray, 1), |c| (Symbol::Char(c), c.len_utf8())))
}

#[cfg(test)]
mod tests {
    use super::{Symbol, symbol_at};

    #[test]
    fn bytes_that_are_no_character_are_one_each() {
        let line = b"a\xc3\xa4\xf0\x9f\x98\x80\xf0\x9f\xff";
        assert_eq!(symbol_at(line, 0), Some((Symbol::Char('a'), 1)));
        assert_eq!(symbol_at(line, 1), Some((Symbol::Char('ä'), 2)));
        assert_eq!(symbol_at(line, 3), Some((Symbol::Char('😀'), 4)));
        for at in 7..10 {
            assert_eq!(symbol_at(line, at), Some((Symbol::Stray, 1)), "{at}");
        }
        assert_eq!(symbol_at(line, 10), None);
    }
}
