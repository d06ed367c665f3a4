//! Parameters of modules: from one table lines are read, refused, explained.
//!
//! A module has a table of [`ParamSpec`]s and reads its insmod line by [`Values::read`]. What is wrong with a line,
//! [`ParamError`], says itself which parameter it is and what is allowed.

use core::fmt;

use services::number::{NumberError, number};

use crate::errno::Errno;

/// One `name=value` of an insmod line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param<'a> {
    /// Parameter's name.
    pub name: &'a str,
    /// Its value as typed.
    pub value: &'a str,
}

/// A parameter that a module knows.
#[derive(Clone, Copy, Debug)]
pub struct ParamSpec {
    /// Parameter's name.
    pub name: &'static str,
    /// Which values it takes.
    pub kind: ParamKind,
    /// What it is, with its unit, on one line.
    pub help: &'static str,
}

/// Which values a parameter takes, and what holds without it.
#[derive(Clone, Copy, Debug)]
pub enum ParamKind {
    /// Whole numbers, written as Linux 2.4 reads them: decimal, after 0x hexadecimal, after 0 octal.
    Number {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
        /// What holds without it.
        default: Preset,
    },
    /// One of these words.
    Word {
        /// All of them.
        of: &'static [&'static str],
        /// What holds without it, in words.
        default: &'static str,
    },
    /// Any text.
    Text {
        /// Bytes of the longest.
        most: usize,
        /// What holds without it.
        default: &'static str,
    },
}

/// What holds where a line says nothing of a number.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// This number.
    Number(u64),
    /// What these words say.
    Told(&'static str),
}

impl ParamSpec {
    /// The kind of values, in a word.
    pub const fn type_name(&self) -> &'static str {
        match self.kind {
            ParamKind::Number { .. } => "number",
            ParamKind::Word { .. } => "word",
            ParamKind::Text { .. } => "text",
        }
    }

    /// The number that holds without the parameter, if it is one.
    pub const fn default_number(&self) -> Option<u64> {
        match self.kind {
            ParamKind::Number { default: Preset::Number(number), .. } => Some(number),
            _ => None,
        }
    }

    /// What holds without the parameter, for people.
    pub fn default_text(&self) -> impl fmt::Display {
        fmt::from_fn(|f| match self.kind {
            ParamKind::Number { default: Preset::Number(number), .. } => write!(f, "{number}"),
            ParamKind::Number { default: Preset::Told(text), .. }
            | ParamKind::Word { default: text, .. }
            | ParamKind::Text { default: text, .. } => f.write_str(text),
        })
    }

    /// The values that are allowed, for people: `1..32`.
    pub fn allowed(&self) -> impl fmt::Display {
        fmt::from_fn(|f| match self.kind {
            ParamKind::Number { least, most, .. } => write!(f, "{least}..{most}"),
            ParamKind::Word { of, .. } => write_list(f, of.iter()),
            ParamKind::Text { most, .. } => write!(f, "at most {most} bytes"),
        })
    }

    /// Whether `value` is one that the parameter takes.
    fn check(&'static self, value: &str) -> Result<(), Fault> {
        match self.kind {
            ParamKind::Number { least, most, .. } => match number(value) {
                Ok(number) if (least..=most).contains(&number) => Ok(()),
                Ok(_) | Err(NumberError::TooLarge) => Err(Fault::OutOfRange(self)),
                Err(NumberError::Empty | NumberError::Malformed) => Err(Fault::NoNumber(self)),
            },
            ParamKind::Word { of, .. } if of.contains(&value) => Ok(()),
            ParamKind::Word { .. } => Err(Fault::OtherWord(self)),
            ParamKind::Text { most, .. } if value.len() <= most => Ok(()),
            ParamKind::Text { .. } => Err(Fault::TooLong(self)),
        }
    }
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, mut items: impl Iterator<Item = T>) -> fmt::Result {
    if let Some(first) = items.next() {
        write!(f, "{first}")?;
    }
    items.try_for_each(|item| write!(f, ", {item}"))
}

