//! How a program opens a file, in the kernel's words.

use kapi::{Errno, OpenFlags};
use linux_raw_sys::general::{O_ACCMODE, O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};

/// What `flags` ask for; `EINVAL` where they ask for neither reading nor writing nor both.
///
/// What only concerns the table of descriptors (`O_CLOEXEC`), other machines (`O_LARGEFILE`) or disks (`O_SYNC`,
/// `O_DIRECT`, `O_NOATIME`) is left out.
pub const fn flags(flags: u32) -> Result<OpenFlags, Errno> {
    let mut wanted = match flags & O_ACCMODE {
        O_RDONLY => OpenFlags::READ,
        O_WRONLY => OpenFlags::WRITE,
        O_RDWR => OpenFlags::READ.union(OpenFlags::WRITE),
        _ => return Err(Errno::EINVAL),
    };
    let mut row = 0;
    while row < ROWS.len() {
        if flags & ROWS[row].0 == ROWS[row].0 {
            wanted = wanted.union(ROWS[row].1);
        }
        row += 1;
    }
    Ok(wanted)
}

/// The flags that `F_GETFL` tells of an open file.
pub fn status(flags: OpenFlags) -> u32 {
    let access = match (flags.contains(OpenFlags::READ), flags.contains(OpenFlags::WRITE)) {
        (_, false) => O_RDONLY,
        (false, true) => O_WRONLY,
        (true, true) => O_RDWR,
    };
    access | changeable(flags)
}

/// Those of the flags that `F_SETFL` changes.
pub fn changeable(flags: OpenFlags) -> u32 {
    let append = if flags.contains(OpenFlags::APPEND) { O_APPEND } else { 0 };
    let nonblock = if flags.contains(OpenFlags::NONBLOCK) { O_NONBLOCK } else { 0 };
    append | nonblock
}

const ROWS: [(u32, OpenFlags); 4] = [
    (O_CREAT, OpenFlags::CREATE),
    (O_TRUNC, OpenFlags::TRUNCATE),
    (O_APPEND, OpenFlags::APPEND),
    (O_NONBLOCK, OpenFlags::NONBLOCK),
];
