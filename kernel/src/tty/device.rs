//! /dev/console, /dev/ttyS0 and /dev/tty.
//!
//! The first two are the terminal; the third is it for those whose terminal it is.

use kapi::{CharDriver, Errno, Events, IoBuf, Minor, OpenDevice};

use super::control;
use super::job_control;
use super::transfer::{self, Waiting};
use crate::chrdev::{self, Major, Nodes, Polled};
use crate::sched::PollTable;

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
    register_one("console", MAJOR, &[("console", CONSOLE), ("tty", TTY)])?;
    register_one("ttyS", SERIAL_MAJOR, &[("ttyS0", SERIAL)])
}

fn register_one(name: &str, major: u16, nodes: &'static [(&'static str, Minor)]) -> Result<(), Errno> {
    chrdev::register(name, Major::Fixed(major), Nodes::Named(nodes), Terminal)?;
    chrdev::set_polled(major, &Terminal)
}

impl Polled for Terminal {
    fn poll(&'static self, _file: &OpenDevice, table: &mut PollTable<'_>) -> Events {
        transfer::watch(table);
        transfer::events()
    }
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
