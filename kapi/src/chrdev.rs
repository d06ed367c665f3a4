//! Character drivers: one set of operations for all minors of a driver.

use crate::errno::Errno;
use crate::file::{Whence, seek};
use crate::io_buf::IoBuf;
use crate::open_device::{Minor, OpenDevice};

/// The file operations of a driver's devices.
///
/// All of them are called in process context and may sleep, unless they say otherwise. A minor that does not exist is
/// `ENODEV`. What a driver leaves out is refused. Positions are bytes from the start of the device.
pub trait CharDriver: Send + Sync {
    /// A file is opened on the device: `file` says which and how, and keeps what the driver wants to find again with
    /// it. The kernel counts open files: a driver goes when there are none.
    fn open(&self, _file: &mut OpenDevice) -> Result<(), Errno> {
        Err(Errno::ENODEV)
    }

    /// The last reference to an open file goes away.
    fn release(&self, _file: &OpenDevice) {}

    /// Reads at `position`; returns the bytes read, 0 at the end. Short reads are normal.
    fn read(&self, _file: &OpenDevice, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// Writes at `position`; returns the bytes written. Short writes are normal.
    fn write(&self, _file: &OpenDevice, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// Writes at `position` from any context, interrupts included; never waits. Returns the bytes written.
    ///
    /// `EAGAIN` when the device is in use this instant, or when it cannot be written without sleeping at all.
    fn write_atomic(&self, _minor: Minor, _position: u64, _bytes: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EAGAIN)
    }

    /// Bytes that the device holds: where [`Whence::End`] counts from.
    fn size(&self, _file: &OpenDevice) -> Result<u64, Errno> {
        Ok(0)
    }

    /// Whether its files are streams: without positions, so that a waiting read does not keep writers out.
    fn is_stream(&self) -> bool {
        false
    }

    /// Whether a device keeps what is written to it, to be read back.
    fn is_storage(&self) -> bool {
        false
    }

    /// Where a seek from `position` leads.
    fn llseek(&self, file: &OpenDevice, position: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        seek(self.size(file)?, position, offset, whence)
    }

    /// A device-specific command; `ENOTTY` when the device does not know it.
    fn ioctl(&self, _file: &OpenDevice, _command: u32, _argument: usize) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }

    /// Whether the device can be mapped into a process as it is now: asked by each mmap. `ENODEV` when it cannot be.
    fn mmap(&self, _file: &OpenDevice) -> Result<(), Errno> {
        Err(Errno::ENODEV)
    }

    /// One more area of a process shows a part of the device: after mmap, a fork, and where an area is cut in two.
    /// (Linux: the `open` of `vm_operations_struct`.) The file stays open as long as there is one.
    fn mapped(&self, _file: &OpenDevice) {}

    /// One area less shows a part of it. (Linux: `close` there.)
    fn unmapped(&self, _file: &OpenDevice) {}

    /// The page frame to map at byte `offset` of the device, with a reference of the caller's own: it stays what it is
    /// until `free_frames`, whatever becomes of the device. Asked when a process touches the page first, with its
    /// address space locked: it waits for locks whatever signals come, and touches no memory of processes. (Linux:
    /// `nopage`.)
    ///
    /// `ENODEV` when the device cannot be mapped, `ENXIO` when `offset` is not that of a page, `EFAULT` where the
    /// device has nothing: the process gets SIGBUS.
    fn mmap_page(&self, _file: &OpenDevice, _offset: u64) -> Result<mm::Pfn, Errno> {
        Err(Errno::ENODEV)
    }
}
