//! The words of address spaces: what is asked for, what is answered.

use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::mapper::Protection;

/// Where an area is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Wherever there is room: the highest below the stack.
    Anywhere,
    /// Here, if that is free; else anywhere.
    Hint(VirtAddr),
    /// Here, in the place of whatever there is. (MAP_FIXED)
    Fixed(VirtAddr),
    /// Here, or not at all. (MAP_FIXED_NOREPLACE)
    FixedNoReplace(VirtAddr),
}

/// Who sees what is written to an area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// This space alone: others keep what was there. (MAP_PRIVATE)
    Private,
    /// All that have the object mapped. (MAP_SHARED)
    Shared,
}

/// What an area shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content<O> {
    /// Memory of its own, zeros at first. It cannot be shared: memory that processes share is an object.
    Anonymous,
    /// An object, from this page of it on.
    Object(O, u64),
}

/// Whether an area grows by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Growth {
    /// It stays as it is.
    None,
    /// Downwards, to where it is used. Below it a gap stays free. (MAP_GROWSDOWN)
    Down,
}

/// What an area is for, as /proc names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Nothing particular.
    Plain,
    /// What brk moves.
    Heap,
    /// The first stack.
    Stack,
}

/// An area that is asked for.
#[derive(Clone, Debug)]
pub struct MapRequest<O> {
    /// Where.
    pub at: Place,
    /// Bytes; rounded up to pages.
    pub bytes: usize,
    /// What the program may do there.
    pub protection: Protection,
    /// What it may ever be given the right to do, by [`protect`](super::Space::protect).
    pub most: Protection,
    /// Who sees what it writes.
    pub sharing: Sharing,
    /// What it shows.
    pub content: Content<O>,
    /// Whether it grows.
    pub growth: Growth,
    /// What it is for.
    pub role: Role,
}

impl<O> MapRequest<O> {
    /// Memory of the process's own, readable and writable, anywhere. The rest is set by the fields.
    pub const fn anonymous(bytes: usize) -> Self {
        Self {
            at: Place::Anywhere,
            bytes,
            protection: Protection::READ.union(Protection::WRITE),
            most: Protection::all(),
            sharing: Sharing::Private,
            content: Content::Anonymous,
            growth: Growth::None,
            role: Role::Plain,
        }
    }

    /// An object from its page `first` on, readable, anywhere, private. The rest is set by the fields.
    pub const fn object(object: O, first: u64, bytes: usize) -> Self {
        Self {
            at: Place::Anywhere,
            bytes,
            protection: Protection::READ,
            most: Protection::all(),
            sharing: Sharing::Private,
            content: Content::Object(object, first),
            growth: Growth::None,
            role: Role::Plain,
        }
    }
}

/// What a process may have at most, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Of addresses. (RLIMIT_AS)
    pub address_space: usize,
    /// Of heap. (RLIMIT_DATA)
    pub data: usize,
    /// Of stack. (RLIMIT_STACK)
    pub stack: usize,
}

impl Limits {
    /// 8 MiB of stack, and no other limit: what Linux starts with.
    pub const DEFAULT: Self = Self { address_space: usize::MAX, data: usize::MAX, stack: 8 << 20 };
}

/// What a space has, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Of addresses.
    pub total: usize,
    /// In memory: those that the page tables show.
    pub resident: usize,
    /// Of these, memory of processes; each counts in every space that shares it.
    pub anonymous: usize,
    /// Of these, pages of objects.
    pub file: usize,
    /// In swap: those that the page tables name there.
    pub swapped: usize,
    /// Of page tables.
    pub tables: usize,
}

/// What a program did to an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultAccess {
    /// It read.
    Read,
    /// It wrote.
    Write,
    /// It ran code there.
    Execute,
}

impl FaultAccess {
    /// Whether memory with this protection may be used so. What may be written to or executed may be read.
    pub const fn is_allowed(self, protection: Protection) -> bool {
        match self {
            Self::Read => !protection.is_empty(),
            Self::Write => protection.contains(Protection::WRITE),
            Self::Execute => protection.contains(Protection::EXEC),
        }
    }
}

/// How a fault was resolved: the program may try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolved {
    /// By a new page of zeros.
    Zeroed,
    /// By a page of the area's object.
    Object,
    /// By a copy of the page that was there, which others have too.
    Copied,
    /// The page has no other owner any more: it may be written to.
    Reused,
    /// By the page's way back from swap.
    Swapped,
    /// The tables allowed it already, or reclaim came in between: the program tries again.
    Already,
}

/// Why a fault cannot be resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultError {
    /// No area is there. (SIGSEGV, SEGV_MAPERR)
    NoArea,
    /// The area does not allow it. (SIGSEGV, SEGV_ACCERR)
    NotAllowed,
    /// The object ends before. (SIGBUS, BUS_ADRERR)
    Beyond,
    /// There is no memory.
    NoMemory,
    /// The object, or swap, could not be read. (SIGBUS)
    Io,
}

/// Why a space stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpaceError {
    /// No memory, no room, or a limit is reached. (ENOMEM)
    NoMemory,
    /// An address is no multiple of the page size, or no bytes were asked for. (EINVAL)
    Misaligned,
    /// A part of the range is not the users'. (EINVAL for mmap and munmap; ENOMEM for mprotect)
    OutOfRange,
    /// Something is there. (EEXIST)
    Exists,
    /// A part of the range has no area. (ENOMEM)
    NotMapped,
    /// The area may not have this protection. (EACCES)
    Denied,
    /// Memory of the process's own cannot be shared: take an object. (EINVAL)
    Unshareable,
    /// What shows an object cannot grow: downwards there are no pages for it. (EINVAL)
    Ungrowable,
}

/// `bytes` in pages, rounded up; `None` if that is beyond all addresses.
pub(super) const fn pages_of(bytes: usize) -> Option<usize> {
    match bytes.checked_add(PAGE_SIZE - 1) {
        Some(bytes) => Some(bytes / PAGE_SIZE),
        None => None,
    }
}
