//! The memory devices: null, zero, full, and random bytes.

use kapi::{CharDriver, Errno, IoBuf, Minor, OpenDevice};

use super::table::{self, Major, Nodes};
use crate::random;

/// Their usual numbers.
const MAJOR: u16 = 1;
const NULL: Minor = Minor(3);
const ZERO: Minor = Minor(5);
const FULL: Minor = Minor(7);
const RANDOM: Minor = Minor(8);
const URANDOM: Minor = Minor(9);

/// Random bytes that are made at a time.
const PIECE: usize = 256;

/// Names and numbers.
const NODES: &[(&str, Minor)] =
    &[("null", NULL), ("zero", ZERO), ("full", FULL), ("random", RANDOM), ("urandom", URANDOM)];

/// The driver "mem".
struct MemoryDevices;

/// Registers the devices.
pub fn register() -> Result<(), Errno> {
    table::register("mem", Major::Fixed(MAJOR), Nodes::Named(NODES), MemoryDevices).map(|_| ())
}

impl CharDriver for MemoryDevices {
    fn open(&self, file: &mut OpenDevice) -> Result<(), Errno> {
        if NODES.iter().any(|(_, minor)| *minor == file.minor()) { Ok(()) } else { Err(Errno::ENODEV) }
    }

    fn read(&self, file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        match file.minor() {
            NULL => Ok(0),
            RANDOM | URANDOM => put_random(buf),
            _ => buf.put_zeros(buf.remaining()),
        }
    }

    fn write(&self, file: &OpenDevice, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        match file.minor() {
            FULL => Err(Errno::ENOSPC),
            RANDOM | URANDOM => stir(buf),
            _ => buf.skip(buf.remaining()),
        }
    }
}

/// Fills the buffer with random bytes.
fn put_random(buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
    let before = buf.done();
    let mut piece = [0; PIECE];
    while buf.remaining() > 0 {
        let piece = &mut piece[..PIECE.min(buf.remaining())];
        random::fill(piece);
        buf.put(piece)?;
    }
    Ok(buf.done() - before)
}

/// Has what is written change all random bytes to come.
fn stir(buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
    let before = buf.done();
    let mut piece = [0; PIECE];
    while buf.remaining() > 0 {
        let n = buf.get(&mut piece)?;
        random::stir(&piece[..n]);
    }
    Ok(buf.done() - before)
}
