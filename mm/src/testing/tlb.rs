//! The host's TLB: a translation lives on until it is flushed.
//! So tests see a caller that flushes too little.

use std::collections::BTreeMap;
use std::vec::Vec;

use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::flush::MustFlush;

/// Translations that the tables have no more, but that memory accesses still use.
#[derive(Default)]
pub(super) struct Tlb {
    stale: BTreeMap<usize, Pfn>,
    /// How many of them lead to each frame.
    frames: BTreeMap<u32, usize>,
}

impl Tlb {
    /// The translation of the page at `at` to `frame` has become stale.
    pub(super) fn keep(&mut self, at: VirtAddr, frame: Pfn) {
        self.stale.insert(at.as_usize(), frame);
        *self.frames.entry(frame.as_u32()).or_default() += 1;
    }

    /// Whether a page among the `pages` from `at` on has a stale translation.
    pub(super) fn shows(&self, at: VirtAddr, pages: usize) -> bool {
        self.stale.range(at.as_usize()..at.add(pages * PAGE_SIZE).as_usize()).next().is_some()
    }

    /// Whether a stale translation leads to one of the `pages` frames from `frame` on.
    pub(super) fn leads_to(&self, frame: Pfn, pages: u32) -> bool {
        self.frames.range(frame.as_u32()..frame.add(pages).as_u32()).next().is_some()
    }

    /// Drops stale translations; returns the pages that had one.
    pub(super) fn flush(&mut self, must_flush: &MustFlush) -> Vec<VirtAddr> {
        let range = must_flush.start().as_usize()..must_flush.end().as_usize();
        let gone: Vec<(usize, Pfn)> = self.stale.range(range).map(|(&at, &frame)| (at, frame)).collect();
        for &(at, frame) in &gone {
            self.stale.remove(&at);
            let count = self.frames.entry(frame.as_u32()).or_default();
            *count -= 1;
            if *count == 0 {
                self.frames.remove(&frame.as_u32());
            }
        }
        gone.into_iter().map(|(at, _)| VirtAddr::new(at)).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.stale.len()
    }
}
