//! A request: its table, what the device is told, where it answers.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use kapi::block::{BlockError, BlockOp, BlockRequest, MAX_SEGMENTS, Segment};
use kapi::mm::PhysAddr;

use crate::rings::{Descriptor, Writer};

/// A request's descriptors: its head, its segments, its answer.
const DESCRIPTORS: usize = MAX_SEGMENTS + 2;
/// Bytes of a request's head: what, and where on the disk.
const HEAD: u32 = 16;

/// What stands in the byte where the device answers before it has.
const NO_ANSWER: u8 = 0xff;

/// A request, in memory that the device reads and writes.
#[repr(C, align(64))]
pub struct Request {
    table: [Descriptor; DESCRIPTORS],
    kind: AtomicU32,
    reserved: AtomicU32,
    sector: AtomicU64,
    answer: AtomicU8,
}

impl Request {
    /// A request that asks for nothing yet.
    pub fn new() -> Self {
        Self {
            table: core::array::from_fn(|_| Descriptor::default()),
            kind: AtomicU32::new(0),
            reserved: AtomicU32::new(0),
            sector: AtomicU64::new(0),
            answer: AtomicU8::new(NO_ANSWER),
        }
    }

    /// Says what is wanted. This value lies at `place`. Returns the bytes of the table.
    pub fn fill(&self, place: PhysAddr, wanted: &BlockRequest<'_>) -> u32 {
        let (kind, sector, writer) = match wanted.op {
            BlockOp::Read => (0, wanted.sector, Writer::Device),
            BlockOp::Write => (1, wanted.sector, Writer::Driver),
            BlockOp::Flush => (4, 0, Writer::Driver),
        };
        self.kind.store(kind, Ordering::Relaxed);
        self.sector.store(sector, Ordering::Relaxed);
        self.answer.store(NO_ANSWER, Ordering::Relaxed);
        self.table[0].set_inner(0, part(place, offset_of!(Self, kind)), HEAD, Writer::Driver);
        let mut used = 1;
        for &segment in wanted.segments.iter().take(MAX_SEGMENTS) {
            // At most a page.
            self.table[used].set_inner(used, physical(segment), segment.bytes() as u32, writer);
            used += 1;
        }
        self.table[used].set_last(part(place, offset_of!(Self, answer)), 1);
        // At most 34 times 16.
        ((used + 1) * size_of::<Descriptor>()) as u32
    }

    /// How it went, once the device says that it is done.
    pub fn outcome(&self) -> Result<(), BlockError> {
        // 1: it failed; 2: the device knows no such request; all else is no answer.
        if self.answer.load(Ordering::Relaxed) == 0 { Ok(()) } else { Err(BlockError::Io) }
    }
}

/// Where the byte `offset` of what lies at `place` lies.
fn part(place: PhysAddr, offset: usize) -> PhysAddr {
    PhysAddr::new(place.as_u64() + offset as u64)
}

fn physical(segment: Segment) -> PhysAddr {
    part(segment.frame().phys(), segment.offset())
}
