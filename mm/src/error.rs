//! Every error that the calls of this crate return.

use core::fmt;

use crate::addr::Pfn;
use crate::tag::Tag;

/// The request cannot be satisfied; nothing was allocated, nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllocError;

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory")
    }
}

/// What was wrong with a free; the allocator's state is as it was before the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FreeError {
    /// The address is not one that this allocator could have handed out: outside of its memory.
    Wild,
    /// The address is not the start of a block of this kind: misaligned for its order, class or page.
    Misaligned,
    /// The address lies inside an allocated block or object, not at its start.
    Interior,
    /// The block was allocated with another order.
    WrongOrder,
    /// The memory is free already.
    DoubleFree,
    /// The page never belonged to the allocator: bootmem, firmware, a hole.
    Reserved,
    /// The page belongs to a slab: its objects are freed with `kfree` or `kmem_cache_free`.
    SlabPage,
    /// The block has a tag: only its owner frees it, such as an area or the page tables.
    Owned(Tag),
    /// The page belongs to a page block, not to a slab: it is freed with `free_pages`.
    NotSlab,
    /// The object belongs to another cache.
    WrongCache,
    /// No vm area starts at this address.
    NoArea,
    /// A free that may sleep, called where the caller may not.
    WrongContext,
}

impl FreeError {
    /// The reason in a few words, as the kernel log shows it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Wild => "address outside of the allocator's memory",
            Self::Misaligned => "misaligned address",
            Self::Interior => "address inside an allocation",
            Self::WrongOrder => "wrong order",
            Self::DoubleFree => "memory is free already",
            Self::Reserved => "reserved page",
            Self::SlabPage => "page belongs to a slab",
            Self::Owned(tag) => tag.refusal(),
            Self::NotSlab => "page belongs to no slab",
            Self::WrongCache => "object of another cache",
            Self::NoArea => "nonexistent vm area",
            Self::WrongContext => "may sleep, called where it may not",
        }
    }
}

/// Why frames were not handed to their zones; the allocator's state is as it was before the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ReleaseError {
    /// A frame has no entry in the page map: there is no RAM.
    NotRam,
    /// A frame belongs to a zone already, whether it is free or in use.
    AlreadyReleased,
    /// A frame belongs to the kernel: its image, its page tables.
    Own,
    /// More separate ranges than the table holds.
    TooManyRanges,
}

impl ReleaseError {
    /// The reason in a few words, as the kernel log shows it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotRam => "a frame is no memory",
            Self::AlreadyReleased => "a frame belongs to a zone already",
            Self::Own => "a frame is memory of the kernel",
            Self::TooManyRanges => "too many separate ranges",
        }
    }
}

/// Why the frames of a range were not allocated; none was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RangeError {
    /// The range has no frames.
    Empty,
    /// This frame, the first of them, belongs to no zone.
    NotManaged(Pfn),
    /// This frame, the first of them, is not free: it is allocated, or in the magazine of a CPU that is busy.
    InTheWay(Pfn),
    /// Too few pages would be left for these flags.
    NoMemory,
    /// Called where the caller may not sleep, with flags that let it.
    WrongContext,
}

impl RangeError {
    /// The reason in a few words, as the kernel log shows it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "no frames",
            Self::NotManaged(_) => "a frame belongs to no zone",
            Self::InTheWay(_) => "a frame is not free",
            Self::NoMemory => "out of memory",
            Self::WrongContext => "may sleep, called where it may not",
        }
    }
}

/// Why the allocators did not start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Bootmem has no memory for the page map.
    Bootmem(BootmemError),
    /// A range of bootmem was refused.
    Release(ReleaseError),
    /// No memory for the first caches.
    Caches(CreateError),
    /// There is one start only.
    StartedBefore,
    /// The direct map does not begin at a multiple of 2 MiB: blocks could not be aligned to their size.
    DirectMap,
    /// High memory begins below 16 MiB, or its windows do not lie at a multiple of 2 MiB.
    HighMemory,
    /// The addresses for areas are not whole pages, or begin with the null page.
    AreaAddresses,
}

impl StartError {
    /// The reason in a few words, as the kernel log shows it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Bootmem(error) => error.reason(),
            Self::Release(error) => error.reason(),
            Self::Caches(error) => error.reason(),
            Self::StartedBefore => "the allocators have started before",
            Self::DirectMap => "the direct map does not begin at a multiple of 2 MiB",
            Self::HighMemory => "high memory begins below 16 MiB, or its windows not at a multiple of 2 MiB",
            Self::AreaAddresses => "the addresses for areas are not whole pages, or begin with the null page",
        }
    }
}

impl From<BootmemError> for StartError {
    fn from(error: BootmemError) -> Self {
        Self::Bootmem(error)
    }
}

