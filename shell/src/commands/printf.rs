//! `printf`: formats and escapes.

use core::fmt::Write;
use core::str::Chars;

use super::escape::{self, Escape, Octal};
use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::Out;
use crate::job::Job;
use crate::options::{TOO_LARGE, natural, of};
use crate::text::Text;
use crate::words::Args;

/// `printf FORMAT [ARGUMENT...]`: the format is used again until all arguments are.
pub fn printf<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let args = job.args.skip(usize::from(job.args.get(0) == Some("--")));
    let format = args.get(0).ok_or(Failure::Usage("needs a format"))?;
    let mut printer = Printer { job, out: job.out(), args: args.skip(1), status: Status::OK };
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
struct Layout<'a> {
    /// The flags as typed.
    flags: &'a str,
    width: u64,
    precision: Option<u64>,
}

impl<'a> Layout<'a> {
    fn parse(rest: &mut Chars<'a>) -> Result<Self, Failure<'a>> {
        let spec = rest.as_str();
        let numbers = spec.trim_start_matches(['-', '0', '+', ' ', '#']);
        let mut layout = Self { flags: &spec[..spec.len() - numbers.len()], ..Self::default() };
        *rest = numbers.chars();
        layout.width = leading_number(rest)?;
        if rest.as_str().starts_with('.') {
            rest.next();
            layout.precision = Some(leading_number(rest)?);
        }
        Ok(layout)
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// Whether there are no flags but these.
    fn only(&self, flags: &str) -> bool {
        self.flags.chars().all(|flag| flags.contains(flag))
    }
}

/// The number that `rest` starts with; 0 when there is none.
fn leading_number<'a>(rest: &mut Chars<'a>) -> Result<u64, Failure<'a>> {
    let text = rest.as_str();
    let behind = text.trim_start_matches(|c: char| c.is_ascii_digit());
    *rest = behind.chars();
    let digits = &text[..text.len() - behind.len()];
    if digits.is_empty() { Ok(0) } else { natural(digits, 10) }
}

/// An argument as a number: its sign apart, so that it is known what fits.
#[derive(Clone, Copy, Default)]
struct Number {
    is_negative: bool,
    magnitude: u64,
}

impl Number {
    fn parse(argument: &str) -> Result<Self, Failure<'_>> {
        if let Some(quoted) = argument.strip_prefix(['\'', '"']) {
            // As in C: the character's number.
            let c = quoted.chars().next().ok_or(Failure::Argument("invalid number", argument))?;
            return Ok(Self { is_negative: false, magnitude: u64::from(u32::from(c)) });
        }
        let (is_negative, digits) = match argument.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, argument.strip_prefix('+').unwrap_or(argument)),
        };
        let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
        let magnitude = match (hexadecimal, digits.strip_prefix('0')) {
            _ if argument.is_empty() => Ok(0),
            (Some(hexadecimal), _) => natural(hexadecimal, 16),
            (None, Some(octal)) if !octal.is_empty() => natural(octal, 8),
            _ => natural(digits, 10),
        };
        Ok(Self { is_negative, magnitude: magnitude.map_err(|failure| of(failure, argument))? })
    }

    /// What `%u`, `%x` and `%o` print; a negative number wraps around as in C. `None` when it is out of range.
    fn unsigned(self) -> Option<u64> {
        match self.is_negative {
            true => (self.magnitude <= 1 << 63).then_some(self.magnitude.wrapping_neg()),
            false => Some(self.magnitude),
        }
    }

    /// Whether `%d` can print it.
    const fn is_signed(self) -> bool {
        self.magnitude <= i64::MAX as u64 || (self.is_negative && self.magnitude == 1 << 63)
    }
}

