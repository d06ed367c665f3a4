//! Files of `/` and `/tmp`: bytes that can be changed, whoever keeps them.
//!
//! Key types: [`Content`], who keeps the bytes; [`Regular`], a file in a tree that has some. Initial files have theirs
//! in an archive, which nobody can change: the first open for writing copies them into pages.

use alloc::sync::Arc;
use core::fmt::{self, Write};
use core::ops::Range;

use kapi::{Errno, IoBuf, OpenFlags};
use mm::{Buffer, GfpFlags, Order, Pfn};

use super::file::{File, share};
use super::mount::write_path;
use super::node::{Change, Node, Stat, Stored};
use super::tree::Leaf;
use crate::mm::PageBlock;
use crate::mm::space::{FaultAccess, ObjectError, PageSource};
use crate::sched::Mutex;

/// Bytes of a file. All may sleep.
pub trait Content: Send + Sync {
    /// How many there are.
    fn size(&self) -> Result<u64, Errno>;

    /// Pages of memory that it has for itself.
    fn pages(&self) -> u64 {
        0
    }

    /// Reads at `position`; returns the bytes read, 0 at the end.
    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno>;

    /// Its pages, to be mapped; `ENODEV` when they cannot be.
    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        Err(Errno::ENODEV)
    }

    /// Whether it can be written.
    fn is_writable(&self) -> bool {
        false
    }

    /// Writes at `position`; returns the bytes written.
    fn write(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EROFS)
    }

    /// Writes at the end; returns the position behind the bytes written.
    fn append(&self, _buf: &mut IoBuf<'_>) -> Result<u64, Errno> {
        Err(Errno::EROFS)
    }

    /// Makes it so many bytes long.
    fn truncate(&self, _size: u64) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }
}

/// Makes empty content that can be written.
pub(super) type MakeContent = fn() -> Result<Arc<dyn Content>, Errno>;

/// A file.
pub(super) struct Regular {
    content: Mutex<Arc<dyn Content>>,
    /// For what cannot be written.
    make: MakeContent,
}

impl Regular {
    /// An empty file.
    pub(super) fn empty(make: MakeContent) -> Result<Self, Errno> {
        Ok(Self { content: Mutex::new(make()?), make })
    }

    /// A file with content that is not written, but copied before.
    pub(super) const fn of(content: Arc<dyn Content>, make: MakeContent) -> Self {
        Self { content: Mutex::new(content), make }
    }

    fn content(&self) -> Result<Arc<dyn Content>, Errno> {
        Ok(self.content.lock_uninterruptible()?.clone())
    }

    /// The content, its first `keep` bytes copied where it could not be written.
    fn writable(&self, keep: u64) -> Result<Arc<dyn Content>, Errno> {
        let mut content = self.content.lock_uninterruptible()?;
        if !content.is_writable() {
            *content = copied(&**content, (self.make)()?, keep)?;
        }
        Ok(content.clone())
    }
}

/// `copy` with the first `keep` bytes of `content`. `ENOMEM`, `ENOSPC`, `EIO`.
fn copied(content: &dyn Content, copy: Arc<dyn Content>, keep: u64) -> Result<Arc<dyn Content>, Errno> {
    let mut page = PageBlock::new(Order::ZERO, GfpFlags::KERNEL)?;
    let mut at = 0;
    while at < keep {
        let room = page.bytes_mut();
        let most = usize::try_from(keep - at).unwrap_or(room.len()).min(room.len());
        let n = content.read(at, &mut IoBuf::fill(&mut room[..most]))?;
        if n == 0 {
            break;
        }
        let mut rest = IoBuf::take(&room[..n]);
        while rest.remaining() > 0 {
            at += copy.write(at, &mut rest)? as u64;
        }
    }
    Ok(copy)
}

impl Leaf for Regular {
    fn open(self: Arc<Self>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        if flags.contains(OpenFlags::WRITE) {
            self.writable(u64::MAX)?;
        }
        Ok(share(RegularFile { regular: self, node })?)
    }

    fn fill(&self, stat: Stat) -> Result<Stat, Errno> {
        let content = self.content()?;
        let (size, pages) = (content.size()?, content.pages());
        Ok(Stat { size, blocks: pages * (mm::PAGE_SIZE / 512) as u64, stored: Stored::Yes, ..stat })
    }

    fn truncate(&self, size: u64) -> Result<(), Errno> {
        self.writable(size)?.truncate(size)
    }
}

/// Pages of a file that has a name, or had one.
struct NamedSource {
    source: Arc<dyn PageSource>,
    node: Arc<dyn Node>,
}

impl PageSource for NamedSource {
    fn page(&self, index: u64, access: FaultAccess) -> Result<Pfn, ObjectError> {
        self.source.page(index, access)
    }

    fn sync(&self, pages: Range<u64>) -> Result<(), Errno> {
        self.source.sync(pages)
    }

    fn mapped(&self) {
        self.source.mapped();
    }

    fn unmapped(&self) {
        self.source.unmapped();
    }

    fn write_name(&self, out: &mut dyn Write) -> fmt::Result {
        write_path(&self.node, out)
    }

    fn id(&self) -> (u64, u64) {
        let id = self.node.id();
        (id.device.into(), id.inode)
    }
}

/// A file that is open.
struct RegularFile {
    regular: Arc<Regular>,
    node: Arc<dyn Node>,
}

impl File for RegularFile {
    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        let source = self.regular.content()?.page_source()?;
        Ok(share(NamedSource { source, node: self.node.clone() })?)
    }

    fn stat(&self) -> Result<Stat, Errno> {
        self.node.stat()
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.regular.content()?.read(position, buf)
    }

    fn write(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let written = self.regular.content()?.write(position, buf)?;
        self.node.change(Change::Content)?;
        Ok(written)
    }

    fn append(&self, buf: &mut IoBuf<'_>) -> Result<u64, Errno> {
        let end = self.regular.content()?.append(buf)?;
        self.node.change(Change::Content)?;
        Ok(end)
    }
}
