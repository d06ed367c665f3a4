//! Pages leave their mapping: it gets shorter, goes, or does not want them.
//!
//! What is cut off is gone for everybody: a page that a program maps holds zeros from then on. It stays in the mapping,
//! so that the program and the file are of one mind should the file get longer again; when nobody maps it, reclaim may
//! have it.

use core::ops::Range;

use kapi::{Errno, Kernel, SpinLock, WrongContext};
use mm::PAGE_SIZE;
use mm::own::PageRef;

use crate::cache::PageCache;
use crate::index::{Index, Marks};
use crate::lock::PageLock;
use crate::mapping::{MAX_BYTES, Mapping, Missing};
use crate::read::place;
use crate::state::State;

/// Pages that are taken out under one hold of the lock, and entries that are looked at.
const TAKEN: usize = 32;
const LOOKED_AT: u32 = 256;

/// Pages that were taken out, to be dropped without the lock.
type Taken<K> = [Option<PageRef<K>>; TAKEN];

/// Where a walk over pages is.
enum Walk {
    /// By index: the next one.
    Pages(Range<u32>),
    /// A mapping is large and has few pages: over all frames.
    Frames(Range<u32>),
}

impl Walk {
    fn next(&mut self) -> Option<u32> {
        match self {
            Self::Pages(range) | Self::Frames(range) => range.next(),
        }
    }
}

impl<K: Kernel> Mapping<K> {
    /// Has it end after `bytes` bytes. What is cut off is gone, and where it gets longer there are zeros. Process
    /// context; waits for I/O of pages that are cut off. The caller sees to it that nobody writes meanwhile.
    ///
    /// # Errors
    /// `EFBIG` from 16 TiB on, `EIO` where the page that the end lies in cannot be read, `EAGAIN` where the caller may
    /// not sleep. Then the size is as it was.
    pub fn set_size(&self, bytes: u64) -> Result<(), Errno> {
        if bytes > MAX_BYTES {
            return Err(Errno::EFBIG);
        }
        let before = self.size();
        // A program that maps the last page may have written behind the end.
        self.clear_behind(before.min(bytes))?;
        let pages = |bytes: u64| bytes.div_ceil(PAGE_SIZE as u64) as u32;
        self.cache.index.with(|cache| {
            cache.slots.at_mut(self.number).bytes = bytes;
            self.set_bytes(bytes);
        });
        self.cut(pages(bytes)..pages(before)).map_err(|WrongContext| Errno::EAGAIN)
    }

    /// Fills the rest of the page in which byte `end` lies with zeros, if the page is in memory.
    fn clear_behind(&self, end: u64) -> Result<(), Missing> {
        let (index, offset) = place(end);
        while offset > 0
            && let Some(page) = self.page_at(index)
        {
            let mut lock = self.cache.lock_page(&page)?;
            self.cache.wait_written(&page)?;
            if self.is_his(&lock, index) {
                lock.page_mut().show_mut(|bytes| bytes[offset..].fill(0))?;
                break;
            }
        }
        Ok(())
    }

    fn page_at(&self, index: u32) -> Option<PageRef<K>> {
        self.cache.index.with(|cache| cache.pool.at(cache.find(self.number, index)?).another())
    }

    /// Whether a locked page is still the one at `index`.
    pub(crate) fn is_his(&self, lock: &PageLock<K>, index: u32) -> bool {
        let frame = lock.page().frame().as_u32();
        self.cache.index.with(|cache| cache.pool.at(frame).is_at(self.number, index))
    }

    /// Takes out the pages of this range, which lies beyond the end.
    fn cut(&self, pages: Range<u32>) -> Result<(), WrongContext> {
        let frames = self.cache.index.with(|cache| cache.pool.end());
        let mut walk = if pages.len() <= frames as usize { Walk::Pages(pages) } else { Walk::Frames(1..frames) };
        loop {
            let mut taken: Taken<K> = [const { None }; TAKEN];
            let (busy, goes_on) = self.cache.index.with(|cache| self.cut_some(cache, &mut walk, &mut taken));
            drop(taken);
            match busy {
                Some(page) => self.cut_busy(page)?,
                None if !goes_on => return Ok(()),
                None => {}
            }
        }
    }

    /// Takes out some that nobody uses. One that is used, if that was met; and whether the walk goes on.
    fn cut_some(&self, cache: &mut Index<K>, walk: &mut Walk, taken: &mut Taken<K>) -> (Option<PageRef<K>>, bool) {
        let (mut left, end) = (taken.iter_mut(), self.end());
        for _ in 0..LOOKED_AT {
            let Some(next) = walk.next() else { return (None, false) };
            let frame = match walk {
                Walk::Pages(_) => cache.find(self.number, next),
                Walk::Frames(_) => Some(next),
            };
            let Some(page) = frame.and_then(|frame| cache.pool.get(frame)) else { continue };
            if !page.is_kept() || page.mapping() != self.number || page.index() < end {
                continue;
            }
            let Some(frame) = frame else { continue };
            if !cache.is_unused(frame) || page.state() == State::Writeback {
                return (page.another(), true);
            }
            let Some(place) = left.next() else { return (None, true) };
            *place = cache.take(frame);
            if left.len() == 0 {
                return (None, true);
            }
        }
        (None, true)
    }

