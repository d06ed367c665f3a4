//! A machine that was made up: a memory without a kernel, for readers.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod terminal;

use std::cell::Cell;

use mm::outside::{AreaFields, Class, Header, Mark, SiteFields, SlabFields};
use watch::physical::{Outside, Physical};

/// Where things lie in its memory.
pub const HEADER: usize = 0x5000;
const ROOT: usize = 0x6000;
const NUMBERS: usize = 0x1_8000;
const CACHES: usize = 0x1_9000;
const SLAB: usize = 0x1_a800;
const AREAS_SLAB: usize = 0x1_b800;
const OWNERS: usize = 0x1_c000;
const SITE: usize = 0x2_5000;
const PAGES: usize = 0x10_0000;
/// Virtual addresses.
const PAGE_MAP: u64 = 0xffff_ea00_0000_0000;
const DATA: u64 = 0xffff_8880_0000_0000;
const VMALLOC: u64 = 0xffff_c900_0000_0000;
/// Frames: 16 MiB.
pub const FRAMES: usize = 4096;

const KIND_FREE: u64 = 1;
const KIND_ALLOCATED: u64 = 2;
const KIND_CACHED: u64 = 5;
const KIND_SLAB: u64 = 8;

/// The memory of such a machine.
pub struct Machine {
    pub bytes: Vec<u8>,
    next_table: usize,
}

impl Machine {
    /// A machine of 16 MiB: a kernel of 1 MiB at 4 MiB, a free block of each order from 8 MiB on, single pages of each
    /// tag, a slab, two areas of vmalloc.
    pub fn new() -> Self {
        let mut machine = Self { bytes: vec![0; FRAMES * 4096], next_table: ROOT + 0x1000 };
        machine.map(DATA, 0, 64);
        machine.map(PAGE_MAP, PAGES as u64, FRAMES * 16 / 4096);
        machine.map(VMALLOC, 0x90_0000, 2);
        machine.map(VMALLOC + 0x3000, 0x91_0000, 1);
        machine.blocks();
        machine.figures();
        machine.details();
        machine
    }

