//! `printf`: formats and escapes.

use core::fmt::Write;
use core::str::Chars;

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::Out;
use crate::job::Job;
use crate::text::Text;
use crate::words::Args;

/// `printf FORMAT [ARGUMENT...]`: the format is used again until all arguments are.
pub fn printf<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let format = job.args.get(0).ok_or(Failure::Usage("needs a format"))?;
    let mut printer = Printer { job, out: job.out(), args: job.args.skip(1), status: Status::OK };
    loop {
        let before = printer.args.len();
        let goes_on = printer.round(format)?;
        if !goes_on || printer.args.is_empty() || printer.args.len() == before {
            break;
        }
    }
    let status = printer.status;
    printer.out.finish()?;
    Ok(status)
}

struct Printer<'j, 'a, E: Env> {
    job: &'j Job<'a, E>,
    out: Out<'a, E>,
    args: Args<'a>,
    status: Status,
}

/// How a value is laid out: `%-08.3x`.
#[derive(Default)]
struct Layout {
    left: bool,
    zeros: bool,
    plus: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

impl Layout {
    fn parse(rest: &mut Chars<'_>) -> Self {
        let mut layout = Self::default();
        loop {
            let mut ahead = rest.clone();
            match ahead.next() {
                Some('-') => layout.left = true,
                Some('0') => layout.zeros = true,
                Some('+') => layout.plus = true,
                Some('#') => layout.alternate = true,
                _ => break,
            }
            *rest = ahead;
        }
        layout.width = digits(rest).unwrap_or(0);
        if rest.as_str().starts_with('.') {
            rest.next();
            layout.precision = Some(digits(rest).unwrap_or(0));
        }
        layout
    }
}

/// The number at the start of `rest`, at most 999.
fn digits(rest: &mut Chars<'_>) -> Option<usize> {
    let mut value = None;
    while let Some(digit) = rest.clone().next().and_then(|c| c.to_digit(10)) {
        rest.next();
        value = Some((value.unwrap_or(0) * 10 + digit as usize).min(999));
    }
    value
}

impl<'a, E: Env> Printer<'_, 'a, E> {
    /// Prints the format once; false when `\c` ends the output.
    fn round(&mut self, format: &'a str) -> Result<bool, Failure<'a>> {
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            let goes_on = match c {
                '\\' => self.escape(&mut rest)?,
                '%' => self.conversion(&mut rest)?,
                _ => self.character(c)?,
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn character(&mut self, c: char) -> Result<bool, Failure<'a>> {
        self.out.put(c.encode_utf8(&mut [0; 4]).as_bytes())?;
        Ok(true)
    }

    /// What stands behind a backslash; false for `\c`.
    fn escape(&mut self, rest: &mut Chars<'_>) -> Result<bool, Failure<'a>> {
        let byte = match rest.clone().next() {
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('r') => b'\r',
            Some('a') => 0x07,
            Some('b') => 0x08,
            Some('f') => 0x0c,
            Some('v') => 0x0b,
            Some('c') => return Ok(false),
            Some(c @ ('\\' | '"' | '\'')) => c as u8,
            Some('0'..='7') => return self.coded(rest, 8, 3),
            Some('x') => {
                rest.next();
                return self.coded(rest, 16, 2);
            }
            _ => return self.character('\\'),
        };
        rest.next();
        self.out.put(&[byte])?;
        Ok(true)
    }

    /// A byte by its number, in at most `most` digits.
    fn coded(&mut self, rest: &mut Chars<'_>, radix: u32, most: usize) -> Result<bool, Failure<'a>> {
        let mut value = 0;
        for _ in 0..most {
            let Some(digit) = rest.clone().next().and_then(|c| c.to_digit(radix)) else { break };
            rest.next();
            value = value * radix + digit;
        }
        self.out.put(&[value as u8])?;
        Ok(true)
    }

    /// What stands behind a `%`.
    fn conversion(&mut self, rest: &mut Chars<'a>) -> Result<bool, Failure<'a>> {
        let spec = rest.as_str();
        let layout = Layout::parse(rest);
        let kind = rest.next();
        match kind {
            Some('%') => return self.character('%'),
            Some('s') => self.string(&layout)?,
            Some('b') => return self.escaped_argument(),
            Some('c') => {
                let first = self.argument().chars().next();
                return first.map_or(Ok(true), |c| self.character(c));
            }
            Some('d' | 'i') => {
                let value = self.signed();
                let sign = if value < 0 {
                    "-"
                } else if layout.plus {
                    "+"
                } else {
                    ""
                };
                self.number(&layout, sign, format_args!("{}", value.unsigned_abs()))?;
            }
            Some('u') => {
                let value = self.signed();
                self.number(&layout, "", format_args!("{}", value as u64))?;
            }
            Some('x') => {
                let value = self.signed();
                self.number(&layout, if layout.alternate { "0x" } else { "" }, format_args!("{value:x}"))?;
            }
            Some('X') => {
                let value = self.signed();
                self.number(&layout, if layout.alternate { "0X" } else { "" }, format_args!("{value:X}"))?;
            }
            Some('o') => {
                let value = self.signed();
                self.number(&layout, if layout.alternate { "0" } else { "" }, format_args!("{value:o}"))?;
            }
            _ => return Err(Failure::Argument("invalid conversion", spec)),
        }
        Ok(true)
    }

    /// The next argument; a missing one is empty.
    fn argument(&mut self) -> &'a str {
        let argument = self.args.get(0).unwrap_or("");
        self.args = self.args.skip(1);
        argument
    }

    /// The next argument as a number; a bad one is complained about and counts as 0, a missing one is 0.
    fn signed(&mut self) -> i64 {
        let argument = self.argument();
        let (negative, digits) = match argument.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, argument.strip_prefix('+').unwrap_or(argument)),
        };
        let parsed = match (digits.strip_prefix("0x"), digits.strip_prefix('0')) {
            _ if argument.is_empty() => Ok(0),
            (Some(hex), _) => u64::from_str_radix(hex, 16),
            (None, Some(octal)) if !octal.is_empty() => u64::from_str_radix(octal, 8),
            _ => digits.parse(),
        };
        let Ok(magnitude) = parsed else {
            self.status = self.job.complain(&Failure::Argument("invalid number", argument), Status::FAILED);
            return 0;
        };
        let value = magnitude as i64;
        if negative { value.wrapping_neg() } else { value }
    }

    fn string(&mut self, layout: &Layout) -> Result<(), Failure<'a>> {
        let argument = self.argument();
        let shown = match layout.precision.and_then(|most| argument.char_indices().nth(most)) {
            Some((end, _)) => &argument[..end],
            None => argument,
        };
        let pad = layout.width.saturating_sub(shown.chars().count());
        self.padded(pad, layout.left, |out| out.put(shown.as_bytes()))
    }

    fn number(&mut self, layout: &Layout, sign: &str, digits: core::fmt::Arguments<'_>) -> Result<(), Failure<'a>> {
        let mut text = Text::<24>::new();
        // 22 octal digits are the longest number.
        let _ = text.write_fmt(digits);
        let wanted = match layout.precision {
            Some(precision) => precision,
            None if layout.zeros && !layout.left => layout.width.saturating_sub(sign.len()),
            None => 0,
        };
        let zeros = wanted.saturating_sub(text.len());
        let pad = layout.width.saturating_sub(sign.len() + zeros + text.len());
        self.padded(pad, layout.left, |out| {
            out.put(sign.as_bytes())?;
            for _ in 0..zeros {
                out.put(b"0")?;
            }
            out.put(text.as_bytes())
        })
    }

    /// Prints with `pad` blanks, on the right if the text stands on the left.
    fn padded(
        &mut self,
        pad: usize,
        left: bool,
        print: impl FnOnce(&mut Out<'a, E>) -> Result<(), Failure<'static>>,
    ) -> Result<(), Failure<'a>> {
        let (before, after) = if left { (0, pad) } else { (pad, 0) };
        write!(self.out, "{:before$}", "")?;
        print(&mut self.out)?;
        Ok(write!(self.out, "{:after$}", "")?)
    }

    /// `%b`: the argument with its escapes.
    fn escaped_argument(&mut self) -> Result<bool, Failure<'a>> {
        let mut rest = self.argument().chars();
        while let Some(c) = rest.next() {
            let goes_on = if c == '\\' { self.escape(&mut rest)? } else { self.character(c)? };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    fn printed(line: &str) -> std::string::String {
        World::new().run(line).out
    }

    #[test]
    fn escapes_stand_for_their_bytes() {
        assert_eq!(printed(r"printf 'a\tb\n\x41\101\\\q'"), "a\tb\nAA\\\\q");
        assert_eq!(printed(r"printf 'a\cb'"), "a");
    }

    #[test]
    fn numbers_are_laid_out() {
        assert_eq!(printed("printf '%d|%5d|%-5d|%05d|%+d|%.3d' 7 7 7 -7 7 7"), "7|    7|7    |-0007|+7|007");
        assert_eq!(printed("printf '%x %X %#x %o %u' 255 255 255 8 0x10"), "ff FF 0xff 10 16");
    }

    #[test]
    fn strings_are_laid_out() {
        assert_eq!(printed("printf '%s|%5s|%-5s|%.2s|%c%%' abc abc abc abc abc"), "abc|  abc|abc  |ab|a%");
        assert_eq!(printed(r"printf '%b' 'a\nb'"), "a\nb");
    }

    #[test]
    fn the_format_is_used_until_the_arguments_are() {
        assert_eq!(printed("printf '%s=%d\\n' a 1 b 2 c"), "a=1\nb=2\nc=0\n");
        assert_eq!(printed("printf 'x' a b"), "x");
    }

    #[test]
    fn bad_numbers_and_conversions_fail() {
        let ran = World::new().run("printf '%d\\n' x 5");
        assert_eq!((ran.out.as_str(), ran.status), ("0\n5\n", 1));
        assert_eq!(ran.err, "printf: invalid number: 'x'\n");
        assert_eq!(World::new().run("printf '%y'").err, "printf: invalid conversion: 'y'\n");
    }
}
