//! The memory devices: null, zero and full.

use kapi::{CharDriver, Errno, IoBuf, Minor, OpenDevice};

use super::table::{self, Major, Nodes};

/// Their usual numbers.
const MAJOR: u16 = 1;
const NULL: Minor = Minor(3);
const ZERO: Minor = Minor(5);
const FULL: Minor = Minor(7);

/// The driver "mem".
struct MemoryDevices;

/// Registers the devices.
pub fn register() -> Result<(), Errno> {
    let nodes = Nodes::Named(&[("null", NULL), ("zero", ZERO), ("full", FULL)]);
    table::register("mem", Major::Fixed(MAJOR), nodes, MemoryDevices).map(|_| ())
}

impl CharDriver for MemoryDevices {
    fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
        if [NULL, ZERO, FULL].contains(&file.minor()) { Ok(()) } else { Err(Errno::ENODEV) }
    }

    fn read(&self, file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        if file.minor() == NULL { Ok(0) } else { buf.put_zeros(buf.remaining()) }
    }

    fn write(&self, file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        if file.minor() == FULL { Err(Errno::ENOSPC) } else { buf.skip(buf.remaining()) }
    }
}
