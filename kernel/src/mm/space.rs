//! Address spaces of processes: `mm::space` on this machine.
//!
//! Key types: [`UserSpace`]; [`PageSource`], what files and devices are to be mapped; [`Mapped`], such a thing in a
//! request; [`SharedMemory`], memory that processes share. The lock order, outermost first: a space's lock, which is a
//! sleeping one (of two spaces, the parent's first), what a page source locks, page tables, the allocators'. A page
//! source never calls a space, and touches no memory of processes. Reclaim finds all spaces in [`SPACES`], and takes
//! none of their locks but those of page tables.

use core::fmt;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

use ::mm::mapper::Table;
use ::mm::space::{Object, Space, SpaceList, Spaces, SwapStore, UserMachine};
use ::mm::{AllocError, GfpFlags, MustFlush, PAGE_SIZE, Pfn, VirtAddr};
use alloc::sync::Arc;
use kapi::Errno;
use pagetable::X86_64User;
use services::radix::RadixTree;
use spin::Once;

use super::global::{Kernel, UserPage, memory};
use crate::arch::layout::{DIRECT_MAP, KERNEL_HALF, USER_END, USER_START};
use crate::arch::paging;
use crate::sched::Mutex;
use crate::sync::SpinLock;

pub use ::mm::space::{
    AreaInfo, Content, FaultAccess, FaultError, Growth, Limits, MapRequest, ObjectError, Place, Protection, Resolved,
    Role, Sharing, SpaceError, Usage,
};

/// The address space of a process.
pub type UserSpace = Space<Kernel, ThisCpu, Mapped>;

/// The address spaces of all processes, as reclaim and swap see them.
pub static SPACES: SpaceList<Kernel, ThisCpu> = SpaceList::new(SpinLock::new(Spaces::new()));

/// Where pages of processes go that memory has no room for, once swap is there.
static SWAP: Once<&'static dyn SwapStore> = Once::new();

/// Makes an address space. Process context; may sleep.
///
/// # Errors
/// No memory.
pub fn new_space() -> Result<UserSpace, AllocError> {
    UserSpace::new_in(ThisCpu, &SPACES)
}

/// Has pages of processes go there, and be noted there when they are written to. Once, at boot.
pub fn set_swap_store(store: &'static dyn SwapStore) {
    SWAP.call_once(|| store);
}

/// Entries of a table, and the first of the kernel's half of a root.
const ENTRIES: usize = ::mm::mapper::ENTRIES;
const KERNEL_ENTRIES: Range<usize> = ::mm::mapper::Level::Four.index(KERNEL_HALF)..ENTRIES;

/// This machine's one CPU, as it reads the tables of processes.
#[derive(Clone, Copy, Debug)]
pub struct ThisCpu;

// SAFETY: the format is the processor's; users have the lower half, of which the kernel maps nothing; the upper half is
// the kernel's own, whose level-3 tables stay for ever. One CPU runs: what is not loaded it does not know, since a load
// of CR3 drops all that was not global.
unsafe impl UserMachine for ThisCpu {
    type Format = X86_64User;

    fn format(&self) -> X86_64User {
        X86_64User
    }

    fn range(&self) -> Range<VirtAddr> {
        USER_START..USER_END
    }

    fn share_kernel(&self, root: &Table) {
        let Some(kernel) = paging::kernel_root() else { return };
        let kernel = DIRECT_MAP.add(kernel.phys().as_u64() as usize).as_mut_ptr::<Table>();
        // SAFETY: the kernel's tables show in the direct map, for ever, and their entries are atomics.
        let kernel = unsafe { &*kernel };
        for slot in KERNEL_ENTRIES {
            root[slot].store(kernel[slot].load(Relaxed), Relaxed);
        }
    }

    fn flush(&self, root: Pfn, must_flush: MustFlush) {
        if paging::loaded_root() == root { paging::flush(must_flush) } else { must_flush.flushed() }
    }

    fn swap(&self) -> Option<&'static dyn SwapStore> {
        SWAP.get().copied()
    }

    fn retire(&self, root: Pfn) {
        if let Some(kernel) = paging::kernel_root()
            && paging::loaded_root() == root
        {
            // SAFETY: these are the kernel's own tables.
            unsafe { paging::load_root(kernel) };
        }
    }
}

