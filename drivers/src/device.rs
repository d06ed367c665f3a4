//! One scull device: bytes in quanta, quanta in sets, sets in items.
//!
//! Reads and writes go at most to the end of a quantum; what was never written and lies below the size reads as the
//! end of the file, as in the originals. The caller holds the device's lock. (Chapter: the excerpts of scullc, scullp
//! and scullv.)
//!
//! No byte is seen that was not written: what a write leaves out is zero. But a new quantum is not cleared behind the
//! last byte of the device, for what comes next will mostly be written there. Invariants: (a) nobody has filled what
//! lies behind `filled`, and all before it is zero or was written; (b) `filled` is not below the size, up to which
//! reads go; (c) no page that a process shows reaches beyond it.

use core::fmt;
use core::ops::Range;

use kapi::mm::own::Buffer;
use kapi::mm::{GfpFlags, PAGE_SIZE, Pfn};
use kapi::services::budget::Charge;
use kapi::{Errno, IoBuf, Kernel};

use crate::geometry::{ByteLocation, Geometry};
use crate::items::{Item, Node, Tree};
use crate::quota::Quota;
use crate::store::{Mappable, QuantumStore};

/// The largest position that a file can have.
const MAX_POSITION: u64 = i64::MAX as u64;

/// What is done with each item of a device.
type Visit<'a, Q, K> = &'a mut dyn FnMut(&Item<Q, K>) -> fmt::Result;

/// A device's memory.
///
/// The first item is part of the device, as in the originals; the others exist only where something was written.
pub struct ScullDevice<K: Kernel, S: QuantumStore<K>> {
    store: S,
    quota: &'static Quota,
    geometry: Geometry,
    size: u64,
    /// Where the memory begins that nobody has filled: from here on, quanta hold what their last owner left.
    filled: u64,
    /// What the device holds costs this.
    charge: Charge<'static>,
    first: Item<S::Quantum, K>,
    more: Tree<Item<S::Quantum, K>, K>,
}

impl<K: Kernel, S: QuantumStore<K>> ScullDevice<K, S> {
    /// An empty device.
    pub const fn new(store: S, geometry: Geometry, quota: &'static Quota) -> Self {
        let charge = quota.nothing();
        Self { store, quota, geometry, size: 0, filled: 0, charge, first: Item::new(), more: Tree::new() }
    }

    /// Bytes from the start of the device to the end of what was written.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The sizes that the device is cut by.
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Frees all data and takes on `geometry`. Needs no memory.
    pub fn trim(&mut self, geometry: Geometry) {
        self.first = Item::new();
        self.more = Tree::new();
        self.charge = self.quota.nothing();
        self.size = 0;
        self.filled = 0;
        self.geometry = geometry;
    }

