//! The four kinds of relocations, and their arithmetic.

use elf::abi;

/// A kind of relocation. S is the symbol's address, A the addend, P the address of what is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelocationKind {
    /// `R_X86_64_64`: S + A in eight bytes.
    Absolute64,
    /// `R_X86_64_32S`: S + A in four bytes, sign-extended when used.
    Absolute32Signed,
    /// `R_X86_64_PC32`: S + A - P in four bytes.
    Relative32,
    /// `R_X86_64_PLT32`: as `R_X86_64_PC32`, for a call. No table of jumps is needed: all is within reach.
    Call32,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Wide([u8; 8]),
    Narrow([u8; 4]),
}

impl Value {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Wide(bytes) => bytes,
            Self::Narrow(bytes) => bytes,
        }
    }
}

impl RelocationKind {
    /// The kind to which ELF gives this number, if it is one of the four.
    pub const fn of(number: u32) -> Option<Self> {
        match number {
            abi::R_X86_64_64 => Some(Self::Absolute64),
            abi::R_X86_64_32S => Some(Self::Absolute32Signed),
            abi::R_X86_64_PC32 => Some(Self::Relative32),
            abi::R_X86_64_PLT32 => Some(Self::Call32),
            _ => None,
        }
    }

    /// ELF's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absolute64 => "R_X86_64_64",
            Self::Absolute32Signed => "R_X86_64_32S",
            Self::Relative32 => "R_X86_64_PC32",
            Self::Call32 => "R_X86_64_PLT32",
        }
    }

    /// How many bytes it changes.
    pub const fn width(self) -> usize {
        match self {
            Self::Absolute64 => 8,
            Self::Absolute32Signed | Self::Relative32 | Self::Call32 => 4,
        }
    }

    /// The bytes that stand at `place` afterwards; `None` if the value does not fit.
    ///
    /// Addresses count as signed, as the processor extends them: the kernel's are the 2 GiB below 0.
    pub(crate) fn value(self, symbol: u64, addend: i64, place: u64) -> Option<Value> {
        let target = symbol.cast_signed().checked_add(addend)?;
        let value = match self {
            Self::Absolute64 => return Some(Value::Wide(target.to_le_bytes())),
            Self::Absolute32Signed => target,
            Self::Relative32 | Self::Call32 => target.checked_sub(place.cast_signed())?,
        };
        Some(Value::Narrow(i32::try_from(value).ok()?.to_le_bytes()))
    }
}

/// The names that x86-64 has for its kinds, without what all begin with, by their numbers.
const NAMES: [&str; 43] = [
    "NONE",
    "64",
    "PC32",
    "GOT32",
    "PLT32",
    "COPY",
    "GLOB_DAT",
    "JUMP_SLOT",
    "RELATIVE",
    "GOTPCREL",
    "32",
    "32S",
    "16",
    "PC16",
    "8",
    "PC8",
    "DTPMOD64",
    "DTPOFF64",
    "TPOFF64",
    "TLSGD",
    "TLSLD",
    "DTPOFF32",
    "GOTTPOFF",
    "TPOFF32",
    "PC64",
    "GOTOFF64",
    "GOTPC32",
    "GOT64",
    "GOTPCREL64",
    "GOTPC64",
    "GOTPLT64",
    "PLTOFF64",
    "SIZE32",
    "SIZE64",
    "GOTPC32_TLSDESC",
    "TLSDESC_CALL",
    "TLSDESC",
    "IRELATIVE",
    "RELATIVE64",
    "PC32_BND",
    "PLT32_BND",
    "GOTPCRELX",
    "REX_GOTPCRELX",
];

/// The name of any kind, without `R_X86_64_`.
pub fn name(number: u32) -> Option<&'static str> {
    NAMES.get(usize::try_from(number).ok()?).copied()
}
