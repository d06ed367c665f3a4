//! What a command has open: a table of its thread.
//!
//! Key types: [`FileTable`], [`Descriptor`]. A file is closed when the last descriptor for its place goes. If the
//! thread dies, its descriptors are lost with its stack: the table knows what was open, and closes it.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use kapi::Errno;

use super::open_file::OpenFile;
use crate::sched::{FramesGone, Owned};

/// Most files that a thread has open at a time.
const MAX_OPEN: usize = 16;

/// The open files of one thread at a time.
pub struct FileTable {
    places: [Place; MAX_OPEN],
}

struct Place {
    file: Owned<OpenFile>,
    /// Descriptors for it.
    descriptors: AtomicU32,
}

/// An open file of the running thread, by its place in the table.
pub struct Descriptor {
    table: &'static FileTable,
    place: usize,
}

impl FileTable {
    /// An empty table.
    pub const fn empty() -> Self {
        Self { places: [const { Place { file: Owned::empty(), descriptors: AtomicU32::new(0) } }; MAX_OPEN] }
    }

    /// Keeps `file` for the running thread. `EMFILE` when the table is full: then the file is closed.
    pub fn add(&'static self, mut file: OpenFile) -> Result<Descriptor, Errno> {
        for (place, slot) in self.places.iter().enumerate() {
            match slot.file.put(file) {
                Ok(()) => {
                    slot.descriptors.store(1, Relaxed);
                    return Ok(Descriptor { table: self, place });
                }
                Err(back) => file = back,
            }
        }
        Err(Errno::EMFILE)
    }

    /// Closes what the running thread had open, which died.
    pub fn close_all(&self, gone: &FramesGone) {
        for place in &self.places {
            drop(place.file.take_over(gone));
        }
    }
}

impl Descriptor {
    /// Runs `f` with the open file.
    pub fn with<R>(&self, f: impl FnOnce(&OpenFile) -> Result<R, Errno>) -> Result<R, Errno> {
        self.table.places[self.place].file.with(f).unwrap_or(Err(Errno::EBADF))
    }
}

impl Clone for Descriptor {
    fn clone(&self) -> Self {
        self.table.places[self.place].descriptors.fetch_add(1, Relaxed);
        Self { ..*self }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let place = &self.table.places[self.place];
        if place.descriptors.fetch_sub(1, Relaxed) == 1 {
            drop(place.file.take());
        }
    }
}
