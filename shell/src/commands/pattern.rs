//! The patterns of `grep`: a small part of regular expressions.
//!
//! `^` and `$` stand for the ends of the line, `.` for any character, `[a-z]` and `[^a-z]` for one of a set, `x*` for
//! any number of `x`, and a backslash takes the meaning off the next character.

/// Whether letters match in either case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// Only in their own.
    Exact,
    /// In either.
    Ignored,
}

/// A pattern, checked.
#[derive(Clone, Copy)]
pub struct Pattern<'a> {
    atoms: &'a [u8],
    case: Case,
}

impl<'a> Pattern<'a> {
    /// The pattern `text`; `None` when a set is not closed or a backslash ends it.
    pub fn new(text: &'a str, case: Case) -> Option<Self> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            rest = &rest[atom_len(rest)?..];
        }
        Some(Self { atoms: text.as_bytes(), case })
    }

    /// Whether some part of `line` matches.
    pub fn matches(&self, line: &[u8]) -> bool {
        match self.atoms.strip_prefix(b"^") {
            Some(atoms) => self.here(atoms, line),
            None => (0..=line.len()).any(|start| self.here(self.atoms, &line[start..])),
        }
    }

    /// Whether the start of `line` matches `atoms`.
    fn here(&self, mut atoms: &[u8], mut line: &[u8]) -> bool {
        loop {
            if atoms.is_empty() {
                return true;
            }
            if atoms == b"$" {
                return line.is_empty();
            }
            let (atom, rest) = atoms.split_at(atom_len(atoms).unwrap_or(atoms.len()));
            if let Some(rest) = rest.strip_prefix(b"*") {
                return self.repeated(atom, rest, line);
            }
            match line.split_first() {
                Some((&byte, after)) if self.one(atom, byte) => (atoms, line) = (rest, after),
                _ => return false,
            }
        }
    }

    /// Whether `line` starts with any number of `atom` and then `rest`.
    fn repeated(&self, atom: &[u8], rest: &[u8], mut line: &[u8]) -> bool {
        loop {
            if self.here(rest, line) {
                return true;
            }
            match line.split_first() {
                Some((&byte, after)) if self.one(atom, byte) => line = after,
                _ => return false,
            }
        }
    }

    fn one(&self, atom: &[u8], byte: u8) -> bool {
        match atom {
            [b'.'] => true,
            [b'\\', plain] => self.same(*plain, byte),
            [b'[', b'^', set @ .., b']'] => !self.in_set(set, byte),
            [b'[', set @ .., b']'] => self.in_set(set, byte),
            [plain, ..] => self.same(*plain, byte),
            [] => false,
        }
    }

    fn same(&self, a: u8, b: u8) -> bool {
        a == b || (self.case == Case::Ignored && a.eq_ignore_ascii_case(&b))
    }

    fn in_set(&self, mut set: &[u8], byte: u8) -> bool {
        let within = |from: u8, to: u8| {
            let ranges = |byte: u8| (from..=to).contains(&byte);
            ranges(byte)
                || (self.case == Case::Ignored
                    && (ranges(byte.to_ascii_lowercase()) || ranges(byte.to_ascii_uppercase())))
        };
        loop {
            set = match set {
                [] => return false,
                [from, b'-', to, rest @ ..] => {
                    if within(*from, *to) {
                        return true;
                    }
                    rest
                }
                [single, rest @ ..] => {
                    if within(*single, *single) {
                        return true;
                    }
                    rest
                }
            };
        }
    }
}

/// Bytes of the first atom of `atoms`, without a `*` behind it; `None` when it is not complete.
fn atom_len(atoms: &[u8]) -> Option<usize> {
    match atoms {
        [b'\\', _, ..] => Some(2),
        [b'\\'] => None,
        [b'[', rest @ ..] => {
            // A `]` that stands first in the set is one of its characters.
            let first = usize::from(rest.first() == Some(&b'^'));
            let close = rest.get(first + 1..)?.iter().position(|byte| *byte == b']')?;
            Some(1 + first + 1 + close + 1)
        }
        _ => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, Pattern};

    fn matches(pattern: &str, line: &str) -> bool {
        Pattern::new(pattern, Case::Exact).unwrap().matches(line.as_bytes())
    }

    #[test]
    fn plain_text_matches_anywhere() {
        assert!(matches("b", "abc") && matches("", "") && matches("bc", "abc"));
        assert!(!matches("ac", "abc"));
    }

    #[test]
    fn anchors_bind_to_the_ends() {
        assert!(matches("^a", "abc") && matches("c$", "abc") && matches("^$", ""));
        assert!(!matches("^b", "abc") && !matches("b$", "abc") && !matches("^$", "x"));
        assert!(matches("a$b", "a$b") && matches("^*", "*"));
    }

    #[test]
    fn stars_repeat_and_give_back() {
        assert!(matches("ab*c", "ac") && matches("ab*c", "abbbc") && matches("a.*c", "abcbc"));
        assert!(matches("^.*b$", "abab") && !matches("ab*c", "adc"));
    }

    #[test]
    fn sets_hold_ranges_and_their_opposite() {
        assert!(matches("^[a-c0]*$", "abc0") && !matches("^[a-c]*$", "abd"));
        assert!(matches("[^0-9]", "1a") && !matches("[^0-9]", "12"));
        assert!(matches("[]]", "]") && matches("[a-]", "-"));
    }

    #[test]
    fn a_backslash_makes_plain() {
        assert!(matches(r"a\.b", "a.b") && !matches(r"a\.b", "axb") && matches(r"\*", "*"));
    }

    #[test]
    fn case_can_be_ignored() {
        let pattern = Pattern::new("a[b-c]", Case::Ignored).unwrap();
        assert!(pattern.matches(b"AC") && !pattern.matches(b"AD"));
    }

    #[test]
    fn incomplete_patterns_are_refused() {
        for bad in ["[a", "[", "[^", "a\\", "[]"] {
            assert!(Pattern::new(bad, Case::Exact).is_none(), "{bad}");
        }
    }
}
