//! The list of disks.

use alloc::sync::Arc;

use blocks::{DiskName, Queue};
use kapi::{BlockDriver, Completer, Disks, Errno};

use super::bounce::Bounced;
use super::disk::Disk;
use super::kblockd;
use super::numbers::number_of;
use crate::mm::Kernel;
use crate::sync::SpinLock;
use crate::{klog, options};

/// The disks that the kernel option `ramdisk_bug=` is about begin so.
const BOUNCED: &str = "ram";
/// The most disks.
const MAX_DISKS: usize = 16;

/// A disk's place in the list stays its own.
static DISKS: SpinLock<[Option<Arc<Disk>>; MAX_DISKS]> = SpinLock::new([const { None }; MAX_DISKS]);

/// A disk in the list. Dropping it takes the disk out and waits until its driver has nothing to do any more.
pub struct Registration(Arc<Disk>);

/// Makes a disk known by `name`, whose driver `make` makes. Process context; may sleep for memory.
///
/// # Errors
/// `EEXIST` for a name that is taken, `ENFILE` when there are too many, `EINVAL` for no name or a depth of 0, `ENOMEM`,
/// those of `make`.
pub fn add<D: BlockDriver>(
    name: &str,
    make: impl FnOnce(Completer) -> Result<D, Errno>,
) -> Result<Registration, Errno> {
    let disk_name = DiskName::new(name).ok_or(Errno::EINVAL)?;
    if find(name).is_some() {
        return Err(Errno::EEXIST);
    }
    let queue = Arc::try_new(Queue::<Kernel>::new(disk_name)?).map_err(|_| Errno::ENOMEM)?;
    let driver = Arc::try_new(make(queue.completer())?).map_err(|_| Errno::ENOMEM)?;
    let sectors = driver.sectors();
    queue.attach(driver)?;
    kblockd::ensure_started(expire_all)?;
    let disk = enter(&queue, sectors)?;
    let rights = if disk.is_read_only() { ", read-only" } else { "" };
    klog!("{name}: a disk of {} KiB{rights}", sectors / 2);
    Ok(Registration(disk))
}

/// Gives the disk its place.
fn enter(queue: &Arc<Queue<Kernel>>, sectors: u64) -> Result<Arc<Disk>, Errno> {
    let name = queue.name();
    // Two that come at once find different places; of two of one name one finds the other.
    loop {
        let place = DISKS.with(|disks| disks.iter().position(Option::is_none)).ok_or(Errno::ENFILE)?;
        let disk = Disk::new(queue.clone(), number_of(name.as_str(), place), sectors)?;
        let entered = DISKS.with(|disks| {
            if disks.iter().flatten().any(|other| other.name() == name.as_str()) {
                return Err(Errno::EEXIST);
            }
            let slot = &mut disks[place];
            let is_free = slot.is_none();
            if is_free {
                *slot = Some(disk.clone());
            }
            Ok(is_free)
        })?;
        if entered {
            return Ok(disk);
        }
    }
}

/// Gives up requests that get no answer, of each disk. Process context.
fn expire_all() {
    (0..MAX_DISKS).map_while(nth).for_each(|disk| _ = disk.queue.expire());
}

fn find_by(is_it: impl Fn(&Disk) -> bool) -> Option<Arc<Disk>> {
    DISKS.with(|disks| disks.iter().flatten().find(|disk| is_it(disk)).cloned())
}

/// The disk called `name`. Any context.
pub fn find(name: &str) -> Option<Arc<Disk>> {
    find_by(|disk| disk.name() == name)
}

/// The disk with these numbers. Any context.
pub fn find_number(major: u16, minor: u16) -> Option<Arc<Disk>> {
    find_by(|disk| (disk.major(), disk.minor()) == (major, minor))
}

/// The `index`-th disk, from 0 on. Any context.
pub fn nth(index: usize) -> Option<Arc<Disk>> {
    DISKS.with(|disks| disks.iter().flatten().nth(index).cloned())
}

impl Registration {
    /// The disk.
    pub fn disk(&self) -> &Arc<Disk> {
        &self.0
    }

    /// Whether somebody else has it, too.
    fn is_used(&self) -> bool {
        // The list and this value.
        Arc::strong_count(&self.0) > 2
    }

    /// Leaves the disk in the list for good.
    pub fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Registration {
    /// The disk stays in the list until it is at rest: what it does not answer ends by its time.
    fn drop(&mut self) {
        self.0.queue.retire();
        let taken = DISKS.with(|disks| {
            let place = disks.iter().position(|disk| disk.as_ref().is_some_and(|disk| Arc::ptr_eq(disk, &self.0)))?;
            disks[place].take()
        });
        drop(taken);
    }
}

impl Disks for Kernel {
    type Disk = Registration;

    fn add_disk<D: BlockDriver>(
        name: &str,
        make: impl FnOnce(Completer) -> Result<D, Errno>,
    ) -> Result<Registration, Errno> {
        match options::get().disks.bug.filter(|_| name.starts_with(BOUNCED)) {
            None => add(name, make),
            Some(bounce) => {
                let disk_name = DiskName::new(name).ok_or(Errno::EINVAL)?;
                add(name, |completer| Bounced::new(disk_name, bounce, completer, make))
            }
        }
    }

    fn is_disk_used(disk: &Registration) -> bool {
        disk.is_used()
    }
}
