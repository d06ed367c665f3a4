//! What is dirty is written now, and kept: fsync, sync.

use core::ops::Range;

use kapi::{Errno, Kernel, SpinLock, WaitQueue, WrongContext};
use mm::PAGE_SIZE;
use mm::own::PageRef;

use crate::backing::IoError;
use crate::cache::PageCache;
use crate::index::Marks;
use crate::mapping::Mapping;
use crate::state::State;
use crate::writeback::Next;

/// Rounds of writing and waiting. After the first one also what was changed on its way out is dirty, and the second one
/// writes it.
const ROUNDS: usize = 2;
/// A range of more pages is written with all of its mapping.
const FEW_PAGES: u64 = 64;

/// Which errors of write-back an open file has been told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorsSeen(u32);

impl<K: Kernel> Mapping<K> {
    /// Which errors of write-back there were so far, for an open file when it is opened: one of which nobody was told
    /// yet is not among them. Any context.
    pub fn errors(&self) -> ErrorsSeen {
        ErrorsSeen(self.cache.index.with(|cache| cache.slots.at(self.number).errors.seen()))
    }

    /// Writes the dirty pages of these bytes back, waits for them, and has the disk keep them. More may be written. ^C
    /// does not end it. Process context.
    ///
    /// # Errors
    /// That of a write of this mapping, whoever began it, of which `seen` was not told; or that of the disk. `EAGAIN`
    /// where the caller may not sleep.
    pub fn sync(&self, bytes: Range<u64>, seen: &mut ErrorsSeen) -> Result<(), Errno> {
        if !self.kind.is_written_back() {
            return Ok(());
        }
        let pages = bytes.start / PAGE_SIZE as u64..bytes.end.min(self.size()).div_ceil(PAGE_SIZE as u64);
        if pages.end.saturating_sub(pages.start) > FEW_PAGES {
            self.cache.write_all_of(self.number)?;
        } else {
            self.write_pages(pages.start as u32..pages.end as u32)?;
        }
        let flushed = self.backing().map_or(Ok(()), |backing| backing.flush());
        let told = self.cache.index.with(|cache| {
            let errors = &mut cache.slots.at_mut(self.number).errors;
            if let Err(error) = flushed {
                errors.add(error);
            }
            errors.tell(&mut seen.0)
        });
        told.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Writes these pages and waits for them.
    fn write_pages(&self, pages: Range<u32>) -> Result<(), WrongContext> {
        for index in pages.clone() {
            self.write_page(index)?;
        }
        for index in pages {
            if self.wait_for_page(index)? {
                // It was changed on its way out.
                self.write_page(index)?;
                self.wait_for_page(index)?;
            }
        }
        Ok(())
    }

    /// Begins to write a page, if it is dirty.
    fn write_page(&self, index: u32) -> Result<(), WrongContext> {
        loop {
            let next = self.cache.index.with(|cache| match cache.find(self.number, index) {
                Some(frame) if cache.pool.at(frame).state() == State::Dirty => cache.next_for(frame),
                _ => Next::Nothing,
            });
            match next {
                Next::Write(batch) => _ = self.cache.submit(batch),
                Next::Wait(page) => {
                    self.cache.wait_unlocked(&page)?;
                    continue;
                }
                Next::Nothing => {}
            }
            return Ok(());
        }
    }

    /// Waits for a page on its way out. Whether there was one that is dirty again.
    fn wait_for_page(&self, index: u32) -> Result<bool, WrongContext> {
        let on_its_way = self.cache.index.with(|cache| {
            let frame = cache.find(self.number, index)?;
            let page = cache.pool.at(frame);
            let is_again = page.has(Marks::REDIRTIED);
            (page.state() == State::Writeback).then(|| page.another()).flatten().map(|page| (page, is_again))
        });
        let Some((page, is_again)): Option<(PageRef<K>, bool)> = on_its_way else { return Ok(false) };
        self.cache.wait_written(&page)?;
        Ok(is_again)
    }
}

impl<K: Kernel> PageCache<K> {
    /// Writes all dirty pages of files and devices back, waits for them, and has the disks keep them. ^C does not end
    /// it. Process context.
    ///
    /// # Errors
    /// That of a disk that could not keep what it has. Of writes that failed, open files are told.
    pub fn sync(&'static self) -> Result<(), Errno> {
        let mut result = Ok(());
        for mapping in 0..self.mappings() {
            if self.has_work_for(mapping) {
                self.write_all_of(mapping)?;
                result = result.and(self.flush(mapping).map_err(Errno::from));
            }
        }
        result
    }

    /// Whether something is dirty or being written, or a disk may still have it in a cache of its own. Any context.
    pub fn has_work(&self) -> bool {
        (0..self.mappings()).any(|mapping| self.has_work_for(mapping))
    }

    fn mappings(&self) -> u32 {
        self.index.with(|index| index.slots.len())
    }

    fn has_work_for(&self, mapping: u32) -> bool {
        self.index.with(|index| index.slot(mapping).is_some_and(|slot| slot.kind.is_written_back() && slot.has_work()))
    }

    /// Has a mapping's disk keep what it has.
    fn flush(&self, mapping: u32) -> Result<(), IoError> {
        let backing = self.index.with(|index| index.slot(mapping).and_then(|slot| slot.backing.clone()));
        let flushed = backing.map_or(Ok(()), |backing| backing.flush());
        if let Err(error) = flushed {
            self.index.with(|index| index.slots.at_mut(mapping).errors.add(error));
        }
        flushed
    }

    /// Writes all that is dirty now of a mapping, if it is in use, and waits for it.
    fn write_all_of(&'static self, mapping: u32) -> Result<(), WrongContext> {
        let start = self.now();
        self.index.with(|index| index.begin_sync(mapping));
        for _ in 0..ROUNDS {
            loop {
                match self.index.with(|index| index.next_of(mapping, start)) {
                    Next::Write(batch) => _ = self.submit(batch),
                    Next::Wait(page) => self.wait_unlocked(&page)?,
                    Next::Nothing => break,
                }
            }
            let begun = self.index.with(|index| index.writes_begun);
            self.written.wait_until_uninterruptible(|| self.index.with(|index| index.has_ended(mapping, begun)))?;
        }
        Ok(())
    }
}
