//! How a program opens a file, in the kernel's words.

use kapi::{Errno, OpenFlags};
use linux_raw_sys::general::{
    FASYNC, O_ACCMODE, O_APPEND, O_CREAT, O_DIRECTORY, O_DSYNC, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY,
    O_RDWR, O_SYNC, O_TRUNC, O_WRONLY,
};

/// What `flags` ask for; `EINVAL` where they ask for neither reading nor writing nor both.
///
/// What only concerns the table of descriptors (`O_CLOEXEC`), other machines (`O_LARGEFILE`), or a way around memory
/// (`O_DIRECT`, `O_NOATIME`) is left out.
pub const fn flags(flags: u32) -> Result<OpenFlags, Errno> {
    if flags & O_PATH != 0 {
        // All that still counts.
        return Ok(rows(OpenFlags::PATH, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW)));
    }
    let wanted = match flags & O_ACCMODE {
        O_RDONLY => OpenFlags::READ,
        O_WRONLY => OpenFlags::WRITE,
        O_RDWR => OpenFlags::READ.union(OpenFlags::WRITE),
        _ => return Err(Errno::EINVAL),
    };
    Ok(rows(wanted, flags))
}

/// `wanted`, and what `flags` say of all rows.
const fn rows(mut wanted: OpenFlags, flags: u32) -> OpenFlags {
    let mut row = 0;
    while row < ROWS.len() {
        if flags & ROWS[row].0 != 0 {
            wanted = wanted.union(ROWS[row].1);
        }
        row += 1;
    }
    wanted
}

/// The flags that `F_GETFL` tells of an open file.
pub fn status(flags: OpenFlags) -> u32 {
    let access = match (flags.contains(OpenFlags::READ), flags.contains(OpenFlags::WRITE)) {
        (_, false) => O_RDONLY,
        (false, true) => O_WRONLY,
        (true, true) => O_RDWR,
    };
    let data = if flags.contains(OpenFlags::DATA_SYNC) { O_DSYNC } else { 0 };
    let all = if flags.contains(OpenFlags::SYNC) { ALL_SYNC } else { 0 };
    access | data | all | changeable(flags)
}

/// Those of the flags that `F_SETFL` changes.
pub fn changeable(flags: OpenFlags) -> u32 {
    let append = if flags.contains(OpenFlags::APPEND) { O_APPEND } else { 0 };
    let nonblock = if flags.contains(OpenFlags::NONBLOCK) { O_NONBLOCK } else { 0 };
    let signals = if flags.contains(OpenFlags::ASYNC) { FASYNC } else { 0 };
    append | nonblock | signals
}

/// The bit that `O_SYNC` has beside that of `O_DSYNC`.
const ALL_SYNC: u32 = O_SYNC & !O_DSYNC;

const ROWS: [(u32, OpenFlags); 10] = [
    (O_CREAT, OpenFlags::CREATE),
    (O_TRUNC, OpenFlags::TRUNCATE),
    (O_APPEND, OpenFlags::APPEND),
    (O_NONBLOCK, OpenFlags::NONBLOCK),
    (O_EXCL, OpenFlags::EXCLUSIVE),
    (O_DIRECTORY, OpenFlags::DIRECTORY),
    (O_NOFOLLOW, OpenFlags::NOFOLLOW),
    (O_PATH, OpenFlags::PATH),
    (O_DSYNC, OpenFlags::DATA_SYNC),
    (ALL_SYNC, OpenFlags::SYNC),
];

#[cfg(test)]
mod tests {
    use super::{
        Errno, O_APPEND, O_CREAT, O_DIRECTORY, O_DSYNC, O_EXCL, O_NONBLOCK, O_PATH, O_RDWR, O_SYNC, O_WRONLY,
        OpenFlags, flags, status,
    };

    #[test]
    fn flags_become_the_kernels() {
        assert_eq!(flags(0), Ok(OpenFlags::READ));
        let made = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        assert_eq!(flags(O_WRONLY | O_CREAT | O_EXCL), Ok(made));
        assert_eq!(flags(3), Err(Errno::EINVAL));
        assert_eq!(flags(O_PATH | O_WRONLY | O_CREAT | O_DIRECTORY), Ok(OpenFlags::PATH | OpenFlags::DIRECTORY));
    }

    #[test]
    fn what_is_told_of_an_open_file_is_what_can_be_asked_for() {
        let synced = [O_RDWR | O_DSYNC, O_WRONLY | O_SYNC];
        for asked in [0, O_WRONLY, O_RDWR, O_RDWR | O_APPEND, O_WRONLY | O_NONBLOCK].into_iter().chain(synced) {
            assert_eq!(flags(asked).map(status), Ok(asked));
        }
    }
}
