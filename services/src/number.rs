//! Numbers as Linux 2.4 reads them on a command line.
//!
//! Decimal, hexadecimal after `0x`, octal after `0`; a size may end in K, M or G. Unlike there, all of the text must be
//! the number, and it must fit.

/// Why a text is no number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NumberError {
    /// There is none.
    Empty,
    /// It is something else.
    Malformed,
    /// It does not fit into 64 bits.
    TooLarge,
}

/// A whole number.
///
/// ```
/// use services::number::{NumberError, number};
///
/// assert_eq!(["10", "0xa", "0XA", "012", "0"].map(number), [Ok(10), Ok(10), Ok(10), Ok(10), Ok(0)]);
/// assert_eq!((number("+1"), number("09")), (Err(NumberError::Malformed), Err(NumberError::Malformed)));
/// ```
pub fn number(text: &str) -> Result<u64, NumberError> {
    if text.is_empty() {
        return Err(NumberError::Empty);
    }
    let (digits, base) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    if digits.is_empty() {
        return Err(NumberError::Malformed);
    }
    digits.chars().try_fold(0_u64, |number, digit| {
        let digit = digit.to_digit(base).ok_or(NumberError::Malformed)?;
        // What follows may still be no digit, and that is the worse mistake.
        let larger = number.checked_mul(base.into()).and_then(|number| number.checked_add(digit.into()));
        let are_digits = || digits.chars().all(|c| c.is_digit(base));
        larger.ok_or_else(|| if are_digits() { NumberError::TooLarge } else { NumberError::Malformed })
    })
}

/// A number of bytes: a [`number`] with, perhaps, K, M or G behind it.
///
/// ```
/// use services::number::{NumberError, memparse};
///
/// assert_eq!(["4096", "4K", "4k", "0x1000", "010000"].map(memparse), [Ok(4096); 5]);
/// assert_eq!((memparse("126M"), memparse("0x10M"), memparse("2g")), (Ok(126 << 20), Ok(16 << 20), Ok(2 << 30)));
/// assert_eq!((memparse("M"), memparse("17179869184G")), (Err(NumberError::Malformed), Err(NumberError::TooLarge)));
/// ```
pub fn memparse(text: &str) -> Result<u64, NumberError> {
    let (digits, shift) = match text.as_bytes() {
        [.., b'k' | b'K'] => (&text[..text.len() - 1], 10),
        [.., b'm' | b'M'] => (&text[..text.len() - 1], 20),
        [.., b'g' | b'G'] => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number = match number(digits) {
        Err(NumberError::Empty) if shift > 0 => Err(NumberError::Malformed),
        number => number,
    }?;
    number.checked_mul(1 << shift).ok_or(NumberError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::NumberError::{Empty, Malformed, TooLarge};
    use super::{memparse, number};

    #[test]
    fn numbers_have_three_bases() {
        for (text, value) in [("0", 0), ("00", 0), ("0x0", 0), ("0x7000000", 0x700_0000), ("0777", 0o777)] {
            assert_eq!((number(text), memparse(text)), (Ok(value), Ok(value)), "{text}");
        }
        for (text, value) in [("18446744073709551615", u64::MAX), ("0xffffffffffffffff", u64::MAX)] {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        assert_eq!(number("01777777777777777777777"), Ok(u64::MAX));
    }

    #[test]
    fn what_is_no_number_is_told_from_what_is_too_large() {
        let malformed =
            ["x", "0x", "0X", "0xg", "08", "1Q", "-1", "+1", "0x-1", "0+1", "1.5", "1 ", " 1", "\u{e9}", "1_"];
        for text in malformed {
            assert_eq!((number(text), memparse(text)), (Err(Malformed), Err(Malformed)), "{text}");
        }
        assert_eq!(number("99999999999999999999x"), Err(Malformed));
        for text in ["18446744073709551616", "0x10000000000000000", "02000000000000000000000"] {
            assert_eq!((number(text), memparse(text)), (Err(TooLarge), Err(TooLarge)), "{text}");
        }
        assert_eq!((number(""), memparse(""), memparse("K")), (Err(Empty), Err(Empty), Err(Malformed)));
        assert_eq!((number("4K"), memparse("4KK"), memparse("0xM")), (Err(Malformed), Err(Malformed), Err(Malformed)));
        assert_eq!(memparse("18014398509481984K"), Err(TooLarge));
    }
}
