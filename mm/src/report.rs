//! Reports to the kernel log: refused calls, wrong frees, damage.
//!
//! Key types: [`Call`], the call and its caller; [`Report`], what happened in it.

use core::fmt;
use core::panic::Location;

use crate::addr::{Pfn, VirtAddr};
use crate::context::Context;
use crate::error::FreeError;
use crate::gfp::GfpFlags;
use crate::order::Order;

/// A call of the allocators: its name, and where it was made. Two words, so that it travels in registers.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    name: &'static &'static str,
    at: &'static Location<'static>,
}

impl Call {
    /// The call with this name that the function's caller makes: `Call::here(&"kmalloc")`. Any context.
    #[inline(always)]
    #[track_caller]
    pub const fn here(name: &'static &'static str) -> Self {
        Self { name, at: Location::caller() }
    }

    /// The call's name, for example `kmalloc`.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Where it was made.
    #[inline]
    pub const fn at(self) -> &'static Location<'static> {
        self.at
    }
}

/// What was found at an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Damage {
    /// A write before it.
    Before,
    /// A write behind it.
    Behind,
    /// A write into it after it was freed.
    AfterFree,
    /// A write into what is remembered of its users.
    Record,
    /// A write behind the descriptor of its slab, as from the next page downwards.
    SlabEnd,
}

impl Damage {
    /// What happened, as the kernel log shows it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Before => "written before its start",
            Self::Behind => "written behind its end",
            Self::AfterFree => "written after free",
            Self::Record => "has an overwritten record of its users",
            Self::SlabEnd => "lies in a slab whose end was overwritten",
        }
    }
}

/// Bytes that a report of damage shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Dump {
    /// The first byte that is wrong, counted from the object's start.
    pub at: isize,
    /// The bytes from there on.
    pub bytes: [u8; 8],
    /// How many of these bytes are known.
    pub len: usize,
}

/// What happened in a call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Incident<'a> {
    /// A free was refused.
    BadFree {
        /// The address that it was given.
        addr: VirtAddr,
        /// The name of the cache that the call named or that the page belongs to, if any.
        cache: Option<&'a str>,
        /// What was wrong.
        error: FreeError,
        /// Where the memory was freed before, if that is remembered.
        freed: Option<&'static Location<'static>>,
    },
    /// The call may sleep, and was made where it may not.
    WrongContext(Context),
    /// No state of memory could satisfy the call's arguments, for this reason.
    BadArgument(&'static str),
    /// An allocation of pages failed.
    OutOfMemory {
        /// Block size.
        order: Order,
        /// The request's flags.
        gfp: GfpFlags,
    },
    /// A stray write, next to an object of a debugged cache or into a free one. It was repaired.
    Damage {
        /// The cache.
        cache: &'a str,
        /// The object.
        addr: VirtAddr,
        /// What happened.
        damage: Damage,
        /// The damaged bytes.
        dump: Dump,
        /// Who allocated the object last, if that is remembered.
        allocated: Option<&'static Location<'static>>,
        /// Who freed it last.
        freed: Option<&'static Location<'static>>,
    },
    /// A stray write into a free page, found when the page was allocated.
    PageDamage {
        /// The page.
        frame: Pfn,
        /// The first bytes that are wrong, counted from the page's start.
        dump: Dump,
        /// From the first wrong byte to the last one.
        span: usize,
    },
    /// A page of a process has more mappings than references: two think it theirs, or one has given it back too early.
    TwoOwners {
        /// The page.
        frame: Pfn,
        /// Addresses at which it shows.
        mappings: u32,
        /// References to it.
        references: u32,
        /// Who allocated it last, if that is remembered.
        allocated: Option<&'static Location<'static>>,
    },
    /// A stray write has damaged descriptors of slabs: the slabs are retired, objects and all.
    Retired {
        /// The cache.
        cache: &'a str,
        /// One of the descriptors.
        addr: VirtAddr,
        /// Slabs that are retired now.
        slabs: usize,
        /// Their pages.
        pages: usize,
    },
    /// A cache could not be destroyed: objects are still allocated.
    ObjectsLeft {
        /// The cache.
        cache: &'a str,
        /// Objects that were never freed.
        objects: usize,
    },
}

/// One entry for the kernel log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Report<'a> {
    /// The call in which it happened.
    pub call: Call,
    /// What happened.
    pub incident: Incident<'a>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.call.name();
        match self.incident {
            Incident::BadFree { addr, error, .. }
                if matches!(call, "vfree" | "vunmap" | "iounmap") && !matches!(error, FreeError::Owned(_)) =>
            {
                let what = if error == FreeError::Misaligned { "bad address" } else { "nonexistent vm area" };
                write!(f, "Trying to vfree() {what} ({:016x})", addr.as_usize())
            }
            Incident::BadFree { addr, cache, error, freed } => {
                write!(f, "{call}: {:016x}: {}", addr.as_usize(), error.reason())?;
                cache.map_or(Ok(()), |name| write!(f, " (cache {name})"))?;
                freed.map_or(Ok(()), |user| write!(f, "; freed at {}:{}", user.file(), user.line()))
            }
            Incident::WrongContext(context) => write!(f, "{call}: may sleep, called in {context}"),
            Incident::BadArgument(reason) => write!(f, "{call}: {reason}"),
            Incident::OutOfMemory { order, gfp } => {
                let order = order.log2();
                write!(f, "__alloc_pages: {order}-order allocation failed. (gfp={:#x} {gfp})", gfp.bits())
            }
            Incident::Damage { cache, addr, damage, dump, allocated, freed } => {
                write!(f, "slab {cache}: object {:016x} {}: byte {}:", addr.as_usize(), damage.reason(), dump.at)?;
                dump.bytes.iter().take(dump.len).try_for_each(|byte| write!(f, " {byte:02x}"))?;
                for (what, user) in [("allocated", allocated), ("freed", freed)] {
                    if let Some(user) = user {
                        write!(f, "; {what} at {}:{}", user.file(), user.line())?;
                    }
                }
                Ok(())
            }
            Incident::PageDamage { frame, dump, span } => {
                let at = dump.at;
                write!(f, "page poison: pfn {:#x} written after free: byte {at}:", frame.as_u32())?;
                dump.bytes.iter().take(dump.len).try_for_each(|byte| write!(f, " {byte:02x}"))?;
                write!(f, " (bytes {at} to {})", at + span as isize - 1)
            }
            Incident::TwoOwners { frame, mappings, references, allocated } => {
                write!(f, "page poison: pfn {:#x} has two owners: ", frame.as_u32())?;
                write!(f, "mappings: {mappings}, references: {references}")?;
                allocated.map_or(Ok(()), |user| write!(f, "; allocated at {}:{}", user.file(), user.line()))
            }
            Incident::Retired { cache, addr, slabs, pages } => {
                write!(f, "slab {cache}: descriptor {:016x} is damaged: ", addr.as_usize())?;
                write!(f, "slabs retired: {slabs}, pages: {pages}")
            }
            Incident::ObjectsLeft { cache, objects } => {
                write!(f, "kmem_cache_destroy: Can't free all objects of {cache}: {objects} left")
            }
        }
    }
}
