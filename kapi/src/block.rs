//! Block devices: disks that are read and written by sectors.
//!
//! A driver of one implements [`BlockDriver`]: it starts requests and says later, from interrupt context if it likes,
//! how they ended ([`Completer::complete`]). What there is between the two, who waits for whom, the order of requests
//! and their limits in time, is the kernel's: crate `blocks`. Nothing here needs memory on a request's way out, since
//! that may be what memory is waiting for. (Chapter: "The Flags Argument", on GFP_BUFFER and GFP_KERNEL.)

use alloc::sync::Weak;
use core::fmt;

use mm::{PAGE_SIZE, Pfn};

use crate::errno::Errno;
use crate::kernel::Kernel;

/// Bytes of a sector, the unit of addresses on a disk.
pub const SECTOR_SIZE: usize = 512;
/// Sectors of a page.
pub const PAGE_SECTORS: u64 = (PAGE_SIZE / SECTOR_SIZE) as u64;
/// The most pieces of memory that one request has.
pub const MAX_SEGMENTS: usize = 32;

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockOp {
    /// Sectors are copied from the disk to memory.
    Read,
    /// Sectors are copied from memory to the disk; they may stay in its write cache.
    Write,
    /// All writes that had ended when this was started are made durable. No sectors, no memory.
    Flush,
}

/// A piece of a page that a request reads into or writes from: whole sectors.
///
/// The page belongs to a file or a process, and to the request from its submission to its end: it is not freed, and
/// nobody but a program that maps it changes its bytes meanwhile. (`mm`'s copies check whose it is.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    frame: Pfn,
    offset: u16,
    bytes: u16,
}

impl Segment {
    /// Stands in arrays where there is no segment: a sector of frame 0, which is nobody's.
    pub const NONE: Self = Self { frame: Pfn::new(0), offset: 0, bytes: SECTOR_SIZE as u16 };

    /// `bytes` bytes of the page in `frame` from `offset` on; `None` unless these are whole sectors, at least one, of
    /// the page.
    pub const fn new(frame: Pfn, offset: usize, bytes: usize) -> Option<Self> {
        let is_whole = offset.is_multiple_of(SECTOR_SIZE) && bytes.is_multiple_of(SECTOR_SIZE);
        if !is_whole || bytes == 0 || bytes > PAGE_SIZE || offset > PAGE_SIZE - bytes {
            return None;
        }
        Some(Self { frame, offset: offset as u16, bytes: bytes as u16 })
    }

    /// The page.
    pub const fn frame(self) -> Pfn {
        self.frame
    }

    /// Where in the page, in bytes.
    pub const fn offset(self) -> usize {
        self.offset as usize
    }

    /// How many bytes.
    pub const fn bytes(self) -> usize {
        self.bytes as usize
    }

    /// How many sectors.
    pub const fn sectors(self) -> u64 {
        (self.bytes as usize / SECTOR_SIZE) as u64
    }
}

/// Why a request failed. Its memory is the submitter's again in each case; of a failed read its content is undefined,
/// and of a failed write each sector on the disk is as before or as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockError {
    /// The disk says so.
    Io,
    /// It has no such sectors.
    Beyond,
    /// It cannot be written to.
    ReadOnly,
    /// It did not answer in time.
    Timeout,
    /// It has gone away.
    Gone,
    /// The driver found no memory, where it should have needed none.
    NoMemory,
}

impl BlockError {
    /// What it is in a few words, for the log.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Io => "the disk reports an error",
            Self::Beyond => "beyond the end of the disk",
            Self::ReadOnly => "the disk is read-only",
            Self::Timeout => "no answer in time",
            Self::Gone => "the disk is gone",
            Self::NoMemory => "the driver has no memory for it",
        }
    }
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<BlockError> for Errno {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Io | BlockError::Timeout => Self::EIO,
            BlockError::Beyond => Self::ENOSPC,
            BlockError::ReadOnly => Self::EROFS,
            BlockError::Gone => Self::ENXIO,
            BlockError::NoMemory => Self::ENOMEM,
        }
    }
}

