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

impl Op {
    /// The operator as it is typed.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Then => ";",
            Self::Background => "&",
            Self::And => "&&",
            Self::Or => "||",
            Self::Pipe => "|",
            Self::Input => "<",
            Self::Output => ">",
            Self::Append => ">>",
            Self::Error => "2>",
            Self::ErrorAppend => "2>>",
            Self::ErrorToOutput => "2>&1",
        }
    }

    /// Whether it says where a command's streams go: the command's words go on behind it.
    pub const fn redirects(self) -> bool {
        self.takes_file() || matches!(self, Self::ErrorToOutput)
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
    /// A backslash at the end asks for a line more.
    Continued,
    /// Other shells do something about this; here it would be taken literally, which is not what was meant.
    Unsupported(&'static str),
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unterminated(quote) => write!(f, "syntax error: unterminated {quote}"),
            Self::Unexpected(op) => write!(f, "syntax error near '{}'", op.text()),
            Self::UnexpectedEnd => f.write_str("syntax error: unexpected end of line"),
            Self::Continued => f.write_str("syntax error: a line cannot be continued by a backslash"),
            Self::Unsupported(what) => write!(f, "syntax error: {what} is not supported; quoted, it means itself"),
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
        let found = match operator(rest) {
            Some(found) => found.map(|(len, op)| (len, Token::Op(op))),
            None => word_len(rest.as_bytes()).map(|len| (len, Token::Word(&rest[..len]))),
        };
        let (len, token) = match found {
            Ok(found) => found,
            Err(error) => return Some(Err(self.fail(error))),
        };
        self.at = start + len;
        Some(Ok((start..self.at, token)))
    }
}

/// The operator that `rest` starts with, and its bytes.
fn operator(rest: &str) -> Option<Result<(usize, Op), SyntaxError>> {
    let arrow = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    if arrow.starts_with(['<', '>']) {
        let number = &rest[..rest.len() - arrow.len()];
        return Some(redirection(number, arrow).map(|(len, op)| (number.len() + len, op)));
    }
    for unsupported in ["&>", "|&", ";;"] {
        if rest.starts_with(unsupported) {
            return Some(Err(SyntaxError::Unsupported(unsupported)));
        }
    }
    let control = [Op::And, Op::Or, Op::Then, Op::Background, Op::Pipe];
    let op = control.into_iter().find(|op| rest.starts_with(op.text()))?;
    Some(Ok((op.text().len(), op)))
}

/// The redirection that `arrow` starts with, of the stream with this number, and its bytes without the number.
fn redirection(number: &str, arrow: &str) -> Result<(usize, Op), SyntaxError> {
    for unsupported in ["<<", "<>", "<&", ">|"] {
        if arrow.starts_with(unsupported) {
            return Err(SyntaxError::Unsupported(unsupported));
        }
    }
    if let Some(target) = arrow.strip_prefix(">&") {
        let ends = target.strip_prefix('1').is_some_and(|rest| rest.is_empty() || rest.starts_with(is_delimiter));
        return if number == "2" && ends { Ok((3, Op::ErrorToOutput)) } else { Err(SyntaxError::Unsupported(">&")) };
    }
    match (number, arrow.starts_with('>'), arrow.starts_with(">>")) {
        ("" | "1", true, true) => Ok((2, Op::Append)),
        ("" | "1", true, false) => Ok((1, Op::Output)),
        ("2", true, true) => Ok((2, Op::ErrorAppend)),
        ("2", true, false) => Ok((1, Op::Error)),
        ("" | "0", false, _) => Ok((1, Op::Input)),
        _ => Err(SyntaxError::Unsupported("a stream number but 0<, 1> and 2>")),
    }
}

/// Whether a word ends before `c`.
fn is_delimiter(c: char) -> bool {
    matches!(c, ' ' | '\t' | ';' | '&' | '|' | '<' | '>')
}

/// Bytes of the word that `bytes` start with. What other shells would replace in it is refused.
fn word_len(bytes: &[u8]) -> Result<usize, SyntaxError> {
    use SyntaxError::Unsupported;
    let mut at = 0;
    let (mut bracket, mut brace, mut is_list) = (None, false, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            _ if is_delimiter(char::from(byte)) => break,
            b'\\' if at + 1 == bytes.len() => return Err(SyntaxError::Continued),
            b'\\' => at += 1,
            b'\'' | b'"' => at = quote_end(bytes, at)? - 1,
            b'$' if bytes.get(at + 1) == Some(&b'?') => at += 1,
            b'$' => dollar(&bytes[at + 1..], Context::Bare)?,
            b'`' => return Err(Unsupported("`command`")),
            b'(' | b')' => return Err(Unsupported("( )")),
            b'*' => return Err(Unsupported("*")),
            b'?' => return Err(Unsupported("?")),
            b'~' if at == 0 || bytes[at - 1] == b'=' => return Err(Unsupported("~")),
            b'[' if bracket.is_none() => bracket = Some(at),
            b']' if bracket.is_some_and(|open| at > open + 1) => return Err(Unsupported("[ ]")),
            b'{' => (brace, is_list) = (true, false),
            b',' => is_list = true,
            b'.' if bytes[..at].ends_with(b".") => is_list = true,
            b'}' if brace && is_list => return Err(Unsupported("{a,b}")),
            _ => {}
        }
        at += 1;
    }
    Ok(at)
}

/// Where a `$` stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Bare,
    /// Between double quotes.
    Quoted,
}

