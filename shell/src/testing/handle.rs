//! Open files of a test's system.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use kapi::{Errno, FileId, Whence};

use super::pipe::Pipe;
use super::{Bytes, World, lock};
use crate::env::File;

/// What an open file is.
pub(super) enum What {
    Regular {
        bytes: Bytes,
        append: bool,
    },
    Zero,
    Null,
    Full,
    /// Would have to wait, for those who do not want to.
    Idle,
    Reader(Arc<Pipe>),
    Writer(Arc<Pipe>),
}

/// An open file.
pub struct Handle {
    world: World,
    what: What,
    position: Mutex<u64>,
}

impl Handle {
    pub(super) fn new(world: &World, what: What) -> Self {
        Self { world: world.clone(), what, position: Mutex::new(0) }
    }

    /// How much of a transfer of `len` bytes is done at once.
    fn share(&self, len: usize) -> usize {
        match self.world.short.load(Ordering::Relaxed) {
            0 => len,
            limit => len.min(limit),
        }
    }
}

impl File for Handle {
    fn read(&self, out: &mut [u8]) -> Result<usize, Errno> {
        match &self.what {
            What::Regular { bytes, .. } => {
                let mut position = lock(&self.position);
                let bytes = lock(bytes);
                let rest = bytes.get(*position as usize..).unwrap_or_default();
                let len = self.share(rest.len().min(out.len()));
                out[..len].copy_from_slice(&rest[..len]);
                *position += len as u64;
                self.world.bytes_read.fetch_add(len, Ordering::Relaxed);
                Ok(len)
            }
            What::Idle => Err(Errno::EAGAIN),
            What::Zero | What::Full => {
                out.fill(0);
                Ok(out.len())
            }
            What::Null => Ok(0),
            What::Reader(pipe) => pipe.read(out),
            What::Writer(_) => Err(Errno::EBADF),
        }
    }

    fn write(&self, bytes_in: &[u8]) -> Result<usize, Errno> {
        match &self.what {
            What::Regular { bytes, append } => {
                let mut position = lock(&self.position);
                let mut bytes = lock(bytes);
                let at = if *append { bytes.len() } else { *position as usize };
                let len = self.share(bytes_in.len());
                if bytes.len() < at + len {
                    bytes.resize(at + len, 0);
                }
                bytes[at..at + len].copy_from_slice(&bytes_in[..len]);
                *position = (at + len) as u64;
                Ok(len)
            }
            What::Zero | What::Null => Ok(bytes_in.len()),
            What::Full => Err(Errno::ENOSPC),
            What::Idle => Err(Errno::EAGAIN),
            What::Writer(pipe) => pipe.write(bytes_in),
            What::Reader(_) => Err(Errno::EBADF),
        }
    }

    fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let size = match &self.what {
            What::Regular { bytes, .. } => lock(bytes).len() as u64,
            What::Zero | What::Null | What::Full | What::Idle => 0,
            What::Reader(_) | What::Writer(_) => return Err(Errno::ESPIPE),
        };
        let mut position = lock(&self.position);
        *position = kapi::seek(size, *position, offset, whence)?;
        Ok(*position)
    }

    fn sync(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn id(&self) -> Option<FileId> {
        match &self.what {
            What::Regular { bytes, .. } => Some(id_of(bytes)),
            _ => None,
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        match &self.what {
            What::Reader(pipe) => pipe.close_reader(),
            What::Writer(pipe) => pipe.close_writer(),
            _ => {}
        }
    }
}

/// The number of a file with this content.
pub(super) fn id_of(bytes: &Bytes) -> FileId {
    FileId { device: 1, inode: Arc::as_ptr(bytes).addr() as u64 }
}

/// The ends of a new pipe.
pub(super) fn pipe(world: &World) -> (Handle, Handle) {
    let pipe = Arc::new(Pipe::new());
    (Handle::new(world, What::Reader(pipe.clone())), Handle::new(world, What::Writer(pipe)))
}
