//! Damages objects: bits, fields of the tables, lengths, pieces of others.

use crate::random::Random;

/// Offsets and widths of the fields of a section's header, of a symbol, of a relocation, of the file's header.
const SECTION_FIELDS: &[(usize, usize)] =
    &[(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)];
const SYMBOL_FIELDS: &[(usize, usize)] = &[(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)];
const RELOCATION_FIELDS: &[(usize, usize)] = &[(0, 8), (8, 4), (12, 4), (16, 8)];
const HEADER_FIELDS: &[(usize, usize)] =
    &[(4, 1), (5, 1), (6, 1), (16, 2), (18, 2), (20, 4), (32, 8), (40, 8), (52, 2), (58, 2), (60, 2), (62, 2)];

/// Values at which arithmetic goes wrong.
const EXTREMES: &[u64] = &[
    0,
    1,
    2,
    3,
    7,
    8,
    0x10,
    0xff,
    0x100,
    0xfff,
    0x1000,
    0x1001,
    0x7fff,
    0xff00,
    0xfff1,
    0xfff2,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 7,
    u64::MAX - 1,
    u64::MAX,
];

const SYMBOLS: u32 = 2;
const RELOCATIONS: u32 = 4;

/// What damages one object.
pub struct Damager<'a> {
    originals: &'a [Vec<u8>],
    random: &'a mut Random,
    bytes: Vec<u8>,
}

impl<'a> Damager<'a> {
    pub fn new(originals: &'a [Vec<u8>], random: &'a mut Random) -> Self {
        let bytes = originals[random.below(originals.len())].clone();
        Self { originals, random, bytes }
    }

    /// The object with one to four kinds of damage.
    pub fn damaged(mut self) -> Vec<u8> {
        for _ in 0..=self.random.below(4) {
            if self.bytes.is_empty() {
                break;
            }
            match self.random.below(16) {
                0 => self.truncate(),
                1 => self.splice(),
                2..=4 => self.flip_bit(),
                5 => self.field(0, HEADER_FIELDS),
                6..=9 => self.section_field(),
                10..=12 => self.entry_field(SYMBOLS, SYMBOL_FIELDS),
                _ => self.entry_field(RELOCATIONS, RELOCATION_FIELDS),
            }
        }
        self.bytes
    }

    fn truncate(&mut self) {
        let len = self.random.below(self.bytes.len() + 1);
        self.bytes.truncate(len);
    }

    fn flip_bit(&mut self) {
        let at = self.random.below(self.bytes.len());
        self.bytes[at] ^= 1 << self.random.below(8);
    }

    /// Puts a piece of any of the objects over a place of this one.
    fn splice(&mut self) {
        let other = &self.originals[self.random.below(self.originals.len())];
        let from = self.random.below(other.len());
        let to = self.random.below(self.bytes.len());
        let most = (other.len() - from).min(self.bytes.len() - to);
        let len = self.random.below(most.min(128) + 1);
        self.bytes[to..to + len].copy_from_slice(&other[from..from + len]);
    }

    fn section_field(&mut self) {
        if let Some(header) = self.section_header() {
            self.field(header, SECTION_FIELDS);
        }
    }

    /// Changes a field of an entry of a table of this type.
    fn entry_field(&mut self, kind: u32, fields: &[(usize, usize)]) {
        for _ in 0..8 {
            let Some([found, start, size]) = self.section_header().and_then(|header| self.table_at(header)) else {
                return;
            };
            if found != u64::from(kind) {
                continue;
            }
            let entries = usize::try_from(size / 24).unwrap_or(0).clamp(1, 1 << 16);
            let entry = usize::try_from(start).unwrap_or(0).saturating_add(24 * self.random.below(entries));
            return self.field(entry, fields);
        }
    }

    /// The type, the place and the size of the section whose header lies at `header`.
    fn table_at(&self, header: usize) -> Option<[u64; 3]> {
        let header = self.bytes.get(header..header.checked_add(64)?)?;
        let word = |at| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        Some([word(0)? >> 32, word(24)?, word(32)?])
    }

    /// Where the header of some section lies.
    fn section_header(&mut self) -> Option<usize> {
        let table = usize::try_from(self.word(40, 8)?).ok()?;
        let count = usize::try_from(self.word(60, 2)?).ok()?.max(1);
        table.checked_add(64 * self.random.below(count))
    }

    /// Sets a field to an extreme, or changes it by little.
    fn field(&mut self, entry: usize, fields: &[(usize, usize)]) {
        let (offset, width) = self.random.pick(fields);
        let Some(at) = entry.checked_add(offset) else {
            return;
        };
        let Some(old) = self.word(at, width) else {
            return;
        };
        let value = match self.random.below(4) {
            0 => old.wrapping_add(self.random.pick(&[1, 8, u64::MAX, u64::MAX - 7])),
            1 => self.random.next() % 64,
            _ => self.random.pick(EXTREMES),
        };
        self.bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }

    fn word(&self, at: usize, width: usize) -> Option<u64> {
        let mut word = [0; 8];
        word[..width].copy_from_slice(self.bytes.get(at..at.checked_add(width)?)?);
        Some(u64::from_le_bytes(word))
    }
}
