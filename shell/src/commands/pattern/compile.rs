//! Reads a pattern and writes its program.

use super::class::Class;
use super::program::{Program, Times};
use super::set::Set;
use super::step::{Action, MAX_TEXT, Place, Step};
use super::syntax::{Malformed, Syntax};

/// Deepest nesting of groups.
const MAX_DEPTH: usize = 16;

/// A group that is being read.
#[derive(Clone, Copy, Default)]
struct Group {
    start: usize,
    /// Where the current alternative starts.
    branch: usize,
    /// The last jump at the end of an alternative before.
    open_jump: Option<usize>,
}

/// What comes next in the pattern.
enum Token {
    Open,
    Close,
    Or,
    /// `*`, `+` or `?`.
    Repeat(char),
    /// The start of `{least,most}`.
    Interval,
    Start,
    End,
    Set,
    /// Something that takes a character or stands for a place.
    Step(Action),
}

/// Writes the program of `text`, which is empty, to `program`.
pub fn compile(text: &str, syntax: Syntax, program: &mut Program) -> Result<(), Malformed> {
    if text.len() >= MAX_TEXT {
        return Err(Malformed::TooLong);
    }
    if syntax == Syntax::Fixed {
        return text.chars().try_for_each(|c| program.push(Step::new(Action::Char(c))));
    }
    let group = Group::default();
    let mut compiler =
        Compiler { text, at: 0, syntax, program, outer: [group; MAX_DEPTH], depth: 0, group, atom: None, fresh: true };
    while compiler.at < text.len() {
        compiler.token()?;
    }
    if compiler.depth > 0 {
        return Err(Malformed::OpenGroup);
    }
    compiler.program.close_jumps(compiler.group.open_jump);
    Ok(())
}

struct Compiler<'p, 'o> {
    text: &'p str,
    at: usize,
    syntax: Syntax,
    program: &'o mut Program,
    /// The groups around the current one.
    outer: [Group; MAX_DEPTH],
    depth: usize,
    group: Group,
    /// Where the part begins that a `*` would repeat.
    atom: Option<usize>,
    /// Whether the alternative has only anchors so far.
    fresh: bool,
}

