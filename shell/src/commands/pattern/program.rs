//! A pattern's program: steps, and how parts of it are put together.
//!
//! A part is a run of steps that goes on behind its last one. All distances in it are relative, so that it can be moved
//! and copied.

use super::step::{Action, Step};
use super::syntax::Malformed;

/// Most steps of a program.
pub const MAX_STEPS: usize = 1024;

/// The steps of a pattern.
pub struct Program {
    steps: [Step; MAX_STEPS],
    len: usize,
    /// Bytes of all sets, each as often as a step names it: what one character may cost.
    set_bytes: usize,
}

/// Most bytes of all sets.
const MAX_SET_BYTES: usize = 4096;

impl Program {
    /// No steps: matches the empty text.
    pub const fn new() -> Self {
        Self { steps: [Step::NOTHING; MAX_STEPS], len: 0, set_bytes: 0 }
    }

    /// How many steps there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Step `index`; `None` behind the last one, where a text has matched.
    pub fn get(&self, index: usize) -> Option<Step> {
        self.steps[..self.len].get(index).copied()
    }

    /// Appends a step.
    pub fn push(&mut self, step: Step) -> Result<(), Malformed> {
        if let Action::Set { len, .. } = step.action() {
            self.set_bytes += usize::from(len);
        }
        if self.len == MAX_STEPS || self.set_bytes > MAX_SET_BYTES {
            return Err(Malformed::TooLong);
        }
        self.steps[self.len] = step;
        self.len += 1;
        Ok(())
    }

    /// Puts a fork before the part that begins at `start`: it goes there, or to `beyond` steps behind the part.
    pub fn fork_over(&mut self, start: usize, beyond: usize) -> Result<(), Malformed> {
        self.push(Step::NOTHING)?;
        self.steps.copy_within(start..self.len - 1, start + 1);
        self.steps[start] = Step::new(Action::Fork(distance(start, self.len + beyond)));
        Ok(())
    }

    /// Appends a fork back to `start`.
    fn fork_back(&mut self, start: usize) -> Result<(), Malformed> {
        self.push(Step::new(Action::Fork(distance(self.len, start))))
    }

    /// Appends a jump whose aim is not known yet, and remembers with it the one before.
    pub fn push_open_jump(&mut self, before: Option<usize>) -> Result<usize, Malformed> {
        let index = self.len;
        self.push(Step::new(Action::Jump(before.map_or(0, |before| distance(index, before)))))?;
        Ok(index)
    }

    /// Aims the open jumps, of which `last` is the last, behind the last step.
    pub fn close_jumps(&mut self, mut last: Option<usize>) {
        while let Some(index) = last {
            let before = match self.steps[index].action() {
                Action::Jump(0) => None,
                Action::Jump(back) => index.checked_add_signed(isize::from(back)),
                _ => None,
            };
            self.steps[index] = Step::new(Action::Jump(distance(index, self.len)));
            last = before;
        }
    }

    /// Has the part that begins at `start` come `times`.
    pub fn repeat(&mut self, start: usize, times: Times) -> Result<(), Malformed> {
        match times {
            Times::ZERO_OR_ONE | Times::ZERO_OR_MORE | Times::ONE_OR_MORE if self.is_one_character(start) => {
                let mut step = self.steps[start];
                step = if times.least == 0 { step.optional() } else { step };
                self.steps[start] = if times.most.is_none() { step.repeated() } else { step };
                Ok(())
            }
            Times::ZERO_OR_ONE => self.fork_over(start, 0),
            Times::ONE_OR_MORE => self.fork_back(start),
            Times::ZERO_OR_MORE => {
                self.fork_back(start)?;
                self.fork_over(start, 0)
            }
            _ => self.copies(start, times),
        }
    }

    fn is_one_character(&self, start: usize) -> bool {
        self.len == start + 1 && self.steps[start].takes()
    }

    /// Replaces the part that begins at `start` by so many copies.
    fn copies(&mut self, start: usize, times: Times) -> Result<(), Malformed> {
        let end = self.len;
        let count = times.most.unwrap_or(times.least.max(1));
        if count > MAX_STEPS {
            return Err(Malformed::TooLong);
        }
        for copy in 0..count {
            let begin = self.len;
            for index in start..end {
                self.push(self.steps[index])?;
            }
            let last = copy + 1 == count;
            if last && times.most.is_none() {
                self.fork_back(begin)?;
            }
            if copy >= times.least {
                self.fork_over(begin, 0)?;
            }
        }
        if count == 0 {
            self.push(Step::NOTHING)?;
        }
        self.steps.copy_within(end..self.len, start);
        self.len -= end - start;
        Ok(())
    }
}

/// How often a part comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Times {
    /// At least so often.
    pub least: usize,
    /// At most so often; `None` for any number.
    pub most: Option<usize>,
}

impl Times {
    /// `?`
    pub const ZERO_OR_ONE: Self = Self { least: 0, most: Some(1) };
    /// `*`
    pub const ZERO_OR_MORE: Self = Self { least: 0, most: None };
    /// `+`
    pub const ONE_OR_MORE: Self = Self { least: 1, most: None };
}

/// The way from one step to another.
fn distance(from: usize, to: usize) -> i16 {
    // Both are at most MAX_STEPS + 1.
    (to as i16).wrapping_sub(from as i16)
}
