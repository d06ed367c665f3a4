//! A command's standard streams and open files: files, pipes, the console.

use kapi::{Errno, FileId, IoBuf, Whence};
use shell::File;

use crate::fs::{Descriptor, FileTable, OpenFile, Stat};
use crate::tty::{self, Waiting};

/// An open file, as a command has it.
#[derive(Clone)]
pub enum Handle {
    /// The console, which needs no open file: it works when nothing else does.
    Console,
    /// Nothing to read, and writes are refused.
    Empty,
    /// A file in the command's table.
    File(Descriptor),
}

/// What a command's standard input or output will be, while nobody runs it yet.
pub enum Connection {
    /// The console.
    Console,
    /// Nothing.
    Nothing,
    /// The end of a pipe.
    Pipe(OpenFile),
}

/// A command's standard input and output, before it runs.
pub struct Connections {
    /// Standard input.
    pub input: Connection,
    /// Standard output.
    pub output: Connection,
}

/// A command's standard streams.
pub struct Streams {
    /// Standard input.
    pub input: Handle,
    /// Standard output.
    pub output: Handle,
    /// Standard error.
    pub error: Handle,
}

impl Streams {
    /// All three are the console.
    pub const CONSOLE: Self = Self { input: Handle::Console, output: Handle::Console, error: Handle::Console };

    /// The streams of the running thread, whose files go into its table.
    pub fn open(connections: Connections, files: &'static FileTable) -> Result<Self, Errno> {
        let open = |connection| match connection {
            Connection::Console => Ok(Handle::Console),
            Connection::Nothing => Ok(Handle::Empty),
            Connection::Pipe(file) => files.add(file).map(Handle::File),
        };
        Ok(Self { input: open(connections.input)?, output: open(connections.output)?, error: Handle::Console })
    }
}

impl File for Handle {
    fn read(&self, bytes: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Console => tty::read(&mut IoBuf::fill(bytes), Waiting::Allowed),
            Self::Empty => Ok(0),
            Self::File(file) => file.with(|file| file.read(&mut IoBuf::fill(bytes))),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Self::Console => tty::write(&mut IoBuf::take(bytes), Waiting::Allowed),
            Self::Empty => Err(Errno::EBADF),
            Self::File(file) => file.with(|file| file.write(&mut IoBuf::take(bytes))),
        }
    }

    fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        match self {
            Self::Console | Self::Empty => Err(Errno::ESPIPE),
            Self::File(file) => file.with(|file| file.llseek(offset, whence)),
        }
    }

    fn sync(&self) -> Result<(), Errno> {
        match self {
            Self::Console | Self::Empty => Err(Errno::EINVAL),
            Self::File(file) => file.with(|file| file.sync(0..u64::MAX)),
        }
    }

    fn id(&self) -> Option<FileId> {
        match self {
            Self::Console | Self::Empty => None,
            Self::File(file) => file.with(OpenFile::stat).ok().filter(Stat::is_stored).map(|stat| stat.id),
        }
    }
}
