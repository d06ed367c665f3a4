//! A disk that fails on request, and a cache over it.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kapi::IoBuf;
use kapi::mm::own::PageRef;
use kapi::mm::{PAGE_SIZE, Pfn};
use kapi::testing::Host;
use pagecache::{Backing, Direction, IoError, Kind, Mapping, PageCache, PageIo};

pub const PAGE: usize = PAGE_SIZE;

/// The time, as the cache sees it: ticks.
static TICKS: AtomicU64 = AtomicU64::new(1000);

pub fn ticks() -> u64 {
    TICKS.load(SeqCst)
}

/// Lets so many ticks pass. All tests of a program share the clock.
pub fn pass(ticks: u64) {
    TICKS.fetch_add(ticks, SeqCst);
}

/// A cache that has room.
pub fn cache() -> &'static PageCache<Host> {
    let cache = Box::leak(Box::new(PageCache::new(ticks)));
    cache.start().expect("there is memory");
    cache
}

/// Something that happened to a disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// These bytes came for a page.
    Write(u64, Vec<u8>),
    /// What was written before is kept.
    Flush,
}

/// A disk in memory.
pub struct Disk {
    pub bytes: Mutex<Vec<u8>>,
    pub kind: Kind,
    pub log: Mutex<Option<Vec<Event>>>,
    /// Pages that cannot be read, or written.
    pub bad_reads: Mutex<BTreeSet<u64>>,
    pub bad_writes: Mutex<BTreeSet<u64>>,
    pub bad_flush: AtomicBool,
    pub reads: AtomicUsize,
    pub writes: AtomicUsize,
    pub flushes: AtomicUsize,
    /// Requests that wait until they are told to end, where they shall.
    pub held: Mutex<Vec<PageIo>>,
    pub holds: AtomicBool,
    /// Free pages when the last run of requests began.
    free_then: AtomicUsize,
}

fn free_pages() -> usize {
    Host::memory().pages().free_pages_total()
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    pub fn new(kind: Kind, bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes: Mutex::new((0..bytes).map(|at| old(at as u64)).collect()),
            kind,
            log: Mutex::default(),
            bad_reads: Mutex::default(),
            bad_writes: Mutex::default(),
            bad_flush: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            flushes: AtomicUsize::new(0),
            held: Mutex::default(),
            holds: AtomicBool::new(false),
            free_then: AtomicUsize::new(0),
        })
    }

    /// Serves a request.
    fn serve(&self, io: PageIo) {
        let result = match io.direction() {
            Direction::Read => self.serve_read(&io),
            Direction::Write => self.serve_write(&io),
        };
        kapi::testing::in_interrupt(|| io.finish(result));
    }

    fn serve_read(&self, io: &PageIo) -> Result<(), IoError> {
        self.reads.fetch_add(1, SeqCst);
        if lock(&self.bad_reads).contains(&io.index()) {
            return Err(IoError::Failed);
        }
        let bytes = lock(&self.bytes);
        let at = bytes.len().min(io.index() as usize * PAGE);
        let there = (bytes.len() - at).min(io.bytes());
        show_mut(io.frame(), |page| {
            page[..io.bytes()].fill(0);
            page[..there].copy_from_slice(&bytes[at..at + there]);
        });
        Ok(())
    }

    fn serve_write(&self, io: &PageIo) -> Result<(), IoError> {
        self.writes.fetch_add(1, SeqCst);
        if lock(&self.bad_writes).contains(&io.index()) {
            return Err(IoError::Failed);
        }
        let page = show(io.frame(), |page| page[..io.bytes()].to_vec());
        let at = io.index() as usize * PAGE;
        let mut bytes = lock(&self.bytes);
        if bytes.len() < at + page.len() {
            bytes.resize(at + page.len(), 0);
        }
        bytes[at..at + page.len()].copy_from_slice(&page);
        if let Some(log) = &mut *lock(&self.log) {
            log.push(Event::Write(io.index(), page));
        }
        Ok(())
    }

    fn take(&self, io: PageIo) {
        if self.holds.load(SeqCst) { lock(&self.held).push(io) } else { self.serve(io) }
    }

    /// Ends the requests that wait; says how many.
    pub fn let_go(&self) -> usize {
        let held = std::mem::take(&mut *lock(&self.held));
        let requests = held.len();
        held.into_iter().for_each(|io| self.serve(io));
        requests
    }

    pub fn count(&self, direction: Direction) -> usize {
        match direction {
            Direction::Read => self.reads.load(SeqCst),
            Direction::Write => self.writes.load(SeqCst),
        }
    }
}

impl Backing for Disk {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn read(&self, io: PageIo) {
        self.take(io);
    }

    fn write(&self, io: PageIo) {
        self.take(io);
    }

    fn begin(&self) {
        self.free_then.store(free_pages(), SeqCst);
    }

    /// In between nobody asks for memory: requests wait for each other.
    fn end(&self) {
        let is_alone = !self.holds.load(SeqCst);
        assert!(!is_alone || free_pages() >= self.free_then.load(SeqCst), "memory is allocated between two requests");
    }

    fn flush(&self) -> Result<(), IoError> {
        self.flushes.fetch_add(1, SeqCst);
        if let Some(log) = &mut *lock(&self.log) {
            log.push(Event::Flush);
        }
        if self.bad_flush.load(SeqCst) { Err(IoError::Failed) } else { Ok(()) }
    }
}

/// What a new disk has at a byte.
pub fn old(at: u64) -> u8 {
    (at * 7 + at / 251) as u8
}

/// Shows a page to `f`.
pub fn show<R>(frame: Pfn, f: impl FnOnce(&[u8]) -> R) -> R {
    PageRef::<Host>::to(frame).expect("the page is there").show(f).expect("the caller may sleep")
}

pub fn show_mut<R>(frame: Pfn, f: impl FnOnce(&mut [u8]) -> R) -> R {
    PageRef::<Host>::to(frame).expect("the page is there").show_mut(f).expect("the caller may sleep")
}

/// A mapping of a new disk.
pub fn disk(cache: &'static PageCache<Host>, kind: Kind, bytes: usize) -> (Arc<Disk>, Mapping<Host>) {
    let disk = Disk::new(kind, bytes);
    let mapping = cache.mapping(disk.clone(), bytes as u64, "disk").expect("there is memory");
    (disk, mapping)
}

pub fn read(mapping: &Mapping<Host>, at: u64, bytes: usize) -> Result<Vec<u8>, kapi::Errno> {
    let mut read = vec![0xee; bytes];
    let count = mapping.read(at, &mut IoBuf::fill(&mut read))?;
    read.truncate(count);
    Ok(read)
}

pub fn write(mapping: &Mapping<Host>, at: u64, bytes: &[u8]) -> Result<usize, kapi::Errno> {
    mapping.write(at, &mut IoBuf::take(bytes))
}

/// Syncs all of a mapping for a file that was opened just now.
pub fn sync(mapping: &Mapping<Host>) -> Result<(), kapi::Errno> {
    mapping.sync(0..u64::MAX, &mut mapping.errors())
}

/// The reference that a mapping's `page` came with.
pub fn adopt(frame: Pfn) -> PageRef<Host> {
    // SAFETY: the test maps nothing: the reference is its own.
    unsafe { PageRef::adopt(frame) }.expect("a page")
}

/// The first byte at which the two differ, if there is one.
pub fn difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let count = one.len().min(other.len());
    let at = (0..count).find(|&at| one[at] != other[at]);
    at.or((one.len() != other.len()).then_some(count))
}
