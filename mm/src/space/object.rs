//! What is mapped where it is not memory of the process's own.

use core::fmt;

use crate::addr::Pfn;

use super::words::FaultAccess;

/// Something whose pages an area shows: a file, a device, memory that processes share. A handle: copies lead to the
/// same thing.
///
/// No lock of a space's is taken under one of the object's: an object never calls the space.
pub trait Object: Clone {
    /// The frame of page `index`, counted from the object's start, with a reference for the caller. May sleep. A
    /// program that writes to a shared page asks for it once more, by [`FaultAccess::Write`].
    ///
    /// # Errors
    /// There is no such page, no memory, or it cannot be read.
    fn page(&self, index: u64, access: FaultAccess) -> Result<Pfn, ObjectError>;

    /// Whether it wants to be asked before a shared page is first written to. If not, such a page may be written to as
    /// soon as it shows.
    fn tracks_writes(&self) -> bool {
        true
    }

    /// One more area shows a part of it.
    fn mapped(&self) {}

    /// One area less shows a part of it. Its mappings are gone, and the references to its pages.
    fn unmapped(&self) {}

    /// Whether the two are the same thing, so that areas of both can be one. May say no.
    fn is_same(&self, _other: &Self) -> bool {
        false
    }

    /// Its name, as /proc shows it.
    ///
    /// # Errors
    /// Those of `out`.
    fn write_name(&self, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }

    /// Device and inode, as /proc shows them.
    fn id(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// Why an object has no such page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectError {
    /// It lies beyond the end, or in a hole.
    Beyond,
    /// There is no memory for it.
    NoMemory,
    /// It could not be read.
    Io,
}

/// For a kernel whose processes map nothing but memory.
#[derive(Clone, Copy, Debug)]
pub enum NoObject {}

impl Object for NoObject {
    fn page(&self, _: u64, _: FaultAccess) -> Result<Pfn, ObjectError> {
        match *self {}
    }
}