    /// Reads at `position`, at most to the end of a quantum; 0 at the end and in a hole.
    pub fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        if position >= self.size {
            return Ok(0);
        }
        let location = self.geometry.locate(position);
        let Some(quantum) = self.item(location.item).and_then(|item| item.get(location.slot)) else {
            return Ok(0);
        };
        let len = self.room_at(location, self.size - position);
        buf.put(&quantum.bytes()[location.offset..location.offset + len])
    }

    /// Whether its pages can be mapped as it is cut now; `ENODEV`.
    pub fn check_mappable(&self) -> Result<(), Errno> {
        match S::SPEC.mappable {
            Mappable::Never => Err(Errno::ENODEV),
            Mappable::SinglePages if self.geometry.quantum() > PAGE_SIZE => Err(Errno::ENODEV),
            Mappable::SinglePages | Mappable::Always => Ok(()),
        }
    }

    /// The frame of the page at `position`, with a reference of its own. Errors as
    /// [`mmap_page`](kapi::CharDriver::mmap_page).
    pub fn page_at(&mut self, position: u64) -> Result<Pfn, Errno> {
        self.check_mappable()?;
        if !position.is_multiple_of(PAGE_SIZE as u64) {
            return Err(Errno::ENXIO);
        }
        let location = self.geometry.locate(position);
        let quantum =
            self.item(location.item).and_then(|item| item.get(location.slot)).filter(|_| position < self.size);
        let frame = quantum.and_then(|quantum| S::frame(quantum, location.offset)).ok_or(Errno::EFAULT)?;
        self.fill_up_to(position + PAGE_SIZE as u64);
        if K::memory().get_page(frame) { Ok(frame) } else { Err(Errno::EFAULT) }
    }

    /// Writes at `position`, at most to the end of a quantum.
    ///
    /// `EFBIG` at the largest position, `ENOSPC` beyond the byte limit, `ENOMEM`; the device is then as it was.
    pub fn write(&mut self, position: u64, buf: &mut IoBuf<'_>, gfp: GfpFlags) -> Result<usize, Errno> {
        let left = MAX_POSITION.checked_sub(position).filter(|&left| left > 0).ok_or(Errno::EFBIG)?;
        if buf.remaining() == 0 {
            return Ok(0);
        }
        let location = self.geometry.locate(position);
        let range = location.offset..location.offset + self.room_at(location, left);
        let written = match self.item_mut(location.item).and_then(|item| item.get_mut(location.slot)) {
            Some(quantum) => buf.get(&mut quantum.bytes_mut()[range])?,
            None => self.write_new(location, range, self.filled.saturating_sub(position), buf, gfp)?,
        };
        self.fill_up_to(position);
        let end = position + written as u64;
        self.size = self.size.max(end);
        self.filled = self.filled.max(end);
        Ok(written)
    }

    /// Clears what nobody has filled before `position`. Only the quantum around `filled` reaches that far: others were
    /// made by writes into them, which `filled` has followed.
    fn fill_up_to(&mut self, position: u64) {
        if position <= self.filled {
            return;
        }
        let location = self.geometry.locate(self.filled);
        let len = self.room_at(location, position - self.filled);
        if let Some(quantum) = self.item_mut(location.item).and_then(|item| item.get_mut(location.slot)) {
            quantum.bytes_mut()[location.offset..location.offset + len].fill(0);
        }
        self.filled = position;
    }

    /// Bytes from `location` to the end of its quantum, at most `left`.
    fn room_at(&self, location: ByteLocation, left: u64) -> usize {
        let room = self.geometry.quantum() - location.offset;
        room.min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// Makes the missing quantum at `location`, has `range` of it written from `buf`, and keeps it. What is not written
    /// is zeroed, but what lies more than `filled` bytes behind the start of the range.
    fn write_new(
        &mut self,
        location: ByteLocation,
        range: Range<usize>,
        filled: u64,
        buf: &mut IoBuf<'_>,
        gfp: GfpFlags,
    ) -> Result<usize, Errno> {
        // At least this much: what is beyond the limit for sure takes no memory first.
        let charge = self.quota.charge(self.geometry.quantum() as u64)?;
        let mut quantum = self.store.allocate(self.geometry.quantum(), gfp)?;
        let (before, rest) = quantum.bytes_mut().split_at_mut(range.start);
        let part = &mut rest[..range.len()];
        let written = buf.get(part)?;
        before.fill(0);
        let filled = part.len().min(usize::try_from(filled).unwrap_or(usize::MAX));
        part[written.min(filled)..filled].fill(0);
        self.keep(location, quantum, charge, gfp)?;
        Ok(written)
    }

    /// Puts `quantum` in its place, with whatever that still needs, once `charge` has risen to what all of it costs.
    fn keep(
        &mut self,
        location: ByteLocation,
        quantum: S::Quantum,
        mut charge: Charge<'static>,
        gfp: GfpFlags,
    ) -> Result<(), Errno> {
        let (qset, cost) = (self.geometry.qset(), quantum.footprint());
        match self.item_mut(location.item) {
            Some(item) if item.has_set() => {
                charge.raise_to(cost as u64)?;
                item.put(location.slot, quantum);
            }
            Some(item) => {
                let mut fresh = Item::with_set(qset, gfp)?;
                charge.raise_to((cost + fresh.set_footprint()) as u64)?;
                fresh.put(location.slot, quantum);
                *item = fresh;
            }
            None => {
                let mut node = Node::new(location.item, Item::with_set(qset, gfp)?, gfp)?;
                charge.raise_to((cost + node.value().set_footprint() + node.footprint()) as u64)?;
                node.value_mut().put(location.slot, quantum);
                self.more.insert(node);
            }
        }
        self.charge.absorb(charge);
        Ok(())
    }

    fn item(&self, index: u64) -> Option<&Item<S::Quantum, K>> {
        if index == 0 { Some(&self.first) } else { self.more.get(index) }
    }

    fn item_mut(&mut self, index: u64) -> Option<&mut Item<S::Quantum, K>> {
        if index == 0 { Some(&mut self.first) } else { self.more.get_mut(index) }
    }

    /// The item with the largest number.
    pub(crate) fn last_item(&self) -> &Item<S::Quantum, K> {
        self.more.last().unwrap_or(&self.first)
    }

    /// Calls `f` with each item in order, until it fails.
    pub(crate) fn for_each_item(&self, f: Visit<'_, S::Quantum, K>) -> fmt::Result {
        f(&self.first)?;
        self.more.for_each(f)
    }
}

impl<K: Kernel, S: QuantumStore<K>> Drop for ScullDevice<K, S> {
    fn drop(&mut self) {
        self.trim(self.geometry);
    }
}
