//! What is known of a file, as `stat`, `statx` and `statfs` tell it.

use linux_raw_sys::general::{
    STATX_ATIME, STATX_BASIC_STATS, STATX_BTIME, STATX_CTIME, STATX_MTIME, stat, statfs, statx, statx_timestamp,
};

use crate::{device, record};

/// Bytes that are read or written at a time for good speed.
const PREFERRED: u32 = 4096;

/// A `stat` in memory.
pub type Stat = [u8; size_of::<stat>()];
/// A `statx` in memory.
pub type Statx = [u8; size_of::<statx>()];
/// A `statfs` in memory.
pub type Statfs = [u8; size_of::<statfs>()];

/// Seconds since 1970, and nanoseconds of the next one.
pub type Time = (i64, u32);

/// What is known of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// Which file system it is on.
    pub device: (u32, u32),
    /// Its number there.
    pub inode: u64,
    /// Names that it has.
    pub links: u32,
    /// Its kind and its rights.
    pub mode: u32,
    /// Its owner.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// Which device it is; zeros for what is none.
    pub rdev: (u32, u32),
    /// Bytes in it.
    pub size: u64,
    /// Blocks of 512 bytes that it takes.
    pub blocks: u64,
    /// When it was last read.
    pub accessed: Time,
    /// When it was last written.
    pub modified: Time,
    /// When anything of it last changed.
    pub changed: Time,
}

impl Attributes {
    /// As `stat` tells it.
    pub fn stat(&self) -> Stat {
        record!(stat {
            st_dev: device::encode(self.device.0, self.device.1),
            st_ino: self.inode,
            st_nlink: self.links.into(),
            st_mode: self.mode,
            st_uid: self.user,
            st_gid: self.group,
            st_rdev: device::encode(self.rdev.0, self.rdev.1),
            st_size: self.size as i64,
            st_blksize: PREFERRED.into(),
            st_blocks: self.blocks as i64,
            st_atime: self.accessed.0 as u64,
            st_atime_nsec: self.accessed.1.into(),
            st_mtime: self.modified.0 as u64,
            st_mtime_nsec: self.modified.1.into(),
            st_ctime: self.changed.0 as u64,
            st_ctime_nsec: self.changed.1.into(),
        })
    }

    /// As `statx` tells it: all that `stat` has, and no time of birth.
    pub fn statx(&self) -> Statx {
        let mut bytes = record!(statx {
            stx_mask: STATX_BASIC_STATS,
            stx_blksize: PREFERRED,
            stx_nlink: self.links,
            stx_mode: self.mode as u16,
            stx_uid: self.user,
            stx_gid: self.group,
            stx_ino: self.inode,
            stx_size: self.size,
            stx_blocks: self.blocks,
            stx_rdev_major: self.rdev.0,
            stx_rdev_minor: self.rdev.1,
            stx_dev_major: self.device.0,
            stx_dev_minor: self.device.1,
        });
        let times = [
            (core::mem::offset_of!(statx, stx_atime), self.accessed),
            (core::mem::offset_of!(statx, stx_mtime), self.modified),
            (core::mem::offset_of!(statx, stx_ctime), self.changed),
        ];
        for (offset, time) in times {
            let time = record!(statx_timestamp { tv_sec: time.0, tv_nsec: time.1 });
            bytes[offset..offset + time.len()].copy_from_slice(&time);
        }
        bytes
    }
}

const _: () = assert!(STATX_BASIC_STATS & (STATX_ATIME | STATX_MTIME | STATX_CTIME | STATX_BTIME) == 0xe0);

/// What is known of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Room {
    /// Which kind it is, by its magic number.
    pub magic: i64,
    /// Pages that it may hold.
    pub pages: u64,
    /// Pages of these that are free.
    pub free_pages: u64,
    /// Files that it may hold.
    pub files: u64,
    /// Files of these that are free.
    pub free_files: u64,
    /// Bytes of the longest name.
    pub name: u32,
}

impl Room {
    /// As `statfs` tells it.
    pub fn statfs(&self) -> Statfs {
        record!(statfs {
            f_type: self.magic,
            f_bsize: PREFERRED.into(),
            f_blocks: self.pages as i64,
            f_bfree: self.free_pages as i64,
            f_bavail: self.free_pages as i64,
            f_files: self.files as i64,
            f_ffree: self.free_files as i64,
            f_namelen: self.name.into(),
            f_frsize: PREFERRED.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use linux_raw_sys::general::{stat, statfs, statx};

    use super::{Attributes, Room};
    use crate::field;

    #[test]
    fn stat_and_statx_say_the_same() {
        let file = Attributes {
            device: (0, 5),
            inode: 77,
            links: 2,
            mode: 0o20_666,
            user: 1,
            group: 2,
            rdev: (4, 64),
            size: 1000,
            blocks: 8,
            accessed: (1, 2),
            modified: (3, 4),
            changed: (5, 6),
        };
        let (old, new) = (file.stat(), file.statx());
        assert_eq!((old.len(), new.len()), (144, 256));
        assert_eq!((field!(old, stat, st_ino), field!(new, statx, stx_ino)), (77, 77));
        assert_eq!((field!(old, stat, st_rdev), field!(new, statx, stx_rdev_minor)), (0x440, 64));
        assert_eq!((field!(old, stat, st_blocks), field!(new, statx, stx_blocks)), (8, 8));
        assert_eq!((field!(old, stat, st_mtime), field!(old, stat, st_ctime_nsec)), (3, 6));
        assert_eq!(new[core::mem::offset_of!(statx, stx_mtime)..][..12], [3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]);
    }

    #[test]
    fn statfs_counts_pages() {
        let bytes = Room { magic: 0x0102_1994, pages: 10, free_pages: 3, name: 255, ..Room::default() }.statfs();
        assert_eq!(bytes.len(), 120);
        assert_eq!((field!(bytes, statfs, f_bsize), field!(bytes, statfs, f_bavail)), (4096, 3));
    }
}
