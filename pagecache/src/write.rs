//! Bytes are written to pages, which are dirty from then on.
//!
//! A page that is written to as a whole is not read before. What comes from a program is copied page by page; where
//! its memory is missing the copy stops, and no byte is lost: what has come is merged into what the page held before.

use kapi::{Errno, IoBuf, Kernel, SpinLock};
use mm::own::PageRef;
use mm::{GfpFlags, PAGE_SIZE};

use crate::backing::Kind;
use crate::index::{Index, Marks, NotInserted};
use crate::lock::PageLock;
use crate::mapping::{MAX_BYTES, Mapping, Missing};
use crate::read::place;
use crate::state::State;

/// A part of a page that is written to.
#[derive(Clone, Copy)]
struct Part {
    index: u32,
    offset: usize,
    bytes: usize,
}

impl<K: Kernel> Mapping<K> {
    /// Writes at `position`; returns the bytes written. A file gets longer where need be; a device keeps its size: at
    /// its end it is 0. Who makes too many pages dirty writes some back himself. Process context.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`, `ENOSPC` (the backing refuses a page), `EROFS`, `EFBIG`, `EFAULT`; none after bytes that were
    /// written.
    pub fn write(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        if self.is_read_only {
            return Err(Errno::EROFS);
        }
        let before = buf.done();
        loop {
            let at = position.saturating_add((buf.done() - before) as u64);
            let end = if self.kind.grows() { MAX_BYTES } else { self.size() };
            let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(buf.remaining());
            if left == 0 {
                break;
            }
            let (index, offset) = place(at);
            match self.write_part(Part { index, offset, bytes: left.min(PAGE_SIZE - offset) }, buf) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if buf.done() == before => return Err(error),
                Err(_) => break,
            }
        }
        let written = buf.done() - before;
        let is_too_far = written == 0 && self.kind.grows() && buf.remaining() > 0 && position >= MAX_BYTES;
        if is_too_far { Err(Errno::EFBIG) } else { Ok(written) }
    }

    fn write_part(&self, part: Part, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let copied = match self.lock_at_once(part.index) {
            Some(page) => self.write_locked(page, part, buf)?,
            None if self.must_be_read(part) || self.is_there(part.index) => {
                self.write_locked(self.lock_for_writing(part.index)?, part, buf)?
            }
            None => self.write_new(part, buf)?,
        };
        self.cache.throttle();
        Ok(copied)
    }

    /// The page at `index`, locked, if it is up to date, and neither locked by anybody else nor on its way out.
    #[inline]
    fn lock_at_once(&self, index: u32) -> Option<PageLock<K>> {
        let page = self.cache.index.with(|cache| {
            let page = cache.pool.at_mut(cache.find(self.number, index)?);
            let is_free = page.has(Marks::UP_TO_DATE) && !page.has(Marks::LOCKED) && page.state() != State::Writeback;
            let another = is_free.then(|| page.another()).flatten()?;
            page.marks |= Marks::LOCKED;
            Some(another)
        })?;
        Some(PageLock::taken(self.cache, page))
    }

    fn write_locked(&self, mut page: PageLock<K>, part: Part, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let copied = page.page_mut().show_mut(|bytes| buf.get(&mut bytes[part.offset..part.offset + part.bytes]));
        Ok(self.note_written(&page, part, copied??))
    }

    /// Whether bytes of the page beside these count.
    fn must_be_read(&self, part: Part) -> bool {
        self.cache.index.with(|cache| self.has_other_bytes(cache, part))
    }

    fn has_other_bytes(&self, cache: &Index<K>, part: Part) -> bool {
        let there = cache.slots.at(self.number).bytes_of(part.index);
        self.kind != Kind::Memory && there > 0 && (part.offset > 0 || part.offset + part.bytes < there)
    }

    fn is_there(&self, index: u32) -> bool {
        self.cache.index.with(|cache| cache.find(self.number, index).is_some())
    }

    /// Writes to a page that is not there, and of which no other byte counts.
    fn write_new(&self, part: Part, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut page = self.new_page(GfpFlags::HIGHUSER)?;
        let copied = page.show_mut(|bytes| {
            let (before, rest) = bytes.split_at_mut(part.offset);
            let (middle, behind) = rest.split_at_mut(part.bytes);
            before.fill(0);
            behind.fill(0);
            let copied = buf.get(middle)?;
            middle[copied..].fill(0);
            Ok::<_, Errno>(copied)
        })??;
        if copied == 0 {
            return Ok(0);
        }
        let short = Part { bytes: copied, ..part };
        let is_kept = page.another().ok_or(Missing::NoMemory).and_then(|kept| self.insert_written(kept, short));
        if is_kept.inspect_err(|_| buf.untake(copied))? {
            self.use_page(part.index, &page);
            return Ok(copied);
        }
        // A program's page was missing, or somebody came first: the rest of the page is as it was.
        self.merge(&page, short).inspect_err(|_| buf.untake(copied))
    }

    /// Copies a part of a page that is not in the mapping to the one that is.
    fn merge(&self, page: &PageRef<K>, part: Part) -> Result<usize, Errno> {
        let mut there = self.lock_for_writing(part.index)?;
        let range = part.offset..part.offset + part.bytes;
        page.show(|from| there.page_mut().show_mut(|to| to[range.clone()].copy_from_slice(&from[range])))??;
        Ok(self.note_written(&there, part, part.bytes))
    }

    /// Puts in a page that was written to. Not if there is one by now, nor if bytes of it count that were not written:
    /// then it says no.
    fn insert_written(&self, page: PageRef<K>, part: Part) -> Result<bool, Missing> {
        let (now, frame) = (self.cache.now(), page.frame());
        let inserted = self.cache.index.with(|cache| {
            if self.has_other_bytes(cache, part) {
                return Err((page, NotInserted::Exists));
            }
            cache.insert(self.number, part.index, page, Marks::UP_TO_DATE)?;
            self.note(cache, frame.as_u32(), part, now);
            Ok(())
        });
        match inserted {
            Ok(()) => {}
            Err((_page, NotInserted::Exists)) => return Ok(false),
            Err((_page, NotInserted::Busy | NotInserted::Refused)) => return Err(Missing::Refused),
        }
        Ok(true)
    }

    /// Bytes of a page were written to: the file reaches as far, and the page is dirty.
    fn note(&self, cache: &mut Index<K>, frame: u32, part: Part, now: u32) {
        let end = u64::from(part.index) * PAGE_SIZE as u64 + (part.offset + part.bytes) as u64;
        let slot = cache.slots.at_mut(self.number);
        if self.kind.grows() && end > slot.bytes {
            slot.bytes = end;
            self.set_bytes(end);
        }
        cache.dirty(frame, now);
    }

    /// The page at `index`, locked, up to date, not on its way out.
    fn lock_for_writing(&self, index: u32) -> Result<PageLock<K>, Missing> {
        loop {
            let page = self.bring_for_writing(index)?;
            let lock = self.cache.lock_page(&page)?;
            // No write of it begins while it is locked.
            self.cache.wait_written(&page)?;
            // If not, it was cut off meanwhile, or could not be written and was given up.
            if self.is_his(&lock, index) {
                return Ok(lock);
            }
        }
    }

    /// The page at `index`; beyond the end of a file that grows, one of zeros.
    fn bring_for_writing(&self, index: u32) -> Result<PageRef<K>, Missing> {
        loop {
            match self.bring(index) {
                Err(Missing::Beyond) if self.kind.grows() => self.insert_zeros(index)?,
                brought => return brought,
            }
        }
    }

    /// Bytes were written to a locked page.
    fn note_written(&self, page: &PageLock<K>, part: Part, copied: usize) -> usize {
        if copied > 0 {
            let (now, frame) = (self.cache.now(), page.page().frame());
            let part = Part { bytes: copied, ..part };
            self.cache.index.with(|cache| self.note(cache, frame.as_u32(), part, now));
            self.use_page(part.index, page.page());
        }
        copied
    }
}
