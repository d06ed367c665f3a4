//! Disks as files, whatever directory their name is in.
//!
//! A disk has one mapping in the page cache, whoever opens it by whichever name, from its first open on and for good:
//! the last close writes nothing, the threads of write-back do. Key types: [`BlockDevice`]; [`Claim`], a disk in one
//! hand alone: of a program that opens it with O_EXCL, or of swap.
//!
//! Lock order: an open file's position, then a page's lock; the list of disks is locked alone, for a moment.

use alloc::sync::{Arc, Weak};
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

use kapi::{Errno, IoBuf, OpenFlags, Whence, seek};
use linux_raw_sys::ioctl;
use mm::{GfpFlags, PAGE_SIZE, Pfn, VirtAddr};

use super::file::{File, share};
use super::mount::write_path;
use super::node::{Node, Stat, Stored};
use super::tree::Leaf;
use crate::block::{self, Disk};
use crate::mm::KVec;
use crate::mm::page_cache::{self, Mapping};
use crate::mm::space::{FaultAccess, ObjectError, PageSource};
use crate::sched::Mutex;
use crate::user;

/// Bytes of a sector, in which disks count.
const SECTOR: u64 = 512;

/// A disk in use, whose bytes are in the page cache as far as anybody has wanted them.
#[derive(Clone)]
pub struct BlockDevice {
    disk: Arc<Disk>,
    kept: Arc<Kept>,
}

/// What stays of a disk while nobody uses it, until it is gone.
struct Kept {
    disk: Weak<Disk>,
    mapping: Mapping,
    is_claimed: AtomicBool,
}

/// Those that have been used since boot.
static KEPT: Mutex<KVec<Arc<Kept>>> = Mutex::new(KVec::new());

/// A disk that nobody else can claim, until this is dropped.
pub struct Claim(BlockDevice);

impl BlockDevice {
    /// The disk with these numbers. Process context; may sleep.
    ///
    /// # Errors
    /// `ENXIO` when there is none, `ENOMEM`.
    pub fn of(major: u16, minor: u16) -> Result<Self, Errno> {
        let disk = block::find_number(major, minor).ok_or(Errno::ENXIO)?;
        let known = KEPT.lock_uninterruptible()?.iter().find(|kept| kept.is_of(&disk)).cloned();
        if let Some(kept) = known {
            return Ok(Self { disk, kept });
        }
        let mapping = page_cache::mapping(disk.backing(), disk.sectors() * SECTOR, disk.name())?;
        let kept = share(Kept { disk: Arc::downgrade(&disk), mapping, is_claimed: AtomicBool::new(false) })?;
        let kept = enter(kept, &disk)?;
        Ok(Self { disk, kept })
    }

    /// The disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Its bytes in the page cache.
    pub fn mapping(&self) -> &Mapping {
        &self.kept.mapping
    }

    /// Takes it in one hand.
    ///
    /// # Errors
    /// `EBUSY` while another has it.
    pub fn claim(&self) -> Result<Claim, Errno> {
        let was_claimed = self.kept.is_claimed.swap(true, Ordering::Acquire);
        if was_claimed { Err(Errno::EBUSY) } else { Ok(Claim(self.clone())) }
    }
}

/// Puts `kept` into the list, unless another thread has used the disk meanwhile: then what that has. What is left of
/// disks that are gone goes.
fn enter(kept: Arc<Kept>, disk: &Arc<Disk>) -> Result<Arc<Kept>, Errno> {
    let mut all = KEPT.lock_uninterruptible()?;
    if let Some(other) = all.iter().find(|other| other.is_of(disk)) {
        return Ok(other.clone());
    }
    all.push(kept.clone(), GfpFlags::KERNEL)?;
    let gone = all.iter().position(|kept| kept.disk.strong_count() == 0).map(|at| all.remove(at));
    drop(all);
    // Its pages go without the lock.
    drop(gone);
    Ok(kept)
}

impl Kept {
    fn is_of(&self, disk: &Arc<Disk>) -> bool {
        self.disk.ptr_eq(&Arc::downgrade(disk))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.kept.is_claimed.store(false, Ordering::Release);
    }
}

