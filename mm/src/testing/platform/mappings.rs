//! The test machine's page tables, and what they do to the host's mappings.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread;

use super::{Event, GATE_ARMED, GATE_HELD, HostPlatform};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::MapError;
use crate::flush::MustFlush;
use crate::kmap::WINDOWS;
use crate::mapper::{Access, Frames, Mapping, Spares, Unlinked};
use crate::platform::{KernelTables, Platform};
use crate::testing::cpu::is_pinned;
use crate::testing::lock::hold;

// SAFETY: the tables are the mapper's, and what they say is done to the host's mappings as soon as no simulated TLB
// shows otherwise.
unsafe impl KernelTables for HostPlatform {
    unsafe fn map(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        mapping: Mapping,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError> {
        let pages = hold(&self.tables).map(at, frames, (mapping, Access::ReadWrite), spare)?;
        if hold(&self.tlb).shows(at, pages) {
            self.complain("mapped where a TLB shows what was there before");
        }
        match frames {
            Frames::Each(frames) => {
                for (page, frame) in frames.iter().take(pages).enumerate() {
                    self.file.map(at.add(page * PAGE_SIZE), frame.index(), 1);
                }
            }
            Frames::Run(range) => self.file.map(at, range.start.index(), pages),
        }
        Ok(pages)
    }

    unsafe fn unmap(&self, at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush {
        let mut tables = hold(&self.tables);
        let mut tlb = hold(&self.tlb);
        for page in (0..pages).map(|page| at.add(page * PAGE_SIZE)) {
            if let Some(frame) = tables.translate(page).and_then(|(phys, _)| phys.frame()) {
                tlb.keep(page, frame);
                self.note(Event::Unmapped(page));
            }
        }
        self.stale.store(tlb.len(), Relaxed);
        tables.unmap(at, pages, each)
    }

    unsafe fn protect(
        &self,
        at: VirtAddr,
        pages: usize,
        access: Access,
        spares: &mut Spares,
    ) -> Result<MustFlush, MapError> {
        let changed = hold(&self.tables).protect(at, pages, |(mapping, _)| (mapping, access), spares);
        changed.inspect(|_| self.areas.protect(at, pages, access))
    }

    unsafe fn merge(&self, at: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        hold(&self.tables).merge(at)
    }

    fn translate(&self, at: VirtAddr) -> Option<Pfn> {
        hold(&self.tables).translate(at)?.0.frame()
    }

    unsafe fn unlink_empty(&self, from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        hold(&self.tables).unlink_empty(from, end)
    }

    fn flush(&self, must_flush: MustFlush) {
        if !self.may_sleep() {
            self.complain("flushed the TLBs of other CPUs where that cannot be waited for");
        }
        if self.gate.compare_exchange(GATE_ARMED, GATE_HELD, SeqCst, SeqCst).is_ok() {
            while self.is_flush_held() {
                thread::yield_now();
            }
        }
        self.drop_translations(must_flush);
    }

    fn flush_local(&self, must_flush: MustFlush) {
        if !is_pinned() {
            self.complain("flushed the TLB of a CPU without being pinned to it");
        }
        // Only a CPU's own windows are in no other CPU's TLB.
        if must_flush.start() < self.kmap_start().add(WINDOWS * PAGE_SIZE) {
            self.complain("flushed pages on one CPU only that others may know");
        }
        self.drop_translations(must_flush);
    }
}
