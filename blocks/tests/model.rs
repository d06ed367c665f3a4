//! Random requests to a disk in memory against what its sectors may hold.
//!
//! Its requests fail in each way, and its power is lost.
//!
//! Each sector is at any time as after one of the writes to it since the last flush, and what a read finds is that of
//! the last one that ended well. All of it without memory: from the start on no page can be allocated.

mod common;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use blocks::{Patience, Refused};
use common::{Ends, Page, Random, TestQueue, page};
use drivers::{Fault, Medium, MemDisk, MemDiskSettings, Order, What, When};
use kapi::block::{SECTOR_SIZE, Segment};
use kapi::mm::PAGE_SIZE;
use kapi::mm::own::{Buffer, VmArea};
use kapi::services::options::Switch;
use kapi::testing::{Host, fail_after, in_use, machine, pass, stop_failing, take_log};
use kapi::{BlockDriver, BlockError, BlockOp};

/// Sectors of the disk, which is no whole number of pages.
const SECTORS: u64 = 515;
const PAGES: usize = 40;

/// What a sector may hold: a number that fills it.
#[derive(Clone, Default)]
struct Sector {
    /// What it may hold now. One number, unless a write has failed or the power was lost.
    now: Vec<u64>,
    /// What it might be after a loss of power, besides.
    before: Vec<u64>,
}

struct InFlight {
    op: BlockOp,
    sectors: Range<u64>,
    page: usize,
    offset: usize,
    /// What is written.
    value: u64,
    /// For a flush: how many writes of each sector it covers.
    covers: HashMap<u64, usize>,
}

struct World {
    random: Random,
    queue: TestQueue,
    disk: Arc<MemDisk<Host>>,
    ends: &'static Ends,
    sectors: Vec<Sector>,
    pages: Vec<Page>,
    free: Vec<usize>,
    in_flight: HashMap<usize, InFlight>,
    next: usize,
    failures: usize,
    cuts: usize,
}

fn fill(bytes: &mut [u8], value: u64) {
    bytes.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&value.to_le_bytes()));
}

/// The number that fills these bytes.
fn value_of(bytes: &[u8]) -> u64 {
    let value = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
    assert!(bytes.chunks_exact(8).all(|word| word == value.to_le_bytes()), "a torn sector");
    value
}

impl World {
    fn new(seed: u64) -> Self {
        let queue = common::queue();
        let mut area = VmArea::<Host>::new(SECTORS as usize * SECTOR_SIZE).expect("memory");
        area.bytes_mut().fill(0);
        let settings = MemDiskSettings { sectors: SECTORS, depth: 5, latency: 1, cache: 200 };
        let disk = MemDisk::new(Medium::Area(area), settings, queue.completer()).expect("memory");
        let disk = Arc::new(disk);
        queue.attach(disk.clone()).expect("a depth");
        queue.set_timeout(Duration::from_secs(2));
        Self {
            random: Random(seed),
            queue,
            disk,
            ends: Ends::new(),
            sectors: vec![Sector { now: vec![0], before: vec![] }; SECTORS as usize],
            pages: (0..PAGES).map(|_| page()).collect(),
            free: (0..PAGES).collect(),
            in_flight: HashMap::new(),
            next: 0,
            failures: 0,
            cuts: 0,
        }
    }

    /// Submits a read or a write of sectors that no other request is under way for.
    fn submit(&mut self) {
        let count = 1 + self.random.below(8);
        let first = self.random.below(SECTORS - count + 1);
        let sectors = first..first + count;
        let overlaps = |other: &InFlight| other.sectors.start < sectors.end && sectors.start < other.sectors.end;
        if self.in_flight.values().any(overlaps) {
            return self.settle();
        }
        let Some(page) = self.free.pop() else { return self.settle() };
        let op = if self.random.one_in(2) { BlockOp::Read } else { BlockOp::Write };
        let offset = self.random.below(9 - count) as usize * SECTOR_SIZE;
        let value = self.next as u64 + 1;
        self.pages[page]
            .show_mut(|bytes| fill(bytes, if op == BlockOp::Write { value } else { u64::MAX }))
            .expect("low");
        let segment = Segment::new(self.pages[page].frame(), offset, count as usize * SECTOR_SIZE).expect("sectors");
        let done = self.ends.done(self.next);
        self.in_flight
            .insert(self.next, InFlight { op, sectors: sectors.clone(), page, offset, value, covers: HashMap::new() });
        match self.queue.submit(op, first, segment, done, Patience::None) {
            Ok(()) => self.next += 1,
            Err(refused) => {
                self.in_flight.remove(&self.next);
                self.free.push(page);
                let read_only = Refused::Failed(BlockError::ReadOnly);
                assert!(refused == Refused::Busy || (refused == read_only && self.disk.is_read_only()), "{refused:?}");
                self.settle();
            }
        }
    }

    fn flush(&mut self) {
        let covers = self.sectors.iter().enumerate().map(|(at, sector)| (at as u64, sector.before.len())).collect();
        let request = InFlight { op: BlockOp::Flush, sectors: 0..0, page: usize::MAX, offset: 0, value: 0, covers };
        if self.queue.flush(self.ends.done(self.next), Patience::None).is_ok() {
            self.in_flight.insert(self.next, request);
            self.next += 1;
        }
    }

    /// Lets a tick pass, and looks at what has ended.
    fn settle(&mut self) {
        pass(Duration::from_millis(10));
        self.look();
    }

