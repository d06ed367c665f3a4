//! Modules and what /proc says of them.

use kapi::{Errno, OpenFlags};
use kernel::fs;
use kernel::mm::{KString, KVVec};
use kernel::modules::{insmod, rmmod};
use mm::GfpFlags;

use super::{Hoard, KERNEL, conserves, merged};

/// All of a file.
pub fn content(path: &str) -> KVVec<u8> {
    let file = fs::open(&fs::Place::root(), path, OpenFlags::READ, 0o666).unwrap();
    let mut all = KVVec::new();
    loop {
        let done = all.len();
        all.resize(done + 4096, 0, KERNEL).unwrap();
        let read = file.read_bytes(&mut all[done..]).unwrap();
        all.truncate(done + read);
        if read == 0 {
            return all;
        }
    }
}

/// The line of a file that begins with `start`.
pub fn line_of(path: &str, start: &str) -> Option<KString> {
    let all = content(path);
    let text = core::str::from_utf8(&all).unwrap();
    text.lines().find(|line| line.starts_with(start)).map(|line| KString::from_str(line, KERNEL).unwrap())
}

pub fn contains(path: &str, wanted: &str) -> bool {
    content(path).windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

pub fn write(path: &str, bytes: &[u8]) {
    let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
    fs::open(&fs::Place::root(), path, flags, 0o666).unwrap().write_all(bytes).unwrap();
}

/// A module's file with `new` in place of its only `old`.
pub fn changed(name: &str, old: &[u8], new: &[u8]) -> KVVec<u8> {
    let mut bytes = content(&KString::try_format(format_args!("/lib/modules/{name}.ko")).unwrap());
    let mut places = bytes.windows(old.len()).enumerate().filter(|(_, window)| *window == old).map(|(at, _)| at);
    let at = places.next().unwrap();
    assert_eq!(places.next(), None, "once");
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

/// Loads a module with no page free, then with `step` pages more each time, until it comes; what was refused leaves
/// nothing behind.
pub fn load_with_ever_more_memory(name: &str, step: usize) {
    let mut hoard = Hoard::new();
    conserves(|| {
        hoard.fill(KERNEL | GfpFlags::HIGHMEM);
        let mut refused = 0;
        loop {
            let before = merged();
            match insmod(name, &[]) {
                Ok(()) => break,
                Err(why) => assert_eq!(why, Errno::ENOMEM, "after {refused} times"),
            }
            assert_eq!(merged(), before, "after {refused} times");
            refused += 1;
            hoard.release(step, |_| true);
        }
        assert!(refused > 5, "a load takes pages: {refused}");
        assert_eq!(rmmod(name), Ok(()));
        hoard.release(usize::MAX, |_| true);
    });
}