impl<'a, E: Env> Printer<'_, 'a, E> {
    /// Prints the format once; false when `\c` ends the output.
    fn round(&mut self, format: &'a str) -> Result<bool, Failure<'a>> {
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            let goes_on = match c {
                '\\' => self.escape(&mut rest, Octal::Bare)?,
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
    fn escape(&mut self, rest: &mut Chars<'a>, octal: Octal) -> Result<bool, Failure<'a>> {
        match escape::take(rest, octal)? {
            Escape::Byte(byte) => self.out.put(&[byte])?,
            Escape::Char(c) => return self.character(c),
            Escape::End => return Ok(false),
        }
        Ok(true)
    }

    /// What stands behind a `%`. Flags that mean nothing for the conversion are refused.
    fn conversion(&mut self, rest: &mut Chars<'a>) -> Result<bool, Failure<'a>> {
        let spec = rest.as_str();
        let layout = Layout::parse(rest)?;
        let bare = spec.starts_with(['%', 'b']);
        match rest.next() {
            Some('%') if bare => return self.character('%'),
            Some('b') if bare => return self.escaped_argument(),
            Some('s') if layout.only("-") => self.string(&layout)?,
            Some('c') if layout.only("-") && layout.precision.is_none() => {
                self.string(&Layout { precision: Some(1), ..layout })?;
            }
            Some('d' | 'i') if layout.only("-0+ ") => self.signed(&layout)?,
            Some('u') if layout.only("-0") => self.unsigned(&layout, 'u')?,
            Some(kind @ ('x' | 'X' | 'o')) if layout.only("-0#") => self.unsigned(&layout, kind)?,
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

    /// Complains about a bad number, which counts as 0.
    fn bad(&mut self, failure: &Failure<'a>) {
        self.status = self.job.complain(failure, Status::FAILED);
    }

    fn signed(&mut self, layout: &Layout<'a>) -> Result<(), Failure<'a>> {
        let argument = self.argument();
        let fits =
            |number: Number| if number.is_signed() { Ok(number) } else { Err(Failure::Argument(TOO_LARGE, argument)) };
        let number = Number::parse(argument).and_then(fits).unwrap_or_else(|failure| {
            self.bad(&failure);
            Number::default()
        });
        let sign = match number {
            Number { is_negative: true, magnitude: 1.. } => "-",
            _ if layout.has('+') => "+",
            _ if layout.has(' ') => " ",
            _ => "",
        };
        self.number(layout, sign, format_args!("{}", number.magnitude))
    }

    fn unsigned(&mut self, layout: &Layout<'a>, kind: char) -> Result<(), Failure<'a>> {
        let argument = self.argument();
        let fits = |number: Number| number.unsigned().ok_or(Failure::Argument(TOO_LARGE, argument));
        let value = Number::parse(argument).and_then(fits).unwrap_or_else(|failure| {
            self.bad(&failure);
            0
        });
        let alternate = layout.has('#') && value != 0;
        match kind {
            'x' => self.number(layout, if alternate { "0x" } else { "" }, format_args!("{value:x}")),
            'X' => self.number(layout, if alternate { "0X" } else { "" }, format_args!("{value:X}")),
            // The zero is one of the digits.
            'o' if alternate => self.number(layout, "", format_args!("0{value:o}")),
            'o' => self.number(layout, "", format_args!("{value:o}")),
            _ => self.number(layout, "", format_args!("{value}")),
        }
    }

    fn string(&mut self, layout: &Layout<'a>) -> Result<(), Failure<'a>> {
        let argument = self.argument();
        let most = layout.precision.and_then(|most| usize::try_from(most).ok());
        let shown = match most.and_then(|most| argument.char_indices().nth(most)) {
            Some((end, _)) => &argument[..end],
            None => argument,
        };
        let pad = layout.width.saturating_sub(shown.chars().count() as u64);
        self.padded(layout, pad, |out| out.put(shown.as_bytes()))
    }

    fn number(&mut self, layout: &Layout<'a>, sign: &str, digits: core::fmt::Arguments<'_>) -> Result<(), Failure<'a>> {
        let mut text = Text::<24>::new();
        // A zero and 22 octal digits are the longest number.
        let _ = text.write_fmt(digits);
        if layout.precision == Some(0) && text.as_str() == "0" {
            text.clear();
        }
        let taken = (sign.len() + text.len()) as u64;
        let zeros = match layout.precision {
            Some(precision) => precision.saturating_sub(text.len() as u64),
            None if layout.has('0') && !layout.has('-') => layout.width.saturating_sub(taken),
            None => 0,
        };
        let pad = layout.width.saturating_sub(taken.saturating_add(zeros));
        self.padded(layout, pad, |out| {
            out.put(sign.as_bytes())?;
            out.fill(b'0', zeros)?;
            out.put(text.as_bytes())
        })
    }

    /// Prints with `pad` blanks, on the right if the text stands on the left.
    fn padded(
        &mut self,
        layout: &Layout<'a>,
        pad: u64,
        print: impl FnOnce(&mut Out<'a, E>) -> Result<(), Failure<'static>>,
    ) -> Result<(), Failure<'a>> {
        let (before, after) = if layout.has('-') { (0, pad) } else { (pad, 0) };
        self.out.fill(b' ', before)?;
        print(&mut self.out)?;
        self.out.fill(b' ', after)
    }

    /// `%b`: the argument with its escapes.
    fn escaped_argument(&mut self) -> Result<bool, Failure<'a>> {
        let mut rest = self.argument().chars();
        while let Some(c) = rest.next() {
            let goes_on = if c == '\\' { self.escape(&mut rest, Octal::AfterZero)? } else { self.character(c)? };
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
        assert_eq!(printed(r"printf 'a\tb\n\x41\101\\'"), "a\tb\nAA\\");
        assert_eq!(printed(r"printf 'a\cb'"), "a");
        assert_eq!(printed(r"printf '\u00e4\U0001f600\0101\e[0m'"), "ä😀\u{8}1\u{1b}[0m");
        assert_eq!(printed(r"printf '%b' '\0101\101'"), "AA");
    }

    #[test]
    fn escapes_that_mean_nothing_are_refused() {
        for (line, what) in [(r"\q", "q"), ("\\", ""), (r"\xg", "xg"), (r"\777", "777"), (r"\ud800", "ud800")] {
            let ran = World::new().run(&std::format!("printf 'a{line}'"));
            assert_eq!(ran.err, std::format!("printf: invalid escape: '{what}'\n"));
            assert_eq!((ran.out.as_str(), ran.status), ("", 1));
        }
    }

    #[test]
    fn numbers_are_laid_out() {
        assert_eq!(printed("printf '%d|%5d|%-5d|%05d|%+d|%.3d' 7 7 7 -7 7 7"), "7|    7|7    |-0007|+7|007");
        assert_eq!(printed("printf '%x %X %#x %o %u' 255 255 255 8 0x10"), "ff FF 0xff 10 16");
        assert_eq!(printed("printf '%#x|%#o|%#.5o|%#05o|% d|%.0d|' 0 0 8 8 5 0"), "0|0|00010|00010| 5||");
        assert_eq!(printed("printf '%d %x' \"'a\" -1"), "97 ffffffffffffffff");
    }

    #[test]
    fn widths_are_what_they_are() {
        assert_eq!(printed("printf '%5000d' 7"), std::format!("{:>5000}", 7));
        assert_eq!(printed("printf '%-70000s|' a").len(), 70001);
        assert_eq!(printed("printf '%.5000d' 7"), std::format!("{:0>5000}", 7));
        assert_eq!(printed("printf '%02000x' 7"), std::format!("{:0>2000}", 7));
    }

    #[test]
    fn strings_are_laid_out() {
        assert_eq!(printed("printf '%s|%5s|%-5s|%.2s|%c%%' abc abc abc abc abc"), "abc|  abc|abc  |ab|a%");
        assert_eq!(printed(r"printf '%b' 'a\nb'"), "a\nb");
        assert_eq!(printed("printf '%3c|%-3c|%c' äb c ''"), "  ä|c  |");
    }

    #[test]
    fn the_format_is_used_until_the_arguments_are() {
        assert_eq!(printed("printf '%s=%d\\n' a 1 b 2 c"), "a=1\nb=2\nc=0\n");
        assert_eq!(printed("printf 'x' a b"), "x");
        assert_eq!(printed("printf -- -%s a"), "-a");
    }

    #[test]
    fn bad_numbers_and_conversions_fail() {
        let ran = World::new().run("printf '%d\\n' x 5");
        assert_eq!((ran.out.as_str(), ran.status), ("0\n5\n", 1));
        assert_eq!(ran.err, "printf: invalid number: 'x'\n");
        for spec in ["y", "5b", "5%", "+s", "0s", "#d", "+u", "+x", ".2c", "*d", "ld"] {
            let err = World::new().run(&std::format!("printf '%{spec}' 1")).err;
            assert_eq!(err, std::format!("printf: invalid conversion: '{spec}'\n"));
        }
    }

    #[test]
    fn numbers_out_of_range_fail() {
        let large = "18446744073709551616";
        for (spec, number) in [
            ("d", "9223372036854775808"),
            ("d", "-9223372036854775809"),
            ("u", large),
            ("x", "-9223372036854775809"),
            ("x", "0x10000000000000000"),
        ] {
            let ran = World::new().run(&std::format!("printf '%{spec}' {number}"));
            assert_eq!(ran.err, std::format!("printf: number too large: '{number}'\n"));
            assert_eq!((ran.out.as_str(), ran.status), ("0", 1));
        }
        assert_eq!(
            printed("printf '%d %u' -9223372036854775808 18446744073709551615"),
            "-9223372036854775808 18446744073709551615"
        );
        let ran = World::new().run(&std::format!("printf '%{large}d' 1"));
        assert_eq!((ran.err.as_str(), ran.status), ("printf: number too large: '18446744073709551616'\n", 1));
        for bad in ["++5", "+-5", "0x+5", "-", "0x", "08"] {
            let err = World::new().run(&std::format!("printf '%d' {bad}")).err;
            assert_eq!(err, std::format!("printf: invalid number: '{bad}'\n"));
        }
    }
}
