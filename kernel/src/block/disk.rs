//! A disk that the kernel knows.

use alloc::sync::Arc;

use blocks::{Counts, DiskName, Patience, Queue};
use kapi::block::Segment;
use kapi::{BlockDriver, BlockError, BlockOp, Errno};
use pagecache::Backing;

use super::backing::DiskPages;
use super::numbers::DiskNumber;
use super::waits;
use crate::mm::Kernel;

/// A disk. It can be held after its driver has gone: then every request fails.
pub struct Disk {
    name: DiskName,
    number: DiskNumber,
    sectors: u64,
    pub(super) queue: Arc<Queue<Kernel>>,
    pages: Arc<dyn Backing>,
}

impl Disk {
    pub(super) fn new(queue: Arc<Queue<Kernel>>, number: DiskNumber, sectors: u64) -> Result<Arc<Self>, Errno> {
        let pages = Arc::try_new(DiskPages(queue.clone())).map_err(|_| Errno::ENOMEM)?;
        let disk = Self { name: queue.name(), number, sectors, queue, pages };
        Arc::try_new(disk).map_err(|_| Errno::ENOMEM)
    }

    /// Its name in /dev.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its major number among block devices.
    pub const fn major(&self) -> u16 {
        self.number.major
    }

    /// Its minor number.
    pub const fn minor(&self) -> u16 {
        self.number.minor
    }

    /// Its sectors, of 512 bytes.
    pub const fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Whether it cannot be written to. Any context.
    pub fn is_read_only(&self) -> bool {
        self.driver().is_some_and(|driver| driver.is_read_only())
    }

    /// What it has done so far. Any context.
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }

    /// Its driver, while there is one.
    pub(super) fn driver(&self) -> Option<Arc<dyn BlockDriver>> {
        self.queue.driver()
    }

    /// Its pages, for the page cache: the same each time.
    pub fn backing(&self) -> Arc<dyn Backing> {
        self.pages.clone()
    }

    /// Its queue: for requests that do not go by the page cache.
    pub fn queue(&self) -> &Queue<Kernel> {
        &self.queue
    }

    /// Reads or writes one segment, past the page cache, and sleeps until that has ended. Process context.
    ///
    /// # Errors
    /// Those of the request.
    pub fn transfer(&self, op: BlockOp, sector: u64, segment: Segment) -> Result<(), BlockError> {
        waits::until_ended(|done| self.queue.submit(op, sector, segment, done, Patience::Wait))
    }

    /// Has the disk keep all that was written to it, through a loss of power too. Process context; sleeps.
    ///
    /// # Errors
    /// Those of the request.
    pub fn flush(&self) -> Result<(), BlockError> {
        waits::until_ended(|done| self.queue.flush(done, Patience::Wait))
    }
}