    fn word(&mut self, at: usize, word: u64) {
        self.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    fn read(&self, at: usize) -> u64 {
        self.bytes[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or(0)
    }

    /// Maps pages one by one.
    fn map(&mut self, at: u64, physical: u64, pages: usize) {
        for page in 0..pages as u64 {
            let at = at + page * 4096;
            let mut table = ROOT;
            for shift in [39, 30, 21] {
                let entry = table + (at >> shift & 511) as usize * 8;
                if self.read(entry) == 0 {
                    let table = self.next_table;
                    self.next_table += 0x1000;
                    assert!(self.next_table <= NUMBERS);
                    self.word(entry, table as u64 | 1);
                }
                table = (self.read(entry) & !1) as usize;
            }
            self.word(table + (at >> 12 & 511) as usize * 8, (physical + page * 4096) | 1);
        }
    }

    /// Sets the words of a frame's entry.
    pub fn entry(&mut self, frame: usize, link: u64, word: u64) {
        self.word(PAGES + frame * 16, link);
        self.word(PAGES + frame * 16 + 8, word);
    }

    fn blocks(&mut self) {
        for order in 0..10_u64 {
            let frame = 2048 + (1 << order);
            self.entry(frame, 0, KIND_FREE | order << 4);
        }
        for tag in 0..10_u64 {
            self.entry(1536 + tag as usize, 0, KIND_ALLOCATED | tag << 10 | 1 << 32);
        }
        for frame in 1600..1608 {
            self.entry(frame, DATA + SLAB as u64, KIND_SLAB | 17 << 32);
        }
        self.entry(1610, DATA + AREAS_SLAB as u64, KIND_SLAB | 18 << 32);
        self.entry(1700, 0, KIND_CACHED);
        self.entry(1701, 0, KIND_CACHED | 1 << 24);
    }

    fn figures(&mut self) {
        let mut header = Header { own: HEADER as u64, tables: ROOT as u64, page_map: PAGE_MAP, ..Header::EMPTY };
        header.frames = FRAMES as u64;
        header.highmem_start = FRAMES as u64;
        header.vmalloc = [VMALLOC, VMALLOC + (1 << 40)];
        header.direct_map = DATA;
        let mut next = NUMBERS;
        let mut number = |machine: &mut Self, value: u64| {
            machine.word(next, value);
            next += 8;
            DATA + next as u64 - 8
        };
        header.ticks = number(self, 1234);
        let zone = &mut header.zones[0];
        // The blocks of order 0 to 9.
        (zone.managed, zone.listed) = (number(self, 4000), number(self, 1023));
        (zone.depot, zone.min) = (number(self, 0), number(self, 100));
        (zone.low, zone.high) = (number(self, 200), number(self, 300));
        let zero = number(self, 0);
        (zone.reserve_allocs, zone.refusals, zone.sleeps, zone.failures) = (zero, zero, zero, zero);
        for zone in &mut header.zones[1..] {
            *zone = mm::outside::ZoneWords { managed: zero, listed: zero, depot: zero, ..Default::default() };
        }
        header.caches.head = number(self, DATA + CACHES as u64);
        (header.caches.next, header.caches.word, header.caches.stride) = (0, 8, 16);
        (header.caches.name, header.caches.name_max) = (24, 19);
        self.word(CACHES, DATA + CACHES as u64 + 64);
        self.word(CACHES + 64 + 8, KIND_SLAB | 18 << 32);
        self.word(CACHES + 64 + 16, 64);
        self.bytes[CACHES + 64 + 24..CACHES + 64 + 31].copy_from_slice(b"vm_area");
        self.word(CACHES + 8, KIND_SLAB | 17 << 32);
        self.word(CACHES + 16, 64);
        self.bytes[CACHES + 24..CACHES + 31].copy_from_slice(b"size-64");
        header.events.sets = 1;
        header.events.stride = 64;
        header.events.first = number(self, 0);
        (0..7).for_each(|_| _ = number(self, 0));
        (header.events.reclaims, header.events.rounds, header.events.swapped_out) = (0, 1, 2);
        (header.swap.slots, header.swap.free) = (number(self, 1024), number(self, 1000));
        header.slabs = SlabFields { first: 8, objects: 16, free: 0xd3, cached: 0xc6, quarantined: 0x95, live: 0xb9 };
        header.sites = SiteFields { owners: number(self, DATA + OWNERS as u64), file: 0, file_bytes: 8, line: 16 };
        header.areas = AreaFields { cache: 18, start: 0, pages: 8, word: 16, caller: 24, bytes: 64 };
        assert!(header.add_region(1024, 1280, Class::Image));
        for (nth, word) in header.to_words().into_iter().enumerate() {
            self.word(HEADER + nth * 8, word);
        }
    }

    /// A slab of 500 objects of 64 bytes, three of them live and one cached; an area's descriptor, and who has a block.
    fn details(&mut self) {
        let first = 1600 * 4096 + 64;
        self.word(SLAB + 8, DATA + first);
        self.bytes[SLAB + 16..SLAB + 18].copy_from_slice(&500_u16.to_le_bytes());
        self.bytes[SLAB - 500..SLAB].fill(0xd3);
        // The first object, the second, the last of the second page, and the last.
        for (object, state) in [(0, 0xb9), (1, 0xc6), (126, 0xb9), (499, 0xb9)] {
            self.bytes[SLAB - 1 - object] = state;
        }
        let area = 1610 * 4096 + 128;
        self.word(AREAS_SLAB + 8, DATA + area as u64);
        self.bytes[AREAS_SLAB + 16..AREAS_SLAB + 18].copy_from_slice(&2_u16.to_le_bytes());
        self.bytes[AREAS_SLAB - 2..AREAS_SLAB].copy_from_slice(&[0xd3, 0xb9]);
        for (nth, word) in [VMALLOC + 0x3000, 1, 1, DATA + SITE as u64].into_iter().enumerate() {
            self.word(area + nth * 8, word);
        }
        self.word(OWNERS + 1536 * 8, DATA + SITE as u64);
        for (nth, word) in [DATA + SITE as u64 + 64, 9, 12].into_iter().enumerate() {
            self.word(SITE + nth * 8, word);
        }
        self.bytes[SITE + 64..SITE + 73].copy_from_slice(b"driver.rs");
    }

    /// Says how many pages lie on the lists of the first zone.
    pub fn set_listed(&mut self, pages: u64) {
        self.word(NUMBERS + 16, pages);
    }

    /// Marks a moment.
    pub fn mark(&mut self, number: u64, name: &str) {
        let mark = Mark::new(number, name).expect("a name");
        for (nth, word) in mark.to_words().into_iter().enumerate() {
            self.word(HEADER + (Header::WORDS + nth) * 8, word);
        }
    }
}

/// A memory that the guest changes while it is read: each reading of the page map sees it in its next state.
pub struct Changing {
    states: Vec<Vec<u8>>,
    /// How often the page map was read.
    looks: Cell<usize>,
}

impl Changing {
    /// A memory in these states, one after the other; it stays in the last.
    pub fn new(states: Vec<Vec<u8>>) -> Self {
        Self { states, looks: Cell::new(0) }
    }

    /// How often the page map was read.
    pub fn looks(&self) -> usize {
        self.looks.get()
    }
}

impl Physical for &Changing {
    fn end(&self) -> u64 {
        self.states[0].end()
    }

    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Outside> {
        self.states[self.looks().min(self.states.len() - 1)].read(at, into)?;
        // It changes behind that.
        self.looks.set(self.looks() + usize::from(at == PAGES as u64));
        Ok(())
    }
}

/// Numbers that look like chance, the same in each run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
