//! Names of files, as tests write, read and move them.
#![allow(dead_code, reason = "each test file uses a part of this")]

use kapi::{Errno, OpenFlags};
use kernel::fs::{self, Place, Replace};
use kernel::mm::KString;

/// Where all paths start.
pub const ROOT: Place = Place::root();
pub const READ: OpenFlags = OpenFlags::READ;
pub const WRITE: OpenFlags = OpenFlags::WRITE;
pub const MAKE: OpenFlags = OpenFlags::WRITE.union(OpenFlags::CREATE).union(OpenFlags::TRUNCATE);

pub fn put(path: &str, text: &str) {
    fs::open(&ROOT, path, MAKE, 0o666).unwrap().write_all(text.as_bytes()).unwrap();
}

pub fn text_of(place: &Place, path: &str) -> Result<KString, Errno> {
    let file = fs::open(place, path, READ, 0)?;
    let mut bytes = [0; 2048];
    let n = file.read_bytes(&mut bytes)?;
    Ok(KString::from_str(core::str::from_utf8(&bytes[..n]).unwrap(), mm::GfpFlags::KERNEL)?)
}

pub fn is(path: &str, text: &str) -> bool {
    text_of(&ROOT, path).is_ok_and(|found| found.as_str() == text)
}

pub fn mkdir(path: &str) {
    fs::mkdir(&ROOT, path, 0o777).unwrap();
}

pub fn rename(from: &str, to: &str) -> Result<(), Errno> {
    fs::rename(&ROOT, from, &ROOT, to, Replace::Yes)
}

pub fn exists(path: &str) -> bool {
    fs::lstat(&ROOT, path).is_ok()
}