/// The values of a line that is as its module's table allows.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    specs: &'static [ParamSpec],
    params: &'a [Param<'a>],
}

impl<'a> Values<'a> {
    /// Reads a line. It is refused for a parameter that the table does not have, one that is there twice, and a value
    /// that its spec does not allow.
    pub fn read(specs: &'static [ParamSpec], params: &'a [Param<'a>]) -> Result<Self, ParamError<'a>> {
        for (index, &param) in params.iter().enumerate() {
            let refused = |fault| ParamError { param, fault };
            let spec = specs.iter().find(|spec| spec.name == param.name).ok_or(refused(Fault::Unknown(specs)))?;
            if params[..index].iter().any(|earlier| earlier.name == param.name) {
                return Err(refused(Fault::Twice));
            }
            spec.check(param.value).map_err(refused)?;
        }
        Ok(Self { specs, params })
    }

    /// The number that the line or else the table has for `name`; `None` where neither has one.
    pub fn number(&self, name: &str) -> Option<u64> {
        let given = self.given(name).and_then(|value| number(value).ok());
        given.or_else(|| self.specs.iter().find(|spec| spec.name == name)?.default_number())
    }

    /// The word that the line has for `name`.
    pub fn word(&self, name: &str) -> Option<&'a str> {
        self.given(name)
    }

    /// The text that the line or else the table has for `name`; empty where neither has one.
    pub fn text(&self, name: &str) -> &'a str {
        let preset = || match self.specs.iter().find(|spec| spec.name == name)?.kind {
            ParamKind::Text { default, .. } => Some(default),
            _ => None,
        };
        self.given(name).or_else(preset).unwrap_or_default()
    }

    fn given(&self, name: &str) -> Option<&'a str> {
        self.params.iter().find(|param| param.name == name).map(|param| param.value)
    }
}