impl<'p> Compiler<'p, '_> {
    fn rest(&self) -> &'p str {
        &self.text[self.at..]
    }

    fn token(&mut self) -> Result<(), Malformed> {
        let at = self.at;
        let fresh = core::mem::take(&mut self.fresh);
        match self.next()? {
            Token::Open => self.open(),
            Token::Close => self.close(),
            Token::Or => self.or(),
            Token::Repeat(sign) => self.repeat(sign, fresh),
            Token::Interval => self.interval(),
            Token::Start if self.syntax == Syntax::Extended || self.is_branch_start() => {
                self.fresh = true;
                self.place(Place::LineStart)
            }
            Token::Start => self.step(Action::Char('^')),
            Token::End if self.syntax == Syntax::Extended || self.is_branch_end() => self.place(Place::LineEnd),
            Token::End => self.step(Action::Char('$')),
            Token::Set => {
                let (_, len) = Set::parse(&self.text[at..])?;
                self.at = at + len;
                self.step(Action::Set { at: at as u16, len: len as u16 })
            }
            Token::Step(Action::Assert(place)) => self.place(place),
            Token::Step(action) => self.step(action),
        }
    }

    /// Takes the token that comes next; of an interval or a set only the first character.
    fn next(&mut self) -> Result<Token, Malformed> {
        let mut rest = self.rest().chars();
        let c = rest.next().unwrap_or_default();
        let token = match (c, self.syntax) {
            ('\\', _) => {
                let escaped = rest.next().ok_or(Malformed::Backslash)?;
                self.escaped(escaped)?
            }
            ('(' | ')' | '|' | '{' | '+' | '?', Syntax::Extended) => operator(c),
            ('*', _) => Token::Repeat(c),
            ('^', _) => Token::Start,
            ('$', _) => Token::End,
            ('.', _) => Token::Step(Action::Any),
            ('[', _) => Token::Set,
            _ => Token::Step(Action::Char(c)),
        };
        self.at = self.text.len() - rest.as_str().len();
        Ok(token)
    }

    /// What a character behind a backslash means.
    fn escaped(&self, c: char) -> Result<Token, Malformed> {
        Ok(match c {
            '(' | ')' | '|' | '{' | '+' | '?' if self.syntax == Syntax::Basic => operator(c),
            '<' => Token::Step(Action::Assert(Place::WordStart)),
            '>' => Token::Step(Action::Assert(Place::WordEnd)),
            'b' => Token::Step(Action::Assert(Place::WordEdge)),
            'B' => Token::Step(Action::Assert(Place::NoWordEdge)),
            'w' => Token::Step(Action::Class(Class::Word)),
            'W' => Token::Step(Action::NotClass(Class::Word)),
            's' => Token::Step(Action::Class(Class::Space)),
            'S' => Token::Step(Action::NotClass(Class::Space)),
            '1'..='9' => return Err(Malformed::BackReference),
            c if c.is_alphanumeric() || c == '`' || c == '\'' => return Err(Malformed::Escape),
            c => Token::Step(Action::Char(c)),
        })
    }

    fn step(&mut self, action: Action) -> Result<(), Malformed> {
        self.atom = Some(self.program.len());
        self.program.push(Step::new(action))
    }

    fn place(&mut self, place: Place) -> Result<(), Malformed> {
        self.atom = None;
        self.program.push(Step::new(Action::Assert(place)))
    }

    /// Whether an alternative has no step yet.
    fn is_branch_start(&self) -> bool {
        self.program.len() == self.group.branch
    }

    /// Whether an alternative of a basic pattern ends here.
    fn is_branch_end(&self) -> bool {
        let rest = self.rest();
        rest.is_empty() || rest.starts_with("\\)") || rest.starts_with("\\|")
    }

    fn open(&mut self) -> Result<(), Malformed> {
        *self.outer.get_mut(self.depth).ok_or(Malformed::TooDeep)? = self.group;
        self.depth += 1;
        let start = self.program.len();
        self.group = Group { start, branch: start, open_jump: None };
        self.begin_branch();
        Ok(())
    }

    fn begin_branch(&mut self) {
        self.atom = None;
        self.fresh = true;
    }

    fn or(&mut self) -> Result<(), Malformed> {
        // The alternative before, or the one behind the jump at its end.
        self.program.fork_over(self.group.branch, 1)?;
        self.group.open_jump = Some(self.program.push_open_jump(self.group.open_jump)?);
        self.group.branch = self.program.len();
        self.begin_branch();
        Ok(())
    }

    fn close(&mut self) -> Result<(), Malformed> {
        self.depth = self.depth.checked_sub(1).ok_or(Malformed::LoneClose)?;
        self.program.close_jumps(self.group.open_jump);
        self.atom = Some(self.group.start);
        self.group = self.outer[self.depth];
        Ok(())
    }

    fn repeat(&mut self, sign: char, fresh: bool) -> Result<(), Malformed> {
        let Some(atom) = self.atom else {
            // At the start of a basic pattern a star is a star.
            let literal = sign == '*' && fresh && self.syntax == Syntax::Basic;
            return if literal { self.step(Action::Char('*')) } else { Err(Malformed::NothingToRepeat) };
        };
        let times = match sign {
            '*' => Times::ZERO_OR_MORE,
            '+' => Times::ONE_OR_MORE,
            _ => Times::ZERO_OR_ONE,
        };
        self.program.repeat(atom, times)
    }

    /// `{least}`, `{least,}`, `{,most}` or `{least,most}`, behind its `{`.
    fn interval(&mut self) -> Result<(), Malformed> {
        let atom = self.atom.ok_or(Malformed::NothingToRepeat)?;
        let end = if self.syntax == Syntax::Basic { "\\}" } else { "}" };
        let (inside, rest) = self.rest().split_once(end).ok_or(Malformed::Interval)?;
        self.at = self.text.len() - rest.len();
        let count = |digits: &str| match digits.bytes().all(|digit| digit.is_ascii_digit()) {
            true => digits.parse::<usize>().map_err(|_| Malformed::TooLong),
            false => Err(Malformed::Interval),
        };
        let times = match inside.split_once(',') {
            None if inside.is_empty() => return Err(Malformed::Interval),
            None => Times { least: count(inside)?, most: Some(count(inside)?) },
            Some(("", "")) => Times::ZERO_OR_MORE,
            Some(("", most)) => Times { least: 0, most: Some(count(most)?) },
            Some((least, "")) => Times { least: count(least)?, most: None },
            Some((least, most)) => Times { least: count(least)?, most: Some(count(most)?) },
        };
        if times.most.is_some_and(|most| most < times.least) {
            return Err(Malformed::Interval);
        }
        self.program.repeat(atom, times)
    }
}

/// The operator that `c` is.
fn operator(c: char) -> Token {
    match c {
        '(' => Token::Open,
        ')' => Token::Close,
        '|' => Token::Or,
        '{' => Token::Interval,
        c => Token::Repeat(c),
    }
}
