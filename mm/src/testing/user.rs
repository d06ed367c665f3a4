//! The test machine as programs use it.
//! It has tables of processes, and a TLB that keeps what they said.
//!
//! Key types: [`HostUser`], the machine of a [`Space`](crate::space::Space); [`UserTlb`], behind it. A translation and
//! the way to it live on until they are flushed, whatever the tables say by then: so tests see a space that flushes too
//! little, or gives a frame back too early.

use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;
use std::collections::BTreeMap;
use std::vec::Vec;

use super::TestKernel;
use crate::addr::{PAGE_SHIFT, PAGE_SIZE, Pfn, VirtAddr};
use crate::flush::MustFlush;
use crate::mapper::{Access, Entry, Format, Level, Mapping, Protection, Table, UserFormat};
use crate::platform::Platform;
use crate::space::{FaultAccess, UserMachine};

const PRESENT: u64 = 1;
const TABLE: u64 = 2;
/// A leaf that allows nothing.
const KEPT: u64 = 4;
const RIGHTS_SHIFT: u32 = 3;
/// What the kernel's half of a root says: nothing that a space may touch.
const KERNEL: u64 = 0x800;
/// The first entry of a root that is the kernel's.
const KERNEL_FROM: usize = 256;

/// Frame number from bit 12 on, flags below.
#[derive(Clone, Copy, Debug)]
pub struct HostUserFormat;

// SAFETY: no processor reads these entries, but `read` alone.
unsafe impl Format for HostUserFormat {
    const TOP: Level = Level::Three;

    type Rights = Protection;

    fn largest(&self) -> Level {
        Level::One
    }

    fn leaf(&self, frame: Pfn, _level: Level, rights: Protection) -> u64 {
        let kind = if rights.is_empty() { KEPT } else { PRESENT };
        frame.phys().as_u64() | kind | u64::from(rights.bits()) << RIGHTS_SHIFT
    }

    fn table(&self, frame: Pfn) -> u64 {
        frame.phys().as_u64() | TABLE | PRESENT
    }

    fn read(&self, bits: u64, _level: Level) -> Entry<Protection> {
        let frame = Pfn::new((bits >> PAGE_SHIFT) as u32);
        match (bits & (PRESENT | KEPT), bits & TABLE) {
            (0, _) => Entry::Empty,
            (_, 0) => Entry::Leaf(frame, Protection::from_bits_truncate((bits >> RIGHTS_SHIFT) as u8)),
            _ => Entry::Table(frame),
        }
    }

    fn rights(_: Mapping) -> Protection {
        Protection::empty()
    }

    fn with_access(rights: Protection, _: Access) -> Protection {
        rights
    }
}

// SAFETY: as above.
unsafe impl UserFormat for HostUserFormat {
    fn user(protection: Protection) -> Protection {
        if protection.is_empty() { protection } else { protection | Protection::READ }
    }

    fn protection(rights: Protection) -> Protection {
        rights
    }

    fn without_write(rights: Protection) -> Protection {
        rights.difference(Protection::WRITE)
    }

    fn with_protection(_: Protection, protection: Protection) -> Protection {
        Self::user(protection)
    }
}

/// What the processor keeps of tables of processes, each of which runs on a CPU of its own.
#[derive(Default)]
pub(super) struct UserTlb {
    /// By root and address.
    pages: BTreeMap<(u32, usize), (Pfn, Protection)>,
    /// Tables of level one, by root and the address that they map first.
    tables: BTreeMap<(u32, usize), Pfn>,
    /// How many of both lead to each frame.
    frames: BTreeMap<u32, usize>,
}

impl UserTlb {
    fn keep_frame(&mut self, frame: Pfn) {
        *self.frames.entry(frame.as_u32()).or_default() += 1;
    }

    fn drop_frame(&mut self, frame: Pfn) {
        let count = self.frames.entry(frame.as_u32()).or_default();
        *count -= 1;
        if *count == 0 {
            self.frames.remove(&frame.as_u32());
        }
    }

    /// Drops the pages of a root in a range, and all ways to its pages.
    fn flush(&mut self, root: Pfn, range: Range<usize>) {
        let root = root.as_u32();
        let pages: Vec<usize> =
            self.pages.range((root, range.start)..(root, range.end)).map(|(&(_, at), _)| at).collect();
        for at in pages {
            if let Some((frame, _)) = self.pages.remove(&(root, at)) {
                self.drop_frame(frame);
            }
        }
        let tables: Vec<usize> = self.tables.range((root, 0)..=(root, usize::MAX)).map(|(&(_, at), _)| at).collect();
        for at in tables {
            if let Some(frame) = self.tables.remove(&(root, at)) {
                self.drop_frame(frame);
            }
        }
    }

