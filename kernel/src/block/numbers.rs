//! The numbers of disks, as Linux gives them.

/// A disk's number among block devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskNumber {
    /// The kind of disk.
    pub major: u16,
    /// Which of them.
    pub minor: u16,
}

/// How disks of a kind are called, their major number, and how many minor ones each has, itself and partitions.
struct Numbering {
    prefix: &'static str,
    major: u16,
    step: u16,
    /// Whether `a`, `b`, ... follow the prefix, and not 0, 1, ...
    has_letters: bool,
}

const KINDS: [Numbering; 3] = [
    Numbering { prefix: "ram", major: 1, step: 1, has_letters: false },
    Numbering { prefix: "nullb", major: 253, step: 1, has_letters: false },
    Numbering { prefix: "vd", major: 254, step: 16, has_letters: true },
];

/// The major number of all others, whose minor one is a place in the list of disks.
const OTHERS: u16 = 240;

impl Numbering {
    fn number(&self, name: &str) -> Option<DiskNumber> {
        let rest = name.strip_prefix(self.prefix)?;
        let index = match (self.has_letters, rest.as_bytes()) {
            (true, &[letter @ b'a'..=b'o']) => u16::from(letter - b'a'),
            (false, &[digit]) => u16::from(digit.checked_sub(b'0')?),
            (false, _) => rest.parse().ok()?,
            _ => return None,
        };
        Some(DiskNumber { major: self.major, minor: index.checked_mul(self.step)? })
    }
}

/// The number of the disk `name`, which is the `place`-th.
pub(super) fn number_of(name: &str, place: usize) -> DiskNumber {
    let usual = KINDS.iter().find_map(|kind| kind.number(name));
    usual.unwrap_or(DiskNumber { major: OTHERS, minor: u16::try_from(place).unwrap_or(u16::MAX) })
}
