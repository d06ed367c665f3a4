//! A mapping: a file or a device, as the pages of it that are in memory.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use kapi::{Errno, Kernel, SpinLock};
use mm::own::{KArc, KString, PageRef};
use mm::space::ObjectError;
use mm::{AllocError, GfpFlags, PAGE_SIZE, Pfn};

use crate::backing::{Backing, IoError, Kind};
use crate::cache::{PageCache, load};
use crate::index::{Index, Marks, NotInserted, Slots};
use crate::state::State;

/// A mapping ends before this many bytes: pages are counted by 32 bits, of which the last is nobody's.
pub(crate) const MAX_BYTES: u64 = (u32::MAX as u64) * PAGE_SIZE as u64;

/// A file or a block device, whose pages the cache keeps.
///
/// Dropped, its pages go, written or not; who wants them kept calls [`sync`](Self::sync) before. That waits for I/O of
/// its pages: process context only.
pub struct Mapping<K: Kernel> {
    pub(crate) cache: &'static PageCache<K>,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) is_read_only: bool,
    /// The page that was used last.
    pub(crate) last_used: AtomicU32,
    /// As in its slot, which is changed first.
    pub(crate) bytes: AtomicU64,
}

/// Whether a page differs from what its backing has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// It does not.
    Clean,
    /// It does, and has to be written.
    Dirty,
}

/// Why there is no page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missing {
    /// It lies beyond the end.
    Beyond,
    /// There is no memory for it.
    NoMemory,
    /// The backing wants none there.
    Refused,
    /// The caller may not sleep.
    WrongContext,
    /// It could not be read.
    Io(IoError),
}

impl From<AllocError> for Missing {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

impl From<kapi::WrongContext> for Missing {
    fn from(_: kapi::WrongContext) -> Self {
        Self::WrongContext
    }
}

impl From<Missing> for Errno {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Beyond => Self::EIO,
            Missing::NoMemory => Self::ENOMEM,
            Missing::Refused => Self::ENOSPC,
            Missing::WrongContext => Self::EAGAIN,
            Missing::Io(error) => error.into(),
        }
    }
}

impl From<Missing> for ObjectError {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Beyond | Missing::Refused => Self::Beyond,
            Missing::NoMemory | Missing::Io(IoError::NoMemory) => Self::NoMemory,
            Missing::WrongContext | Missing::Io(_) => Self::Io,
        }
    }
}

impl<K: Kernel> PageCache<K> {
    /// The pages of `backing`, of which there are `bytes` bytes; none is in memory yet. The name is for people. Process
    /// context.
    ///
    /// # Errors
    /// `ENOMEM`; `EFBIG` from 16 TiB on.
    pub fn mapping(&'static self, backing: Arc<dyn Backing>, bytes: u64, name: &str) -> Result<Mapping<K>, Errno> {
        if bytes > MAX_BYTES {
            return Err(Errno::EFBIG);
        }
        let name = KString::from_str(name, GfpFlags::KERNEL)?;
        let name = KArc::new(name, GfpFlags::KERNEL)?;
        let number = self.take_slot()?;
        let (kind, is_read_only) = (backing.kind(), backing.is_read_only());
        self.index.with(|index| {
            let slot = index.slots.at_mut(number);
            (slot.backing, slot.name, slot.kind, slot.bytes) = (Some(backing), Some(name), kind, bytes);
        });
        let (last_used, bytes) = (AtomicU32::new(u32::MAX), AtomicU64::new(bytes));
        Ok(Mapping { cache: self, number, kind, is_read_only, last_used, bytes })
    }

    /// A slot for a mapping.
    fn take_slot(&self) -> Result<u32, AllocError> {
        loop {
            let slots = match self.index.with(|index| index.slots.take().ok_or(index.slots.len())) {
                Ok(number) => return Ok(number),
                Err(slots) => slots,
            };
            let room = Slots::larger(slots)?;
            drop(self.index.with(|index| index.slots.grow(room)));
        }
    }
}

impl<K: Kernel> Mapping<K> {
    /// Its number: no other mapping has it as long as it lives.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Whose pages they are.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        load(&self.bytes)
    }

    /// Its pages, of which some may be in memory.
    pub(crate) fn end(&self) -> u32 {
        self.size().div_ceil(PAGE_SIZE as u64) as u32
    }

    /// Pages of it in memory. Any context.
    pub fn pages(&self) -> usize {
        self.cache.index.with(|index| index.slots.at(self.number).pages())
    }

    /// The page at `index`, if it is in memory and up to date. Any context.
    pub fn find(&self, index: u64) -> Option<PageRef<K>> {
        let index = u32::try_from(index).ok()?;
        self.cache.index.with(|cache| {
            let descriptor = cache.pool.at(cache.find(self.number, index)?);
            descriptor.has(Marks::UP_TO_DATE).then(|| descriptor.another()).flatten()
        })
    }

    /// Keeps a page that exists already for `index`, by a reference of the cache's own; dirty, it will be written. Any
    /// context.
    ///
    /// # Errors
    /// Why it is not kept.
    pub fn insert(&self, index: u64, frame: Pfn, condition: Condition) -> Result<(), NotInserted> {
        let index = u32::try_from(index).map_err(|_| NotInserted::Refused)?;
        let page = PageRef::to(frame).ok_or(NotInserted::Refused)?;
        let now = self.cache.now();
        let inserted = self.cache.index.with(|cache| {
            let frame = cache.insert(self.number, index, page, Marks::UP_TO_DATE)?;
            if condition == Condition::Dirty {
                cache.dirty(frame, now);
            }
            Ok(())
        });
        inserted.map_err(|(_page, why): (PageRef<K>, _)| why)
    }

    /// Takes a page out, written or not, if it is neither locked nor on its way to a disk, has at most `references`
    /// references (the cache's among them), and `allow` says yes to its index, under the cache's lock. Whether it was
    /// taken out. Any context.
    pub fn remove(&self, frame: Pfn, references: u32, allow: &mut dyn FnMut(u64) -> bool) -> bool {
        let frame = frame.as_u32();
        self.cache.index.with(|cache| self.take_if(cache, Some(frame), references, allow)).is_some()
    }

    /// [`remove`](Self::remove) of the page at `index`. Any context.
    pub fn remove_at(&self, index: u64, references: u32, allow: &mut dyn FnMut(u64) -> bool) -> bool {
        let Ok(index) = u32::try_from(index) else { return false };
        let take = |cache: &mut Index<K>| self.take_if(cache, cache.find(self.number, index), references, allow);
        self.cache.index.with(take).is_some()
    }

    fn take_if(
        &self,
        cache: &mut Index<K>,
        frame: Option<u32>,
        references: u32,
        allow: &mut dyn FnMut(u64) -> bool,
    ) -> Option<PageRef<K>> {
        let page = cache.pool.get(frame?)?;
        let is_ours = page.is_kept() && page.mapping() == self.number;
        let is_busy = page.has(Marks::LOCKED) || page.state() == State::Writeback;
        let may_go = is_ours && !is_busy && page.references() <= references;
        (may_go && allow(page.index().into())).then(|| cache.take(frame?)).flatten()
    }

    /// Has the size be what the slot says: after a change under the index lock.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Relaxed);
    }
}
