//! Open devices of a test: what a program does with a driver.

use std::vec;
use std::vec::Vec;

use crate::chrdev::CharDriver;
use crate::errno::Errno;
use crate::file::OpenFlags;
use crate::io_buf::IoBuf;
use crate::open_device::{Minor, OpenDevice};
use crate::params::Param;

/// A device that is open; dropping it releases it. Positions are the caller's.
pub struct File<'a> {
    driver: &'a dyn CharDriver,
    device: OpenDevice,
}

impl<'a> File<'a> {
    /// Opens a driver's device.
    ///
    /// # Errors
    /// What the driver says.
    pub fn open(driver: &'a dyn CharDriver, minor: Minor, flags: OpenFlags) -> Result<Self, Errno> {
        let mut device = OpenDevice::new(minor, flags);
        driver.open(&mut device)?;
        Ok(Self { driver, device })
    }

    /// One read at the start, of up to `len` bytes.
    ///
    /// # Errors
    /// What the driver says.
    pub fn read(&self, len: usize) -> Result<Vec<u8>, Errno> {
        self.read_at(0, len)
    }

    /// One read at `position`, of up to `len` bytes.
    ///
    /// # Errors
    /// What the driver says.
    pub fn read_at(&self, position: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0xee; len];
        let read = self.driver.read(&self.device, position, &mut IoBuf::fill(&mut bytes))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// One write at the start.
    ///
    /// # Errors
    /// What the driver says.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        self.write_at(0, bytes)
    }

    /// One write at `position`.
    ///
    /// # Errors
    /// What the driver says.
    pub fn write_at(&self, position: u64, bytes: &[u8]) -> Result<usize, Errno> {
        self.driver.write(&self.device, position, &mut IoBuf::take(bytes))
    }

    /// A device-specific command.
    ///
    /// # Errors
    /// What the driver says.
    pub fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        self.driver.ioctl(&self.device, command, argument)
    }

    /// The open device, for calls that are not among these.
    pub const fn device(&self) -> &OpenDevice {
        &self.device
    }
}

impl Drop for File<'_> {
    fn drop(&mut self) {
        self.driver.release(&self.device);
    }
}

/// Parameters of an insmod line, each `name=value`.
///
/// # Panics
/// For a word without `=`.
pub fn params<'a>(line: &[&'a str]) -> Vec<Param<'a>> {
    let parts = line.iter().map(|word| word.split_once('=').expect("name=value"));
    parts.map(|(name, value)| Param { name, value }).collect()
}

/// insmod: makes a module as a line with these parameters does, each `name=value`.
///
/// # Errors
/// `EINVAL` for a line that the module's table does not allow, and what the module says.
pub fn insmod<M: crate::Module<super::Host>>(line: &[&str]) -> Result<M, Errno> {
    M::load(&crate::Values::read(M::PARAMS, &params(line))?)
}
