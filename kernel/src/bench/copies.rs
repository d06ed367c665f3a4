//! Rows about the chapter's copies: device 0 of a scull driver to device 1.
//!
//! `kcopy_DRIVER_PHASE_CHUNK`, ticks for all of it. Fresh: to an empty device. Rewrite: to one that has the quanta.
//! Read: from device 0, to no device. Trim: device 1 gives all back.

use kapi::{Errno, OpenFlags};
use mm::{AllocError, GfpFlags};

use super::report::{Effort, Reporter, Stopped};
use crate::arch::cpu::cycles;
use crate::fs::{self, OpenFile};
use crate::mm::{KString, KVec};
use crate::modules::{insmod, pin, rmmod};

const DRIVERS: [&str; 4] = ["scull", "scullc", "scullp", "scullv"];
/// Bytes of each read and write, and their names.
const CHUNKS: [(usize, &str); 2] = [(4 << 10, "4k"), (64 << 10, "64k")];
/// Bytes that are copied.
const BYTES: usize = 4 << 20;
const ONCE: Effort = Effort { count: 1, rounds: 5 };

/// The rows; none of a driver that is neither attached nor among the modules.
pub(super) fn rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    DRIVERS.into_iter().try_for_each(|driver| {
        if pin(driver).is_ok() {
            return driver_rows(reporter, driver);
        }
        match insmod(driver, &[]) {
            Ok(()) => {
                let done = driver_rows(reporter, driver);
                done.and(Ok(rmmod(driver)?))
            }
            Err(Errno::ENOENT) => Ok(()),
            Err(why) => Err(why.into()),
        }
    })
}

fn driver_rows(reporter: &mut Reporter<'_>, driver: &str) -> Result<(), Stopped> {
    for (bytes, name) in CHUNKS {
        let mut copy = Copy::new(driver, bytes)?;
        let mut row = |phase, probe: &mut dyn FnMut() -> Result<u64, Errno>| {
            let mut ticks = || Ok([probe().map_err(|_| AllocError)?, 0]);
            reporter.row(format_args!("kcopy_{driver}_{phase}_{name}"), ONCE, |_| ticks())
        };
        row("fresh", &mut || copy.fresh())?;
        row("rewrite", &mut || copy.rewrite())?;
        row("read", &mut || copy.read())?;
        row("trim", &mut || copy.trim())?;
        copy.trim()?;
        drop(copy.open(0, OpenFlags::WRITE)?);
    }
    Ok(())
}

/// A copy from device 0 to device 1, which opening for writing alone empties.
struct Copy<'a> {
    driver: &'a str,
    chunk: KVec<u8>,
}

impl<'a> Copy<'a> {
    /// Device 0 is filled.
    fn new(driver: &'a str, bytes: usize) -> Result<Self, Errno> {
        let mut chunk = KVec::new();
        chunk.resize(bytes, 0x5a, GfpFlags::KERNEL)?;
        let copy = Self { driver, chunk };
        let file = copy.open(0, OpenFlags::WRITE)?;
        (0..BYTES / bytes).try_for_each(|_| file.write_all(&copy.chunk))?;
        Ok(copy)
    }

    fn open(&self, minor: usize, flags: OpenFlags) -> Result<OpenFile, Errno> {
        let path = KString::try_format(format_args!("/dev/{}{minor}", self.driver))?;
        fs::open(&fs::Place::root(), &path, flags, 0)
    }

    /// Ticks of a copy to an empty device.
    fn fresh(&mut self) -> Result<u64, Errno> {
        let to = self.open(1, OpenFlags::WRITE)?;
        self.copied(Some(&to))
    }

    /// Ticks of a copy to quanta that are there.
    fn rewrite(&mut self) -> Result<u64, Errno> {
        let to = self.open(1, OpenFlags::READ | OpenFlags::WRITE)?;
        self.copied(Some(&to))
    }

    /// Ticks of reading device 0.
    fn read(&mut self) -> Result<u64, Errno> {
        self.copied(None)
    }

    /// Ticks of emptying device 1, once it is full.
    fn trim(&mut self) -> Result<u64, Errno> {
        self.rewrite()?;
        let start = cycles();
        drop(self.open(1, OpenFlags::WRITE)?);
        Ok(cycles() - start)
    }

    /// Ticks of reading all of device 0, and writing it to `to`.
    fn copied(&mut self, to: Option<&OpenFile>) -> Result<u64, Errno> {
        let from = self.open(0, OpenFlags::READ)?;
        let start = cycles();
        loop {
            let bytes = from.read_bytes(&mut self.chunk)?;
            if bytes == 0 {
                return Ok(cycles() - start);
            }
            to.map_or(Ok(()), |to| to.write_all(&self.chunk[..bytes]))?;
        }
    }
}