    fn look(&mut self) {
        for (token, result) in self.ends.take_all() {
            let request = self.in_flight.remove(&token).expect("it was submitted");
            self.failures += usize::from(result.is_err());
            match request.op {
                BlockOp::Read if result.is_ok() => self.check(&request),
                BlockOp::Read => {}
                BlockOp::Write => self.wrote(&request, result.is_ok()),
                BlockOp::Flush if result.is_ok() => self.flushed(&request.covers),
                BlockOp::Flush => {}
            }
            if request.op != BlockOp::Flush {
                self.free.push(request.page);
            }
        }
    }

    fn check(&mut self, request: &InFlight) {
        let found: Vec<u64> = self.pages[request.page]
            .show(|bytes| {
                let part = &bytes[request.offset..];
                let count = (request.sectors.end - request.sectors.start) as usize;
                part.chunks_exact(SECTOR_SIZE).take(count).map(value_of).collect()
            })
            .expect("low");
        for (sector, value) in request.sectors.clone().zip(found) {
            self.found(sector, value);
        }
    }

    /// A sector holds this.
    fn found(&mut self, sector: u64, value: u64) {
        let known = &mut self.sectors[sector as usize].now;
        assert!(known.contains(&value), "sector {sector} has {value}, not one of {known:?}");
        *known = vec![value];
    }

    fn wrote(&mut self, request: &InFlight, well: bool) {
        for sector in request.sectors.clone() {
            let Sector { now, before } = &mut self.sectors[sector as usize];
            before.extend(now.iter());
            if well {
                now.clear();
            }
            now.push(request.value);
        }
    }

    /// What was there before is over.
    fn flushed(&mut self, covers: &HashMap<u64, usize>) {
        for (sector, &count) in covers {
            let before = &mut self.sectors[*sector as usize].before;
            // What was noted later may be part of a write that had not ended.
            before.drain(..count.min(before.len()));
        }
    }

    /// Nothing is under way any more.
    fn quiesce(&mut self) {
        self.order(Order::Clear);
        for _ in 0..100_000 {
            if self.in_flight.is_empty() {
                break;
            }
            self.settle();
            self.queue.expire();
        }
        assert!(self.in_flight.is_empty() && !self.queue.is_busy());
        assert!(self.queue.validate());
    }

    fn order(&self, order: Order) {
        assert_eq!(self.disk.obey(order), Ok(()));
    }

    /// The power fails: each sector is as after one of its writes since the last flush.
    fn cut(&mut self) {
        self.quiesce();
        let unflushed = self.disk.unflushed() as u64;
        // Prefix by prefix: the last one is what stays.
        let mut keep = unflushed;
        while keep > 0 && !self.random.one_in(4) {
            keep -= 1 + self.random.below(keep.min(3));
            self.order(Order::Cut(keep as usize));
            for sector in 0..SECTORS {
                let mut bytes = [0; SECTOR_SIZE];
                self.disk.peek(sector, &mut bytes).expect("a sector");
                let (value, Sector { now, before }) = (value_of(&bytes), &self.sectors[sector as usize]);
                assert!(now.contains(&value) || before.contains(&value), "sector {sector}: {value}");
            }
        }
        for sector in 0..SECTORS {
            let mut bytes = [0; SECTOR_SIZE];
            self.disk.peek(sector, &mut bytes).expect("a sector");
            let Sector { now, before } = &mut self.sectors[sector as usize];
            let value = value_of(&bytes);
            before.append(now);
            now.push(value);
        }
        self.cuts += 1;
    }

    fn fault(&mut self) {
        let what = [What::Fail, What::Short, What::Hang, What::Busy][self.random.below(4) as usize];
        let when = match (what, self.random.below(3)) {
            (What::Busy, _) => When::Next(1 + self.random.below(3)),
            (What::Fail, 0) => {
                let first = self.random.below(SECTORS);
                When::Sectors(first..=first + self.random.below(10))
            }
            _ => When::Nth(1 + self.random.below(5)),
        };
        // As many as there is room for.
        let _ = self.disk.obey(Order::Plan(Fault { what, when }));
    }

    fn step(&mut self) {
        match self.random.below(1000) {
            0..8 => self.fault(),
            8..12 => self.order(Order::Clear),
            12..15 => self.order(Order::Latency(self.random.0 % 4)),
            15 => self.order(Order::ReadOnly(Switch::On)),
            16..20 => self.order(Order::ReadOnly(Switch::Off)),
            20..30 => self.flush(),
            30..34 => {
                let queue = self.queue.clone();
                let run = queue.run();
                (0..20).for_each(|_| self.submit());
                drop(run);
            }
            34 => {
                pass(Duration::from_secs(1));
                self.queue.expire();
                self.look();
            }
            35 => self.cut(),
            36..200 => self.settle(),
            _ => self.submit(),
        }
    }
}

/// How many operations: ten times as many in the soak.
fn operations() -> usize {
    let soak: usize = std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    soak * 100_000
}

#[test]
fn sectors_hold_what_was_written_whatever_fails() {
    let _machine = machine();
    let before = in_use();
    let seed = 0x5eed_0017;
    println!("seed {seed:#x}");
    let mut world = World::new(seed);
    fail_after(0);
    for _ in 0..operations() {
        world.step();
    }
    world.order(Order::ReadOnly(Switch::Off));
    world.quiesce();
    stop_failing();
    for sector in 0..SECTORS {
        let mut bytes = [0; SECTOR_SIZE];
        world.disk.peek(sector, &mut bytes).expect("a sector");
        world.found(sector, value_of(&bytes));
    }
    let counts = world.queue.counts();
    println!("{counts:?}, {} failures, {} losses of power", world.failures, world.cuts);
    assert!(world.failures > 100 && world.cuts > 20 && counts.reads.merged > 100);
    assert!(take_log().len() > 10 && PAGE_SIZE == 4096);
    drop(world);
    assert_eq!(in_use(), before);
}
