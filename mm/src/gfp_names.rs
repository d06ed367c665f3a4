//! GFP flags as words: `GFP_KERNEL|__GFP_DMA`, written and read.
//!
//! Key types: [`ParseGfpError`]. Messages print flags by [`Display`](fmt::Display): the collection that they contain,
//! then the single flags that remain. [`FromStr`] reads what that prints, and what a person would type.
//!
//! Invariants: a. whatever is printed is read as the same flags, if all of its bits have a name.

use core::fmt;
use core::str::FromStr;

use crate::gfp::GfpFlags;

/// The collections. The first one that flags contain names them, so KERNEL stands before what it contains, and HIGHUSER
/// before USER.
const COLLECTIONS: [(&str, GfpFlags); 5] = [
    ("GFP_KERNEL", GfpFlags::KERNEL),
    ("GFP_HIGHUSER", GfpFlags::HIGHUSER),
    ("GFP_USER", GfpFlags::USER),
    ("GFP_BUFFER", GfpFlags::BUFFER),
    ("GFP_ATOMIC", GfpFlags::ATOMIC),
];

/// The single flags, lowest bit first.
const SINGLE: [(&str, GfpFlags); 7] = [
    ("__GFP_WAIT", GfpFlags::WAIT),
    ("__GFP_HIGH", GfpFlags::HIGH),
    ("__GFP_IO", GfpFlags::IO),
    ("__GFP_DMA", GfpFlags::DMA),
    ("__GFP_HIGHMEM", GfpFlags::HIGHMEM),
    ("__GFP_NORETRY", GfpFlags::NORETRY),
    ("__GFP_NOWARN", GfpFlags::NOWARN),
];

/// A second name that Linux has for a single flag: read, never printed.
const SYNONYM: (&str, GfpFlags) = ("GFP_DMA", GfpFlags::DMA);

/// A text that names no GFP flags; it prints what would.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseGfpError;

impl fmt::Display for ParseGfpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GFP flags are a number up to {:#x} or of ", GfpFlags::all().bits())?;
        COLLECTIONS.iter().chain(&SINGLE).try_for_each(|(name, _)| write!(f, "{name}, "))?;
        write!(f, "joined by +, a comma or |")
    }
}

impl core::error::Error for ParseGfpError {}

impl fmt::Display for GfpFlags {
    /// `GFP_KERNEL|__GFP_DMA`; bits without a name in hexadecimal; no bits are `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = *self;
        let mut separator = "";
        let collection = COLLECTIONS.iter().find(|(_, flags)| self.contains(*flags));
        for (name, flags) in collection.into_iter().chain(&SINGLE) {
            if rest.contains(*flags) {
                write!(f, "{separator}{name}")?;
                rest.remove(*flags);
                separator = "|";
            }
        }
        match rest.bits() {
            0 if separator.is_empty() => f.write_str("0"),
            0 => Ok(()),
            unknown => write!(f, "{separator}{unknown:#x}"),
        }
    }
}

impl FromStr for GfpFlags {
    type Err = ParseGfpError;

    /// Reads names of collections and single flags, and numbers as C writes them, joined by `|`, `+` or commas.
    ///
    /// # Errors
    ///
    /// [`ParseGfpError`] where a word is no such name, or a number has a bit without a name.
    fn from_str(text: &str) -> Result<Self, ParseGfpError> {
        text.split(['|', '+', ',']).try_fold(Self::empty(), |flags, word| Ok(flags | parse_word(word.trim())?))
    }
}

fn parse_word(word: &str) -> Result<GfpFlags, ParseGfpError> {
    let named = COLLECTIONS.iter().chain(&SINGLE).chain([&SYNONYM]).find(|(name, _)| *name == word);
    named.map(|(_, flags)| *flags).or_else(|| GfpFlags::from_bits(parse_number(word)?)).ok_or(ParseGfpError)
}

