//! How a pattern is written, and what can be wrong with it.

/// Whether letters match in either case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// Only in their own.
    Exact,
    /// In either.
    Ignored,
}

/// How a pattern is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Syntax {
    /// Basic: `\(`, `\|`, `\{`, `\+` and `\?` are operators.
    Basic,
    /// Extended: `(`, `|`, `{`, `+` and `?` are operators.
    Extended,
    /// All characters stand for themselves.
    Fixed,
}

/// Why a pattern makes no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// `[` without its `]`.
    OpenSet,
    /// `[:alpha:]` outside of brackets.
    LoneClass,
    /// `[[:nosuch:]]`
    UnknownClass,
    /// `[z-a]`
    EmptyRange,
    /// `[[.a.]]` or `[[=a=]]`.
    Collation,
    /// A backslash at the end.
    Backslash,
    /// A backslash before a letter that means nothing.
    Escape,
    /// `\1`
    BackReference,
    /// `(` without its `)`.
    OpenGroup,
    /// `)` without its `(`.
    LoneClose,
    /// A repetition of nothing.
    NothingToRepeat,
    /// A bad `{m,n}`.
    Interval,
    /// Groups nested too deeply.
    TooDeep,
    /// The pattern takes more steps than there are.
    TooLong,
}

impl Malformed {
    /// What to say about it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::OpenSet => "unmatched [ in pattern",
            Self::LoneClass => "a class such as [:alpha:] stands in brackets, in pattern",
            Self::UnknownClass => "unknown class in pattern",
            Self::EmptyRange => "range ends before it starts in pattern",
            Self::Collation => "[. and [= are not supported in pattern",
            Self::Backslash => "backslash at the end of pattern",
            Self::Escape => "unknown backslash sequence in pattern",
            Self::BackReference => "back references are not supported in pattern",
            Self::OpenGroup => "unmatched ( in pattern",
            Self::LoneClose => "unmatched ) in pattern",
            Self::NothingToRepeat => "nothing to repeat in pattern",
            Self::Interval => "bad {m,n} in pattern",
            Self::TooDeep => "groups nested more than 16 deep in pattern",
            Self::TooLong => "too large a pattern",
        }
    }
}
