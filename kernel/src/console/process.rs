//! What a command sees of the kernel.

use core::time::Duration;

use kapi::{Errno, IoBuf, OpenFlags, Whence};
use shell::{Command, Env, File, Kind, Stat, Stream};

use super::buffer::Block;
use super::{commands, reserve, tty};
use crate::fs::{self, OpenFile};
use crate::{sched, time};

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

/// The environment of one command.
pub struct Process {
    streams: Streams,
}

impl Process {
    /// An environment with these streams.
    pub const fn new(streams: Streams) -> Self {
        Self { streams }
    }
}

impl Env for Process {
    type File = Handle;
    type Block = Block;

    fn stream(&self, stream: Stream) -> &Handle {
        match stream {
            Stream::Input => &self.streams.input,
            Stream::Output => &self.streams.output,
            Stream::Error => &self.streams.error,
        }
    }

    fn redirect(&mut self, stream: Stream, file: Handle) {
        match stream {
            Stream::Input => self.streams.input = file,
            Stream::Output => self.streams.output = file,
            Stream::Error => self.streams.error = file,
        }
    }

    fn error_to_output(&mut self) {
        self.streams.error = self.streams.output.clone();
    }

    fn open(&self, path: &str, flags: OpenFlags) -> Result<Handle, Errno> {
        reserve::spent_if_needed(|| fs::open(path, flags)).map(Handle::File)
    }

    fn stat(&self, path: &str) -> Result<Stat, Errno> {
        let stat = fs::stat(path)?;
        let kind = match stat.kind {
            fs::Kind::Directory => Kind::Directory,
            fs::Kind::File | fs::Kind::Pipe => Kind::Regular,
            fs::Kind::Device { major, minor } => Kind::Device { major, minor },
        };
        Ok(Stat { kind, size: stat.size })
    }

    fn read_dir(&self, path: &str, visit: &mut dyn FnMut(&str) -> Result<(), Errno>) -> Result<(), Errno> {
        fs::readdir(path)?.iter().try_for_each(|entry| visit(&entry.name))
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        fs::unlink(path)
    }

    fn block(&self, bytes: usize) -> Result<Block, Errno> {
        Ok(Block::new(bytes)?)
    }

    fn interrupted(&self) -> bool {
        sched::interrupted()
    }

    fn sleep(&self, time: Duration) -> Result<(), Errno> {
        Ok(sched::sleep(time)?)
    }

    fn uptime(&self) -> Duration {
        time::uptime()
    }

    fn is_terminal(&self) -> bool {
        tty::is_terminal()
    }

    fn extra() -> &'static [Command<Self>] {
        commands::COMMANDS
    }
}