/// Why an insmod line was refused: which parameter it is, and what is allowed.
#[derive(Clone, Copy, Debug)]
pub struct ParamError<'a> {
    param: Param<'a>,
    fault: Fault,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The module has these only.
    Unknown(&'static [ParamSpec]),
    Twice,
    NoNumber(&'static ParamSpec),
    OutOfRange(&'static ParamSpec),
    OtherWord(&'static ParamSpec),
    TooLong(&'static ParamSpec),
}

impl fmt::Display for ParamError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Param { name, value } = self.param;
        match self.fault {
            Fault::Unknown([]) => write!(f, "no parameter \"{name}\"; it has none"),
            Fault::Unknown(specs) => {
                write!(f, "no parameter \"{name}\"; it has ")?;
                let shown =
                    |spec: &'static ParamSpec| fmt::from_fn(|f| write!(f, "{} ({})", spec.name, spec.allowed()));
                write_list(f, specs.iter().map(shown))
            }
            Fault::Twice => write!(f, "parameter {name} is given twice"),
            Fault::NoNumber(spec) => write!(f, "{name}=\"{value}\" is not a number; allowed: {}", spec.allowed()),
            Fault::OutOfRange(spec) => write!(f, "{name}={value} is out of range; allowed: {}", spec.allowed()),
            Fault::TooLong(spec) => write!(f, "{name} has {} bytes; allowed: {}", value.len(), spec.allowed()),
            Fault::OtherWord(spec) => write!(f, "{name}=\"{value}\" is unknown; allowed: {}", spec.allowed()),
        }
    }
}

impl From<ParamError<'_>> for Errno {
    fn from(_: ParamError<'_>) -> Self {
        Self::EINVAL
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::{Param, ParamKind, ParamSpec, Preset, Values};
    use crate::errno::Errno;

    static SPECS: [ParamSpec; 3] = [
        ParamSpec {
            name: "x_devs",
            kind: ParamKind::Number { least: 1, most: 32, default: Preset::Number(4) },
            help: "devices",
        },
        ParamSpec {
            name: "x_limit",
            kind: ParamKind::Number { least: 0, most: u64::MAX, default: Preset::Told("half of it") },
            help: "bytes",
        },
        ParamSpec { name: "x_memory", kind: ParamKind::Word { of: &["high", "low"], default: "both" }, help: "where" },
    ];

    fn refused(line: &[(&str, &str)]) -> std::string::String {
        let params: std::vec::Vec<_> = line.iter().map(|&(name, value)| Param { name, value }).collect();
        let error = Values::read(&SPECS, &params).expect_err("a bad line");
        assert_eq!(Errno::from(error), Errno::EINVAL);
        error.to_string()
    }

    #[test]
    fn a_line_that_is_refused_says_why_and_what_is_allowed() {
        let unknown = "it has x_devs (1..32), x_limit (0..18446744073709551615), x_memory (high, low)";
        assert_eq!(refused(&[("foo", "1")]), std::format!("no parameter \"foo\"; {unknown}"));
        assert_eq!(refused(&[("", "1")]), std::format!("no parameter \"\"; {unknown}"));
        for value in ["0", "33", "0x100", "99999999999999999999"] {
            let expected = std::format!("x_devs={value} is out of range; allowed: 1..32");
            assert_eq!(refused(&[("x_devs", value)]), expected);
        }
        for value in ["", "four", "-1", "+1", "4k", "08", "0x"] {
            let expected = std::format!("x_devs=\"{value}\" is not a number; allowed: 1..32");
            assert_eq!(refused(&[("x_limit", "0"), ("x_devs", value)]), expected);
        }
        assert_eq!(refused(&[("x_memory", "mid")]), "x_memory=\"mid\" is unknown; allowed: high, low");
        assert_eq!(refused(&[("x_devs", "1"), ("x_devs", "2")]), "parameter x_devs is given twice");
        let param = [Param { name: "a", value: "" }];
        assert_eq!(Values::read(&[], &param).expect_err("none").to_string(), "no parameter \"a\"; it has none");
    }

    #[test]
    fn what_a_line_leaves_out_is_as_the_table_says() {
        let none = Values::read(&SPECS, &[]).expect("an empty line");
        assert_eq!((none.number("x_devs"), none.number("x_limit"), none.word("x_memory")), (Some(4), None, None));
        assert_eq!(SPECS.each_ref().map(|spec| spec.default_text().to_string()), ["4", "half of it", "both"]);
        let params = [("x_devs", "0x10"), ("x_limit", "010"), ("x_memory", "low")];
        let params = params.map(|(name, value)| Param { name, value });
        let values = Values::read(&SPECS, &params).expect("a good line");
        assert_eq!((values.number("x_devs"), values.number("x_limit")), (Some(16), Some(8)));
        assert_eq!((values.word("x_memory"), values.number("nosuch")), (Some("low"), None));
    }

    #[test]
    fn a_text_may_be_anything_up_to_its_length() {
        static TEXT: [ParamSpec; 1] =
            [ParamSpec { name: "who", kind: ParamKind::Text { most: 8, default: "world" }, help: "whom" }];
        let none = Values::read(&TEXT, &[]).expect("an empty line");
        assert_eq!((none.text("who"), none.text("nosuch"), none.number("who")), ("world", "", None));
        for value in ["", "a b", "\u{e4}\"='12"] {
            let params = [Param { name: "who", value }];
            assert_eq!(Values::read(&TEXT, &params).expect("short enough").text("who"), value);
        }
        let params = [Param { name: "who", value: "123456789" }];
        let refusal = Values::read(&TEXT, &params).expect_err("too long").to_string();
        assert_eq!(refusal, "who has 9 bytes; allowed: at most 8 bytes");
        assert_eq!((TEXT[0].type_name(), TEXT[0].default_text().to_string().as_str()), ("text", "world"));
    }
}
