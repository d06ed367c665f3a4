//! Files in memory: `/tmp`, and what is made in `/`.
//!
//! Their pages are in the page cache, of high memory first, and nowhere else.
//! All file systems of this kind together may cost a third of the RAM, with pages, names, links, and all else that is
//! kept for them: beyond that `ENOSPC`. The scull devices may have half, so with both full a sixth is left.

use alloc::sync::Arc;
use core::fmt::{self, Write};

use kapi::{Errno, IoBuf};
use mm::{PAGE_SIZE, Pfn};
use pagecache::{Backing, IoError, PageIo};
use services::budget::Charge;

use super::account::Account;
use super::block::BlockLeaf;
use super::content::{Content, Regular};
use super::device::DeviceLeaf;
use super::file::share;
use super::node::{Kind, Make, Node};
use super::pipe::Fifo;
use super::tree::{Leaf, Policy, TreeFs, root};
use crate::mm::page_cache::{self, Mapping};
use crate::mm::space::{FaultAccess, ObjectError, PageSource};
use crate::mm::{PageRef, memory};
use crate::sched::Mutex;

/// Bytes of the largest file.
const MAX_SIZE: u64 = 20 << 30;

static ACCOUNT: Account = Account::new(|| (memory().pages().managed_pages() / 3 * PAGE_SIZE) as u64);

/// Pages that all files hold: `Cached` in /proc/meminfo.
pub fn pages() -> usize {
    ACCOUNT.pages()
}

/// Bytes that all such file systems together cost, and may cost.
pub fn usage() -> (u64, u64) {
    ACCOUNT.usage()
}

/// An empty file system whose root has `mode`.
pub(super) fn new(mode: u16) -> Result<Arc<TreeFs>, Errno> {
    TreeFs::new(Policy::Open { leaf }, mode, ACCOUNT.costs())
}

/// The root of an empty file system.
pub(super) fn new_root(mode: u16) -> Result<Arc<dyn Node>, Errno> {
    root(&new(mode)?)
}

fn leaf(what: Make<'_>) -> Result<(Kind, Arc<dyn Leaf>), Errno> {
    match what {
        Make::File => Ok((Kind::File, share(Regular::empty(empty)?)?)),
        Make::Device { major, minor } => Ok((Kind::Device { major, minor }, share(DeviceLeaf { major, minor })?)),
        Make::Block { major, minor } => Ok((Kind::Block { major, minor }, share(BlockLeaf { major, minor })?)),
        Make::Pipe => Ok((Kind::Pipe, share(Fifo::new()?)?)),
        Make::Directory | Make::Link(_) => Err(Errno::EINVAL),
    }
}

/// Content without bytes. `ENOMEM`, `ENOSPC`.
pub(super) fn empty() -> Result<Arc<dyn Content>, Errno> {
    let charge = ACCOUNT.charge(memory().objects().kmalloc_footprint(size_of::<Mapping>()))?;
    let mapping = page_cache::mapping(share(InMemory)?, 0, "(a file in memory)")?;
    Ok(share(InCache { mapping, writers: Mutex::new(()), _charge: charge })?)
}

/// What backs the pages of such a file: nothing. Each page is charged while the page cache has it.
struct InMemory;

impl Backing for InMemory {
    fn kind(&self) -> pagecache::Kind {
        pagecache::Kind::Memory
    }

    /// What was never written reads as zeros.
    fn read(&self, io: PageIo) {
        let page = PageRef::to(io.frame()).ok_or(IoError::Failed);
        let zeroed = page.and_then(|mut page| page.show_mut(|bytes| bytes.fill(0)).map_err(|_| IoError::NoMemory));
        io.finish(zeroed);
    }

    /// The page cache does not ask for it.
    fn write(&self, io: PageIo) {
        io.finish(Err(IoError::ReadOnly));
    }

    fn entering(&self, _index: u64) -> bool {
        ACCOUNT.add_page()
    }

    fn left(&self, _index: u64) {
        ACCOUNT.remove_page();
    }
}

/// Bytes of a file. To be mapped as well: programs see and change the file's own pages. Those that are cut off while
/// they are mapped stay with who has touched them; others meet the end (`SIGBUS`).
struct InCache {
    mapping: Mapping,
    /// Whoever changes bytes or their number, so that what is appended is not torn. Readers do not wait.
    writers: Mutex<()>,
    _charge: Charge<'static>,
}

impl InCache {
    /// Writes all that fits; an error counts only if nothing was written before it. `EFBIG` beyond the largest size,
    /// `ENOSPC` beyond the account's limit, `ENOMEM`.
    fn put(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        if position >= MAX_SIZE && buf.remaining() > 0 {
            return Err(Errno::EFBIG);
        }
        self.mapping.write(position, buf)
    }
}

impl PageSource for InCache {
    fn page(&self, index: u64, access: FaultAccess) -> Result<Pfn, ObjectError> {
        self.mapping.page(index, access)
    }

    fn write_name(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("(a file in memory)")
    }
}

impl Content for InCache {
    fn size(&self) -> Result<u64, Errno> {
        Ok(self.mapping.size())
    }

    fn pages(&self) -> u64 {
        self.mapping.pages() as u64
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.mapping.read(position, buf)
    }

    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        Ok(self)
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn write(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let _writer = self.writers.lock_uninterruptible()?;
        self.put(position, buf)
    }

    fn append(&self, buf: &mut IoBuf<'_>) -> Result<u64, Errno> {
        let _writer = self.writers.lock_uninterruptible()?;
        let end = self.mapping.size();
        Ok(end + self.put(end, buf)? as u64)
    }

    fn truncate(&self, size: u64) -> Result<(), Errno> {
        if size > MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let _writer = self.writers.lock_uninterruptible()?;
        self.mapping.set_size(size)
    }
}
