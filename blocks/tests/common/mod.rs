//! What the tests share: a driver played by the test, pages, ends.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blocks::{Completion, DiskName, Done, Patience, Queue, Refused};
use kapi::block::{PAGE_SECTORS, Segment};
use kapi::mm::own::PageRef;
use kapi::mm::{GfpFlags, PAGE_SIZE};
use kapi::testing::Host;
use kapi::{BlockDriver, BlockError, BlockOp, BlockRequest, Busy, Completer};

pub type Page = PageRef<Host>;
pub type TestQueue = Arc<Queue<Host>>;

pub fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn page() -> Page {
    Page::of_file(GfpFlags::HIGHUSER).expect("memory")
}

pub fn whole(page: &Page) -> Segment {
    Segment::new(page.frame(), 0, PAGE_SIZE).expect("a page")
}

/// What has ended, by token.
#[derive(Default)]
pub struct Ends(Mutex<HashMap<usize, Result<(), BlockError>>>);

impl Completion for Ends {
    fn completed(&self, token: usize, result: Result<(), BlockError>) {
        assert!(hold(&self.0).insert(token, result).is_none(), "{token} ends twice");
    }
}

impl Ends {
    /// For one test.
    pub fn new() -> &'static Self {
        Box::leak(Box::default())
    }

    pub fn done(&'static self, token: usize) -> Done {
        Done { completion: self, token }
    }

    pub fn take(&self, token: usize) -> Option<Result<(), BlockError>> {
        hold(&self.0).remove(&token)
    }

    pub fn take_all(&self) -> Vec<(usize, Result<(), BlockError>)> {
        let mut all: Vec<_> = hold(&self.0).drain().collect();
        all.sort_unstable_by_key(|&(token, _)| token);
        all
    }

    pub fn count(&self) -> usize {
        hold(&self.0).len()
    }
}

/// A request as the driver got it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub tag: u16,
    pub op: BlockOp,
    pub sector: u64,
    pub segments: Vec<Segment>,
}

/// A driver whose part the test plays.
pub struct Played {
    pub sectors: u64,
    pub depth: usize,
    pub seen: Mutex<Vec<Seen>>,
    pub aborted: Mutex<Vec<u16>>,
    pub busy: Mutex<usize>,
    pub completer: Completer,
    /// Completes the request that is aborted, as a driver may whose answer comes at that moment.
    pub answers_late: Mutex<bool>,
}

impl Played {
    pub fn complete(&self, tag: u16, result: Result<(), BlockError>) {
        kapi::testing::in_interrupt(|| self.completer.complete(tag, result));
    }

    /// Takes the requests that came since the last call.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut hold(&self.seen))
    }

    /// Ends requests one by one until none comes; the first sectors of those that were seen.
    pub fn finish(&self) -> Vec<u64> {
        let mut sectors = Vec::new();
        loop {
            let seen = self.take();
            if seen.is_empty() {
                return sectors;
            }
            for Seen { tag, sector, .. } in seen {
                sectors.push(sector);
                self.complete(tag, Ok(()));
            }
        }
    }
}

impl BlockDriver for Played {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn has_write_cache(&self) -> bool {
        true
    }

    fn start(&self, request: BlockRequest<'_>) -> Result<(), Busy> {
        let mut busy = hold(&self.busy);
        if *busy > 0 {
            *busy -= 1;
            return Err(Busy);
        }
        let BlockRequest { tag, op, sector, segments } = request;
        hold(&self.seen).push(Seen { tag, op, sector, segments: segments.to_vec() });
        Ok(())
    }

    fn abort(&self, tag: u16) {
        hold(&self.aborted).push(tag);
        if *hold(&self.answers_late) {
            self.complete(tag, Ok(()));
        }
    }
}

pub fn queue() -> TestQueue {
    Arc::new(Queue::new(DiskName::new("disk").expect("a name")).expect("memory"))
}

/// A disk of 4 MiB whose driver the test plays.
pub fn played(depth: usize) -> (TestQueue, Arc<Played>) {
    let queue = queue();
    let driver = Arc::new(Played {
        sectors: 8192,
        depth,
        seen: Mutex::default(),
        aborted: Mutex::default(),
        busy: Mutex::default(),
        completer: queue.completer(),
        answers_late: Mutex::default(),
    });
    queue.attach(driver.clone()).expect("depth");
    (queue, driver)
}

/// Submits a page, without patience.
pub fn submit(queue: &TestQueue, op: BlockOp, index: u64, page: &Page, done: Done) -> Result<(), Refused> {
    queue.submit(op, index * PAGE_SECTORS, whole(page), done, Patience::None)
}

/// Numbers that look random and are the same in every run (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether one of so many cases is drawn.
    pub fn one_in(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }
}
