//! The machine dies at any moment: what the disk has then.
//!
//! The disk keeps what was written before its last flush; of what came later it has any part, sector by sector. After
//! each request, as the last that came through, every sector has to be as before or as after one of its last writes,
//! and nothing may be missing that a sync had covered.

mod common;

use std::sync::Arc;

use common::{Disk, Event, PAGE, cache, lock, pass, read, write};
use kapi::mm::testing::Rng;
use kapi::mm::{GfpFlags, ZoneKind};
use kapi::testing::{Host, machine};
use pagecache::{Kind, Mapping, PageCache};

const SECTOR: usize = 512;
const SECTORS: usize = 40 * PAGE / SECTOR;
/// Operations of one seed.
const STEPS: usize = 1500;

/// A sector's content in one of its versions.
fn content(sector: usize, version: u32) -> [u8; SECTOR] {
    let mut bytes = [0; SECTOR];
    for (at, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        chunk[..4].copy_from_slice(&version.to_le_bytes());
        chunk[4..].copy_from_slice(&(sector as u32 ^ (at as u32) << 16).to_le_bytes());
    }
    bytes
}

/// Which version of a sector this is.
fn version(sector: usize, bytes: &[u8]) -> u32 {
    let version = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
    assert_eq!(bytes, content(sector, version), "sector {sector} is torn");
    version
}

/// What the test did, and when: after so many requests.
enum Done {
    Wrote {
        sector: usize,
        version: u32,
    },
    /// A sync ended well: the sectors of this range are kept in these versions.
    Synced {
        first: usize,
        versions: Vec<u32>,
    },
}

struct Run {
    rng: Rng,
    cache: &'static PageCache<Host>,
    disk: Arc<Disk>,
    mapping: Mapping<Host>,
    /// The last version of each sector, and the one that a read finds.
    newest: Vec<u32>,
    versions: Vec<u32>,
    lost: u64,
    done: Vec<(usize, Done)>,
}

impl Run {
    fn requests(&self) -> usize {
        lock(&self.disk.log).as_ref().map_or(0, Vec::len)
    }

    fn note(&mut self, done: Done) {
        self.done.push((self.requests(), done));
    }

    fn write(&mut self) -> (usize, usize) {
        let first = self.rng.below(SECTORS);
        let count = if self.rng.one_in(3) { self.rng.below(30) } else { 1 }.min(SECTORS - first);
        let mut bytes = Vec::new();
        for sector in first..first + count {
            self.newest[sector] += 1;
            let version = self.newest[sector];
            self.versions[sector] = version;
            bytes.extend(content(sector, version));
            self.note(Done::Wrote { sector, version });
        }
        assert_eq!(write(&self.mapping, (first * SECTOR) as u64, &bytes), Ok(bytes.len()));
        (first, count)
    }

    fn sync(&mut self, first: usize, count: usize) {
        let range = (first * SECTOR) as u64..((first + count) * SECTOR) as u64;
        let synced = self.mapping.sync(range, &mut self.mapping.errors());
        self.look_for_losses();
        if synced.is_ok() {
            let versions = self.versions[first..first + count].to_vec();
            self.note(Done::Synced { first, versions });
        }
    }

    fn step(&mut self) {
        match self.rng.below(20) {
            0..12 => _ = self.write(),
            // O_SYNC.
            12 => {
                let (first, count) = self.write();
                self.sync(first, count);
            }
            13 => self.sync(0, SECTORS),
            14 => {
                let synced = self.cache.sync();
                self.look_for_losses();
                if synced.is_ok() && lock(&self.disk.bad_writes).is_empty() {
                    let versions = self.versions.clone();
                    self.note(Done::Synced { first: 0, versions });
                }
            }
            15 => {
                pass(self.rng.below(2000) as u64);
                self.cache.kupdate_round();
            }
            16 => _ = self.cache.bdflush_round(),
            17 => _ = self.cache.shrink(GfpFlags::KERNEL, &ZoneKind::ALL, 8),
            18 => _ = lock(&self.disk.bad_writes).insert(self.rng.below(40) as u64),
            _ => lock(&self.disk.bad_writes).clear(),
        }
        self.look_for_losses();
    }

    /// A page was given up: its sectors are as the disk has them.
    fn look_for_losses(&mut self) {
        let lost = self.cache.stats().events.lost;
        if core::mem::replace(&mut self.lost, lost) != lost {
            let bytes = read(&self.mapping, 0, SECTORS * SECTOR).expect("no read fails");
            self.versions = bytes.chunks_exact(SECTOR).enumerate().map(|(at, bytes)| version(at, bytes)).collect();
        }
    }
}

/// Dies after each request in turn.
fn replay(run: &mut Run, start: &[u8]) {
    let log = lock(&run.disk.log).take().expect("there is one");
    let (mut kept, mut loose) = (start.to_vec(), Vec::new());
    let (mut least, mut most) = (vec![0; SECTORS], vec![0; SECTORS]);
    let mut done = std::mem::take(&mut run.done).into_iter().peekable();
    for (request, event) in log.into_iter().enumerate() {
        match event {
            Event::Write(index, bytes) => loose.push((index as usize * PAGE / SECTOR, bytes)),
            Event::Flush => {
                for (first, bytes) in loose.drain(..) {
                    kept[first * SECTOR..][..bytes.len()].copy_from_slice(&bytes);
                }
            }
        }
        while let Some((_, done)) = done.next_if(|(after, _)| *after <= request + 1) {
            match done {
                Done::Wrote { sector, version } => most[sector] = version,
                Done::Synced { first, versions } => least[first..first + versions.len()].copy_from_slice(&versions),
            }
        }
        let mut dead = kept.clone();
        for (first, bytes) in &loose {
            for (at, sector) in bytes.chunks_exact(SECTOR).enumerate() {
                if run.rng.one_in(2) {
                    dead[(first + at) * SECTOR..][..SECTOR].copy_from_slice(sector);
                }
            }
        }
        for (sector, bytes) in dead.chunks_exact(SECTOR).enumerate() {
            let found = version(sector, bytes);
            let (least, most) = (least[sector], most[sector]);
            assert!((least..=most).contains(&found), "request {request}, sector {sector}: {found}, {least} to {most}");
        }
    }
}

#[test]
fn after_each_request_the_disk_has_what_was_synced() {
    for seed in 1..=4 {
        let _machine = machine();
        let cache = cache();
        let start: Vec<_> = (0..SECTORS).flat_map(|sector| content(sector, 0)).collect();
        let disk = Disk::new(Kind::Device, 0);
        lock(&disk.bytes).clone_from(&start);
        *lock(&disk.log) = Some(Vec::new());
        let mapping = cache.mapping(disk.clone(), start.len() as u64, "disk").expect("there is memory");
        let mut run = Run {
            rng: Rng::new(seed),
            cache,
            disk,
            mapping,
            newest: vec![0; SECTORS],
            versions: vec![0; SECTORS],
            lost: 0,
            done: Vec::new(),
        };
        (0..STEPS).for_each(|_| run.step());
        assert!(run.requests() > 1000, "{}", run.requests());
        replay(&mut run, &start);
    }
}