/// A number as C writes it. Signs, which Rust would read, are none of C's digits.
fn parse_number(word: &str) -> Option<u32> {
    let (digits, radix) = if let Some(digits) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        (digits, 16)
    } else if word.starts_with('0') {
        (word, 8)
    } else {
        (word, 10)
    };
    if digits.starts_with(['+', '-']) { None } else { u32::from_str_radix(digits, radix).ok() }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::{COLLECTIONS, ParseGfpError, SINGLE};
    use crate::gfp::GfpFlags;

    #[test]
    fn each_collection_and_each_flag_has_its_name() {
        for (name, flags) in COLLECTIONS {
            assert_eq!(flags.to_string(), name);
            assert_eq!(name.parse(), Ok(flags));
        }
        for (name, flags) in SINGLE.into_iter().filter(|(name, _)| *name != "__GFP_HIGH") {
            assert_eq!(flags.to_string(), name);
        }
        assert_eq!(GfpFlags::HIGH.to_string(), "GFP_ATOMIC", "the same bit: the collection names it");
        assert_eq!(SINGLE.into_iter().fold(GfpFlags::empty(), |all, (_, flag)| all | flag), GfpFlags::all());
    }

    #[test]
    fn what_a_collection_leaves_follows_it() {
        for (flags, text) in [
            (GfpFlags::KERNEL | GfpFlags::DMA, "GFP_KERNEL|__GFP_DMA"),
            (GfpFlags::ATOMIC | GfpFlags::DMA, "GFP_ATOMIC|__GFP_DMA"),
            (GfpFlags::KERNEL | GfpFlags::HIGHMEM, "GFP_KERNEL|__GFP_HIGHMEM"),
            (GfpFlags::HIGHUSER | GfpFlags::DMA, "GFP_HIGHUSER|__GFP_DMA"),
            (GfpFlags::HIGH | GfpFlags::IO, "GFP_ATOMIC|__GFP_IO"),
            (GfpFlags::from_bits_retain(0x107), "GFP_KERNEL|0x100"),
            (GfpFlags::from_bits_retain(0x100), "0x100"),
            (GfpFlags::empty(), "0"),
        ] {
            assert_eq!(flags.to_string(), text);
        }
    }

    #[test]
    fn what_is_printed_is_read_again() {
        for bits in 0..=GfpFlags::all().bits() {
            let flags = GfpFlags::from_bits_retain(bits);
            assert_eq!(flags.to_string().parse(), Ok(flags));
        }
    }

    #[test]
    fn words_are_joined_as_the_shell_lets_one_type_them() {
        let dma = Ok(GfpFlags::KERNEL | GfpFlags::DMA);
        for text in [
            "GFP_KERNEL|__GFP_DMA",
            "GFP_KERNEL | GFP_DMA",
            "GFP_KERNEL+GFP_DMA",
            "GFP_DMA,GFP_KERNEL",
            "0xf",
            "0XF",
            "15",
            "017",
            "0x7+__GFP_DMA",
        ] {
            assert_eq!(text.parse(), dma, "{text}");
        }
    }

    #[test]
    fn what_is_no_flag_is_refused() {
        for text in
            ["", " ", "KERNEL", "gfp_kernel", "GFP_KERNEL|", "+GFP_DMA", "0x", "0x80", "-1", "0x+7", "4294967296", "08"]
        {
            assert_eq!(text.parse::<GfpFlags>(), Err(ParseGfpError), "{text:?}");
        }
        assert_eq!(
            ParseGfpError.to_string(),
            "GFP flags are a number up to 0x7f or of GFP_KERNEL, GFP_HIGHUSER, GFP_USER, GFP_BUFFER, GFP_ATOMIC, \
             __GFP_WAIT, __GFP_HIGH, __GFP_IO, __GFP_DMA, __GFP_HIGHMEM, __GFP_NORETRY, __GFP_NOWARN, \
             joined by +, a comma or |"
        );
    }
}
