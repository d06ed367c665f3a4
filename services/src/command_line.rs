//! The kernel's command line: words `name=value`, and what is wrong with them.
//!
//! [`read`] hands each word to whoever knows the options. Nothing is passed over in silence: for a word that no option
//! takes, that is refused, or that is not text, there is a [`Warning`], whose text names it. (Sizes and numbers:
//! [`number`](crate::number).)

use core::fmt;

use crate::options::OptionError;

/// What is wrong with a word of a command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Warning<'a> {
    /// It is not UTF-8.
    NotText(&'a [u8]),
    /// It was refused.
    Refused {
        /// The word.
        word: &'a str,
        /// Why.
        error: OptionError,
    },
    /// The option of this name stands there more than once; the last of them holds.
    Repeated(&'a str),
    /// So many bytes at the end of the line are left out: it is too long.
    Cut(usize),
}

/// The first of `line`'s words, as many as are within its first `most` bytes as a whole. What was a cut word would mean
/// something else.
pub fn whole_words(line: &[u8], most: usize) -> &[u8] {
    if line.len() <= most {
        return line;
    }
    let end = line[..=most].iter().rposition(u8::is_ascii_whitespace);
    line[..end.unwrap_or(0)].trim_ascii_end()
}

/// A word's name, and its value: nothing without `=`.
fn parts(word: &str) -> (&str, &str) {
    word.split_once('=').unwrap_or((word, ""))
}

/// Whether the option may stand there several times, each adding to the others.
fn adds_up(name: &str, value: &str) -> bool {
    name == "mem" && (value.contains('@') || !value.starts_with(|first: char| first.is_ascii_digit()))
}

/// Calls `set` with name and value of each word, and `warn` for each that something is wrong with: once where an option
/// is unknown or repeated, however often it stands there.
pub fn read<'a>(
    line: &'a [u8],
    set: &mut dyn FnMut(&str, &str) -> Result<(), OptionError>,
    warn: &mut dyn FnMut(Warning<'a>),
) {
    let words = || line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for (index, bytes) in words().enumerate() {
        let Ok(word) = core::str::from_utf8(bytes) else {
            warn(Warning::NotText(bytes));
            continue;
        };
        let (name, value) = parts(word);
        let is_earlier = |earlier: &[u8]| {
            core::str::from_utf8(earlier).map(parts).is_ok_and(|(other, value)| other == name && !adds_up(other, value))
        };
        let earlier = words().take(index).filter(|word| is_earlier(word)).count();
        match set(name, value) {
            Ok(()) if earlier == 1 && !adds_up(name, value) => warn(Warning::Repeated(name)),
            Err(OptionError::Unknown) if earlier > 0 => {}
            Ok(()) => {}
            Err(error) => warn(Warning::Refused { word, error }),
        }
    }
}

/// The text that the log has behind `warning: `.
impl fmt::Display for Warning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, error) = match *self {
            Self::NotText(bytes) => {
                return write!(f, "kernel option \"{}\" is not UTF-8: ignored", bytes.escape_ascii());
            }
            Self::Repeated(name) => {
                return write!(f, "kernel option {}: given more than once, the last one holds", name.escape_debug());
            }
            Self::Cut(bytes) => {
                return write!(f, "the kernel's command line is too long: its last {bytes} bytes are ignored");
            }
            Self::Refused { word, error } => (word, error),
        };
        let (name, value) = parts(word);
        let (name, value) = (name.escape_debug(), value.escape_debug());
        match error {
            OptionError::Unknown => write!(f, "unknown kernel option {}", word.escape_debug()),
            OptionError::BadValue => write!(f, "kernel option {name}: bad value '{value}'"),
            OptionError::Empty => write!(f, "kernel option {name}: a value is missing"),
            OptionError::TooLarge => write!(f, "kernel option {name}: '{value}' is too large a number"),
            OptionError::TooMany => write!(f, "kernel option {name}: '{value}' is one too many"),
            OptionError::NoEffect(why) => write!(f, "kernel option {name}={value} has no effect: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};
    use std::vec::Vec;

    use super::{Warning, read, whole_words};
    use crate::options::MemoryOptions;

    fn warnings(line: &[u8]) -> Vec<String> {
        let (mut options, mut warnings) = (MemoryOptions::DEFAULT, Vec::new());
        read(line, &mut |name, value| options.set(name, value), &mut |warning| warnings.push(warning.to_string()));
        warnings
    }

    #[test]
    fn nothing_is_passed_over_in_silence() {
        for (line, warning) in [
            ("nosuch=1 a nosuch=2 nosuch", "unknown kernel option nosuch=1|unknown kernel option a"),
            ("quiet", "unknown kernel option quiet"),
            ("=1", "unknown kernel option =1"),
            ("mem", "kernel option mem: a value is missing"),
            ("mem=", "kernel option mem: a value is missing"),
            ("slab_stats", "kernel option slab_stats: a value is missing"),
            ("atomic_floor=", "kernel option atomic_floor: a value is missing"),
            ("mem=lots", "kernel option mem: bad value 'lots'"),
            ("highmem=64MB", "kernel option highmem: bad value '64MB'"),
            ("mem=09M", "kernel option mem: bad value '09M'"),
            ("mem=0", "kernel option mem: bad value '0'"),
            ("bigphysarea=1K", "kernel option bigphysarea: bad value '1K'"),
            ("mem=99999999999999999999", "kernel option mem: '99999999999999999999' is too large a number"),
            ("mem=17179869184G@0", "kernel option mem: '17179869184G@0' is too large a number"),
            ("mem=nopentium", "kernel option mem=nopentium has no effect: pages of all sizes are used"),
            ("highmem=8M highmem=16M", "kernel option highmem: given more than once, the last one holds"),
            ("highmem=8M highmem=8M highmem=8M", "kernel option highmem: given more than once, the last one holds"),
            ("slab_debug=FZ,filp slab_debug=P", "kernel option slab_debug: given more than once, the last one holds"),
            ("mem=8M mem=0x1000000", "kernel option mem: given more than once, the last one holds"),
            ("slab_stats=1 slab_stats=x", "kernel option slab_stats: bad value 'x'"),
            ("slab_debug=Q", "kernel option slab_debug: bad value 'Q'"),
            (
                "slab_debug=F,more-than-nineteen-signs",
                "kernel option slab_debug: bad value 'F,more-than-nineteen-signs'",
            ),
            ("mem=\u{1b}[2J", "kernel option mem: bad value '\\u{1b}[2J'"),
        ] {
            assert_eq!(warnings(line.as_bytes()).join("|"), warning, "{line}");
        }
    }

    #[test]
    fn what_is_right_is_not_warned_of() {
        for line in [
            "",
            " \t\n ",
            "mem=16M mem=16M@0x4000000 mem=16M@0x8000000",
            "mem=exactmap mem=640K@0 mem=0X3f00000@1M",
            "slab_debug init_on_alloc=1\ninit_on_free=1",
            "highmem=0100000000 bigphysarea=0x100 min_free_kbytes=02000",
        ] {
            assert_eq!(warnings(line.as_bytes()), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn a_word_that_is_not_text_costs_no_other_its_meaning() {
        let line = b"slab_stats=1 mem=1\xffM highmem=4M crash\x00=1";
        let mut options = MemoryOptions::DEFAULT;
        let mut warnings = Vec::new();
        read(line, &mut |name, value| options.set(name, value), &mut |warning| warnings.push(warning.to_string()));
        let expected = ["kernel option \"mem=1\\xffM\" is not UTF-8: ignored", "unknown kernel option crash\\0=1"];
        assert_eq!(warnings, expected);
        assert_eq!(options.highmem, 4 << 20);
    }

    #[test]
    fn a_line_is_cut_between_words() {
        for (most, kept) in [(20, "mem=128M highmem=64M"), (19, "mem=128M"), (8, "mem=128M"), (7, ""), (0, "")] {
            assert_eq!(whole_words(b"mem=128M highmem=64M", most), kept.as_bytes(), "{most}");
        }
        assert_eq!(whole_words(b"a  b", 2), b"a");
        let text = Warning::Cut(12).to_string();
        assert_eq!(text, "the kernel's command line is too long: its last 12 bytes are ignored");
    }
}
