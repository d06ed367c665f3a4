//! The grammar of a line, as slices of the line.
//!
//! ```text
//! line     = and-or { (";" | "&") and-or } [";" | "&"]
//! and-or   = pipeline { ("&&" | "||") pipeline }
//! pipeline = command { "|" command }
//! command  = (word | redirection) { word | redirection }
//! ```
//!
//! [`check`] accepts or refuses a whole line before any of it runs. [`lists`], [`steps`] and [`commands`] then cut a
//! checked line at its operators, one level each; a part is again text that the next level cuts.

use crate::lexer::{Lexer, Op, SyntaxError, Token};

/// When a pipeline of an and-or list runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// In any case: the first one.
    Always,
    /// If what ran before succeeded: after `&&`.
    Success,
    /// If what ran before failed: after `||`.
    Failure,
}

/// Whether the shell waits for an and-or list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// It waits.
    Foreground,
    /// It goes on at once: before `&`.
    Background,
}

/// Words that begin or end what this shell does not have, where a command could stand.
const RESERVED: [&str; 19] = [
    "!", "[[", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "select", "then",
    "until", "while", "{", "}",
];

/// Checks the grammar of `line`. An empty line is in order.
pub fn check(line: &str) -> Result<(), SyntaxError> {
    let mut before = None;
    let mut has_name = false;
    for item in Lexer::new(line) {
        let (_, token) = item?;
        let after_file_op = matches!(before, Some(Token::Op(op)) if op.takes_file());
        match token {
            Token::Op(op) => {
                let needs_command = matches!(op, Op::Then | Op::Background | Op::And | Op::Or | Op::Pipe);
                let at_start = !matches!(before, Some(Token::Word(_) | Token::Op(Op::ErrorToOutput)));
                if after_file_op || (needs_command && at_start) {
                    return Err(SyntaxError::Unexpected(op));
                }
                has_name &= !needs_command;
            }
            Token::Word(word) if !has_name && !after_file_op => {
                check_name(word)?;
                has_name = true;
            }
            Token::Word(_) => {}
        }
        before = Some(token);
    }
    match before {
        None | Some(Token::Word(_) | Token::Op(Op::Then | Op::Background | Op::ErrorToOutput)) => Ok(()),
        Some(Token::Op(_)) => Err(SyntaxError::UnexpectedEnd),
    }
}

/// Refuses a word that is no command's name in other shells.
fn check_name(word: &str) -> Result<(), SyntaxError> {
    if let Some(reserved) = RESERVED.into_iter().find(|reserved| *reserved == word) {
        return Err(SyntaxError::Unsupported(reserved));
    }
    let name = word.split_once('=').map(|(name, _)| name.strip_suffix('+').unwrap_or(name));
    let is_variable = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match name {
        Some(name) if !name.is_empty() && is_variable(name) => Err(SyntaxError::Unsupported("X=value")),
        _ => Ok(()),
    }
}

/// The and-or lists of a line.
pub fn lists(line: &str) -> impl Iterator<Item = (&str, Mode)> {
    split(line, |op| matches!(op, Op::Then | Op::Background)).map(|part| {
        let mode = if part.after == Some(Op::Background) { Mode::Background } else { Mode::Foreground };
        (part.text, mode)
    })
}

/// The pipelines of an and-or list.
pub fn steps(list: &str) -> impl Iterator<Item = (When, &str)> {
    split(list, |op| matches!(op, Op::And | Op::Or)).map(|part| {
        let when = match part.before {
            Some(Op::And) => When::Success,
            Some(Op::Or) => When::Failure,
            _ => When::Always,
        };
        (when, part.text)
    })
}

/// The commands of a pipeline.
pub fn commands(pipeline: &str) -> impl Iterator<Item = &str> {
    split(pipeline, |op| op == Op::Pipe).map(|part| part.text)
}

/// The first word, as typed, of a pipeline that is one command without redirections.
pub fn lone_command(pipeline: &str) -> Option<&str> {
    let mut first = None;
    for item in Lexer::new(pipeline) {
        match item.ok()?.1 {
            Token::Word(word) => first = first.or(Some(word)),
            Token::Op(_) => return None,
        }
    }
    first
}