    /// Whether something that is kept leads to one of the `pages` frames from `frame` on.
    pub(super) fn leads_to(&self, frame: Pfn, pages: u32) -> bool {
        self.frames.range(frame.as_u32()..frame.add(pages).as_u32()).next().is_some()
    }

    /// How many frames are led to.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }
}

/// The processor of the current test machine. Users have the lower half of 39 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostUser;

impl HostUser {
    /// What a program gets that uses the page of `at` by the tables of this root: the frame, or, for `None`, a fault.
    pub fn access(self, root: Pfn, at: VirtAddr, access: FaultAccess) -> Option<Pfn> {
        let platform = TestKernel::memory().platform();
        let page = at.page_down().as_usize();
        platform.with_user_tlb(|tlb| {
            if let Some(&(frame, allowed)) = tlb.pages.get(&(root.as_u32(), page)) {
                return access.is_allowed(allowed).then_some(frame);
            }
            let region = page & !(Level::Two.bytes() - 1);
            let table = match tlb.tables.get(&(root.as_u32(), region)) {
                Some(&table) => table,
                None => {
                    let table = walk(root, at)?;
                    tlb.tables.insert((root.as_u32(), region), table);
                    tlb.keep_frame(table);
                    table
                }
            };
            match HostUserFormat.read(entry(table, Level::One.index(at)), Level::One) {
                Entry::Leaf(frame, allowed) if access.is_allowed(allowed) => {
                    tlb.pages.insert((root.as_u32(), page), (frame, allowed));
                    tlb.keep_frame(frame);
                    Some(frame)
                }
                _ => None,
            }
        })
    }

    /// The address at which the machine's memory shows the byte `at` of a page, high memory too: for tests alone.
    pub fn byte(self, frame: Pfn, at: VirtAddr) -> *mut u8 {
        let window = TestKernel::memory().platform().direct_map();
        window.add(frame.index() * PAGE_SIZE + at.page_offset()).as_mut_ptr()
    }

    /// Has an allocated page have so many references.
    ///
    /// # Panics
    /// It is not allocated.
    pub fn set_references(self, frame: Pfn, count: u32) {
        let page = TestKernel::memory().pages().map().get(frame).filter(|page| page.count() > 0);
        page.expect("an allocated page").set_count(count);
    }

    /// Forgets all that is known by the tables of this root, as processors do at any time.
    pub fn forget(self, root: Pfn) {
        TestKernel::memory().platform().with_user_tlb(|tlb| tlb.flush(root, 0..usize::MAX));
    }
}

/// The table of level one on the way to `at`.
fn walk(root: Pfn, at: VirtAddr) -> Option<Pfn> {
    [Level::Three, Level::Two].into_iter().try_fold(root, |table, level| {
        match HostUserFormat.read(entry(table, level.index(at)), level) {
            Entry::Table(below) => Some(below),
            Entry::Empty | Entry::Leaf(..) => None,
        }
    })
}

fn entry(table: Pfn, index: usize) -> u64 {
    let window = TestKernel::memory().platform().direct_map();
    let table = window.add(table.index() * PAGE_SIZE).as_mut_ptr::<Table>();
    // SAFETY: the machine's memory shows there, and entries are atomics.
    let table = unsafe { &*table };
    table[index].load(Relaxed)
}

// SAFETY: it has the format, the lower half of three levels is the users', and what is kept is dropped by a flush.
unsafe impl UserMachine for HostUser {
    type Format = HostUserFormat;

    fn format(&self) -> HostUserFormat {
        HostUserFormat
    }

    fn range(&self) -> Range<VirtAddr> {
        VirtAddr::new(PAGE_SIZE)..VirtAddr::new(KERNEL_FROM * Level::Three.bytes())
    }

    fn share_kernel(&self, root: &Table) {
        root[KERNEL_FROM..].iter().for_each(|slot| slot.store(KERNEL, Relaxed));
    }

    fn flush(&self, root: Pfn, must_flush: MustFlush) {
        let platform = TestKernel::memory().platform();
        if !platform.may_sleep() {
            platform.complain("flushed a space where that cannot be waited for");
        }
        let range = must_flush.start().as_usize()..must_flush.end().as_usize();
        platform.with_user_tlb(|tlb| tlb.flush(root, range));
        must_flush.flushed();
    }

    fn retire(&self, root: Pfn) {
        self.forget(root);
    }
}
