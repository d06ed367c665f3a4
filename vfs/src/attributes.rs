//! What is known of a file beside its content.

use core::time::Duration;

use kapi::FileId;

/// The bits of a mode that may be changed: the rights of three, set-user-id and the like.
pub const PERMISSIONS: u16 = 0o7777;

/// The most names that one file may have.
pub const LINK_MAX: u32 = 65_000;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A character device.
    Device {
        /// The driver's number.
        major: u16,
        /// The device's number within the driver.
        minor: u16,
    },
    /// A block device.
    Block {
        /// The driver's number.
        major: u16,
        /// The device's number within the driver.
        minor: u16,
    },
    /// A pipe, with or without a name.
    Pipe,
}

/// A moment: seconds since the start of 1970, in UTC, and nanoseconds of the next one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Timestamp {
    /// Whole seconds.
    pub seconds: i64,
    /// Below 1,000,000,000.
    pub nanos: u32,
}

impl From<Duration> for Timestamp {
    /// The moment so long after the start of 1970.
    fn from(since: Duration) -> Self {
        Self { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos: since.subsec_nanos() }
    }
}

/// Whose a new file is, and who may do what with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ownership {
    /// Its owner.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// Its mode.
    pub mode: u16,
}

/// What a file system keeps for a file, whatever its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// What it is.
    pub kind: Kind,
    /// Who may do what with it; [`PERMISSIONS`] only.
    pub mode: u16,
    /// Its owner.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// How many names lead to it; for a directory its name, its `.`, and a `..` for each directory in it.
    pub links: u32,
    /// When it was read: set when it is made and by [`Change::Times`] only.
    pub accessed: Timestamp,
    /// When its content changed.
    pub modified: Timestamp,
    /// When anything of it changed.
    pub changed: Timestamp,
}

impl Attributes {
    /// Of a file of `kind` that is made now, and that no name leads to yet.
    pub const fn new(kind: Kind, mode: u16, now: Timestamp) -> Self {
        let mode = mode & PERMISSIONS;
        Self { kind, mode, user: 0, group: 0, links: 0, accessed: now, modified: now, changed: now }
    }

    /// Makes a change at the moment `now`.
    pub fn change(&mut self, change: Change, now: Timestamp) {
        match change {
            Change::Mode(mode) => self.mode = mode & PERMISSIONS,
            Change::Owner { user, group } => {
                self.user = user.unwrap_or(self.user);
                self.group = group.unwrap_or(self.group);
            }
            Change::Times { accessed, modified } => {
                self.accessed = accessed.unwrap_or(self.accessed);
                self.modified = modified.unwrap_or(self.modified);
            }
            Change::Content => self.modified = now,
        }
        self.changed = now;
    }
}

/// A change of a file's attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Another mode.
    Mode(u16),
    /// Another owner or group; `None` leaves one as it is.
    Owner {
        /// The owner.
        user: Option<u32>,
        /// The group.
        group: Option<u32>,
    },
    /// Other times; `None` leaves one as it is.
    Times {
        /// When it was read.
        accessed: Option<Timestamp>,
        /// When its content changed.
        modified: Option<Timestamp>,
    },
    /// The content has changed.
    Content,
}

/// Whether what is written to a file can be read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// It can: a file, a device that keeps what it gets.
    Yes,
    /// It cannot: /dev/null, a pipe, a text about the kernel, a directory.
    No,
}

/// What is known about a file without opening it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Which file it is: two names or open files with the same one are the same file. No number is 0.
    pub id: FileId,
    /// What a file system keeps for it.
    pub attributes: Attributes,
    /// Bytes in it; of a link, of its text; 0 where that is known only once it is open.
    pub size: u64,
    /// Memory or room on a disk that it takes, in units of 512 bytes.
    pub blocks: u64,
    /// Whether what is written can be read back.
    pub stored: Stored,
}

impl Stat {
    /// Of an empty file.
    pub const fn new(id: FileId, attributes: Attributes) -> Self {
        Self { id, attributes, size: 0, blocks: 0, stored: Stored::No }
    }

    /// What it is.
    pub const fn kind(&self) -> Kind {
        self.attributes.kind
    }

    /// Whether what is written can be read back.
    pub const fn is_stored(&self) -> bool {
        matches!(self.stored, Stored::Yes)
    }
}
