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
mod symbol;
mod syntax;

use kapi::Errno;

use class::Class;
use program::{MAX_STEPS, Program};
use set::Set;
use states::States;
use step::{Action, Place, Step};
use symbol::{Symbol, symbol_at};
use syntax::Malformed;
pub use syntax::{Case, Syntax};

/// A pattern, checked.
pub struct Pattern<'p> {
    text: &'p str,
    case: Case,
    program: Program,
    start: Start,
}

/// Where a match can start: what saves the walk through most lines.
enum Start {
    /// Anywhere.
    Anywhere,
    /// At the start of the line only.
    Line,
    /// At these bytes, a bit each.
    Bytes([u64; 4]),
}

/// Bytes of a line between two looks at whether to go on.
const STRIDE: usize = 128;

impl<'p> Pattern<'p> {
    /// The pattern that `text` describes.
    pub fn new(text: &'p str, syntax: Syntax, case: Case) -> Result<Self, Malformed> {
        let mut pattern = Self { text, case, program: Program::new(), start: Start::Anywhere };
        compile::compile(text, syntax, &mut pattern.program)?;
        pattern.start = pattern.find_start();
        Ok(pattern)
    }

    /// Whether some part of `line` matches. Calls `go_on` now and then, and stops at its error.
    pub fn matches(&self, line: &[u8], mut go_on: impl FnMut() -> Result<(), Errno>) -> Result<bool, Errno> {
        let mut run = Run::new(self);
        let (mut at, mut before, mut next_look) = (0, None, STRIDE);
        loop {
            if at >= next_look {
                go_on()?;
                next_look = at + STRIDE;
            }
            if run.due.is_empty() {
                let Some(ahead) = self.next_start(&line[at..], at) else { return Ok(false) };
                // A match that starts with a byte does not look at the one before.
                before = if ahead > 0 { Some(Symbol::Stray) } else { before };
                at += ahead;
            }
            run.due.add(0);
            let next = symbol_at(line, at);
            if run.spread(before, next.map(|(symbol, _)| symbol)) {
                return Ok(true);
            }
            let Some((symbol, len)) = next else { return Ok(false) };
            run.take(symbol);
            before = Some(symbol);
            at += len;
        }
    }

    /// How many bytes before the next place in `rest`, which begins at byte `at` of the line, where a match can start.
    fn next_start(&self, rest: &[u8], at: usize) -> Option<usize> {
        match self.start {
            Start::Anywhere => Some(0),
            Start::Line => (at == 0).then_some(0),
            Start::Bytes(bytes) => rest.iter().position(|byte| bytes[usize::from(*byte / 64)] >> (byte % 64) & 1 == 1),
        }
    }

    /// Finds out where a match can start.
    fn find_start(&self) -> Start {
        if self.program.get(0).map(Step::action) == Some(Action::Assert(Place::LineStart)) {
            return Start::Line;
        }
        let mut run = Run::new(self);
        run.due.add(0);
        let mut bytes = [0; 4];
        if run.spread(None, None) || run.has_asserted {
            return Start::Anywhere;
        }
        let mut next = 0;
        while let Some(index) = run.reached.take(next) {
            next = index + 1;
            let Some(step) = self.program.get(index).filter(|step| step.takes()) else { continue };
            let exact = match step.action() {
                Action::Char(c) if self.case == Case::Exact => Some(c.encode_utf8(&mut [0; 4]).as_bytes()[0]),
                _ => None,
            };
            let can_be = |byte: u8| match exact {
                Some(first) => byte == first,
                None => !byte.is_ascii() || self.fits(step, Symbol::Char(char::from(byte))),
            };
            for byte in (0..=u8::MAX).filter(|byte| can_be(*byte)) {
                bytes[usize::from(byte / 64)] |= 1 << (byte % 64);
            }
        }
        Start::Bytes(bytes)
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

/// A pattern on its way through a line.
struct Run<'r, 'p> {
    pattern: &'r Pattern<'p>,
    /// Steps that the last character led to.
    due: States,
    /// Steps that wait for the next character.
    reached: States,
    /// Whether it has ever looked at where in the line it is.
    has_asserted: bool,
}

impl<'r, 'p> Run<'r, 'p> {
    fn new(pattern: &'r Pattern<'p>) -> Self {
        let states = || States::new(pattern.program.len());
        Self { pattern, due: states(), reached: states(), has_asserted: false }
    }

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
                Action::Assert(place) => {
                    self.has_asserted = true;
                    if holds(place, before, after) {
                        self.due.add(behind);
                    }
                }
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
