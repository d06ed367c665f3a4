//! The memory that a queue shares with its device, as the device wants it.
//!
//! Integers are the device's, in its order of bytes: the least significant first.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use kapi::mm::PhysAddr;

const _: () = assert!(cfg!(target_endian = "little"), "the words of the queue would have to be turned");

/// The most entries of a queue, and requests under way.
pub const ENTRIES: usize = 64;

/// The descriptor leads to a table of descriptors.
const LEADS_TO_TABLE: u16 = 4;
/// Another descriptor follows.
const GOES_ON: u16 = 1;
/// The device writes there.
const DEVICE_WRITES: u16 = 2;
/// Word of flags: the device need not be told of new requests.
const TELL_ME_NOTHING: u16 = 1;

/// Who writes to a buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The device.
    Device,
    /// We.
    Driver,
}

/// A piece of memory, for the device.
#[repr(C, align(16))]
#[derive(Default)]
pub struct Descriptor {
    address: AtomicU64,
    bytes: AtomicU32,
    flags: AtomicU16,
    next: AtomicU16,
}

impl Descriptor {
    fn set(&self, address: PhysAddr, bytes: u32, flags: u16, next: u16) {
        self.address.store(address.as_u64(), Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.flags.store(flags, Ordering::Relaxed);
        self.next.store(next, Ordering::Relaxed);
    }

    /// Entry `index` of a table, which another one follows.
    pub fn set_inner(&self, index: usize, address: PhysAddr, bytes: u32, writer: Writer) {
        let writes = if writer == Writer::Device { DEVICE_WRITES } else { 0 };
        // A table has fewer entries than a u16 has values.
        self.set(address, bytes, GOES_ON | writes, index as u16 + 1);
    }

    /// The last entry of a table: where the device writes how it went.
    pub fn set_last(&self, address: PhysAddr, bytes: u32) {
        self.set(address, bytes, DEVICE_WRITES, 0);
    }
}

/// What we offer: the numbers of descriptors, in turn.
#[repr(C)]
struct Available {
    flags: AtomicU16,
    index: AtomicU16,
    ring: [AtomicU16; ENTRIES],
    unused: AtomicU16,
}

/// A request that the device is done with.
#[repr(C)]
struct UsedEntry {
    entry: AtomicU32,
    written: AtomicU32,
}

/// What the device is done with.
#[repr(C, align(4))]
struct Used {
    flags: AtomicU16,
    index: AtomicU16,
    ring: [UsedEntry; ENTRIES],
    unused: AtomicU16,
}

/// The three parts of a queue, in one piece of memory.
#[repr(C, align(64))]
pub struct Rings {
    descriptors: [Descriptor; ENTRIES],
    available: Available,
    used: Used,
}

/// Physical addresses of the three parts.
#[derive(Clone, Copy)]
pub struct Addresses {
    /// Of the descriptors.
    pub descriptors: u64,
    /// Of what we offer.
    pub available: u64,
    /// Of what the device is done with.
    pub used: u64,
}

impl Rings {
    /// Rings of a queue that nobody has used.
    pub fn new() -> Self {
        let zero = || AtomicU16::new(0);
        let zeros = || core::array::from_fn(|_| zero());
        let done = || UsedEntry { entry: AtomicU32::new(0), written: AtomicU32::new(0) };
        Self {
            descriptors: core::array::from_fn(|_| Descriptor::default()),
            available: Available { flags: zero(), index: zero(), ring: zeros(), unused: zero() },
            used: Used { flags: zero(), index: zero(), ring: core::array::from_fn(|_| done()), unused: zero() },
        }
    }

    /// Where the parts are, if all begins at `start`.
    pub fn addresses(start: PhysAddr) -> Addresses {
        let at = |offset: usize| start.as_u64() + offset as u64;
        Addresses {
            descriptors: at(offset_of!(Self, descriptors)),
            available: at(offset_of!(Self, available)),
            used: at(offset_of!(Self, used)),
        }
    }

    /// Makes the queue as it was at first. The device has been reset.
    pub fn clear(&self) {
        self.available.index.store(0, Ordering::Relaxed);
        self.used.flags.store(0, Ordering::Relaxed);
        self.used.index.store(0, Ordering::Release);
    }

    /// Has descriptor `entry` lead to a table.
    pub fn lead(&self, entry: u16, table: PhysAddr, bytes: u32) {
        self.descriptors[usize::from(entry)].set(table, bytes, LEADS_TO_TABLE, 0);
    }

    /// Offers `entry` at `place` of the ring, so that there are `index` offers, counted from the start.
    pub fn offer(&self, entry: u16, place: usize, index: u16) {
        self.available.ring[place].store(entry, Ordering::Relaxed);
        // The device sees the entry, and all that it leads to, if it sees the index.
        self.available.index.store(index, Ordering::Release);
    }

    /// Whether the device wants to be told of what is offered.
    pub fn wants_notice(&self) -> bool {
        self.used.flags.load(Ordering::Acquire) & TELL_ME_NOTHING == 0
    }

    /// How many requests the device has been done with, counted from the start.
    pub fn used_index(&self) -> u16 {
        // What the device wrote before it counted is seen.
        self.used.index.load(Ordering::Acquire)
    }

    /// What the device says it is done with, at `place` of its ring.
    pub fn used_entry(&self, place: usize) -> u32 {
        self.used.ring[place].entry.load(Ordering::Relaxed)
    }
}
