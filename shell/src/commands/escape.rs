//! Backslash sequences, as `printf` and `echo -e` know them.

use core::str::Chars;

use crate::failure::Failure;

/// What a sequence stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Escape {
    /// A byte.
    Byte(u8),
    /// A character.
    Char(char),
    /// `\c`: nothing is printed from here on.
    End,
}

/// How a byte is given by its number in octal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Octal {
    /// `\101`: one to three digits.
    Bare,
    /// `\0101`: a zero and up to three digits, or the bare form.
    AfterZero,
}

/// The sequence that `rest` starts with, behind its backslash. One that means nothing is refused.
pub fn take<'a>(rest: &mut Chars<'a>, octal: Octal) -> Result<Escape, Failure<'a>> {
    let invalid = Failure::Argument("invalid escape", rest.as_str());
    let byte = match rest.clone().next().ok_or(invalid)? {
        'a' => 0x07,
        'b' => 0x08,
        'e' => 0x1b,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        c @ ('\\' | '"' | '\'') => c as u8,
        'c' => return Ok(Escape::End),
        first @ '0'..='7' => {
            let most = if first == '0' && octal == Octal::AfterZero { 4 } else { 3 };
            return coded(rest, 8, most).and_then(|code| u8::try_from(code).ok()).map(Escape::Byte).ok_or(invalid);
        }
        kind @ ('x' | 'u' | 'U') => {
            rest.next();
            let most = match kind {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            let code = coded(rest, 16, most).ok_or(invalid)?;
            return if kind == 'x' {
                Ok(Escape::Byte(code as u8))
            } else {
                char::from_u32(code).map(Escape::Char).ok_or(invalid)
            };
        }
        _ => return Err(invalid),
    };
    rest.next();
    Ok(Escape::Byte(byte))
}

/// The number in at most `most` digits, eight of them at the most; `None` when there is not one.
fn coded(rest: &mut Chars<'_>, radix: u32, most: usize) -> Option<u32> {
    let mut value = None;
    for _ in 0..most {
        let Some(digit) = rest.clone().next().and_then(|c| c.to_digit(radix)) else { break };
        rest.next();
        value = Some(value.unwrap_or(0) * radix + digit);
    }
    value
}
