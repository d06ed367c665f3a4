//! Parameters of modules in C: variables that insmod sets.
//!
//! They are set before the module begins. A line `parm_NAME=TYPE` of `.modinfo` says that the variable NAME is one. The
//! type is a letter, `b h i l` for numbers of 1, 2, 4 and 8 bytes, `s` for a text; before it may stand how many values
//! an array takes, `1-4i`.
#![forbid(unsafe_code)]

use core::fmt;

use kapi::{Errno, Param};
use loader::Object;
use mm::GfpFlags;

use super::refused::Refused;
use crate::mm::{KString, KVec};

/// How a line begins that makes a variable a parameter, and one that tells of it.
const PARAMETER: &str = "parm_";
const DESCRIPTION: &str = "parm_desc_";

/// A variable's type.
#[derive(Clone, Copy)]
struct Type {
    kind: u8,
    least: usize,
    most: usize,
}

/// Where a value goes.
pub(super) struct Store {
    /// Bytes from the variable's start.
    pub(super) offset: usize,
    pub(super) value: Value,
}

/// A value.
pub(super) enum Value {
    /// A number of so many bytes.
    Number(u64, usize),
    /// The address of the text with this number among those that the module keeps.
    Text(usize),
}

impl Type {
    fn parse(text: &str) -> Option<Self> {
        let (kind, counts) = text.as_bytes().split_last()?;
        let counts = core::str::from_utf8(counts).ok()?;
        let (least, most) = match counts.split_once('-') {
            Some((least, most)) => (least.parse().ok()?, most.parse().ok()?),
            None if counts.is_empty() => (1, 1),
            None => (1, counts.parse().ok()?),
        };
        b"bhils".contains(kind).then_some(Self { kind: *kind, least, most })
    }

    fn bytes(self) -> usize {
        match self.kind {
            b'b' => 1,
            b'h' => 2,
            b'i' => 4,
            _ => 8,
        }
    }

    fn name(self) -> &'static str {
        match self.kind {
            b's' => "text",
            _ => "number",
        }
    }
}

/// A parameter, as modinfo shows it.
#[derive(Clone, Copy)]
pub struct Variable<'a> {
    name: &'a str,
    kind: Type,
    help: &'a str,
}

impl fmt::Display for Variable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Type { least, most, .. } = self.kind;
        write!(f, "{} {}", self.name, self.kind.name())?;
        if most > 1 {
            write!(f, " ({least} to {most} of them)")?;
        }
        if self.help.is_empty() { Ok(()) } else { write!(f, " {}", self.help) }
    }
}

/// The parameters of the object's module.
pub(super) fn all<'a>(object: &Object<'a>) -> impl Iterator<Item = Variable<'a>> {
    let object = object.clone();
    let mut lines = object.modinfo_all();
    core::iter::from_fn(move || {
        lines.find_map(|(key, kind)| {
            let name = key.strip_prefix(PARAMETER).filter(|_| !key.starts_with(DESCRIPTION))?;
            let help = object.modinfo_all().find(|(key, _)| key.strip_prefix(DESCRIPTION) == Some(name));
            Some(Variable { name, kind: Type::parse(kind)?, help: help.map_or("", |(_, text)| text) })
        })
    })
}

/// The variable's type, if insmod may set it.
fn type_of(object: &Object<'_>, name: &str) -> Result<Type, Refused> {
    let mut lines = object.modinfo_all().filter(|(key, _)| !key.starts_with(DESCRIPTION));
    let line = lines.find(|(key, _)| key.strip_prefix(PARAMETER) == Some(name));
    let refused = |why: core::fmt::Arguments<'_>| Refused::said(Errno::EINVAL, why);
    let Some((_, text)) = line else { return Err(refused(format_args!("no parameter \"{name}\""))) };
    Type::parse(text).ok_or_else(|| refused(format_args!("its parameter {name} has the type {text:?}, which is none")))
}

/// What to store for one parameter of an insmod line. Texts are kept in `texts`.
pub(super) fn stores(
    object: &Object<'_>,
    param: &Param<'_>,
    texts: &mut KVec<KString>,
) -> Result<KVec<Store>, Refused> {
    let kind = type_of(object, param.name)?;
    let bad = |value: &str| {
        Refused::said(Errno::EINVAL, format_args!("{}={value:?}: it is to be a {}", param.name, kind.name()))
    };
    let mut stores = KVec::new();
    for (index, word) in param.value.split(',').enumerate() {
        let value = match kind.kind {
            b's' => {
                // C's texts end in a zero.
                texts.push(KString::try_format(format_args!("{word}\0"))?, GfpFlags::KERNEL)?;
                Value::Text(texts.len() - 1)
            }
            _ => Value::Number(number(word).ok_or_else(|| bad(word))?, kind.bytes()),
        };
        stores.push(Store { offset: index * kind.bytes(), value }, GfpFlags::KERNEL)?;
    }
    if !(kind.least..=kind.most).contains(&stores.len()) {
        let (least, most, given) = (kind.least, kind.most, stores.len());
        let why = format_args!("{}: {given} values, and it takes {least} to {most}", param.name);
        return Err(Refused::said(Errno::EINVAL, why));
    }
    Ok(stores)
}

/// A number as C writes it, with a sign perhaps.
fn number(word: &str) -> Option<u64> {
    let (negative, digits) = word.strip_prefix('-').map_or((false, word), |digits| (true, digits));
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None if digits.len() > 1 && digits.starts_with('0') => u64::from_str_radix(digits, 8).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}
