//! Options of a command, and numbers in its arguments.

use core::time::Duration;

use crate::failure::Failure;
use crate::words::Args;

/// Takes a command's options off its arguments, one at a time.
///
/// `-ab`, `-a -b`, `-n5` and `-n 5` are understood; `--` ends the options, and so does the first operand.
pub struct Options<'a> {
    args: Args<'a>,
    /// Letters of the word that is being taken apart.
    cluster: &'a str,
    /// Letters that are known; one with a `:` behind it takes a value.
    known: &'static str,
}

impl<'a> Options<'a> {
    /// The options in `args`, of those that `known` lists: `"n:c:"`.
    pub const fn new(args: Args<'a>, known: &'static str) -> Self {
        Self { args, cluster: "", known }
    }

    /// The next option's letter, or `None` when only operands are left.
    pub fn take(&mut self) -> Result<Option<char>, Failure<'a>> {
        if self.cluster.is_empty() {
            match self.args.get(0) {
                Some("--") => {
                    self.args = self.args.skip(1);
                    return Ok(None);
                }
                Some(word) if word.len() > 1 && word.starts_with('-') => {
                    self.args = self.args.skip(1);
                    self.cluster = &word[1..];
                }
                _ => return Ok(None),
            }
        }
        let mut letters = self.cluster.chars();
        let letter = letters.next().unwrap_or('-');
        if letter == ':' || !self.known.contains(letter) {
            return Err(Failure::Argument("invalid option", self.cluster));
        }
        self.cluster = letters.as_str();
        Ok(Some(letter))
    }

    /// The value of the option that [`take`](Self::take) returned: the rest of its word, or the next word.
    pub fn value(&mut self) -> Result<&'a str, Failure<'a>> {
        if !self.cluster.is_empty() {
            return Ok(core::mem::take(&mut self.cluster));
        }
        let word = self.args.get(0).ok_or(Failure::Usage("option needs a value"))?;
        self.args = self.args.skip(1);
        Ok(word)
    }

    /// The value of the option as a number.
    pub fn number(&mut self) -> Result<u64, Failure<'a>> {
        number(self.value()?)
    }

    /// The option's letters as a number: the `-5` form. `None`, and nothing taken, when the next word is no such
    /// number.
    pub fn dash_number(&mut self) -> Option<u64> {
        let word = self.args.get(0)?.strip_prefix('-')?;
        let value = natural(word, 10).ok()?;
        self.args = self.args.skip(1);
        Some(value)
    }

    /// What is left: the operands.
    pub const fn operands(&self) -> Args<'a> {
        self.args
    }

    /// Refuses operands.
    pub const fn no_operands(&self) -> Result<(), Failure<'static>> {
        if self.args.is_empty() { Ok(()) } else { Err(Failure::Usage("too many operands")) }
    }
}

/// What is said of a number that has no place in its type.
pub const TOO_LARGE: &str = "number too large";

/// A number of digits in base `radix` and nothing else.
pub fn natural(digits: &str, radix: u32) -> Result<u64, Failure<'_>> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(Failure::Argument("invalid number", digits));
    }
    u64::from_str_radix(digits, radix).map_err(|_| Failure::Argument(TOO_LARGE, digits))
}

/// A count of bytes, lines or the like, with an optional suffix `k`, `M` or `G` (powers of 1024).
pub fn number(text: &str) -> Result<u64, Failure<'_>> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let value = natural(digits, 10).map_err(|failure| of(failure, text))?;
    value.checked_mul(1 << shift).ok_or(Failure::Argument(TOO_LARGE, text))
}

/// A number as [`number`] reads it, or as C writes one: hexadecimal behind `0x`, octal behind `0`.
pub fn c_number(text: &str) -> Result<u64, Failure<'_>> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    match (hexadecimal, text.strip_prefix('0')) {
        (Some(digits), _) => natural(digits, 16).map_err(|failure| of(failure, text)),
        (None, Some(digits)) if digits.starts_with(|digit: char| digit.is_ascii_digit()) => {
            natural(digits, 8).map_err(|failure| of(failure, text))
        }
        _ => number(text),
    }
}

/// A number with an optional sign.
pub fn integer(text: &str) -> Result<i64, Failure<'_>> {
    let (minus, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = natural(digits, 10).map_err(|failure| of(failure, text))?;
    let value = if minus { 0_i64.checked_sub_unsigned(magnitude) } else { 0_i64.checked_add_unsigned(magnitude) };
    value.ok_or(Failure::Argument(TOO_LARGE, text))
}

