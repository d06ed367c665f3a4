//! /dev/console.

use kapi::{CharDriver, Errno, IoBuf, Minor, OpenDevice};

use super::tty;
use crate::chrdev::{self, Major, Nodes};

/// The usual numbers.
const MAJOR: u16 = 5;
const CONSOLE: Minor = Minor(1);
/// Bytes that go through at a time.
const CHUNK: usize = 256;

/// The driver "console".
struct Console;

/// Registers the device.
pub fn register() -> Result<(), Errno> {
    chrdev::register("console", Major::Fixed(MAJOR), Nodes::Named(&[("console", CONSOLE)]), Console).map(|_| ())
}

impl CharDriver for Console {
    fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
        if file.minor() == CONSOLE { Ok(()) } else { Err(Errno::ENODEV) }
    }

    fn release(&self, _file: &OpenDevice) {}

    /// A line, or the part of it that fits. Sleeps until there is one.
    fn read(&self, _file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut bytes = [0; CHUNK];
        let wanted = buf.remaining().min(CHUNK);
        let read = tty::read(&mut bytes[..wanted])?;
        buf.put(&bytes[..read])
    }

    fn write(&self, _file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut bytes = [0; CHUNK];
        let taken = buf.get(&mut bytes)?;
        tty::write(&bytes[..taken]);
        Ok(taken)
    }
}
