//! /tmp: files in memory, in pages of the page allocator, of high memory first.
//!
//! One directory without others in it. A file's pages go when its name is gone and it is not open any more. All files
//! together may cost a third of the RAM, with their pages, names and all else that is kept for them, and there are at
//! most [`MAX_FILES`] names: beyond that `ENOSPC`. The scull devices may have half, so with both full a sixth is left.
//!
//! Lock order: the directory, then a file's content.

use alloc::sync::Arc;

use kapi::{Errno, FileId, IoBuf, OpenFlags};
use mm::{GfpFlags, PAGE_SIZE};
use services::budget::Charge;

use super::account::Account;
use super::filesystem::{File, FileSystem, share};
use super::node::{Entries, Entry, Stat};
use super::pages::Pages;
use crate::mm::{KString, KVec, memory};
use crate::sched::Mutex;

/// The most files there can be: the directory is one piece of kmalloc'ed memory.
pub const MAX_FILES: usize = mm::objects::KMALLOC_MAX / size_of::<Arc<Inode>>();

/// The file system's number: that of no character device.
const DEVICE: u32 = 0;

/// The file system at /tmp.
pub static TMPFS: TmpFs = TmpFs { files: Mutex::new(KVec::new()) };

static ACCOUNT: Account = Account::new(|| (memory().pages().managed_pages() / 3 * PAGE_SIZE) as u64);

/// Pages that all files hold: `Cached` in /proc/meminfo.
pub fn pages() -> usize {
    ACCOUNT.pages()
}

/// A directory of files in memory.
pub struct TmpFs {
    /// In the order of their names.
    files: Mutex<KVec<Arc<Inode>>>,
}

/// Where the file `name` is among `files`, or else where it belongs.
fn place(files: &[Arc<Inode>], name: &str) -> Result<usize, usize> {
    files.binary_search_by(|inode| inode.name.as_str().cmp(name))
}

/// A file; lives as long as the directory or an open file leads to it.
struct Inode {
    name: KString,
    content: Mutex<Pages>,
    /// For all but the content.
    _charge: Charge<'static>,
}

/// A file without content.
fn empty() -> Pages {
    Pages::new(GfpFlags::HIGHUSER, &ACCOUNT)
}

impl TmpFs {
    fn find(&self, path: &str) -> Result<Arc<Inode>, Errno> {
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let files = self.files.lock()?;
        match (place(&files, first), rest) {
            (Ok(_), Some(_)) => Err(Errno::ENOTDIR),
            (Ok(index), None) => Ok(files[index].clone()),
            (Err(_), _) => Err(Errno::ENOENT),
        }
    }

    fn create(&self, path: &str) -> Result<Arc<Inode>, Errno> {
        if path.contains('/') {
            return Err(Errno::ENOENT);
        }
        let fresh = Inode::new(path)?;
        let mut files = self.files.lock()?;
        match place(&files, path) {
            // Another thread has made it meanwhile.
            Ok(index) => Ok(files[index].clone()),
            Err(_) if files.len() == MAX_FILES => Err(Errno::ENOSPC),
            Err(index) => {
                files.insert(index, fresh.clone(), GfpFlags::KERNEL)?;
                Ok(fresh)
            }
        }
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

    fn readdir(&self, path: &str) -> Result<Entries, Errno> {
        if !path.is_empty() {
            return Err(self.find(path).err().unwrap_or(Errno::ENOTDIR));
        }
        let mut entries = Entries::new();
        for inode in self.files.lock()?.iter() {
            entries.push(Entry::new(&inode.name, inode.stat()?)?, GfpFlags::KERNEL)?;
        }
        Ok(entries)
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        let mut files = self.files.lock()?;
        let index = place(&files, path).map_err(|_| Errno::ENOENT)?;
        let removed = files.remove(index);
        // The pages are freed without the directory's lock.
        drop(files);
        drop(removed);
        Ok(())
    }
}

impl Inode {
    /// A file that no name leads to yet.
    fn new(name: &str) -> Result<Arc<Self>, Errno> {
        let name = KString::from_str(name, GfpFlags::KERNEL)?;
        // The two counts of an `Arc`, and a place in the directory, which may be half empty.
        let shared = memory().objects().kmalloc_footprint(size_of::<Self>() + 2 * size_of::<usize>());
        let charge = ACCOUNT.charge(shared + name.footprint() + 2 * size_of::<Arc<Self>>())?;
        share(Self { name, content: Mutex::new(empty()), _charge: charge })
    }

    fn truncate(&self) -> Result<(), Errno> {
        *self.content.lock()? = empty();
        Ok(())
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