/// The same failure, of the whole argument.
pub fn of<'a>(failure: Failure<'_>, argument: &'a str) -> Failure<'a> {
    match failure {
        Failure::Argument(what, _) => Failure::Argument(what, argument),
        _ => Failure::Argument("invalid number", argument),
    }
}

/// A time in seconds, with up to nine decimals: `2`, `0.5`. A suffix `s` changes nothing.
pub fn seconds(text: &str) -> Result<Duration, Failure<'_>> {
    let invalid = Failure::Argument("invalid time interval", text);
    let digits = text.strip_suffix('s').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 9 || !numeric(whole) || !numeric(fraction) {
        return Err(invalid);
    }
    let secs: u64 = if whole.is_empty() { 0 } else { natural(whole, 10).map_err(|failure| of(failure, text))? };
    let scale = 10_u32.pow(9 - fraction.len() as u32);
    let nanos: u32 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| invalid)? };
    Ok(Duration::new(secs, nanos * scale))
}

#[cfg(test)]
mod tests {
    use super::{Options, c_number, integer, number, seconds};
    use crate::env::Status;
    use crate::failure::Failure;
    use crate::words::Words;
    use core::time::Duration;

    fn words(line: &str) -> Words {
        let mut words = Words::new();
        for word in line.split(' ') {
            words.push(word, Status::OK).unwrap();
        }
        words
    }

    #[test]
    fn options_stand_alone_or_together() {
        let words = words("-rn -c5 -c 6 -- -x");
        let mut options = Options::new(words.all(), "rnc:");
        assert_eq!(options.take(), Ok(Some('r')));
        assert_eq!(options.take(), Ok(Some('n')));
        assert_eq!((options.take(), options.number()), (Ok(Some('c')), Ok(5)));
        assert_eq!((options.take(), options.number()), (Ok(Some('c')), Ok(6)));
        assert_eq!(options.take(), Ok(None));
        assert_eq!(options.operands().get(0), Some("-x"));
    }

    #[test]
    fn unknown_options_and_missing_values_are_refused() {
        let words = words("-z");
        assert_eq!(Options::new(words.all(), "n:").take(), Err(Failure::Argument("invalid option", "z")));
        let words = self::words("-n");
        let mut options = Options::new(words.all(), "n:");
        assert_eq!(options.take(), Ok(Some('n')));
        assert_eq!(options.value(), Err(Failure::Usage("option needs a value")));
    }

    #[test]
    fn a_dash_alone_is_an_operand() {
        let words = words("-");
        let mut options = Options::new(words.all(), "n");
        assert_eq!(options.take(), Ok(None));
        assert_eq!(options.operands().len(), 1);
    }

    #[test]
    fn numbers_have_suffixes_and_limits() {
        assert_eq!(number("4k"), Ok(4096));
        assert_eq!(number("2M"), Ok(2 << 20));
        for bad in ["", "k", "-1", "+1", "1x"] {
            assert_eq!(number(bad), Err(Failure::Argument("invalid number", bad)));
        }
        for large in ["99999999999999999999", "99999999999999G"] {
            assert_eq!(number(large), Err(Failure::Argument("number too large", large)));
        }
    }

    #[test]
    fn numbers_may_be_written_as_in_c() {
        for (text, value) in [("0x1F", 31), ("0Xa", 10), ("017", 15), ("0", 0), ("0k", 0), ("10", 10), ("4K", 4096)] {
            assert_eq!(c_number(text), Ok(value), "{text}");
        }
        for bad in ["0x", "0xg", "08", "x1", "0x-1", "01k", ""] {
            assert_eq!(c_number(bad), Err(Failure::Argument("invalid number", bad)));
        }
        let large = "0x10000000000000000";
        assert_eq!(c_number(large), Err(Failure::Argument("number too large", large)));
    }

    #[test]
    fn integers_have_a_sign_and_limits() {
        assert_eq!((integer("-5"), integer("+5")), (Ok(-5), Ok(5)));
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        for large in ["9223372036854775808", "-9223372036854775809", "99999999999999999999"] {
            assert_eq!(integer(large), Err(Failure::Argument("number too large", large)));
        }
        for bad in ["", "-", "--1", "+-1", "1.5"] {
            assert_eq!(integer(bad), Err(Failure::Argument("invalid number", bad)));
        }
    }

    #[test]
    fn seconds_have_decimals() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(seconds(".25s"), Ok(Duration::from_millis(250)));
        for bad in ["", ".", "-1", "1.0000000001", "1m"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
