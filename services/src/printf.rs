//! Texts by format, as C has them and the kernels of Linux 2.4 printed them.
//!
//! Conversions: `d i u x X o c s p n %`, with the flags `- + # 0` and blank, a width, a precision, and the sizes `h`,
//! `l`, `L`, `ll`, `z`, `Z`. `%p` has 16 digits, filled with zeros; with a width of its own it has at least so many,
//! filled with blanks. `%n` stores nothing. What is unknown is printed as it stands.
//!
//! Key types: [`Arguments`], where values come from, and [`format`](format()). Any context; nothing is allocated.

/// What stands behind the format, in order.
pub trait Arguments {
    /// The next word: a number or an address. Of a shorter one the upper bits mean nothing.
    fn next(&mut self) -> u64;

    /// Calls `show` with the bytes at an address, up to a zero byte and `limit` at most.
    fn text(&self, at: u64, limit: usize, show: &mut dyn FnMut(&[u8]));
}

/// What is printed for a text at address 0.
const NO_TEXT: &[u8] = b"<NULL>";

/// Digits of an address.
const ADDRESS_DIGITS: usize = 16;

/// How a value is shown.
#[derive(Clone, Copy, Default)]
struct Spec {
    left: bool,
    plus: bool,
    blank: bool,
    prefix: bool,
    zeros: bool,
    width: Option<usize>,
    precision: Option<usize>,
    size: Size,
}

/// How long a number is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Size {
    Char,
    Short,
    #[default]
    Int,
    Long,
}

/// A number, ready to be shown.
struct Number {
    magnitude: u64,
    base: u64,
    is_negative: bool,
    is_signed: bool,
    upper: bool,
}

/// Writes the text that `format` (without its zero byte) and `arguments` stand for, piece by piece.
pub fn format(format: &[u8], arguments: &mut dyn Arguments, out: &mut dyn FnMut(&[u8])) {
    let mut rest = format;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        let (plain, directive) = rest.split_at(at);
        show(plain, out);
        let (spec, conversion, behind) = Spec::parse(&directive[1..], arguments);
        match conversion {
            Some(conversion) => spec.convert(conversion, arguments, out),
            None => show(directive, out),
        }
        rest = behind;
    }
    show(rest, out);
}

fn show(bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
    if !bytes.is_empty() {
        out(bytes);
    }
}

fn fill(byte: u8, count: usize, out: &mut dyn FnMut(&[u8])) {
    let chunk = [byte; 32];
    let mut left = count;
    while left > 0 {
        let now = left.min(chunk.len());
        out(&chunk[..now]);
        left -= now;
    }
}

