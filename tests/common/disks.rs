//! Disks, pages for their requests, and who is told of ends.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use core::time::Duration;

use blocks::{Completion, Done};
use kapi::BlockError;
use kapi::block::Segment;
use kernel::block::{self, Disk};
use kernel::mm::PageRef;
use kernel::sched::{self, WaitQueue};
use mm::{Context, GfpFlags, PAGE_SIZE};

use crate::common::Log;

pub fn disk(name: &str) -> Arc<Disk> {
    block::find(name).unwrap()
}

pub fn page() -> PageRef {
    PageRef::of_file(GfpFlags::HIGHUSER).unwrap()
}

pub fn filled(byte: u8) -> PageRef {
    let mut page = page();
    page.show_mut(|bytes| bytes.fill(byte)).unwrap();
    page
}

/// Whether all bytes of the page are this one.
pub fn is_all(page: &PageRef, byte: u8) -> bool {
    page.show(|bytes| bytes.iter().all(|&other| other == byte)).unwrap()
}

pub fn whole(page: &PageRef) -> Segment {
    Segment::new(page.frame(), 0, PAGE_SIZE).unwrap()
}

pub fn order(line: &str) {
    assert_eq!(block::control(line), Ok(()), "{line}");
}

pub fn has(log: &Log, text: &str) {
    assert!(log.shows(text), "{text}");
}

/// Counts what has ended.
pub struct Ends {
    ended: AtomicUsize,
    pub failed: AtomicUsize,
    pub in_interrupt: AtomicUsize,
    changed: WaitQueue,
}

pub static ENDS: Ends = Ends {
    ended: AtomicUsize::new(0),
    failed: AtomicUsize::new(0),
    in_interrupt: AtomicUsize::new(0),
    changed: WaitQueue::new(),
};

impl Completion for Ends {
    fn completed(&self, _token: usize, result: Result<(), BlockError>) {
        self.failed.fetch_add(usize::from(result.is_err()), SeqCst);
        self.in_interrupt.fetch_add(usize::from(sched::context() == Context::Interrupt), SeqCst);
        self.ended.fetch_add(1, SeqCst);
        self.changed.wake_all();
    }
}

pub const DONE: Done = Done { completion: &ENDS, token: 0 };

impl Ends {
    /// Starts to count anew.
    pub fn reset(&self) {
        [&self.ended, &self.failed, &self.in_interrupt].into_iter().for_each(|count| count.store(0, SeqCst));
    }

    pub fn ended(&self) -> usize {
        self.ended.load(SeqCst)
    }

    /// Sleeps until so many have ended.
    pub fn wait(&self, count: usize) {
        assert_eq!(self.changed.wait_timeout(|| self.ended() >= count, Duration::from_secs(60)), Ok(true));
        assert_eq!(self.ended(), count);
    }
}
