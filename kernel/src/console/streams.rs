//! A command's standard streams and open files: files, pipes, the console.

use kapi::{Errno, IoBuf, Whence};
use shell::File;

use super::tty;
use crate::fs::OpenFile;

/// An open file, as a command has it.
#[derive(Clone)]
pub enum Handle {
    /// The console, which needs no open file: it works when nothing else does.
    Console,
    /// Nothing to read, and writes are refused.
    Empty,
    /// A file.
    File(OpenFile),
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

impl File for Handle {
    fn read(&self, bytes: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Console => tty::read(bytes),
            Self::Empty => Ok(0),
            Self::File(file) => file.read(&mut IoBuf::fill(bytes)),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Self::Console => {
                tty::write(bytes);
                Ok(bytes.len())
            }
            Self::Empty => Err(Errno::EBADF),
            Self::File(file) => file.write(&mut IoBuf::take(bytes)),
        }
    }

    fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        match self {
            Self::Console | Self::Empty => Err(Errno::ESPIPE),
            Self::File(file) => file.llseek(offset, whence),
        }
    }
}