/// An area of a process that shows a part of a file.
#[derive(Clone, Copy, Debug)]
pub struct MappedArea {
    /// The first address.
    pub start: VirtAddr,
    /// Behind the last one.
    pub end: VirtAddr,
    /// The page of the file that is at `start`.
    pub first_page: u64,
    /// What the program may do there.
    pub protection: Protection,
    /// Who sees what is written.
    pub sharing: Sharing,
}

/// A file, a device or memory whose pages processes can map. All calls come in process context with the lock of one or
/// two spaces held; they may sleep.
pub trait PageSource: Send + Sync {
    /// The frame of page `index`, counted from the start, with a reference for the caller. It is asked once more, for
    /// [`FaultAccess::Write`], before a shared page is first written to.
    ///
    /// # Errors
    /// There is no such page, no memory, or it cannot be read.
    fn page(&self, index: u64, access: FaultAccess) -> Result<Pfn, ObjectError>;

    /// An area that mmap has made is in its place; it goes again if this fails. Unlike the others this comes with no
    /// space locked, and before the program knows of the area.
    ///
    /// # Errors
    /// The area cannot be shown.
    fn placed(&self, _area: MappedArea) -> Result<(), Errno> {
        Ok(())
    }

    /// Waits until what was written to these pages is where it is kept. Unlike the others it comes with no space
    /// locked.
    ///
    /// # Errors
    /// `EIO` when some of it could not be written.
    fn sync(&self, _pages: Range<u64>) -> Result<(), Errno> {
        Ok(())
    }

    /// Whether it is asked before a shared page is first written to. If not, such a page may be written to as soon as
    /// it shows.
    fn tracks_writes(&self) -> bool {
        true
    }

    /// One more area shows a part of it: so after mmap, fork, and where an area is cut in two.
    fn mapped(&self) {}

    /// One area less shows a part of it. Its pages are not mapped there any more, and no TLB knows them.
    fn unmapped(&self) {}

    /// Its name for /proc/PID/maps.
    ///
    /// # Errors
    /// Those of `out`.
    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Device and inode, for /proc/PID/maps.
    fn id(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// What an area shows that is not memory of the process's own.
#[derive(Clone)]
pub struct Mapped(pub Arc<dyn PageSource>);

impl Object for Mapped {
    fn page(&self, index: u64, access: FaultAccess) -> Result<Pfn, ObjectError> {
        self.0.page(index, access)
    }

    fn tracks_writes(&self) -> bool {
        self.0.tracks_writes()
    }

    fn mapped(&self) {
        self.0.mapped();
    }

    fn unmapped(&self) {
        self.0.unmapped();
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.0.write_name(out)
    }

    fn id(&self) -> (u64, u64) {
        self.0.id()
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_name(f)
    }
}

/// Memory that processes share: what MAP_SHARED of MAP_ANONYMOUS maps. Zeros at first; it goes with its last area.
pub struct SharedMemory {
    pages: u64,
    present: Mutex<RadixTree<UserPage, Kernel>>,
}

impl SharedMemory {
    /// Memory of `bytes`, to be mapped.
    ///
    /// # Errors
    /// No memory.
    pub fn create(bytes: usize) -> Result<Mapped, AllocError> {
        let pages = bytes.div_ceil(PAGE_SIZE) as u64;
        let shared = Arc::try_new(Self { pages, present: Mutex::new(RadixTree::new()) }).map_err(|_| AllocError)?;
        Ok(Mapped(shared))
    }
}

impl PageSource for SharedMemory {
    fn page(&self, index: u64, _: FaultAccess) -> Result<Pfn, ObjectError> {
        if index >= self.pages {
            return Err(ObjectError::Beyond);
        }
        let mut present = self.present.lock_uninterruptible().map_err(|_| ObjectError::Io)?;
        if present.get(index).is_none() {
            let page = UserPage::zeroed(GfpFlags::HIGHUSER).map_err(|_| ObjectError::NoMemory)?;
            present.insert(index, page, GfpFlags::KERNEL).map_err(|_| ObjectError::NoMemory)?;
        }
        let frame = present.get(index).map(UserPage::frame).ok_or(ObjectError::NoMemory)?;
        if memory().get_page(frame) { Ok(frame) } else { Err(ObjectError::NoMemory) }
    }

    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("/dev/zero (deleted)")
    }
}