impl Spec {
    /// Reads what stands behind a percent sign: how, what, and what comes then.
    fn parse<'a>(text: &'a [u8], arguments: &mut dyn Arguments) -> (Self, Option<u8>, &'a [u8]) {
        let mut spec = Self::default();
        let mut rest = text;
        while let Some((&flag, behind)) = rest.split_first() {
            match flag {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.blank = true,
                b'#' => spec.prefix = true,
                b'0' => spec.zeros = true,
                _ => break,
            }
            rest = behind;
        }
        let (width, behind) = count(rest, arguments);
        spec.left |= width.is_some_and(|width| width < 0);
        spec.width = width.map(|width| width.unsigned_abs() as usize);
        rest = behind;
        if let Some((b'.', behind)) = rest.split_first() {
            let (precision, behind) = count(behind, arguments);
            spec.precision = Some(precision.unwrap_or(0).max(0) as usize);
            rest = behind;
        }
        while let Some((&letter, behind)) = rest.split_first() {
            spec.size = match letter {
                b'h' if spec.size == Size::Short => Size::Char,
                b'h' => Size::Short,
                b'l' | b'L' | b'Z' | b'z' => Size::Long,
                _ => break,
            };
            rest = behind;
        }
        match rest.split_first() {
            Some((&conversion, behind)) => (spec, Some(conversion), behind),
            None => (spec, None, rest),
        }
    }

    fn convert(mut self, conversion: u8, arguments: &mut dyn Arguments, out: &mut dyn FnMut(&[u8])) {
        match conversion {
            b'd' | b'i' => self.number(self.signed(arguments.next()), out),
            b'u' => self.number(self.unsigned(arguments.next(), 10), out),
            b'o' => self.number(self.unsigned(arguments.next(), 8), out),
            b'x' => self.number(self.unsigned(arguments.next(), 16), out),
            b'X' => self.number(Number { upper: true, ..self.unsigned(arguments.next(), 16) }, out),
            b'p' => {
                if self.width.is_none() {
                    (self.width, self.zeros) = (Some(ADDRESS_DIGITS), true);
                }
                self.size = Size::Long;
                self.number(self.unsigned(arguments.next(), 16), out);
            }
            b'c' => self.padded(&[arguments.next() as u8], out),
            b's' => self.text(arguments, out),
            b'n' => drop(arguments.next()),
            b'%' => out(b"%"),
            other => out(&[b'%', other]),
        }
    }

    fn signed(&self, word: u64) -> Number {
        let value = match self.size {
            Size::Char => i64::from(word as i8),
            Size::Short => i64::from(word as i16),
            Size::Int => i64::from(word as i32),
            Size::Long => word as i64,
        };
        Number { magnitude: value.unsigned_abs(), base: 10, is_negative: value < 0, is_signed: true, upper: false }
    }

    fn unsigned(&self, word: u64, base: u64) -> Number {
        let magnitude = match self.size {
            Size::Char => u64::from(word as u8),
            Size::Short => u64::from(word as u16),
            Size::Int => u64::from(word as u32),
            Size::Long => word,
        };
        Number { magnitude, base, is_negative: false, is_signed: false, upper: false }
    }

    fn number(self, number: Number, out: &mut dyn FnMut(&[u8])) {
        let sign: &[u8] = match number {
            Number { is_negative: true, .. } => b"-",
            Number { is_signed: true, .. } if self.plus => b"+",
            Number { is_signed: true, .. } if self.blank => b" ",
            _ => b"",
        };
        let prefix: &[u8] = match (self.prefix, number.base, number.upper) {
            (true, 8, _) => b"0",
            (true, 16, false) => b"0x",
            (true, 16, true) => b"0X",
            _ => b"",
        };
        let mut digits = [0; 24];
        let digits = number.digits(&mut digits);
        let zeros = self.precision.unwrap_or(1).saturating_sub(digits.len());
        let used = sign.len() + prefix.len() + zeros + digits.len();
        let padding = self.width.unwrap_or(0).saturating_sub(used);
        let (before, inside, behind) = match self {
            Self { left: true, .. } => (0, 0, padding),
            Self { zeros: true, precision: None, .. } => (0, padding, 0),
            _ => (padding, 0, 0),
        };
        fill(b' ', before, out);
        show(sign, out);
        show(prefix, out);
        fill(b'0', inside + zeros, out);
        show(digits, out);
        fill(b' ', behind, out);
    }

    fn text(self, arguments: &mut dyn Arguments, out: &mut dyn FnMut(&[u8])) {
        let at = arguments.next();
        let limit = self.precision.unwrap_or(usize::MAX);
        if at == 0 {
            return self.padded(&NO_TEXT[..NO_TEXT.len().min(limit)], out);
        }
        arguments.text(at, limit, &mut |bytes| self.padded(bytes, out));
    }

    fn padded(self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
        let padding = self.width.unwrap_or(0).saturating_sub(bytes.len());
        fill(b' ', if self.left { 0 } else { padding }, out);
        show(bytes, out);
        fill(b' ', if self.left { padding } else { 0 }, out);
    }
}

impl Number {
    /// The digits, in the last bytes of the buffer; none for 0 that is shown with a precision of 0, which nobody does.
    fn digits<'a>(&self, buffer: &'a mut [u8; 24]) -> &'a [u8] {
        let letters: &[u8; 16] = if self.upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
        let (mut at, mut left) = (buffer.len(), self.magnitude);
        loop {
            at -= 1;
            buffer[at] = letters[(left % self.base) as usize];
            left /= self.base;
            if left == 0 {
                return &buffer[at..];
            }
        }
    }
}

