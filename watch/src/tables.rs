//! The guest's page tables: which physical memory shows at an address.

use std::ops::Range;

use crate::physical::{Outside, Physical};

const PRESENT: u64 = 1;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const ENTRIES: u64 = 512;
/// Tables above the lowest: page-table levels less one.
const TOP: u32 = 3;
/// Tables that one walk reads at most: a table that leads to itself has an end, too.
const TABLES_READ: usize = 1 << 16;
/// First address of the upper half, and the bits that it has above those that tables know.
const UPPER: u64 = 0xffff_8000_0000_0000;

/// A run of addresses that show physical memory in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// The first address.
    pub start: u64,
    /// What shows there.
    pub physical: u64,
    /// How long it is.
    pub bytes: u64,
}

/// Page tables of x86_64 with four levels.
pub struct Tables<'a, M> {
    memory: &'a M,
    root: u64,
}

struct Walk<'f> {
    range: Range<u64>,
    left: usize,
    last: Option<Run>,
    each: &'f mut dyn FnMut(Run),
}

impl<'a, M: Physical> Tables<'a, M> {
    /// The tables whose top one lies at this physical address.
    pub fn new(memory: &'a M, root: u64) -> Self {
        Self { memory, root: root & ADDRESS }
    }

    /// The physical address that shows at `at`, and how many bytes from there on are in a row.
    pub fn translate(&self, at: u64) -> Option<(u64, u64)> {
        let mut table = self.root;
        for level in (0..=TOP).rev() {
            let bytes = bytes_of(level);
            let entry = self.memory.word(table + at / bytes % ENTRIES * 8).ok()?;
            if entry & PRESENT == 0 {
                return None;
            }
            if level == 0 || (entry & LARGE != 0 && level < TOP) {
                let offset = at % bytes;
                return Some(((entry & ADDRESS & !(bytes - 1)) + offset, bytes - offset));
            }
            table = entry & ADDRESS;
        }
        None
    }

    /// Copies what shows at `at` and behind.
    ///
    /// # Errors
    /// A part of it is not mapped, or maps no memory.
    pub fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Outside> {
        let (mut at, mut into) = (at, into);
        while !into.is_empty() {
            let (physical, bytes) = self.translate(at).ok_or(Outside)?;
            let (now, rest) = into.split_at_mut(into.len().min(usize::try_from(bytes).unwrap_or(usize::MAX)));
            self.memory.read(physical, now)?;
            at = at.wrapping_add(now.len() as u64);
            into = rest;
        }
        Ok(())
    }

    /// The word that shows at `at`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn word(&self, at: u64) -> Result<u64, Outside> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Every run that is mapped in a range of the upper half, in order; too many tables end it early.
    pub fn each_run(&self, range: Range<u64>, mut each: impl FnMut(Run)) {
        let mut walk = Walk { range, left: TABLES_READ, last: None, each: &mut each };
        self.walk(self.root, TOP, UPPER & !(bytes_of(TOP) * ENTRIES - 1), &mut walk);
        if let Some(last) = walk.last {
            (walk.each)(last);
        }
    }

    /// Walks a table that is for the addresses from `start` on.
    fn walk(&self, table: u64, level: u32, start: u64, walk: &mut Walk<'_>) {
        let mut entries = [0; ENTRIES as usize * 8];
        if walk.left == 0 || self.memory.read(table, &mut entries).is_err() {
            return;
        }
        walk.left -= 1;
        for (number, entry) in (0..).zip(entries.as_chunks().0) {
            let entry = u64::from_le_bytes(*entry);
            let first = start.wrapping_add(number * bytes_of(level));
            let last = first.wrapping_add(bytes_of(level) - 1);
            if entry & PRESENT == 0 || last < walk.range.start || first >= walk.range.end {
                continue;
            }
            if level == 0 || (entry & LARGE != 0 && level < TOP) {
                let physical = entry & ADDRESS & !(bytes_of(level) - 1);
                walk.add(Run { start: first, physical, bytes: bytes_of(level) });
            } else {
                self.walk(entry & ADDRESS, level - 1, first, walk);
            }
        }
    }
}

impl Walk<'_> {
    /// Adds a run: to the last one, if it goes on there.
    fn add(&mut self, run: Run) {
        match &mut self.last {
            Some(last)
                if last.start.wrapping_add(last.bytes) == run.start
                    && last.physical.wrapping_add(last.bytes) == run.physical =>
            {
                last.bytes = last.bytes.saturating_add(run.bytes);
            }
            last => {
                if let Some(last) = last.replace(run) {
                    (self.each)(last);
                }
            }
        }
    }
}

/// Bytes that an entry of a table of this level is for.
const fn bytes_of(level: u32) -> u64 {
    1 << (12 + 9 * level)
}

#[cfg(test)]
mod tests {
    use super::{PRESENT, Run, Tables};

    const START: u64 = 0xffff_c900_0000_0000;

    fn put(memory: &mut [u8], at: usize, word: u64) {
        memory[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    /// Two pages mapped in a row and one apart, by tables at 0x1000 to 0x4000.
    fn memory() -> Vec<u8> {
        let mut memory = vec![0; 0x10000];
        put(&mut memory, 0x1000 + (START >> 39 & 511) as usize * 8, 0x2000 | PRESENT);
        put(&mut memory, 0x2000, 0x3000 | PRESENT);
        put(&mut memory, 0x3000, 0x4000 | PRESENT);
        put(&mut memory, 0x4000, 0x8000 | PRESENT);
        put(&mut memory, 0x4008, 0x9000 | PRESENT);
        put(&mut memory, 0x4018, 0x5000 | PRESENT | 1 << 63);
        put(&mut memory, 0x9ff8, 77);
        memory
    }

    #[test]
    fn runs_are_found_in_order() {
        let (memory, mut runs) = (memory(), Vec::new());
        let tables = Tables::new(&memory, 0x1000);
        tables.each_run(START..START + (1 << 30), |run| runs.push(run));
        let apart = Run { start: START + 0x3000, physical: 0x5000, bytes: 0x1000 };
        assert_eq!(runs, [Run { start: START, physical: 0x8000, bytes: 0x2000 }, apart]);
        assert_eq!(tables.word(START + 0x1ff8), Ok(77));
        assert!(tables.word(START + 0x1ffc).is_err() && tables.word(START + 0x2000).is_err());
    }

    #[test]
    fn tables_that_lead_to_themselves_have_an_end() {
        let mut memory = vec![0; 0x4000];
        for entry in 0..512 {
            put(&mut memory, 0x1000 + entry * 8, 0x1000 | PRESENT);
        }
        let mut runs = 0;
        Tables::new(&memory, 0x1000).each_run(0..u64::MAX, |_| runs += 1);
        assert!(runs > 0);
    }
}
