//! Classes of characters: `[:alpha:]` and the like.

/// A class of characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Letters.
    Alpha,
    /// The ten digits.
    Digit,
    /// Letters and digits.
    Alnum,
    /// Capital letters.
    Upper,
    /// Small letters.
    Lower,
    /// White space.
    Space,
    /// Blank and tab.
    Blank,
    /// Signs of ASCII that are no letters, digits or blanks.
    Punct,
    /// Control characters.
    Cntrl,
    /// What can be seen.
    Graph,
    /// What can be seen, and the blank.
    Print,
    /// Digits of hexadecimal numbers.
    Xdigit,
    /// Letters, digits and the underscore: `\w`.
    Word,
}

/// The classes in the order of their numbers, by the names that stand between colons.
const CLASSES: [(&str, Class); 13] = [
    ("alpha", Class::Alpha),
    ("digit", Class::Digit),
    ("alnum", Class::Alnum),
    ("upper", Class::Upper),
    ("lower", Class::Lower),
    ("space", Class::Space),
    ("blank", Class::Blank),
    ("punct", Class::Punct),
    ("cntrl", Class::Cntrl),
    ("graph", Class::Graph),
    ("print", Class::Print),
    ("xdigit", Class::Xdigit),
    ("", Class::Word),
];

impl Class {
    /// The class with this name between its colons.
    pub fn named(name: &str) -> Option<Self> {
        CLASSES.iter().find(|(known, _)| !known.is_empty() && *known == name).map(|(_, class)| *class)
    }

    /// The class as a number.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The class with this number.
    pub const fn numbered(number: u32) -> Self {
        CLASSES[number as usize % CLASSES.len()].1
    }

    /// Whether `c` is in the class.
    pub fn has(self, c: char) -> bool {
        match self {
            Self::Alpha => c.is_alphabetic(),
            Self::Digit => c.is_ascii_digit(),
            Self::Alnum => c.is_alphabetic() || c.is_ascii_digit(),
            Self::Upper => c.is_uppercase(),
            Self::Lower => c.is_lowercase(),
            Self::Space => c.is_whitespace(),
            Self::Blank => c == ' ' || c == '\t',
            Self::Punct => c.is_ascii_punctuation(),
            Self::Cntrl => c.is_control(),
            Self::Graph => !c.is_control() && !c.is_whitespace(),
            Self::Print => !c.is_control() && (c == ' ' || !c.is_whitespace()),
            Self::Xdigit => c.is_ascii_hexdigit(),
            Self::Word => c.is_alphanumeric() || c == '_',
        }
    }
}
