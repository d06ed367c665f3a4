//! Two address spaces, and who claims what in them.
//!
//! Key types: [`Space`], [`MemRegion`]. Process context.

use core::fmt::{self, Write};

use kapi::Errno;
use mm::{GfpFlags, PhysAddr};
use services::resource::{Claim, ResourceError, ResourceTree};

use crate::klog;
use crate::mm::Kernel;
use crate::sched::Mutex;

/// A whole address space.
pub struct Space {
    tree: Mutex<ResourceTree<Kernel>>,
    /// Digits of its addresses in /proc.
    digits: usize,
}

/// Physical addresses.
pub static MEMORY: Space = Space::new(8);
/// Ports.
pub static PORTS: Space = Space::new(4);

impl Space {
    const fn new(digits: usize) -> Self {
        Self { tree: Mutex::new(ResourceTree::new()), digits }
    }

    fn request(&self, first: u64, len: u64, claim: Claim, name: fmt::Arguments<'_>) -> Result<(), Errno> {
        let last = len.checked_sub(1).and_then(|rest| first.checked_add(rest)).ok_or(Errno::EINVAL)?;
        let mut tree = self.tree.lock_uninterruptible()?;
        tree.request(first, last, claim, name, GfpFlags::KERNEL).map_err(|error| match error {
            ResourceError::Busy => Errno::EBUSY,
            ResourceError::NoMemory => Errno::ENOMEM,
            ResourceError::Empty | ResourceError::Nonexistent => Errno::EINVAL,
        })
    }

    fn release(&self, first: u64, len: u64) -> Result<(), Errno> {
        let last = first.wrapping_add(len).wrapping_sub(1);
        let result = self.tree.lock_uninterruptible()?.release(first, last);
        result.map_err(|_| {
            klog!("Trying to free nonexistent resource <{first:08x}-{last:08x}>");
            Errno::EINVAL
        })
    }

    /// Enters something that is there, and in which others may lie. A range that does not fit what is known is left
    /// out.
    pub fn place(&self, first: u64, last: u64, name: fmt::Arguments<'_>) -> Result<(), Errno> {
        match self.request(first, (last - first).saturating_add(1), Claim::Place, name) {
            Err(Errno::EBUSY) => Ok(()),
            result => result,
        }
    }

    /// Writes the file in /proc.
    pub fn write(&self, out: &mut dyn Write) -> fmt::Result {
        self.tree.lock().map_err(|_| fmt::Error)?.write(self.digits, out)
    }
}

/// Claims `len` bytes of physical addresses for the driver `name`. `EBUSY` when a part of them is claimed, or they lie
/// across the edge of something; `EINVAL` for no bytes; `ENOMEM`.
pub fn request_mem_region(start: PhysAddr, len: u64, name: &str) -> Result<(), Errno> {
    MEMORY.request(start.as_u64(), len, Claim::Exclusive, format_args!("{name}"))
}

/// Gives a claim on just this range back. `EINVAL`, and a line in the log, when there is none.
pub fn release_mem_region(start: PhysAddr, len: u64) -> Result<(), Errno> {
    MEMORY.release(start.as_u64(), len)
}

/// [`request_mem_region`] for ports.
pub fn request_region(first: u16, count: u16, name: &str) -> Result<(), Errno> {
    PORTS.request(first.into(), count.into(), Claim::Exclusive, format_args!("{name}"))
}

/// [`release_mem_region`] for ports.
pub fn release_region(first: u16, count: u16) -> Result<(), Errno> {
    PORTS.release(first.into(), count.into())
}

/// A claim on physical addresses, given back when it is dropped. Process context.
pub struct MemRegion {
    start: PhysAddr,
    len: u64,
}

impl MemRegion {
    /// Claims the range, as [`request_mem_region`] does.
    pub fn request(start: PhysAddr, len: u64, name: &str) -> Result<Self, Errno> {
        request_mem_region(start, len, name)?;
        Ok(Self { start, len })
    }
}

impl Drop for MemRegion {
    fn drop(&mut self) {
        // A wrong release has been logged.
        let _: Result<(), _> = release_mem_region(self.start, self.len);
    }
}