/// A number in digits, or the next argument for a star.
fn count<'a>(text: &'a [u8], arguments: &mut dyn Arguments) -> (Option<i32>, &'a [u8]) {
    if let Some((b'*', behind)) = text.split_first() {
        return (Some(arguments.next() as i32), behind);
    }
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value =
        text[..digits].iter().fold(0_i32, |sum, digit| sum.saturating_mul(10).saturating_add(i32::from(digit - b'0')));
    ((digits > 0).then_some(value), &text[digits..])
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;
    use std::vec::Vec;

    use super::{Arguments, format};

    /// Words; texts are `self.texts` at the addresses 1, 2, ...
    struct Given<'a> {
        words: &'a [u64],
        texts: &'a [&'a str],
    }

    impl Arguments for Given<'_> {
        fn next(&mut self) -> u64 {
            let (first, rest) = self.words.split_first().expect("an argument for each conversion");
            self.words = rest;
            *first
        }

        fn text(&self, at: u64, limit: usize, show: &mut dyn FnMut(&[u8])) {
            let text = self.texts[at as usize - 1].as_bytes();
            show(&text[..text.len().min(limit)]);
        }
    }

    fn printed(text: &str, words: &[u64], texts: &[&str]) -> String {
        let mut bytes = Vec::new();
        format(text.as_bytes(), &mut Given { words, texts }, &mut |piece| bytes.extend_from_slice(piece));
        String::from_utf8(bytes).expect("plain text")
    }

    fn number(text: &str, word: u64) -> String {
        printed(text, &[word], &[])
    }

    #[test]
    fn addresses_are_padded_as_in_2_4() {
        // Shows: K14
        assert_eq!(number("%p", 0xffff_8880_0000_1000), "ffff888000001000");
        assert_eq!(number("%p", 0), "0000000000000000");
        assert_eq!(number("%8p", 0xc0de), "    c0de");
        assert_eq!(number("%8p", 0xffff_8880_0000_1000), "ffff888000001000");
    }

    #[test]
    fn the_lines_of_the_chapters_transcripts_come_out() {
        assert_eq!(printed("    % 4i:%8p\n", &[3, 0xc219_3000], &[]), "       3:c2193000\n");
        let line = "\nDevice %i: qset %i, order %i, sz %li\n";
        assert_eq!(printed(line, &[0, 500, 4, 1 << 33], &[]), "\nDevice 0: qset 500, order 4, sz 8589934592\n");
    }

    #[test]
    fn shorter_numbers_lose_their_upper_bits() {
        assert_eq!(number("%i", 0xdead_beef_ffff_ffff), "-1");
        assert_eq!(number("%u", 0xdead_beef_0000_0001), "1");
        assert_eq!((number("%hx", 0x12345), number("%hhd", 0x1ff)), ("2345".into(), "-1".into()));
        assert_eq!((number("%ld", u64::MAX), number("%Lx", u64::MAX)), ("-1".into(), "f".repeat(16)));
        assert_eq!(number("%d", i64::MIN as u64), "0");
        assert_eq!(number("%ld", i64::MIN as u64), "-9223372036854775808");
    }

    #[test]
    fn flags_widths_and_precisions_are_those_of_c() {
        assert_eq!(
            (number("%5d|", 42), number("%-5d|", 42), number("%05d|", 42)),
            ("   42|".into(), "42   |".into(), "00042|".into())
        );
        assert_eq!(
            (number("%+d", 1), number("% d", 1), number("%05d", (-7_i64) as u64)),
            ("+1".into(), " 1".into(), "-0007".into())
        );
        assert_eq!(
            (number("%#x", 255), number("%#o", 8), number("%#06X", 255)),
            ("0xff".into(), "010".into(), "0X00FF".into())
        );
        assert_eq!((number("%.3d", 7), number("%6.3d", 7)), ("007".into(), "   007".into()));
        assert_eq!(printed("%*d|%-*d|%.*d", &[4, 1, 4, 2, 3, 5], &[]), "   1|2   |005");
        assert_eq!(printed("%*d|", &[(-4_i32) as u64, 1], &[]), "1   |");
    }

    #[test]
    fn texts_and_what_is_unknown() {
        assert_eq!(printed("%s|%5s|%-5s|%.2s", &[1, 1, 1, 1], &["abc"]), "abc|  abc|abc  |ab");
        assert_eq!(printed("%s %c%%", &[0, 65], &[]), "<NULL> A%");
        assert_eq!(printed("%y %", &[], &[]), "%y %");
        assert_eq!(printed("a%nb", &[1], &[]), "ab");
    }
}