impl From<ReleaseError> for StartError {
    fn from(error: ReleaseError) -> Self {
        Self::Release(error)
    }
}

impl From<CreateError> for StartError {
    fn from(error: CreateError) -> Self {
        Self::Caches(error)
    }
}

/// Why a page could not be mapped, or its mapping not changed; the tables are as they were before the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MapError {
    /// A page table is missing on the way: offer a zeroed frame and call again.
    TableMissing,
    /// The page is mapped already.
    AlreadyMapped,
    /// The page is not mapped.
    NotMapped,
    /// A large page would fit where a table of smaller ones is: unlink that table if it is empty, and call again.
    TableInTheWay,
    /// The address lies outside of the range that may be mapped.
    OutOfRange,
}

impl MapError {
    /// The reason in a few words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TableMissing => "a page table is missing",
            Self::AlreadyMapped => "the page is mapped already",
            Self::NotMapped => "the page is not mapped",
            Self::TableInTheWay => "a page table is in the way",
            Self::OutOfRange => "the page tables do not reach that address",
        }
    }
}

/// Why a cache could not be created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CreateError {
    /// The name is empty, longer than 19 characters, or has a blank or control character.
    BadName,
    /// A cache of this name exists.
    DuplicateName,
    /// Objects are 8 to 131072 bytes.
    BadSize,
    /// The offset of the first object is larger than the object.
    BadOffset,
    /// There can be no destructor without a constructor.
    DestructorAlone,
    /// A flag that caches do not know.
    BadFlags,
    /// Called where the caller may not sleep.
    WrongContext,
    /// No memory for the cache's descriptor.
    NoMemory,
}

impl CreateError {
    /// The reason in a few words, as the kernel log shows it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BadName => "a name has 1 to 19 visible characters",
            Self::DuplicateName => "a cache of this name exists",
            Self::BadSize => "objects are 8 to 131072 bytes",
            Self::BadOffset => "offset is larger than the object",
            Self::DestructorAlone => "a destructor without a constructor",
            Self::BadFlags => "unknown flag",
            Self::WrongContext => "may sleep, called where it may not",
            Self::NoMemory => "out of memory",
        }
    }
}

impl From<AllocError> for CreateError {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

/// `kmem_cache_destroy` found objects that were never freed; the cache stays alive and listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DestroyError {
    /// This many objects are still allocated.
    Busy(usize),
    /// Called where the caller may not sleep.
    WrongContext,
    /// Not a cache, one that was destroyed before, or one of kmalloc's, which stay.
    NoSuchCache,
}

impl DestroyError {
    /// The reason in a few words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Busy(_) => "objects are still allocated",
            Self::WrongContext => "may sleep, called where it may not",
            Self::NoSuchCache => "no such cache, or one that stays",
        }
    }
}

/// Why the magazines of a cache were not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TuneError {
    /// No cache of this name, or one of the allocators' own.
    NoSuchCache,
    /// The batch is larger than the limit, or 0 with a limit.
    BadNumbers,
    /// More objects than two magazines hold.
    TooMany,
    /// A debugged cache has no magazines.
    Debugged,
}

impl TuneError {
    /// The reason in a few words, as the kernel log shows it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoSuchCache => "no such cache, or one of the allocators' own",
            Self::BadNumbers => "the batch must be 1 to limit, or both 0",
            Self::TooMany => "a CPU keeps at most 128 objects",
            Self::Debugged => "a debugged or counted cache keeps no objects for CPUs",
        }
    }
}

/// Why bootmem refused a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BootmemError {
    /// Zero bytes, or an alignment that is no power of two.
    BadRequest,
    /// No free range is large enough.
    NoMemory,
    /// The range is not RAM that bootmem may give out, or not all of it.
    NotRam,
    /// A part of the range is free already.
    AlreadyFree,
    /// More separate ranges than the table holds.
    TooManyRanges,
    /// Boot is over: the page allocator has all memory now.
    HandedOver,
}

impl BootmemError {
    /// The reason in a few words, as the kernel log shows it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BadRequest => "no bytes, or an alignment that is no power of two",
            Self::NoMemory => "no free range is large enough",
            Self::NotRam => "not RAM",
            Self::AlreadyFree => "free already",
            Self::TooManyRanges => "too many separate ranges",
            Self::HandedOver => "the page allocator has taken over",
        }
    }
}

/// What every error prints, and that it is one.
macro_rules! errors {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.reason())
            }
        }

        impl core::error::Error for $name {}
    )*};
}

errors!(FreeError ReleaseError RangeError StartError MapError CreateError DestroyError TuneError BootmemError);

impl core::error::Error for AllocError {}
