//! A step of a pattern's program, in four bytes.

use super::class::Class;

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Takes this character.
    Char(char),
    /// Takes any character.
    Any,
    /// Takes a character of a class.
    Class(Class),
    /// Takes a character outside of a class.
    NotClass(Class),
    /// Takes a character of the set in brackets that stands in the pattern at byte `at` and has `len` bytes.
    Set {
        /// Where its `[` stands.
        at: u16,
        /// Its bytes, brackets included.
        len: u16,
    },
    /// Goes on at the next step, and at the one this many steps away too.
    Fork(i16),
    /// Goes on at the step this many steps away.
    Jump(i16),
    /// Goes on where this holds.
    Assert(Place),
}

/// A place in the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// `^`
    LineStart,
    /// `$`
    LineEnd,
    /// `\<`
    WordStart,
    /// `\>`
    WordEnd,
    /// `\b`
    WordEdge,
    /// `\B`
    NoWordEdge,
}

const PLACES: [Place; 6] =
    [Place::LineStart, Place::LineEnd, Place::WordStart, Place::WordEnd, Place::WordEdge, Place::NoWordEdge];

/// A step, packed: what it does in the high byte, with what in the 21 bits at the low end.
#[derive(Clone, Copy)]
pub struct Step(u32);

/// Bits of one number of a set's two.
const SET_BITS: u32 = 10;
const CHAR: u32 = 0;
const ANY: u32 = 1 << 24;
const CLASS: u32 = 2 << 24;
const NOT_CLASS: u32 = 3 << 24;
const SET: u32 = 4 << 24;
const FORK: u32 = 5 << 24;
const JUMP: u32 = 6 << 24;
const ASSERT: u32 = 7 << 24;
const KIND: u32 = 7 << 24;
const VALUE: u32 = (1 << 21) - 1;
/// The character may be left out.
const OPTIONAL: u32 = 1 << 30;
/// The character may come again.
const REPEATED: u32 = 1 << 31;

/// Longest pattern whose sets have a place in a step, in bytes.
pub const MAX_TEXT: usize = 1 << SET_BITS;

impl Step {
    /// A step that goes on at the next one.
    pub const NOTHING: Self = Self(JUMP | 1);

    /// The step for `action`. A set lies in the first [`MAX_TEXT`] bytes.
    pub fn new(action: Action) -> Self {
        let distance = |steps: i16| u32::from(steps.cast_unsigned());
        Self(match action {
            Action::Char(c) => CHAR | u32::from(c),
            Action::Any => ANY,
            Action::Class(class) => CLASS | class.number(),
            Action::NotClass(class) => NOT_CLASS | class.number(),
            Action::Set { at, len } => SET | u32::from(at) << SET_BITS | u32::from(len),
            Action::Fork(steps) => FORK | distance(steps),
            Action::Jump(steps) => JUMP | distance(steps),
            Action::Assert(place) => ASSERT | place as u32,
        })
    }

    /// What the step does.
    pub fn action(self) -> Action {
        let value = self.0 & VALUE;
        let steps = (value as u16).cast_signed();
        match self.0 & KIND {
            CHAR => Action::Char(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)),
            ANY => Action::Any,
            CLASS => Action::Class(Class::numbered(value)),
            NOT_CLASS => Action::NotClass(Class::numbered(value)),
            SET => Action::Set { at: (value >> SET_BITS) as u16, len: (value & ((1 << SET_BITS) - 1)) as u16 },
            FORK => Action::Fork(steps),
            JUMP => Action::Jump(steps),
            _ => Action::Assert(PLACES[value as usize % PLACES.len()]),
        }
    }

    /// Whether it takes a character.
    pub const fn takes(self) -> bool {
        self.0 & KIND < FORK
    }

    /// The same step, whose character may be left out.
    pub const fn optional(self) -> Self {
        Self(self.0 | OPTIONAL)
    }

    /// The same step, whose character may come any number of times.
    pub const fn repeated(self) -> Self {
        Self(self.0 | REPEATED)
    }

    /// Whether its character may be left out.
    pub const fn is_optional(self) -> bool {
        self.0 & OPTIONAL != 0
    }

    /// Whether its character may come again.
    pub const fn is_repeated(self) -> bool {
        self.0 & REPEATED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, PLACES, Step};
    use crate::commands::pattern::class::Class;

    #[test]
    fn what_is_packed_comes_out_again() {
        let mut actions = std::vec![
            Action::Char('\u{10ffff}'),
            Action::Any,
            Action::Class(Class::Space),
            Action::NotClass(Class::Word),
            Action::Set { at: 1023, len: 1 },
            Action::Set { at: 0, len: 1023 },
            Action::Fork(-1024),
            Action::Jump(1024),
        ];
        actions.extend(PLACES.map(Action::Assert));
        for action in actions {
            assert_eq!(Step::new(action).action(), action);
            assert_eq!(Step::new(action).optional().repeated().action(), action);
        }
    }
}
