//! A machine with swap: disks, the cache, the list of all spaces.

use std::sync::Arc;

use kapi::Errno;
use kapi::mm::own::AnyBox;
use kapi::mm::space::{MapRequest, NoObject, ObjectError, Place, Scan, Space, SpaceList, Spaces, SwapOut, SwapStore};
use kapi::mm::testing::{HostLock, HostUser, TestKernel};
use kapi::mm::{GfpFlags, Lock, PAGE_SIZE, VirtAddr};
use kapi::testing::Host;
use pagecache::swap::{Header, NewArea, Swap, Totals};
use pagecache::{Kind, PageCache};

use crate::common::{self, Disk, PAGE, lock};

pub type Program = Space<Host, HostUser, NoObject>;

/// Where a program has its pages.
pub const AT: usize = 0x40_0000;

/// All of it, for good.
pub struct World {
    pub cache: &'static PageCache<Host>,
    pub swap: &'static Swap<Host>,
    pub spaces: &'static SpaceList<Host, HostUser>,
    pub disks: Vec<Arc<Disk>>,
}

impl World {
    /// A machine whose disks, of so many bytes each, are swap.
    pub fn new(disks: &[usize]) -> &'static Self {
        let cache = common::cache();
        let swap: &'static Swap<Host> = Box::leak(Box::new(Swap::new(cache)));
        let list = SpaceList::new(HostLock::new(Spaces::new()));
        let spaces: &'static SpaceList<Host, HostUser> = Box::leak(Box::new(list));
        cache.set_scan(spaces);
        HostUser.set_swap(Some(swap));
        let disks = disks.iter().map(|&bytes| Disk::new(Kind::Device, bytes)).collect();
        let world: &'static Self = Box::leak(Box::new(Self { cache, swap, spaces, disks }));
        (0..world.disks.len()).for_each(|disk| world.swapon(disk, None).expect("a good disk"));
        world
    }

    /// Has a disk be swap, newly made.
    pub fn swapon(&self, disk: usize, priority: Option<i16>) -> Result<(), Errno> {
        let pages = lock(&self.disks[disk].bytes).len() as u64 / PAGE_SIZE as u64;
        let mut header = [0; PAGE];
        assert!(Header::write(&mut header, pages));
        self.open(disk, &header, pages, priority)
    }

    /// Has a disk be swap with this first page.
    pub fn open(&self, disk: usize, header: &[u8; PAGE], pages: u64, priority: Option<i16>) -> Result<(), Errno> {
        self.swap.open(NewArea {
            name: ["/dev/one", "/dev/two", "/dev/three"][disk],
            device: disk as u64,
            backing: self.disks[disk].clone(),
            share: |slots| Ok(Arc::new(slots)),
            pages,
            header,
            priority,
            claim: AnyBox::new::<TestKernel, _>((), GfpFlags::KERNEL)?,
        })
    }

    /// Has a disk be swap no more.
    pub fn swapoff(&self, disk: usize) -> Result<(), Errno> {
        self.swap.close(disk as u64, &mut |area| {
            self.spaces.unswap(area, &mut |slot| self.swap.bring(slot)).map_err(|error| match error {
                ObjectError::NoMemory => Errno::ENOMEM,
                ObjectError::Io | ObjectError::Beyond => Errno::EIO,
            })
        })
    }

    /// Takes up to so many pages out of page tables, and has them written.
    pub fn press(&self, pages: usize) -> SwapOut {
        let out = self.spaces.swap_out(GfpFlags::HIGHUSER, pages);
        self.cache.shrink(GfpFlags::HIGHUSER, GfpFlags::HIGHUSER.zones(), pages);
        out
    }

    /// A program of so many pages.
    pub fn program(&self, pages: usize) -> Program {
        let mut program = Program::new_in(HostUser, self.spaces).expect("memory for a space");
        let at = Place::Fixed(VirtAddr::new(AT));
        program.map(MapRequest { at, ..MapRequest::anonymous(pages * PAGE_SIZE) }).expect("room for the pages");
        program
    }

    /// That nothing is left where no program is.
    pub fn finish(&self) {
        self.cache.validate().expect("a sound cache");
        for disk in 0..self.disks.len() {
            let closed = self.swapoff(disk);
            assert!(matches!(closed, Ok(()) | Err(Errno::EINVAL)), "{closed:?}");
        }
        assert_eq!(self.cache.stats().swap_cached, 0);
        assert_eq!(TestKernel::memory().pages().anonymous_pages(), 0);
        assert_eq!(self.swap.totals(), Totals::default());
        assert_eq!(TestKernel::memory().validate(), Ok(()));
        HostUser.set_swap(None);
    }
}

/// The address of a byte of a program's.
pub fn at(page: usize, byte: usize) -> VirtAddr {
    VirtAddr::new(AT + page * PAGE_SIZE + byte)
}