/// The driver can start no more requests now; it will be asked again when one of its requests ends, or some ticks later
/// if it has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

/// A request as its driver sees it. The segments' sectors follow one another on the disk, from `sector` on.
#[derive(Clone, Copy, Debug)]
pub struct BlockRequest<'a> {
    /// Names the request until it has ended: below [`BlockDriver::depth`].
    pub tag: u16,
    /// What it does.
    pub op: BlockOp,
    /// The first sector.
    pub sector: u64,
    /// Its memory, up to [`MAX_SEGMENTS`] pieces; none of a flush.
    pub segments: &'a [Segment],
}

impl BlockRequest<'_> {
    /// How many sectors it has.
    pub fn sectors(&self) -> u64 {
        self.segments.iter().map(|segment| segment.sectors()).sum()
    }
}

/// A driver of one disk.
///
/// A disk of 64 KiB that answers at once, as a module:
///
/// ```
/// use kapi::block::SECTOR_SIZE;
/// use kapi::mm::own::{Buffer, VmArea};
/// use kapi::testing::{self, Host, insmod};
/// use kapi::{
///     BlockDriver, BlockError, BlockOp, BlockRequest, Busy, CharDriver, Completer, Disks, Errno, Kernel, Module,
///     SpinLock, Values,
/// };
///
/// const SECTORS: u64 = 128;
///
/// struct SmallDisk<K: Kernel> {
///     bytes: K::SpinLock<VmArea<K>>,
///     completer: Completer,
/// }
///
/// impl<K: Kernel> SmallDisk<K> {
///     fn transfer(&self, request: BlockRequest<'_>) -> Option<()> {
///         let (pages, mut at) = (K::memory().pages(), request.sector as usize * SECTOR_SIZE);
///         self.bytes.with(|area| {
///             for segment in request.segments {
///                 let bytes = area.bytes_mut().get_mut(at..at + segment.bytes())?;
///                 match request.op {
///                     BlockOp::Read => pages.copy_to_page(segment.frame(), segment.offset(), bytes)?,
///                     BlockOp::Write => pages.copy_from_page(segment.frame(), segment.offset(), bytes)?,
///                     BlockOp::Flush => {}
///                 }
///                 at += segment.bytes();
///             }
///             Some(())
///         })
///     }
/// }
///
/// impl<K: Kernel> BlockDriver for SmallDisk<K> {
///     fn sectors(&self) -> u64 {
///         SECTORS
///     }
///
///     fn depth(&self) -> usize {
///         1
///     }
///
///     fn has_write_cache(&self) -> bool {
///         false
///     }
///
///     fn start(&self, request: BlockRequest<'_>) -> Result<(), Busy> {
///         self.completer.complete(request.tag, self.transfer(request).ok_or(BlockError::Io));
///         Ok(())
///     }
///
///     /// Nothing is ever under way.
///     fn abort(&self, _tag: u16) {}
/// }
///
/// /// The module: while it lives there is /dev/small0.
/// struct Small<K: Disks>(K::Disk);
///
/// impl<K: Disks> CharDriver for Small<K> {}
///
/// impl<K: Disks> Module<K> for Small<K> {
///     const NAME: &'static str = "small";
///     const ABOUT: &'static str = "a small disk";
///
///     fn load(_values: &Values<'_>) -> Result<Self, Errno> {
///         let bytes = K::SpinLock::new(VmArea::new(SECTORS as usize * SECTOR_SIZE)?);
///         Ok(Self(K::add_disk("small0", |completer| Ok(SmallDisk::<K> { bytes, completer }))?))
///     }
///
///     fn is_busy(&self) -> bool {
///         K::is_disk_used(&self.0)
///     }
/// }
///
/// let _machine = testing::machine();
/// let module: Small<Host> = insmod(&[])?;
/// let disk = testing::disk("small0").expect("it is there");
/// assert_eq!(disk.write(3, &[7; 1024]), Ok(()));
/// assert_eq!(disk.read(4, 1), Ok(vec![7; 512]));
/// assert_eq!(disk.read(SECTORS, 1), Err(BlockError::Beyond));
/// drop((disk, module));
/// assert!(testing::disk("small0").is_none());
/// # Ok::<(), Errno>(())
/// ```
pub trait BlockDriver: Send + Sync + 'static {
    /// Sectors of the disk. Never changes. Any context.
    fn sectors(&self) -> u64;

    /// Whether writes are refused: the queue refuses them then. Any context.
    fn is_read_only(&self) -> bool {
        false
    }

    /// How many requests it works at together, at least one. Never changes. Any context.
    fn depth(&self) -> usize;

    /// Whether what was written may be lost with the machine's power until a flush: without, there are no flushes. Any
    /// context.
    fn has_write_cache(&self) -> bool;

    /// Starts a request, which the queue has checked. It ends by [`Completer::complete`] with its tag: in interrupt
    /// context, or within this call. Called with the queue's lock held and interrupts off: takes no lock that is held
    /// when `complete` is called elsewhere, never sleeps, allocates nothing.
    ///
    /// # Errors
    /// There is no room now. Nothing was started.
    fn start(&self, request: BlockRequest<'_>) -> Result<(), Busy>;

    /// The request has had no answer for too long. Gives it up: when this returns the device lets its memory alone, and
    /// the driver does not complete it any more. (It may have completed it before or meanwhile.) Process context; may
    /// sleep, allocates nothing.
    fn abort(&self, tag: u16);

    /// Obeys a line that somebody has written to /proc/sys/dev/disks. Process context.
    ///
    /// # Errors
    /// `EINVAL`: it makes no sense.
    fn control(&self, _line: &str) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Writes what /proc/sys/dev/disks shows. Process context.
    ///
    /// # Errors
    /// Those of `out`.
    fn show(&self, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
}

/// Who is told that a request has ended: the disk's queue.
pub trait BlockQueue: Send + Sync {
    /// The request that was started with this tag has ended. Any context, within [`BlockDriver::start`] too.
    fn complete(&self, tag: u16, result: Result<(), BlockError>);
}

/// A driver's way to the queue of its disk. It keeps nothing alive: behind a queue that is gone nothing happens.
#[derive(Clone)]
pub struct Completer(Weak<dyn BlockQueue>);

impl Completer {
    /// The way to `queue`.
    pub fn new(queue: Weak<dyn BlockQueue>) -> Self {
        Self(queue)
    }

    /// Says that the request which was started with this tag has ended, and how. What waits for it is called when the
    /// interrupt ends. Any context, within [`BlockDriver::start`] too.
    pub fn complete(&self, tag: u16, result: Result<(), BlockError>) {
        if let Some(queue) = self.0.upgrade() {
            queue.complete(tag, result);
        }
    }
}

/// A kernel that has disks.
pub trait Disks: Kernel {
    /// A disk that is known to the kernel. Dropping it takes the disk away: requests under way end first, later ones
    /// fail, and the driver is dropped. Process context.
    type Disk: Send + Sync;

    /// Makes a disk known by `name`, whose driver `make` makes. Process context; may sleep for memory.
    ///
    /// # Errors
    /// `EEXIST` for a name that is taken, `EINVAL` for a depth of 0, `ENOMEM`, those of `make`.
    fn add_disk<D: BlockDriver>(
        name: &str,
        make: impl FnOnce(Completer) -> Result<D, Errno>,
    ) -> Result<Self::Disk, Errno>;

    /// Whether somebody uses the disk: has its special file open, or swaps to it. Any context.
    fn is_disk_used(disk: &Self::Disk) -> bool;
}

#[cfg(test)]
mod tests {
    use mm::Pfn;

    use super::Segment;

    #[test]
    fn segments_are_whole_sectors_of_a_page() {
        let made = |offset, bytes| Segment::new(Pfn::new(1), offset, bytes).is_some();
        assert!(made(0, 4096) && made(512, 3584) && made(3584, 512));
        assert!(!made(0, 0) && !made(0, 4608) && !made(256, 512) && !made(0, 100) && !made(4096, 512));
        assert!(!made(usize::MAX - 511, 512) && !made(512, 4096));
    }
}