/// A disk that somebody has made a name for.
pub(super) struct BlockLeaf {
    pub(super) major: u16,
    pub(super) minor: u16,
}

impl Leaf for BlockLeaf {
    /// `ENXIO` when there is no such disk.
    fn open(self: Arc<Self>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        open(self.major, self.minor, node, flags)
    }

    fn fill(&self, stat: Stat) -> Result<Stat, Errno> {
        Ok(fill(stat))
    }
}

/// `stat` with what is known of a disk. The size is left out, as on Linux.
pub(super) const fn fill(stat: Stat) -> Stat {
    Stat { stored: Stored::Yes, ..stat }
}

/// Opens a disk by the name that `node` stands for. `ENXIO` when there is none, `EROFS` for writing to one that cannot
/// be written, `EBUSY` for one that another has claimed, with O_EXCL.
pub(super) fn open(major: u16, minor: u16, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    let device = BlockDevice::of(major, minor)?;
    if flags.contains(OpenFlags::WRITE) && device.disk().is_read_only() {
        return Err(Errno::EROFS);
    }
    let claim = if flags.contains(OpenFlags::EXCLUSIVE) { Some(device.claim()?) } else { None };
    let seen = Mutex::new(device.mapping().errors());
    Ok(share(BlockFile { device, node, seen, _claim: claim })?)
}

/// An open disk.
struct BlockFile {
    device: BlockDevice,
    node: Arc<dyn Node>,
    /// Which errors of write-back this open file has been told.
    seen: Mutex<page_cache::ErrorsSeen>,
    _claim: Option<Claim>,
}

impl BlockFile {
    fn size(&self) -> u64 {
        self.device.mapping().size()
    }

    /// What was written to these bytes is on the disk.
    fn settle(&self, bytes: Range<u64>) -> Result<(), Errno> {
        self.device.mapping().sync(bytes, &mut *self.seen.lock_uninterruptible()?)
    }
}

impl File for BlockFile {
    fn stat(&self) -> Result<Stat, Errno> {
        self.node.stat()
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.device.mapping().read(position, buf)
    }

    /// `ENOSPC` at the end.
    fn write(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        if position >= self.size() && buf.remaining() > 0 {
            return Err(Errno::ENOSPC);
        }
        self.device.mapping().write(position, buf)
    }

    fn has_fixed_size(&self) -> bool {
        true
    }

    /// `EINVAL` beyond the end.
    fn llseek(&self, position: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let size = self.size();
        seek(size, position, offset, whence).and_then(|to| if to > size { Err(Errno::EINVAL) } else { Ok(to) })
    }

    fn sync(&self, range: Range<u64>) -> Result<(), Errno> {
        self.settle(range)
    }

    fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        let at = VirtAddr::new(argument);
        match command {
            ioctl::BLKGETSIZE64 => user::write_value(at, self.size())?,
            ioctl::BLKGETSIZE => user::write_value(at, self.size() / SECTOR)?,
            ioctl::BLKSSZGET | ioctl::BLKPBSZGET => user::write_value(at, SECTOR as u32)?,
            ioctl::BLKBSZGET => user::write_value(at, PAGE_SIZE as u32)?,
            ioctl::BLKROGET => user::write_value(at, u32::from(self.device.disk().is_read_only()))?,
            ioctl::BLKFLSBUF => {
                self.settle(0..u64::MAX)?;
                self.device.mapping().invalidate();
            }
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        Ok(self)
    }
}

/// The disk's pages themselves. The open file is the mapping's too: it is closed when both are gone.
impl PageSource for BlockFile {
    fn page(&self, index: u64, access: FaultAccess) -> Result<Pfn, ObjectError> {
        self.device.mapping().page(index, access)
    }

    fn sync(&self, pages: Range<u64>) -> Result<(), Errno> {
        let page = PAGE_SIZE as u64;
        self.settle(pages.start.saturating_mul(page)..pages.end.saturating_mul(page))
    }

    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write_path(&self.node, out)
    }

    fn id(&self) -> (u64, u64) {
        let id = self.node.id();
        (id.device.into(), id.inode)
    }
}
