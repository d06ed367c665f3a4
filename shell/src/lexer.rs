//! Cuts a line into words and operators.
//!
//! Words come out as typed, quotes and all, as slices of the line: nothing is copied or allocated here.
//! [`expand`](crate::words::expand) takes the quotes off.

use core::fmt;
use core::ops::Range;

/// A control or redirection operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// `;`
    Then,
    /// `&`
    Background,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `|`
    Pipe,
    /// `<`
    Input,
    /// `>`
    Output,
    /// `>>`
    Append,
    /// `2>`
    Error,
    /// `2>>`
    ErrorAppend,
    /// `2>&1`
    ErrorToOutput,
}

/// Operators with their text; one that starts like another comes first when it is longer.
const OPERATORS: [(&str, Op); 11] = [
    ("2>&1", Op::ErrorToOutput),
    ("2>>", Op::ErrorAppend),
    ("2>", Op::Error),
    (";", Op::Then),
    ("&&", Op::And),
    ("&", Op::Background),
    ("||", Op::Or),
    ("|", Op::Pipe),
    ("<", Op::Input),
    (">>", Op::Append),
    (">", Op::Output),
];

impl Op {
    /// The operator as it is typed.
    pub fn text(self) -> &'static str {
        OPERATORS.iter().find(|(_, op)| *op == self).map_or("", |(text, _)| text)
    }

    /// Whether a file name follows.
    pub const fn takes_file(self) -> bool {
        matches!(self, Self::Input | Self::Output | Self::Append | Self::Error | Self::ErrorAppend)
    }
}

/// Why a line cannot be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyntaxError {
    /// A quote is opened and never closed.
    Unterminated(char),
    /// An operator stands where a command or a file name should.
    Unexpected(Op),
    /// The line ends where a command or a file name should stand.
    UnexpectedEnd,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unterminated(quote) => write!(f, "syntax error: unterminated {quote}"),
            Self::Unexpected(op) => write!(f, "syntax error near '{}'", op.text()),
            Self::UnexpectedEnd => f.write_str("syntax error: unexpected end of line"),
        }
    }
}

/// A piece of the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token<'a> {
    /// A word as typed.
    Word(&'a str),
    /// An operator.
    Op(Op),
}

/// Yields the tokens of a line with the bytes that they take in it; ends at the first error.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// The tokens of `line`.
    pub const fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    fn fail(&mut self, error: SyntaxError) -> SyntaxError {
        self.at = self.line.len();
        error
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Result<(Range<usize>, Token<'a>), SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.line[self.at..];
        let rest = rest.trim_start_matches([' ', '\t']);
        let start = self.line.len() - rest.len();
        if rest.is_empty() || rest.starts_with('#') {
            self.at = self.line.len();
            return None;
        }
        let (len, token) = match OPERATORS.iter().find(|(text, _)| rest.starts_with(text)) {
            Some((text, op)) => (text.len(), Token::Op(*op)),
            None => match word_len(rest.as_bytes()) {
                Ok(len) => (len, Token::Word(&rest[..len])),
                Err(error) => return Some(Err(self.fail(error))),
            },
        };
        self.at = start + len;
        Some(Ok((start..self.at, token)))
    }
}

/// Bytes of the word that `bytes` start with.
fn word_len(bytes: &[u8]) -> Result<usize, SyntaxError> {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b';' | b'&' | b'|' | b'<' | b'>' => break,
            b'\\' => at += 2,
            b'\'' | b'"' => at = quote_end(bytes, at)?,
            _ => at += 1,
        }
    }
    Ok(at.min(bytes.len()))
}

/// The byte after the quote that is opened at byte `open`.
fn quote_end(bytes: &[u8], open: usize) -> Result<usize, SyntaxError> {
    let quote = bytes[open];
    let mut at = open + 1;
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            byte if byte == quote => return Ok(at + 1),
            b'\\' if quote == b'"' => 2,
            _ => 1,
        };
    }
    Err(SyntaxError::Unterminated(char::from(quote)))
}

#[cfg(test)]
mod tests {
    use super::{Lexer, Op, SyntaxError, Token};
    use std::vec::Vec;

    fn tokens(line: &str) -> Result<Vec<Token<'_>>, SyntaxError> {
        Lexer::new(line).map(|item| item.map(|(_, token)| token)).collect()
    }

    #[test]
    fn operators_need_no_blanks() {
        let found = tokens("a>b;c|d&&e||f&").unwrap();
        let ops: Vec<Op> = found.iter().filter_map(|t| if let Token::Op(op) = t { Some(*op) } else { None }).collect();
        assert_eq!(ops, [Op::Output, Op::Then, Op::Pipe, Op::And, Op::Or, Op::Background]);
        assert_eq!(found.len(), 12);
    }

    #[test]
    fn quotes_keep_blanks_and_operators_together() {
        assert_eq!(tokens(r#"'a b'"c;d"\ e"#).unwrap(), [Token::Word(r#"'a b'"c;d"\ e"#)]);
    }

    #[test]
    fn a_comment_starts_only_where_a_word_could() {
        assert_eq!(tokens("a#b # c | d").unwrap(), [Token::Word("a#b")]);
    }

    #[test]
    fn a_two_before_an_arrow_means_standard_error() {
        use Token::{Op as O, Word as W};
        assert_eq!(tokens("a 2>b").unwrap(), [W("a"), O(Op::Error), W("b")]);
        assert_eq!(tokens("a 2>&1").unwrap(), [W("a"), O(Op::ErrorToOutput)]);
        assert_eq!(tokens("a2>b").unwrap(), [W("a2"), O(Op::Output), W("b")]);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert_eq!(tokens("echo 'a"), Err(SyntaxError::Unterminated('\'')));
        assert_eq!(tokens("echo \"a\\\""), Err(SyntaxError::Unterminated('"')));
    }

    #[test]
    fn a_lone_backslash_at_the_end_is_part_of_the_word() {
        assert_eq!(tokens("a\\").unwrap(), [Token::Word("a\\")]);
    }
}
