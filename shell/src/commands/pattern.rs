//! The patterns of `grep`: regular expressions, matched in linear time.
//!
//! [`compile`] turns the pattern into a [`program`] of at most 1024 steps. [`Pattern::matches`] goes through the line
//! once and keeps the set of all steps at which a match may have come so far (Thompson 1968), so that no pattern makes
//! it go back, call itself, or ask for memory: the time is at most that of pattern times line. Characters are those of
//! UTF-8; a byte that belongs to none is a character of its own, which only `.` and negated sets and classes take.

mod class;
mod compile;
mod program;
mod set;
mod states;
mod step;
mod syntax;

use kapi::Errno;

use class::Class;
use program::{MAX_STEPS, Program};
use set::Set;
use states::States;
use step::{Action, Place, Step};
use syntax::Malformed;
pub use syntax::{Case, Syntax};

/// A pattern, checked.
pub struct Pattern<'p> {
    text: &'p str,
    case: Case,
    program: Program,
}

/// Characters of a line between two looks at whether to go on.
const STRIDE: usize = 128;

impl<'p> Pattern<'p> {
    /// The pattern that `text` describes.
    pub fn new(text: &'p str, syntax: Syntax, case: Case) -> Result<Self, Malformed> {
        let mut pattern = Self { text, case, program: Program::new() };
        compile::compile(text, syntax, &mut pattern.program)?;
        Ok(pattern)
    }

    /// Whether some part of `line` matches. Calls `go_on` now and then, and stops at its error.
    pub fn matches(&self, line: &[u8], mut go_on: impl FnMut() -> Result<(), Errno>) -> Result<bool, Errno> {
        let mut run = Run { pattern: self, due: States::new(), reached: States::new() };
        let mut before = None;
        for (index, symbol) in symbols(line).map(Some).chain([None]).enumerate() {
            if index % STRIDE == STRIDE - 1 {
                go_on()?;
            }
            run.due.add(0);
            if run.spread(before, symbol) {
                return Ok(true);
            }
            if let Some(symbol) = symbol {
                run.take(symbol);
            }
            before = symbol;
        }
        Ok(false)
    }

    /// Whether the character of `step` may be `symbol`.
    fn fits(&self, step: Step, symbol: Symbol) -> bool {
        match (step.action(), symbol) {
            (Action::Char(wanted), Symbol::Char(c)) => wanted == c || (self.case == Case::Ignored && folds(wanted, c)),
            (Action::Any | Action::NotClass(_), Symbol::Stray) => true,
            (Action::Any, _) => true,
            (Action::Class(class), Symbol::Char(c)) => class.has(c),
            (Action::NotClass(class), Symbol::Char(c)) => !class.has(c),
            (Action::Set { at, len }, symbol) => {
                let text = &self.text[usize::from(at)..usize::from(at) + usize::from(len)];
                // It was checked when the pattern was read.
                Set::parse(text).is_ok_and(|(set, _)| match symbol {
                    Symbol::Char(c) => set.has(c, self.case),
                    Symbol::Stray => set.is_negated(),
                })
            }
            _ => false,
        }
    }
}

/// Whether two characters are the same but for their case.
fn folds(a: char, b: char) -> bool {
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(&b) } else { a.to_lowercase().eq(b.to_lowercase()) }
}

/// A character of a line.
#[derive(Clone, Copy)]
enum Symbol {
    Char(char),
    /// A byte that belongs to no character.
    Stray,
}

fn symbols(line: &[u8]) -> impl Iterator<Item = Symbol> {
    line.utf8_chunks().flat_map(|chunk| {
        let stray = chunk.invalid().iter().map(|_| Symbol::Stray);
        chunk.valid().chars().map(Symbol::Char).chain(stray)
    })
}

/// A pattern on its way through a line.
struct Run<'r, 'p> {
    pattern: &'r Pattern<'p>,
    /// Steps that the last character led to.
    due: States,
    /// Steps that wait for the next character.
    reached: States,
}

impl Run<'_, '_> {
    /// Follows all ways from the steps that are due to those that wait for a character; whether one led to the end.
    fn spread(&mut self, before: Option<Symbol>, after: Option<Symbol>) -> bool {
        let mut next = 0;
        while let Some(index) = self.due.take(next) {
            next = index;
            if !self.reached.add(index) {
                continue;
            }
            let Some(step) = self.pattern.program.get(index) else { return true };
            let behind = index + 1;
            let aim = |steps: i16| behind.saturating_add_signed(isize::from(steps) - 1).min(MAX_STEPS);
            match step.action() {
                Action::Fork(steps) => {
                    self.due.add(behind);
                    self.due.add(aim(steps));
                    next = next.min(aim(steps));
                }
                Action::Jump(steps) => {
                    self.due.add(aim(steps));
                    next = next.min(aim(steps));
                }
                Action::Assert(place) if holds(place, before, after) => {
                    self.due.add(behind);
                }
                Action::Assert(_) => {}
                _ if step.is_optional() => {
                    self.due.add(behind);
                }
                _ => {}
            }
        }
        false
    }

    /// Goes from the steps that wait for a character to those behind it.
    fn take(&mut self, symbol: Symbol) {
        let mut next = 0;
        while let Some(index) = self.reached.take(next) {
            next = index + 1;
            let Some(step) = self.pattern.program.get(index) else { continue };
            if step.takes() && self.pattern.fits(step, symbol) {
                self.due.add(index + 1);
                if step.is_repeated() {
                    self.due.add(index);
                }
            }
        }
    }
}

/// Whether `place` is between these two characters; `None` stands for an end of the line.
fn holds(place: Place, before: Option<Symbol>, after: Option<Symbol>) -> bool {
    let is_word = |symbol| matches!(symbol, Some(Symbol::Char(c)) if Class::Word.has(c));
    let (word_before, word_after) = (is_word(before), is_word(after));
    match place {
        Place::LineStart => before.is_none(),
        Place::LineEnd => after.is_none(),
        Place::WordStart => !word_before && word_after,
        Place::WordEnd => word_before && !word_after,
        Place::WordEdge => word_before != word_after,
        Place::NoWordEdge => word_before == word_after,
    }
}

#[cfg(test)]
#[path = "pattern/tests.rs"]
mod tests;
