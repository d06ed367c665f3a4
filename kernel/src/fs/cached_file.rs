//! Parts of a source as files, whose pages the page cache keeps.
//!
//! A [`CachedFile`] is a part of a [`Source`]: its pages are read when they are wanted, each once, and go when memory
//! is short and nobody maps them. It cannot be written to.

use alloc::sync::Arc;
use core::fmt;

use kapi::{Errno, IoBuf};
use mm::{PAGE_SIZE, Pfn};
use pagecache::{Backing, IoError, Kind, PageIo};

use super::content::Content;
use super::file::share;
use super::source::Source;
use crate::mm::page_cache::{self, Mapping};
use crate::mm::space::{FaultAccess, ObjectError, PageSource};

/// Where its pages come from.
struct Part {
    source: &'static dyn Source,
    start: u64,
}

impl Backing for Part {
    fn kind(&self) -> Kind {
        Kind::File
    }

    fn read(&self, io: PageIo) {
        let at = self.start + io.index() * PAGE_SIZE as u64;
        let read = self.source.read_page(at, io.bytes(), io.frame());
        io.finish(read.map_err(|_| IoError::Failed));
    }

    fn write(&self, io: PageIo) {
        io.finish(Err(IoError::ReadOnly));
    }

    fn is_read_only(&self) -> bool {
        true
    }
}

/// A part of a source, as a file.
pub struct CachedFile(Mapping);

impl CachedFile {
    /// The `size` bytes of `source` from `start` on as a file, whose name is for people. `EINVAL` if the source has
    /// not so many, `ENOMEM`.
    pub fn new(name: &str, source: &'static dyn Source, start: u64, size: u64) -> Result<Arc<Self>, Errno> {
        if start.checked_add(size).is_none_or(|end| end > source.len()) {
            return Err(Errno::EINVAL);
        }
        share(Self(page_cache::mapping(share(Part { source, start })?, size, name)?))
    }
}

impl Content for CachedFile {
    fn size(&self) -> Result<u64, Errno> {
        Ok(self.0.size())
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.0.read(position, buf)
    }

    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        Ok(self)
    }
}

impl PageSource for CachedFile {
    fn page(&self, index: u64, access: FaultAccess) -> Result<Pfn, ObjectError> {
        self.0.page(index, access)
    }

    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("(a part of an archive)")
    }
}
