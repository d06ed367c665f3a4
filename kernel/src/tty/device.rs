//! /dev/console and /dev/ttyS0, which are the terminal, and /dev/tty, which is it for those whose terminal it is.

use kapi::{CharDriver, Errno, IoBuf, Minor, OpenDevice};

use super::control;
use super::job_control;
use super::transfer::{self, Waiting};
use crate::chrdev::{self, Major, Nodes};

/// The usual numbers.
const MAJOR: u16 = 5;
const TTY: Minor = Minor(0);
const CONSOLE: Minor = Minor(1);
const SERIAL_MAJOR: u16 = 4;
const SERIAL: Minor = Minor(64);

/// The drivers "console" and "ttyS".
struct Terminal;

/// Registers the devices.
pub fn register() -> Result<(), Errno> {
    chrdev::register("console", Major::Fixed(MAJOR), Nodes::Named(&[("console", CONSOLE), ("tty", TTY)]), Terminal)?;
    chrdev::register("ttyS", Major::Fixed(SERIAL_MAJOR), Nodes::Named(&[("ttyS0", SERIAL)]), Terminal).map(|_| ())
}

impl CharDriver for Terminal {
    /// `ENXIO` for /dev/tty where the caller has no terminal.
    fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
        match file.minor() {
            CONSOLE | SERIAL => Ok(()),
            TTY => job_control::owning_caller().map(|_| ()).map_err(|_| Errno::ENXIO),
            _ => Err(Errno::ENODEV),
        }
    }

    fn read(&self, file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        transfer::read(buf, waiting(file))
    }

    fn write(&self, file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        transfer::write(buf, waiting(file))
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn ioctl(&self, _file: &OpenDevice, command: u32, argument: usize) -> Result<usize, Errno> {
        control::ioctl(command, argument)
    }
}

fn waiting(file: &OpenDevice) -> Waiting {
    if file.is_nonblocking() { Waiting::Refused } else { Waiting::Allowed }
}
