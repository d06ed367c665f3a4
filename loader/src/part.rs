//! The parts of an object in memory: each has its own rights and its own life.

use core::fmt;

/// What of an object lies together: all that has the same rights and goes at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Code.
    Text,
    /// What is only read once it is relocated.
    Constants,
    /// What is written to, with what starts as zeros.
    Data,
    /// Code of sections whose names begin with `.init.`: freed when the module has started.
    InitText,
    /// All other sections of such names: writable, and freed with the code.
    InitData,
}

impl Part {
    /// How many parts there are.
    pub const COUNT: usize = 5;
    /// All parts, each at its [`index`](Self::index).
    pub const ALL: [Self; Self::COUNT] = [Self::Text, Self::Constants, Self::Data, Self::InitText, Self::InitData];

    /// The part's place in arrays of one element for each part.
    pub const fn index(self) -> usize {
        match self {
            Self::Text => 0,
            Self::Constants => 1,
            Self::Data => 2,
            Self::InitText => 3,
            Self::InitData => 4,
        }
    }

    /// Whether the part holds code.
    pub const fn is_executable(self) -> bool {
        matches!(self, Self::Text | Self::InitText)
    }

    /// Whether the part is written to after it is linked.
    pub const fn is_writable(self) -> bool {
        matches!(self, Self::Data | Self::InitData)
    }

    /// Whether the part is freed once the module has started.
    pub const fn is_init(self) -> bool {
        matches!(self, Self::InitText | Self::InitData)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Constants => "constants",
            Self::Data => "data",
            Self::InitText => "init text",
            Self::InitData => "init data",
        })
    }
}
