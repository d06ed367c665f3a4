//! What modules cost: the kernel called from one, and one loaded and taken out.

use kapi::{Errno, OpenFlags};
use mm::{AllocError, GfpFlags};

use super::probe::Ticks;
use super::report::{Effort, Reporter, Stopped};
use crate::arch::cpu::cycles;
use crate::fs;
use crate::mm::KVec;
use crate::modules::{insmod, pin, rmmod};

/// The module that calls kmalloc and kfree as often as bytes are read of its device.
const PAIRS: &str = "pairs";
const DEVICE: &str = "/dev/pairs0";
/// Pairs of a round.
const READ: Effort = Effort { count: 10_000, rounds: 21 };
/// The module that is loaded; the one that is linked in has its name.
const SCULLP: &str = "scullp";
const FILE: &str = "/lib/modules/scullp.ko";
const LOADS: Effort = Effort { count: 1, rounds: 5 };

/// Its twin in C, which has no name in /dev but a number.
const C_PAIRS: &str = "cpairs";
const C_MAJOR: u16 = 240;
const C_DEVICE: &str = "/tmp/cpairs";

/// The rows. Without the files of the modules there are none, and none of scullp while it is attached.
pub fn rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    pairs(reporter)?;
    c_pairs(reporter)?;
    if fs::stat(&fs::Place::root(), FILE).is_err() || pin(SCULLP).is_ok() {
        return Ok(());
    }
    row(reporter, "insmod_scullp", LOADS, &mut || load().map(|[load, _]| load))?;
    row(reporter, "rmmod_scullp", LOADS, &mut || load().map(|[_, unload]| unload))
}

/// A row of what `probe` measures.
fn row(
    reporter: &mut Reporter<'_>,
    name: &str,
    effort: Effort,
    probe: &mut dyn FnMut() -> Result<u64, AllocError>,
) -> Result<(), Stopped> {
    reporter.row(format_args!("{name}"), effort, |_| Ok([probe()?, 0]))
}

fn pairs(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    match insmod(PAIRS, &[]) {
        Ok(()) => {}
        Err(Errno::ENOENT) => return Ok(()),
        Err(why) => return Err(why.into()),
    }
    let done = read_row(reporter, "kmalloc_module_64", DEVICE);
    done.and(Ok(rmmod(PAIRS)?))
}

fn c_pairs(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    match insmod(C_PAIRS, &[]) {
        Ok(()) => {}
        Err(Errno::ENOENT) => return Ok(()),
        Err(why) => return Err(why.into()),
    }
    let root = fs::Place::root();
    fs::mknod(&root, C_DEVICE, 0o666, fs::Make::Device { major: C_MAJOR, minor: 0 })?;
    let done = read_row(reporter, "kmalloc_c_64", C_DEVICE);
    fs::unlink(&root, C_DEVICE)?;
    done.and(Ok(rmmod(C_PAIRS)?))
}

fn read_row(reporter: &mut Reporter<'_>, name: &str, device: &str) -> Result<(), Stopped> {
    let file = fs::open(&fs::Place::root(), device, OpenFlags::READ, 0)?;
    let mut bytes = KVec::new();
    bytes.resize(READ.count as usize, 0, GfpFlags::KERNEL).map_err(Errno::from)?;
    row(reporter, name, READ, &mut || {
        let start = cycles();
        file.read_bytes(&mut bytes).map_err(|_| AllocError)?;
        Ok(cycles() - start)
    })
}

/// Loads scullp and takes it out, once.
fn load() -> Result<Ticks, AllocError> {
    let start = cycles();
    insmod(FILE, &[]).map_err(|_| AllocError)?;
    let middle = cycles();
    rmmod(SCULLP).map_err(|_| AllocError)?;
    Ok([middle - start, cycles() - middle])
}
