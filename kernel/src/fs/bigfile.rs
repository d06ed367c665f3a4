//! /tmp/bigfile: the megabyte that the chapter copies to its devices.

use kapi::{Errno, OpenFlags};

use super::calls::{open, unlink};
use super::place::Place;

/// Its size, in bytes.
pub const SIZE: usize = 1 << 20;
/// Bytes that are written at a time: a page, so that none is filled with zeros first.
const CHUNK: usize = 4096;

/// Where it is.
const PATH: &str = "/tmp/bigfile";

/// Makes /tmp/bigfile: bytes that look random, do not repeat, and are the same at every boot. Without memory for all
/// of it, there is no file.
pub fn create_bigfile() -> Result<(), Errno> {
    let made = write_bigfile();
    if made.is_err() {
        // It may not even have been there.
        let _: Result<(), _> = unlink(&Place::root(), PATH);
    }
    made
}

fn write_bigfile() -> Result<(), Errno> {
    let file = open(&Place::root(), PATH, OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE, 0o666)?;
    let mut state = 0x5343_554c_4c45_5259;
    let mut chunk = [0; CHUNK];
    for _ in 0..SIZE / CHUNK {
        for word in chunk.chunks_exact_mut(8) {
            word.copy_from_slice(&next(&mut state).to_le_bytes());
        }
        file.write_all(&chunk)?;
    }
    Ok(())
}

/// The next number of a sequence with a period of 2^64 - 1 (xorshift64*, S. Vigna 2016).
const fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}
