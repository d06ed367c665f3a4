//! Drivers whose open files are their own: those in C.
//!
//! Key types: [`RawDriver`], [`RawFile`], [`RawMapping`]. Such a file keeps its own position, copies by itself, and
//! says what each area of a process shows.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;

use kapi::{CharDriver, Errno, Events, IoBuf, Minor, OpenFlags, Whence};
use mm::Pfn;

use crate::mm::space::MappedArea;
use crate::sched::PollTable;

/// A driver that opens files of its own.
pub trait RawDriver: CharDriver + Any {
    /// A file is opened on a device. Process context; may sleep.
    ///
    /// # Errors
    /// The driver's.
    fn open_file(&self, major: u16, minor: Minor, flags: OpenFlags) -> Result<Arc<dyn RawFile>, Errno>;
}

/// An open file of such a driver. The drop releases it. All may sleep, and return the driver's errors.
pub trait RawFile: Send + Sync {
    /// Reads: at `position`, or at the file's own, which then moves. Returns the bytes read.
    fn read(&self, position: Option<u64>, buf: &mut IoBuf<'_>) -> Result<usize, Errno>;

    /// Writes, as [`read`](Self::read) reads.
    fn write(&self, position: Option<u64>, buf: &mut IoBuf<'_>) -> Result<usize, Errno>;

    /// Moves the file's own position and returns it.
    fn llseek(&self, offset: i64, whence: Whence) -> Result<u64, Errno>;

    /// A command.
    fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno>;

    /// What can be done at once; queues are entered in `table` before the look.
    fn poll(&self, table: &mut PollTable<'_>) -> Events;

    /// Waits until what was written is where it is kept.
    fn sync(&self) -> Result<(), Errno>;

    /// It is open in another way now.
    fn set_flags(&self, flags: OpenFlags);

    /// Its owner wants a signal when something can be done with it, or does not any more. `descriptor` is its number.
    fn set_async(&self, descriptor: i32, wanted: Wanted) -> Result<(), Errno>;

    /// Signals about it go to this process, or below 0 to this group.
    fn set_owner(&self, owner: i32);

    /// Whether it can be mapped at all.
    fn can_be_mapped(&self) -> bool;

    /// An area of a process is to show a part of it. `ENODEV` when it cannot.
    fn map(self: Arc<Self>, area: MappedArea) -> Result<Box<dyn RawMapping>, Errno>;
}

/// Whether signals are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// What such an area shows. The drop is not the area's end: that is [`unmapped`](Self::unmapped).
pub trait RawMapping: Send + Sync {
    /// One more area shows the same: after a fork, and where the area was cut in two.
    fn mapped(&self);

    /// One area less does.
    fn unmapped(&self);

    /// The frame to show for page `index` of the file, with a reference of the caller's own.
    ///
    /// # Errors
    /// `ENOMEM`, or any other: the process gets SIGBUS.
    fn page(&self, index: u64) -> Result<Pfn, Errno>;
}