/// A part of a line with the operators on its sides.
struct Part<'a> {
    text: &'a str,
    before: Option<Op>,
    after: Option<Op>,
}

/// The parts of `text` between the operators that `at` picks, without those that hold no token.
fn split(text: &str, at: fn(Op) -> bool) -> impl Iterator<Item = Part<'_>> {
    let mut tokens = Lexer::new(text);
    let mut before = None;
    core::iter::from_fn(move || {
        let mut taken: Option<core::ops::Range<usize>> = None;
        let mut after = None;
        while let Some(Ok((range, token))) = tokens.next() {
            match token {
                Token::Op(op) if at(op) => {
                    after = Some(op);
                    break;
                }
                _ => taken = Some(taken.map_or(range.start, |first| first.start)..range.end),
            }
        }
        let part = Part { text: &text[taken?], before, after };
        before = after;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::{Mode, When, check, commands, lists, steps};
    use crate::lexer::{Op, SyntaxError};
    use std::vec::Vec;

    #[test]
    fn a_line_is_cut_level_by_level() {
        let line = "a 1 | b ; c && d || e & f # g";
        let cut: Vec<_> = lists(line).collect();
        assert_eq!(cut, [("a 1 | b", Mode::Foreground), ("c && d || e", Mode::Background), ("f", Mode::Foreground)]);
        let parts: Vec<_> = steps(cut[1].0).collect();
        assert_eq!(parts, [(When::Always, "c"), (When::Success, "d"), (When::Failure, "e")]);
        assert_eq!(commands(cut[0].0).collect::<Vec<_>>(), ["a 1", "b"]);
    }

    #[test]
    fn operators_in_quotes_cut_nothing() {
        assert_eq!(lists("echo 'a;b' \"|\" \\&").count(), 1);
        assert_eq!(commands("echo 'a|b'").count(), 1);
    }

    #[test]
    fn good_lines_pass() {
        for line in ["", "  # c", "a;", "a &", "> f", "a 2>&1 | b", "a < b > c", "a;b;", "a 2>&1;b"] {
            assert_eq!(check(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn words_of_other_shells_are_refused_where_commands_stand() {
        for (line, what) in [
            ("for i in a; do echo; done", "for"),
            ("while true; do true; done", "while"),
            ("if true; then true; fi", "if"),
            ("case a in a) true; esac", "case"),
            ("{ a; }", "{"),
            ("a; }", "}"),
            ("a && ! b", "!"),
            ("a | done", "done"),
            ("> f if", "if"),
            ("[[ a ]]", "[["),
            ("function f", "function"),
            ("X=1", "X=value"),
            ("a; _x2=1 b", "X=value"),
            ("X+=1", "X=value"),
            ("X='a b' c", "X=value"),
            ("2>&1 X= c", "X=value"),
        ] {
            assert_eq!(check(line), Err(SyntaxError::Unsupported(what)), "{line}");
        }
        for line in
            ["echo if", "'if'", "\\if", "ifx", "> if", "a X=1", "=a", "1x=2", "a-b=c", "'X'=1", "echo ! { }", "time if"]
        {
            assert_eq!(check(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn bad_lines_are_refused() {
        assert_eq!(check("; a"), Err(SyntaxError::Unexpected(Op::Then)));
        assert_eq!(check("a || | b"), Err(SyntaxError::Unexpected(Op::Pipe)));
        assert_eq!(check("a > | b"), Err(SyntaxError::Unexpected(Op::Pipe)));
        assert_eq!(check("a > > b"), Err(SyntaxError::Unexpected(Op::Output)));
        assert_eq!(check("a |"), Err(SyntaxError::UnexpectedEnd));
        assert_eq!(check("a >"), Err(SyntaxError::UnexpectedEnd));
        assert_eq!(check("a &&"), Err(SyntaxError::UnexpectedEnd));
        assert_eq!(check("a 'b"), Err(SyntaxError::Unterminated('\'')));
    }
}
