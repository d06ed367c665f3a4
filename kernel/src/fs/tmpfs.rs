//! /tmp: files in memory, in pages of the page allocator, of high memory first.
//!
//! One directory without others in it. A file's pages go when its name is gone and it is not open any more. All files
//! together may take half of the RAM: beyond that `ENOSPC`.
//!
//! Lock order: the directory, then a file's content.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kapi::{Errno, FileId, IoBuf, OpenFlags};
use mm::GfpFlags;

use super::filesystem::{File, FileSystem, share};
use super::node::{Entry, Stat};
use super::pages::Pages;
use crate::mm::{KString, KVec};
use crate::sched::Mutex;

/// The file system at /tmp.
pub static TMPFS: TmpFs = TmpFs { names: Mutex::new(KVec::new()) };

/// The file system's number: that of no character device.
const DEVICE: u32 = 0;

/// Pages that all files hold.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Pages that all files hold: `Cached` in /proc/meminfo.
pub fn pages() -> usize {
    USED.load(Relaxed)
}

/// A directory of files in memory.
pub struct TmpFs {
    names: Mutex<KVec<(KString, Arc<Inode>)>>,
}

/// A file's content; lives as long as a name or an open file leads to it.
struct Inode {
    content: Mutex<Pages>,
}

impl TmpFs {
    fn find(&self, path: &str) -> Result<Arc<Inode>, Errno> {
        let names = self.names.lock()?;
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let found = names.iter().find(|(name, _)| name.as_str() == first).map(|(_, inode)| inode.clone());
        match (found, rest) {
            (Some(_), Some(_)) => Err(Errno::ENOTDIR),
            (found, _) => found.ok_or(Errno::ENOENT),
        }
    }

    fn create(&self, path: &str) -> Result<Arc<Inode>, Errno> {
        if path.contains('/') {
            return Err(Errno::ENOENT);
        }
        let name = KString::from_str(path, GfpFlags::KERNEL)?;
        let fresh = share(Inode { content: Mutex::new(Pages::new(GfpFlags::HIGHUSER)) })?;
        let mut names = self.names.lock()?;
        // Another thread may have made it meanwhile.
        if let Some((_, inode)) = names.iter().find(|(name, _)| name.as_str() == path) {
            return Ok(inode.clone());
        }
        names.push((name, fresh.clone()), GfpFlags::KERNEL)?;
        Ok(fresh)
    }
}

impl FileSystem for TmpFs {
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        if path.is_empty() {
            return Err(Errno::EISDIR);
        }
        let inode = match self.find(path) {
            Err(Errno::ENOENT) if flags.contains(OpenFlags::CREATE) => self.create(path)?,
            found => found?,
        };
        if flags.contains(OpenFlags::TRUNCATE.union(OpenFlags::WRITE)) {
            inode.truncate()?;
        }
        Ok(inode)
    }

    fn stat(&self, path: &str) -> Result<Stat, Errno> {
        if path.is_empty() { Ok(Stat::DIRECTORY) } else { self.find(path)?.stat() }
    }

    fn readdir(&self, path: &str) -> Result<KVec<Entry>, Errno> {
        if !path.is_empty() {
            return Err(self.find(path).err().unwrap_or(Errno::ENOTDIR));
        }
        let mut entries = KVec::new();
        for (name, inode) in self.names.lock()?.iter() {
            entries.push(Entry::new(name, inode.stat()?)?, GfpFlags::KERNEL)?;
        }
        Ok(entries)
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        let mut names = self.names.lock()?;
        let index = names.iter().position(|(name, _)| name.as_str() == path).ok_or(Errno::ENOENT)?;
        let removed = names.swap_remove(index).ok_or(Errno::ENOENT)?;
        // The pages are freed without the directory's lock.
        drop(names);
        drop(removed);
        Ok(())
    }
}

impl Inode {
    fn truncate(&self) -> Result<(), Errno> {
        let old = core::mem::replace(&mut *self.content.lock()?, Pages::new(GfpFlags::HIGHUSER));
        USED.fetch_sub(old.pages(), Relaxed);
        Ok(())
    }
}

/// Writes all that fits; an error counts only if nothing was written before it.
fn write_pages(content: &mut Pages, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
    let start = buf.done();
    while buf.remaining() > 0 {
        let written = buf.done() - start;
        let before = content.pages();
        let result = content.write_page(position + written as u64, buf, admit_page);
        USED.fetch_add(content.pages() - before, Relaxed);
        match result {
            Ok(_) => {}
            Err(error) if written == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(buf.done() - start)
}

/// Whether files may take one more page. (Two writers at once may go one page too far.)
fn admit_page() -> Result<(), Errno> {
    if USED.load(Relaxed) < crate::mm::memory().pages().managed_pages() / 2 { Ok(()) } else { Err(Errno::ENOSPC) }
}

impl File for Inode {
    /// Its number is where it lies in memory.
    fn stat(&self) -> Result<Stat, Errno> {
        let id = FileId { device: DEVICE, inode: core::ptr::from_ref(self).addr() as u64 };
        Ok(Stat { id: Some(id), ..Stat::file(self.content.lock()?.size()) })
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.content.lock()?.read(position, buf)
    }

    fn write(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        write_pages(&mut *self.content.lock()?, position, buf)
    }

    fn append(&self, buf: &mut IoBuf<'_>) -> Result<u64, Errno> {
        let mut content = self.content.lock()?;
        let end = content.size();
        Ok(end + write_pages(&mut content, end, buf)? as u64)
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        if let Some(content) = self.content.try_lock() {
            USED.fetch_sub(content.pages(), Relaxed);
        }
    }
}
