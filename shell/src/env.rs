//! What a command needs from the system that runs it.

use core::time::Duration;

use kapi::{Errno, FileId, OpenFlags, Whence};

/// How a command ended: 0 is success, the rest is failure. `$?` in the shell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status(i32);

impl Status {
    /// Success.
    pub const OK: Self = Self(0);
    /// The usual failure, and the `no` of commands that answer yes or no.
    pub const FAILED: Self = Self(1);
    /// The line could not be understood.
    pub const SYNTAX: Self = Self(2);
    /// The command could not be started.
    pub const CANNOT_RUN: Self = Self(126);
    /// There is no such command.
    pub const NOT_FOUND: Self = Self(127);
    /// The command was ended by ^C: 128 + SIGINT.
    pub const INTERRUPTED: Self = Self(130);
    /// The command wrote to a pipe without a reader: 128 + SIGPIPE.
    pub const BROKEN_PIPE: Self = Self(141);

    /// The status with this number.
    pub const fn new(code: i32) -> Self {
        Self(code)
    }

    /// The status as a number.
    pub const fn code(self) -> i32 {
        self.0
    }

    /// Whether the command was ended by a signal, or what stands for one here.
    pub const fn is_killed(self) -> bool {
        self.0 > 128
    }

    /// Whether the command succeeded.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

/// A command's standard streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// Standard input.
    Input,
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// What a name in a directory stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    Regular,
    /// A symbolic link.
    Link,
    /// A pipe with a name.
    Pipe,
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
}

/// What `ls -l` shows of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Bytes in it.
    pub size: u64,
    /// Which file it is; `None` where nothing that is written can be read back.
    pub id: Option<FileId>,
}

/// An open file. Dropping it closes it.
pub trait File {
    /// Reads at the file's position; 0 at the end, short reads are normal. May sleep.
    fn read(&self, bytes: &mut [u8]) -> Result<usize, Errno>;

    /// Writes at the file's position; short writes are normal. May sleep.
    fn write(&self, bytes: &[u8]) -> Result<usize, Errno>;

    /// Moves the file's position and returns it. `ESPIPE` on a pipe.
    fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno>;

    /// Waits until what was written is where it is kept; `EINVAL` for a stream. May sleep.
    fn sync(&self) -> Result<(), Errno>;

    /// Which file it is; `None` where nothing that is written can be read back: a pipe, the console.
    fn id(&self) -> Option<FileId>;
}

/// The system as one running command sees it.
pub trait Env: Sized + 'static {
    /// An open file.
    type File: File;
    /// A piece of memory, given back when dropped.
    type Block: AsRef<[u8]> + AsMut<[u8]>;

    /// One of the command's standard streams.
    fn stream(&self, stream: Stream) -> &Self::File;

    /// Makes `file` one of the command's standard streams.
    fn redirect(&mut self, stream: Stream, file: Self::File);

    /// Makes standard error the same open file as standard output.
    fn error_to_output(&mut self);

    /// Opens a file by its path. May sleep.
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Self::File, Errno>;

    /// What `path` is; a link at its end is followed.
    fn stat(&self, path: &str) -> Result<Stat, Errno>;

    /// What `path` is; a link at its end is not followed.
    fn lstat(&self, path: &str) -> Result<Stat, Errno>;

    /// Calls `visit` with what the link at `path` says; `EINVAL` when it is none.
    fn read_link(&self, path: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Errno>;

    /// Calls `visit` with each name in the directory `path`, in any order, and stops at its first error.
    fn read_dir(&self, path: &str, visit: &mut dyn FnMut(&str) -> Result<(), Errno>) -> Result<(), Errno>;

    /// Runs the program at `path`, called as that with `args` and with the command's standard streams, and waits until
    /// it has ended; its status. Errors are those of starting it.
    fn program(&self, path: &str, args: &mut dyn Iterator<Item = &str>) -> Result<Status, Errno>;

    /// Waits until what was written to any file is where it is kept. May sleep.
    fn sync(&self) -> Result<(), Errno>;

    /// Makes a device or a pipe called `path`. `EEXIST`, `EINVAL` for another kind.
    fn make_node(&self, path: &str, kind: Kind) -> Result<(), Errno>;

    /// Removes a file.
    fn unlink(&self, path: &str) -> Result<(), Errno>;

    /// `bytes` of memory, at least; `ENOMEM` when there is none. May sleep.
    fn block(&self, bytes: usize) -> Result<Self::Block, Errno>;

    /// Whether ^C has been typed for this command.
    fn interrupted(&self) -> bool;

    /// Sleeps; `EINTR` when ^C ends it early.
    fn sleep(&self, time: Duration) -> Result<(), Errno>;

    /// Time since boot.
    fn uptime(&self) -> Duration;

    /// Whether a person sits at the console, so that progress is worth showing.
    fn is_terminal(&self) -> bool;
}
