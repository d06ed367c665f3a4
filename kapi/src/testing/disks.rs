//! Disks of a test's machine: what their drivers are asked for, and answer.

use std::string::{String, ToString};
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use mm::own::PageRef;
use mm::testing::TestKernel;
use mm::{GfpFlags, PAGE_SIZE};

use super::running::hold;
use super::world::{TICK, in_context, world};
use crate::block::{BlockDriver, BlockError, BlockOp, BlockRequest, Completer, Disks};
use crate::block::{BlockQueue, SECTOR_SIZE, Segment};
use crate::errno::Errno;

/// Ticks that a driver has for an answer.
const PATIENCE: u32 = 3000;

/// A disk of the machine.
#[derive(Clone)]
pub struct TestDisk {
    name: String,
    driver: Arc<dyn BlockDriver>,
    desk: Arc<Desk>,
}

/// What has ended.
#[derive(Default)]
struct Desk(Mutex<Vec<(u16, Result<(), BlockError>)>>);

impl BlockQueue for Desk {
    fn complete(&self, tag: u16, result: Result<(), BlockError>) {
        hold(&self.0).push((tag, result));
    }
}

/// The machine's disks.
#[derive(Default)]
struct Added(Mutex<Vec<TestDisk>>);

/// A disk that a driver has added.
pub struct HostDisk {
    all: Arc<Added>,
    name: String,
}

impl Drop for HostDisk {
    fn drop(&mut self) {
        let gone: Vec<_> = hold(&self.all.0).extract_if(.., |disk| disk.name == self.name).collect();
        drop(gone);
    }
}

impl Disks for TestKernel {
    type Disk = HostDisk;

    fn add_disk<D: BlockDriver>(
        name: &str,
        make: impl FnOnce(Completer) -> Result<D, Errno>,
    ) -> Result<HostDisk, Errno> {
        let (all, name) = (world().part::<Added>(), name.to_string());
        if disk(&name).is_some() {
            return Err(Errno::EEXIST);
        }
        let desk = Arc::new(Desk::default());
        let queue: std::sync::Weak<Desk> = Arc::downgrade(&desk);
        let driver = Arc::new(make(Completer::new(queue))?);
        if driver.depth() == 0 {
            return Err(Errno::EINVAL);
        }
        hold(&all.0).push(TestDisk { name: name.clone(), driver, desk });
        Ok(HostDisk { all, name })
    }

    fn is_disk_used(_disk: &HostDisk) -> bool {
        false
    }
}

/// The disk of this thread's machine that is called `name`.
pub fn disk(name: &str) -> Option<TestDisk> {
    hold(&world().part::<Added>().0).iter().find(|disk| disk.name == name).cloned()
}

impl TestDisk {
    /// Its driver.
    pub fn driver(&self) -> &dyn BlockDriver {
        &*self.driver
    }

    /// Reads so many sectors, at most 8, and lets time pass until they are there.
    ///
    /// # Errors
    /// The driver's; `Timeout` without answer.
    pub fn read(&self, sector: u64, count: usize) -> Result<Vec<u8>, BlockError> {
        let page = page();
        self.transfer(BlockOp::Read, sector, &page, count * SECTOR_SIZE)?;
        Ok(page.show(|bytes| bytes[..count * SECTOR_SIZE].to_vec()).expect("a thread"))
    }

    /// Writes sectors, 8 at most, and lets time pass until that has ended.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn write(&self, sector: u64, bytes: &[u8]) -> Result<(), BlockError> {
        let mut page = page();
        page.show_mut(|page| page[..bytes.len()].copy_from_slice(bytes)).expect("a thread");
        self.transfer(BlockOp::Write, sector, &page, bytes.len())
    }

    /// Makes durable what was written, and lets time pass until that has ended.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn flush(&self) -> Result<(), BlockError> {
        self.run(BlockRequest { tag: 0, op: BlockOp::Flush, sector: 0, segments: &[] })
    }

    fn transfer(&self, op: BlockOp, sector: u64, page: &PageRef<TestKernel>, bytes: usize) -> Result<(), BlockError> {
        let segment = Segment::new(page.frame(), 0, bytes).expect("whole sectors, eight at most");
        self.run(BlockRequest { tag: 0, op, sector, segments: &[segment] })
    }

    /// Starts a request as the queue does, and waits.
    fn run(&self, request: BlockRequest<'_>) -> Result<(), BlockError> {
        let end = request.sector.checked_add(request.sectors());
        if end.is_none_or(|end| end > self.driver.sectors()) {
            return Err(BlockError::Beyond);
        }
        if request.op == BlockOp::Write && self.driver.is_read_only() {
            return Err(BlockError::ReadOnly);
        }
        let mut started = false;
        for _ in 0..PATIENCE {
            started = started || in_context(mm::Context::Atomic, || self.driver.start(request)).is_ok();
            if let Some((tag, result)) = hold(&self.desk.0).pop() {
                assert!(started && tag == request.tag, "the driver ends what it was not asked for");
                return result;
            }
            super::pass(TICK);
        }
        self.driver.abort(request.tag);
        hold(&self.desk.0).pop().map_or(Err(BlockError::Timeout), |(_, result)| result)
    }
}

fn page() -> PageRef<TestKernel> {
    let mut page = PageRef::of_file(GfpFlags::KERNEL).expect("memory");
    page.show_mut(|bytes| bytes[..PAGE_SIZE].fill(0)).expect("a thread");
    page
}