/// Refuses what `$` and the bytes behind it stand for in other shells. `$?` is known here, and a `$` before anything
/// else is one.
fn dollar(behind: &[u8], context: Context) -> Result<(), SyntaxError> {
    Err(SyntaxError::Unsupported(match (behind.first(), context) {
        (Some(b'a'..=b'z' | b'A'..=b'Z' | b'_'), _) => "$X",
        (Some(b'0'..=b'9'), _) => "$1",
        (Some(b'{'), _) => "${X}",
        (Some(b'('), _) => "$(command)",
        (Some(b'@'), _) => "$@",
        (Some(b'*'), _) => "$*",
        (Some(b'#'), _) => "$#",
        (Some(b'$'), _) => "$$",
        (Some(b'!'), _) => "$!",
        (Some(b'-'), _) => "$-",
        (Some(b'\'' | b'"'), Context::Bare) => "a $ before a quote",
        _ => return Ok(()),
    }))
}

/// The byte after the quote that is opened at byte `open`.
fn quote_end(bytes: &[u8], open: usize) -> Result<usize, SyntaxError> {
    let quote = bytes[open];
    let mut at = open + 1;
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            byte if byte == quote => return Ok(at + 1),
            _ if quote == b'\'' => 1,
            b'\\' => 2,
            b'`' => return Err(SyntaxError::Unsupported("`command`")),
            b'$' => {
                dollar(&bytes[at + 1..], Context::Quoted)?;
                1
            }
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
        assert_eq!(tokens("0<a 1>b 1>>c").unwrap().len(), 6);
        assert_eq!(tokens("0<a 1>b 1>>c").unwrap()[2..4], [O(Op::Output), W("b")]);
        assert_eq!(tokens("a 2>&1>b").unwrap(), [W("a"), O(Op::ErrorToOutput), O(Op::Output), W("b")]);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert_eq!(tokens("echo 'a"), Err(SyntaxError::Unterminated('\'')));
        assert_eq!(tokens("echo \"a\\\""), Err(SyntaxError::Unterminated('"')));
    }

    #[test]
    fn a_line_that_goes_on_behind_its_end_is_refused() {
        for line in ["a\\", "a \\", "echo \"a\" \\"] {
            assert_eq!(tokens(line), Err(SyntaxError::Continued), "{line}");
        }
        assert!(tokens(r"a\\").is_ok());
    }

    #[test]
    fn what_other_shells_replace_is_refused() {
        let lines = [
            ("echo *", "*"),
            ("echo a*b", "*"),
            ("echo ?", "?"),
            ("echo [a]", "[ ]"),
            ("echo a[^b-c]d", "[ ]"),
            ("echo [\"a\"]", "[ ]"),
            ("echo ~", "~"),
            ("echo ~/a", "~"),
            ("dd if=~/a", "~"),
            ("echo {a,b}", "{a,b}"),
            ("echo x{1..3}", "{a,b}"),
            ("echo $X", "$X"),
            ("echo a$_b", "$X"),
            ("echo \"a $X\"", "$X"),
            ("echo ${X}", "${X}"),
            ("echo \"${X:-a b}\"", "${X}"),
            ("echo $(true)", "$(command)"),
            ("echo \"$(true)\"", "$(command)"),
            ("echo $((1+1))", "$(command)"),
            ("echo $1 b", "$1"),
            ("echo $@", "$@"),
            ("echo $*", "$*"),
            ("echo $#", "$#"),
            ("echo $$", "$$"),
            ("echo $!", "$!"),
            ("echo $-", "$-"),
            ("echo $'a'", "a $ before a quote"),
            ("echo `true`", "`command`"),
            ("echo \"`true`\"", "`command`"),
            ("(a; b)", "( )"),
            ("f() { a; }", "( )"),
            ("a <(b)", "( )"),
            ("cat << end", "<<"),
            ("cat <<- end", "<<"),
            ("cat <<< a", "<<"),
            ("cat <> f", "<>"),
            ("cat <&3", "<&"),
            ("cat 0<&-", "<&"),
            ("echo >| f", ">|"),
            ("echo a >&2", ">&"),
            ("echo a 1>&2", ">&"),
            ("echo a 2>&-", ">&"),
            ("echo a 2>&12", ">&"),
            ("echo a 2>& 1", ">&"),
            ("echo a &> f", "&>"),
            ("echo a &>> f", "&>"),
            ("a |& b", "|&"),
            ("a;;", ";;"),
            ("echo a 3> f", "a stream number but 0<, 1> and 2>"),
            ("echo a 3>> f", "a stream number but 0<, 1> and 2>"),
            ("echo a 12> f", "a stream number but 0<, 1> and 2>"),
            ("cat 3< f", "a stream number but 0<, 1> and 2>"),
        ];
        for (line, what) in lines {
            assert_eq!(tokens(line), Err(SyntaxError::Unsupported(what)), "{line}");
        }
    }

    #[test]
    fn quoted_escaped_or_elsewhere_it_is_literal() {
        for line in [
            r#"'*?[a]~{a,b}$X${X}$(a)`a`(){}' "*?[a]~{a,b}(){}<<&>" \* \? \[a] \~ \$X \`a\` \( \) "\$X \`""#,
            "a$ $ \"$\" \"a$\" $. $/ $? \"$?\" a~ [ ] [] a] {} { } a{b}c a,b a..b x=y 'a'~ {",
            "2 3 a3>f 'x'>f echo! ! %1 @ ^ + 1>f # * $X (",
        ] {
            assert!(tokens(line).is_ok(), "{line}: {:?}", tokens(line));
        }
    }
}
