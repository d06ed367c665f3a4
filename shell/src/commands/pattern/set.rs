//! Sets of characters in brackets: `[a-z_]`, `[^[:space:]]`.

use super::class::Class;
use super::syntax::{Case, Malformed};

/// A set, checked: its text without the brackets.
#[derive(Clone, Copy)]
pub struct Set<'p> {
    is_negated: bool,
    items: &'p str,
}

/// A part of a set.
#[derive(Clone, Copy)]
enum Item {
    /// The characters from one to the other.
    Range(char, char),
    /// A class.
    Class(Class),
}

impl Item {
    fn has(self, c: char) -> bool {
        match self {
            Self::Range(from, to) => (from..=to).contains(&c),
            Self::Class(class) => class.has(c),
        }
    }
}

impl<'p> Set<'p> {
    /// The set that `text` starts with, and its bytes, brackets included.
    pub fn parse(text: &'p str) -> Result<(Self, usize), Malformed> {
        let inside = text.strip_prefix('[').ok_or(Malformed::OpenSet)?;
        let (is_negated, inside) = inside.strip_prefix('^').map_or((false, inside), |rest| (true, rest));
        // A `]` that stands first is one of the characters.
        let mut rest = inside;
        while rest.len() == inside.len() || !rest.starts_with(']') {
            rest = item(rest)?.1;
        }
        let items = &inside[..inside.len() - rest.len()];
        if items.len() > 1 && items.starts_with(':') && items.ends_with(':') {
            return Err(Malformed::LoneClass);
        }
        Ok((Self { is_negated, items }, text.len() - rest.len() + 1))
    }

    /// Whether a character is in the set.
    pub fn has(self, c: char, case: Case) -> bool {
        self.lists(c, case) != self.is_negated
    }

    /// Whether the set is one of all that it does not list.
    pub const fn is_negated(self) -> bool {
        self.is_negated
    }

    fn lists(self, c: char, case: Case) -> bool {
        let mut rest = self.items;
        while let Ok((item, behind)) = item(rest) {
            let in_other_case = || c.to_lowercase().chain(c.to_uppercase()).any(|c| item.has(c));
            if item.has(c) || (case == Case::Ignored && in_other_case()) {
                return true;
            }
            rest = behind;
        }
        false
    }
}

/// The item that `text` starts with, and what stands behind it.
fn item(text: &str) -> Result<(Item, &str), Malformed> {
    if let Some(name) = text.strip_prefix("[:") {
        let (name, rest) = name.split_once(":]").ok_or(Malformed::OpenSet)?;
        return Class::named(name).map(|class| (Item::Class(class), rest)).ok_or(Malformed::UnknownClass);
    }
    let (from, rest) = end_point(text)?;
    match rest.strip_prefix('-') {
        Some(to) if !to.is_empty() && !to.starts_with(']') => {
            let (to, rest) = end_point(to)?;
            if from <= to { Ok((Item::Range(from, to), rest)) } else { Err(Malformed::EmptyRange) }
        }
        _ => Ok((Item::Range(from, from), rest)),
    }
}

/// The character that `text` starts with.
fn end_point(text: &str) -> Result<(char, &str), Malformed> {
    if text.starts_with("[.") || text.starts_with("[=") || text.starts_with("[:") {
        return Err(Malformed::Collation);
    }
    let mut rest = text.chars();
    rest.next().map(|c| (c, rest.as_str())).ok_or(Malformed::OpenSet)
}
