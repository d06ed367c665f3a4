//! Directories as open files: their names, `.` and `..` first.

use alloc::sync::Arc;

use kapi::{Errno, IoBuf, OpenFlags, Whence, seek};

use super::file::File;
use super::node::{Kind, Listed, Name, Node, Stat};

/// Places of `.` and `..`, before those of the names.
const DOTS: u64 = 2;

/// An open directory.
pub(super) struct OpenDirectory(pub(super) Arc<dyn Node>);

impl OpenDirectory {
    fn dot(&self, position: u64) -> Result<Listed, Errno> {
        let (name, id) = match position {
            0 => (".", self.0.id()),
            // A directory that was removed has no parent any more.
            _ => ("..", self.0.parent().map_or(self.0.id(), |parent| parent.id())),
        };
        Ok(Listed { name: Name::new(name)?, inode: id.inode, kind: Kind::Directory, next: position + 1 })
    }
}

impl File for OpenDirectory {
    fn stat(&self) -> Result<Stat, Errno> {
        self.0.stat()
    }

    fn read(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EISDIR)
    }

    fn write(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EBADF)
    }

    fn llseek(&self, position: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        match whence {
            Whence::End => Err(Errno::EINVAL),
            Whence::Start | Whence::Current => seek(0, position, offset, whence),
        }
    }

    fn next_name(&self, position: u64) -> Result<Option<Listed>, Errno> {
        let Some(place) = position.checked_sub(DOTS) else { return self.dot(position).map(Some) };
        let listed = self.0.next_name(place)?;
        Ok(listed.map(|listed| Listed { next: listed.next + DOTS, ..listed }))
    }
}

/// A file that stands for its name alone.
pub(super) struct OpenName(pub(super) Arc<dyn Node>);

impl File for OpenName {
    fn stat(&self) -> Result<Stat, Errno> {
        self.0.stat()
    }

    fn read(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EBADF)
    }

    fn write(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EBADF)
    }
}

/// Opens a directory or a name; `None` for what its driver opens.
pub(super) fn open(node: &Arc<dyn Node>, flags: OpenFlags) -> Result<Option<Arc<dyn File>>, Errno> {
    if flags.contains(OpenFlags::PATH) {
        return Ok(Some(super::file::share(OpenName(node.clone()))?));
    }
    match node.kind() {
        Kind::Directory if flags.contains(OpenFlags::WRITE) => Err(Errno::EISDIR),
        Kind::Directory => Ok(Some(super::file::share(OpenDirectory(node.clone()))?)),
        Kind::File | Kind::Link | Kind::Device { .. } | Kind::Block { .. } | Kind::Pipe => Ok(None),
    }
}
