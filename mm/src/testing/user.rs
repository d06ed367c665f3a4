//! The test machine as programs use it.
//! It has tables of processes, and a TLB that keeps what they said.
//!
//! Key types: [`HostUser`], the machine of a [`Space`](crate::space::Space); [`UserTlb`], behind it. A translation and
//! the way to it live on until they are flushed, whatever the tables say by then: so tests see a space that flushes too
//! little, or gives a frame back too early.

use core::cell::Cell;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::collections::BTreeMap;
use std::vec::Vec;

use super::TestKernel;
use super::user_format::{HostRights, HostUserFormat, KERNEL, KERNEL_FROM};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::flush::MustFlush;
use crate::mapper::{Entry, Format, Level, Table, UserFormat};
use crate::platform::Platform;
use crate::space::{FaultAccess, SwapStore, UserMachine};

std::thread_local! {
    /// Where pages of this thread's machine go.
    static SWAP: Cell<Option<&'static dyn SwapStore>> = const { Cell::new(None) };
}

/// What the processor keeps of tables of processes, each of which runs on a CPU of its own.
#[derive(Default)]
pub(super) struct UserTlb {
    /// By root and address.
    pages: BTreeMap<(u32, usize), (Pfn, HostRights)>,
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
    /// The use is noted in the entry where the TLB has it not noted yet.
    pub fn access(self, root: Pfn, at: VirtAddr, access: FaultAccess) -> Option<Pfn> {
        let platform = TestKernel::memory().platform();
        let page = at.page_down().as_usize();
        platform.with_user_tlb(|tlb| {
            if let Some(&(frame, known)) = tlb.pages.get(&(root.as_u32(), page)) {
                let is_known = access != FaultAccess::Write || HostUserFormat::is_dirty(known);
                if is_known || !access.is_allowed(HostUserFormat::protection(known)) {
                    return access.is_allowed(HostUserFormat::protection(known)).then_some(frame);
                }
                tlb.pages.remove(&(root.as_u32(), page));
                tlb.drop_frame(frame);
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
            let (frame, known) = note_use(entry(table, Level::One.index(at)), access)?;
            tlb.pages.insert((root.as_u32(), page), (frame, known));
            tlb.keep_frame(frame);
            Some(frame)
        })
    }

    /// Where pages of this thread's machine go from now on.
    pub fn set_swap(self, store: Option<&'static dyn SwapStore>) {
        SWAP.set(store);
    }

    /// Whether the TLB has something that leads to a frame.
    pub fn leads_to(self, frame: Pfn) -> bool {
        TestKernel::memory().platform().with_user_tlb(|tlb| tlb.leads_to(frame, 1))
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
        match HostUserFormat.read(entry(table, level.index(at)).load(Relaxed), level) {
            Entry::Table(below) => Some(below),
            Entry::Empty | Entry::Leaf(..) => None,
        }
    })
}

/// Uses a page by its entry, if that allows it: notes that there; returns the frame and what it has noted.
fn note_use(entry: &AtomicU64, access: FaultAccess) -> Option<(Pfn, HostRights)> {
    let used = |bits| match HostUserFormat.read(bits, Level::One) {
        Entry::Leaf(frame, rights) if access.is_allowed(HostUserFormat::protection(rights)) => {
            Some(HostUserFormat.leaf(frame, Level::One, rights.used(access)))
        }
        _ => None,
    };
    match HostUserFormat.read(used(entry.fetch_update(Relaxed, Relaxed, used).ok()?)?, Level::One) {
        Entry::Leaf(frame, rights) => Some((frame, rights)),
        _ => None,
    }
}

fn entry(table: Pfn, index: usize) -> &'static AtomicU64 {
    let window = TestKernel::memory().platform().direct_map();
    let table = window.add(table.index() * PAGE_SIZE).as_mut_ptr::<Table>();
    // SAFETY: the machine's memory shows there, and entries are atomics.
    let table = unsafe { &*table };
    &table[index]
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

    fn swap(&self) -> Option<&'static dyn SwapStore> {
        SWAP.get()
    }

    fn retire(&self, root: Pfn) {
        self.forget(root);
    }
}
