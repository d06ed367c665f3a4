//! What a command sees of the kernel: an environment as `shell` asks for one.

use core::time::Duration;

use kapi::{Errno, OpenFlags};
use shell::{Env, Kind, Stat, Status, Stream};

use super::buffer::CommandBuffer;
use super::programs;
use super::reserve;
use super::streams::{Handle, Streams};
use crate::fs::{self, FileTable, Make, Place};
use crate::{sched, time, tty};

/// The environment of one command.
pub struct Process {
    streams: Streams,
    files: &'static FileTable,
}

impl Process {
    /// An environment with these streams; what it opens goes into `files`, the running thread's table.
    pub const fn new(streams: Streams, files: &'static FileTable) -> Self {
        Self { streams, files }
    }
}

impl Env for Process {
    type File = Handle;
    type Block = CommandBuffer;

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
        let file = reserve::spent_if_needed(|| fs::open(&Place::root(), path, flags, 0o666))?;
        if file.node().is_some_and(|node| node.kind() == fs::Kind::Directory) {
            // No command here reads one as a file.
            return Err(Errno::EISDIR);
        }
        self.files.add(file).map(Handle::File)
    }

    fn stat(&self, path: &str) -> Result<Stat, Errno> {
        Ok(shown(&fs::stat(&Place::root(), path)?))
    }

    fn lstat(&self, path: &str) -> Result<Stat, Errno> {
        Ok(shown(&fs::lstat(&Place::root(), path)?))
    }

    fn read_link(&self, path: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Errno> {
        visit(&fs::read_link(&Place::root(), path)?);
        Ok(())
    }

    fn read_dir(&self, path: &str, visit: &mut dyn FnMut(&str) -> Result<(), Errno>) -> Result<(), Errno> {
        fs::readdir(&Place::root(), path)?.iter().try_for_each(|entry| visit(&entry.name))
    }

    fn program(&self, path: &str, args: &mut dyn Iterator<Item = &str>) -> Result<Status, Errno> {
        programs::run(&self.streams, path, args)
    }

    fn sync(&self) -> Result<(), Errno> {
        fs::sync()
    }

    fn make_node(&self, path: &str, kind: Kind) -> Result<(), Errno> {
        let what = match kind {
            Kind::Device { major, minor } => Make::Device { major, minor },
            Kind::Block { major, minor } => Make::Block { major, minor },
            Kind::Pipe => Make::Pipe,
            Kind::Directory | Kind::Regular | Kind::Link => return Err(Errno::EINVAL),
        };
        fs::mknod(&Place::root(), path, 0o666, what)
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        fs::unlink(&Place::root(), path)
    }

    fn block(&self, bytes: usize) -> Result<CommandBuffer, Errno> {
        Ok(CommandBuffer::new(bytes)?)
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
}

/// What the shell shows of a file.
fn shown(stat: &fs::Stat) -> Stat {
    let kind = match stat.kind() {
        fs::Kind::Directory => Kind::Directory,
        fs::Kind::File => Kind::Regular,
        fs::Kind::Link => Kind::Link,
        fs::Kind::Pipe => Kind::Pipe,
        fs::Kind::Device { major, minor } => Kind::Device { major, minor },
        fs::Kind::Block { major, minor } => Kind::Block { major, minor },
    };
    Stat { kind, size: stat.size, id: stat.is_stored().then_some(stat.id) }
}
