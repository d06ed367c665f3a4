//! The page cache: parts of files that were read, kept until memory is short.
//!
//! A [`CachedFile`] is a part of a [`Source`]. Its pages, of high memory first, are read when they are wanted, each
//! once: whoever wants one meanwhile waits. A read copies out of them, and a mapping shows them themselves, with a
//! reference of its own. What nobody maps is given back when memory is short, a few pages at a time, and all of it to
//! drop_caches; it is read again when it is wanted. Behind the file's end the last page has zeros.
//!
//! Lock order: the list of files, then a file's pages, then the allocators'. Reclaim comes from within the allocators,
//! perhaps while its caller has such a lock: it takes none that is not free.

use alloc::sync::{Arc, Weak};
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kapi::{Errno, IoBuf};
use mm::{GfpFlags, PAGE_SIZE, Pfn, Shrinker};
use services::file_pages::FilePages;

use super::content::Content;
use super::file::share;
use super::source::Source;
use crate::mm::space::{FaultAccess, ObjectError, PageSource};
use crate::mm::{CachedPage, KString, KVVec, Kernel, memory};
use crate::sched::Mutex;

/// Pages that are given back at once when memory is short.
const SHRINK_PAGES: usize = 64;

/// All files that may have pages, and where reclaim goes on.
static FILES: Mutex<Files> = Mutex::new(Files { files: KVVec::new(), hand: 0 });
/// Pages of all files.
static PAGES: AtomicUsize = AtomicUsize::new(0);

struct Files {
    files: KVVec<Weak<CachedFile>>,
    hand: usize,
}

/// A part of a source, as a file.
pub struct CachedFile {
    name: KString,
    source: &'static dyn Source,
    start: u64,
    size: u64,
    pages: Mutex<FilePages<Kernel>>,
}

/// Lets reclaim ask the page cache.
pub fn init() -> Result<(), Errno> {
    Ok(memory().pages().register_shrinker(&PageCache)?)
}

/// Pages that are kept: a part of `Cached` in /proc/meminfo.
pub fn pages() -> usize {
    PAGES.load(Relaxed)
}

impl CachedFile {
    /// The `size` bytes of `source` from `start` on as a file, whose name is for people. `EINVAL` if the source has
    /// not so many, `ENOMEM`.
    pub fn new(name: &str, source: &'static dyn Source, start: u64, size: u64) -> Result<Arc<Self>, Errno> {
        if start.checked_add(size).is_none_or(|end| end > source.len()) {
            return Err(Errno::EINVAL);
        }
        let name = KString::from_str(name, GfpFlags::KERNEL)?;
        let file = share(Self { name, source, start, size, pages: Mutex::new(FilePages::new()) })?;
        let mut all = FILES.lock_uninterruptible()?;
        if all.files.len() == all.files.capacity() {
            all.files.retain(|file| file.strong_count() > 0);
        }
        all.files.push(Arc::downgrade(&file), GfpFlags::KERNEL)?;
        Ok(file)
    }

    /// Reads at `position`; returns the bytes read, 0 at the end. `ENOMEM`, `EIO`; bytes that were read before count.
    fn read_at(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let before = buf.done();
        while buf.remaining() > 0 {
            let at = position + (buf.done() - before) as u64;
            if at >= self.size {
                break;
            }
            let offset = (at % PAGE_SIZE as u64) as usize;
            let left = usize::try_from(self.size - at).unwrap_or(usize::MAX).min(PAGE_SIZE - offset);
            let copied = self.with_page(at / PAGE_SIZE as u64, |page| {
                page.show(|bytes| buf.put(&bytes[offset..offset + left])).map_err(Errno::from).flatten()
            });
            match copied.flatten() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if buf.done() == before => return Err(error),
                Err(_) => break,
            }
        }
        Ok(buf.done() - before)
    }

    /// Runs `f` with the page at `index`, which is read if it is not there.
    fn with_page<R>(&self, index: u64, f: impl FnOnce(&CachedPage) -> R) -> Result<R, Errno> {
        let pages = self.pages.lock_uninterruptible()?;
        if let Some(page) = pages.get(index) {
            return Ok(f(page));
        }
        drop(pages);
        // Without the lock: memory may be short, and reclaim looks for this file's pages too.
        let fresh = CachedPage::new(GfpFlags::HIGHUSER)?;
        let mut pages = self.pages.lock_uninterruptible()?;
        if let Some(page) = pages.get(index) {
            return Ok(f(page));
        }
        let page = pages.read(index, fresh, |page| self.fill(index, page))?;
        PAGES.fetch_add(1, Relaxed);
        Ok(f(page))
    }

    /// Reads what `page`, the one at `index`, holds.
    fn fill(&self, index: u64, page: &mut CachedPage) -> Result<(), Errno> {
        let at = index * PAGE_SIZE as u64;
        let length = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX).min(PAGE_SIZE);
        self.source.read_page(self.start + at, length, page)?;
        if length < PAGE_SIZE {
            page.show_mut(|bytes| bytes[length..].fill(0))?;
        }
        Ok(())
    }

    /// Gives up to `most` pages back that nobody maps; how many that were. Takes no lock that is not free.
    fn shrink(&self, most: usize) -> usize {
        let given = self.pages.try_lock().map_or(0, |mut pages| pages.give_back(most));
        PAGES.fetch_sub(given, Relaxed);
        given
    }
}

impl Content for CachedFile {
    fn size(&self) -> Result<u64, Errno> {
        Ok(self.size)
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.read_at(position, buf)
    }

    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        Ok(self)
    }
}

impl PageSource for CachedFile {
    fn page(&self, index: u64, _access: FaultAccess) -> Result<Pfn, ObjectError> {
        if index >= self.size.div_ceil(PAGE_SIZE as u64) {
            return Err(ObjectError::Beyond);
        }
        match self.with_page(index, CachedPage::share) {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) | Err(Errno::ENOMEM) => Err(ObjectError::NoMemory),
            Err(_) => Err(ObjectError::Io),
        }
    }

    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "/{}", self.name.as_str())
    }
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        // A lock that is broken keeps its pages.
        if let Some(pages) = self.pages.try_lock() {
            PAGES.fetch_sub(pages.len(), Relaxed);
        }
    }
}

/// Who gives the pages back.
struct PageCache;

impl PageCache {
    /// Gives up to `most` pages back, going on at the file where it ended last.
    fn give_back(most: usize) -> usize {
        let Some(mut all) = FILES.try_lock() else { return 0 };
        let (count, mut given) = (all.files.len(), 0);
        for _ in 0..count {
            all.hand = (all.hand + 1) % count;
            if let Some(file) = all.files[all.hand].upgrade() {
                given += file.shrink(most - given);
            }
            if given == most {
                break;
            }
        }
        given
    }
}

impl Shrinker for PageCache {
    fn shrink(&'static self, _gfp: GfpFlags) -> usize {
        Self::give_back(SHRINK_PAGES)
    }

    fn purge(&'static self) -> usize {
        Self::give_back(usize::MAX)
    }
}
