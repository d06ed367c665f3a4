//! What one mapping should hold.

use std::sync::Arc;

use kapi::mm::own::PageRef;
use kapi::testing::Host;
use pagecache::{ErrorsSeen, Kind, Mapping, PageCache};

use crate::common::{Disk, PAGE, disk, lock, read};

/// A page that the test maps, as a program would.
pub struct Mapped {
    pub index: usize,
    pub page: PageRef<Host>,
}

/// A mapping, and the bytes that it should have.
pub struct File {
    pub disk: Arc<Disk>,
    pub mapping: Option<Mapping<Host>>,
    pub bytes: Vec<u8>,
    pub mapped: Vec<Mapped>,
    /// An open file that has seen every error but those since its last sync.
    pub seen: ErrorsSeen,
    /// Whether a write may have failed since then.
    pub may_have_failed: bool,
}

impl File {
    pub fn new(cache: &'static PageCache<Host>, kind: Kind, bytes: usize) -> Self {
        let (disk, mapping) = disk(cache, kind, bytes);
        let bytes = if kind == Kind::Memory { vec![0; bytes] } else { lock(&disk.bytes).clone() };
        let seen = mapping.errors();
        Self { disk, mapping: Some(mapping), bytes, mapped: Vec::new(), seen, may_have_failed: false }
    }

    pub fn mapping(&self) -> &Mapping<Host> {
        self.mapping.as_ref().expect("it is there between two steps")
    }

    /// Makes the mapping anew: what it had is what the disk has.
    pub fn reopen(&mut self, cache: &'static PageCache<Host>) {
        self.mapped.clear();
        self.mapping = None;
        let mapping = cache.mapping(self.disk.clone(), self.bytes.len() as u64, "disk").expect("there is memory");
        self.seen = mapping.errors();
        self.mapping = Some(mapping);
        self.may_have_failed = true;
    }

    /// Bytes that the disk has of this range, zeros behind its end.
    pub fn on_disk(&self, range: std::ops::Range<usize>) -> Vec<u8> {
        let disk = lock(&self.disk.bytes);
        range.map(|at| disk.get(at).copied().unwrap_or(0)).collect()
    }

    /// Pages were given up: their bytes are the disk's again. How many are found, of which the test takes note.
    pub fn take_back_lost(&mut self) -> usize {
        lock(&self.disk.bad_reads).clear();
        self.mapped.clear();
        // One that was mapped stayed as long as it was.
        self.mapping().invalidate();
        let mut lost = 0;
        for start in (0..self.bytes.len()).step_by(PAGE) {
            let range = start..self.bytes.len().min(start + PAGE);
            let now = read(self.mapping(), start as u64, range.len()).expect("no page is bad");
            if now != self.bytes[range.clone()] {
                assert_eq!(now, self.on_disk(range.clone()), "a page is neither as it was nor as the disk has it");
                self.bytes[range].copy_from_slice(&now);
                lost += 1;
            }
        }
        lost
    }
}
