//! A disk as the page cache sees it: pages that it reads and writes.

use alloc::sync::Arc;

use blocks::{Completion, Done, Patience, Queue, Refused};
use kapi::block::{PAGE_SECTORS, Segment};
use kapi::{BlockError, BlockOp};
use pagecache::{Backing, IoError, Kind, PageIo};

use super::waits;
use crate::mm::Kernel;
use crate::mm::page_cache::page_cache;

/// A disk's pages.
pub(super) struct DiskPages(pub(super) Arc<Queue<Kernel>>);

/// Tells the page cache that a page was read or written.
struct Finish;

impl Completion for Finish {
    fn completed(&self, token: usize, result: Result<(), BlockError>) {
        if let Some(io) = page_cache().io(token) {
            io.finish(result.map_err(told));
        }
    }
}

const fn told(error: BlockError) -> IoError {
    match error {
        BlockError::Io | BlockError::Gone => IoError::Failed,
        BlockError::Timeout => IoError::TimedOut,
        BlockError::ReadOnly => IoError::ReadOnly,
        BlockError::Beyond => IoError::NoSpace,
        BlockError::NoMemory => IoError::NoMemory,
    }
}

impl DiskPages {
    fn submit(&self, op: BlockOp, io: PageIo) {
        let Some(segment) = Segment::new(io.frame(), 0, io.bytes()) else { return io.finish(Err(IoError::NoSpace)) };
        let sector = io.index().saturating_mul(PAGE_SECTORS);
        let token = io.into_token();
        let done = Done { completion: &Finish, token };
        match self.0.submit(op, sector, segment, done, Patience::Wait) {
            Ok(()) => {}
            Err(Refused::Busy) => Finish.completed(token, Err(BlockError::Io)),
            Err(Refused::Failed(error)) => Finish.completed(token, Err(error)),
        }
    }
}

impl Backing for DiskPages {
    fn kind(&self) -> Kind {
        Kind::Device
    }

    fn read(&self, io: PageIo) {
        self.submit(BlockOp::Read, io);
    }

    fn write(&self, io: PageIo) {
        self.submit(BlockOp::Write, io);
    }

    fn flush(&self) -> Result<(), IoError> {
        waits::until_ended(|done| self.0.flush(done, Patience::Wait)).map_err(told)
    }

    fn begin(&self) {
        self.0.begin_run();
    }

    fn end(&self) {
        self.0.end_run();
    }

    fn is_read_only(&self) -> bool {
        self.0.driver().is_some_and(|driver| driver.is_read_only())
    }
}