    /// Takes out a page that somebody uses: when its I/O has ended. Who maps it keeps zeros.
    fn cut_busy(&self, page: PageRef<K>) -> Result<(), WrongContext> {
        let mut lock = self.cache.lock_page(&page)?;
        self.cache.wait_written(&page)?;
        drop(page);
        let frame = lock.page().frame().as_u32();
        let is_beyond = |cache: &Index<K>| {
            let page = cache.pool.at(frame);
            page.is_kept() && page.mapping() == self.number && page.index() >= self.end()
        };
        // The cache's reference and the lock's.
        let is_unused = |cache: &Index<K>| cache.pool.at(frame).references() <= 2;
        let taken =
            self.cache.index.with(|cache| (is_beyond(cache) && is_unused(cache)).then(|| cache.take(frame)).flatten());
        if taken.is_none() && self.cache.index.with(|cache| is_beyond(cache)) {
            lock.page_mut().show_mut(|bytes| bytes.fill(0)).map_err(|_| WrongContext)?;
            self.cache.index.with(|cache| {
                cache.pool.at_mut(frame).tries = 0;
                cache.set_state(frame, State::Clean);
            });
        }
        Ok(())
    }

    /// Gives up all pages that are clean and that nobody uses; returns how many. Process context.
    pub fn invalidate(&self) -> usize {
        self.cache.give_up(|mapping| mapping == self.number)
    }
}

impl<K: Kernel> PageCache<K> {
    /// Gives up all pages that are clean and that nobody uses, of all mappings; returns how many. Process context.
    pub fn invalidate(&self) -> usize {
        self.give_up(|_| true)
    }

    fn give_up(&self, is_meant: impl Fn(u32) -> bool) -> usize {
        let mut frames = 1..self.index.with(|index| index.pool.end());
        let mut given = 0;
        while !frames.is_empty() {
            let mut taken: Taken<K> = [const { None }; TAKEN];
            self.index.with(|index| {
                let mut left = taken.iter_mut();
                for frame in frames.by_ref().take(LOOKED_AT as usize) {
                    let Some(page) = index.pool.get(frame) else { continue };
                    let is_meant = page.is_kept() && is_meant(page.mapping());
                    if is_meant && index.is_free_to_go(frame) {
                        if let Some(place) = left.next() {
                            *place = index.take(frame);
                        }
                        if left.len() == 0 {
                            break;
                        }
                    }
                }
            });
            given += taken.iter().flatten().count();
        }
        given
    }
}

impl<K: Kernel> Index<K> {
    /// Whether a page is as its backing has it, and nobody uses it.
    pub(crate) fn is_free_to_go(&self, frame: u32) -> bool {
        let page = self.pool.at(frame);
        page.state() == State::Clean && page.has(Marks::UP_TO_DATE) && self.is_unused(frame)
    }

    /// Takes some pages of a mapping out, whoever maps them; what is left is on its way.
    fn take_some(&mut self, mapping: u32, taken: &mut Taken<K>) -> Option<PageRef<K>> {
        let mut busy = None;
        for place in taken {
            let first = |state| Some(self.slots.at(mapping).list(state).first()).filter(|&frame| frame != 0);
            let frame = first(State::Dirty).or_else(|| first(State::Clean)).or_else(|| first(State::Writeback))?;
            let page = self.pool.at(frame);
            if page.has(Marks::LOCKED) || page.state() == State::Writeback {
                busy = page.another();
                break;
            }
            *place = self.take(frame);
        }
        busy
    }
}

impl<K: Kernel> Drop for Mapping<K> {
    fn drop(&mut self) {
        loop {
            let mut taken: Taken<K> = [const { None }; TAKEN];
            let busy = self.cache.index.with(|cache| cache.take_some(self.number, &mut taken));
            drop(taken);
            if let Some(page) = busy {
                let waited = self.cache.wait_unlocked(&page).and_then(|()| self.cache.wait_written(&page));
                if waited.is_err() {
                    K::log(format_args!("page cache: a mapping with pages under I/O is dropped where nobody may wait"));
                    return;
                }
            }
            let gone = self.cache.index.with(|cache| {
                let is_empty = cache.slots.at(self.number).pages() == 0;
                is_empty.then(|| cache.slots.give(self.number))
            });
            if gone.is_some() {
                return;
            }
        }
    }
}
