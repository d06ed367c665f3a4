//! Files in memory: `/tmp`, and what is made in `/`.
//!
//! They are in pages of the page allocator, of high memory first.
//! All file systems of this kind together may cost a third of the RAM, with pages, names, links, and all else that is
//! kept for them: beyond that `ENOSPC`. The scull devices may have half, so with both full a sixth is left.

use alloc::sync::Arc;
use core::fmt::{self, Write};

use kapi::{Errno, IoBuf};
use mm::{GfpFlags, PAGE_SIZE, Pfn};

use super::account::Account;
use super::content::{Content, Regular};
use super::device::DeviceLeaf;
use super::file::share;
use super::node::{Kind, Make, Node};
use super::pages::Pages;
use super::pipe::Fifo;
use super::tree::{Leaf, Policy, TreeFs, root};
use crate::mm::memory;
use crate::mm::space::{FaultAccess, ObjectError, PageSource};
use crate::sched::Mutex;

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
        Make::Pipe => Ok((Kind::Pipe, share(Fifo::new()?)?)),
        Make::Directory | Make::Link(_) => Err(Errno::EINVAL),
    }
}

/// Content without bytes.
pub(super) fn empty() -> Result<Arc<dyn Content>, Errno> {
    Ok(share(InPages(share(Mutex::new(Pages::new(GfpFlags::HIGHUSER, &ACCOUNT)))?))?)
}

/// Bytes in pages.
struct InPages(Arc<Mutex<Pages>>);

/// The same to be mapped: programs see and change the file's own pages. Those that are cut off while they are mapped
/// stay with who has touched them; others meet the end (`SIGBUS`).
struct MappedPages(Arc<Mutex<Pages>>);

impl PageSource for MappedPages {
    fn page(&self, index: u64, _access: FaultAccess) -> Result<Pfn, ObjectError> {
        self.0.lock_uninterruptible().map_err(|_| ObjectError::Io)?.frame(index)
    }

    fn write_name(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("(a file in memory)")
    }
}

/// Writes all that fits; an error counts only if nothing was written before it.
fn write_pages(content: &mut Pages, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
    let start = buf.done();
    while buf.remaining() > 0 {
        let written = buf.done() - start;
        match content.write_page(position + written as u64, buf) {
            Ok(_) => {}
            Err(error) if written == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(buf.done() - start)
}

impl Content for InPages {
    fn size(&self) -> Result<u64, Errno> {
        Ok(self.0.lock_uninterruptible()?.size())
    }

    fn pages(&self) -> u64 {
        self.0.lock_uninterruptible().map_or(0, |pages| pages.count() as u64)
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.0.lock_uninterruptible()?.read(position, buf)
    }

    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        Ok(share(MappedPages(self.0.clone()))?)
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn write(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        write_pages(&mut *self.0.lock_uninterruptible()?, position, buf)
    }

    fn append(&self, buf: &mut IoBuf<'_>) -> Result<u64, Errno> {
        let mut content = self.0.lock_uninterruptible()?;
        let end = content.size();
        Ok(end + write_pages(&mut content, end, buf)? as u64)
    }

    fn truncate(&self, size: u64) -> Result<(), Errno> {
        self.0.lock_uninterruptible()?.truncate(size)
    }
}
