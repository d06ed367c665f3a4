//! Pages are found, or read: the one that is asked for, and those that will be.

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

use kapi::{Errno, IoBuf, Kernel, SpinLock};
use mm::own::PageRef;
use mm::space::{FaultAccess, ObjectError};
use mm::{AllocError, GfpFlags, PAGE_SIZE, Pfn};

use crate::backing::{Backing, Direction, Kind, PageIo};
use crate::cache::{PageCache, load};
use crate::flags;
use crate::index::{MAX_WINDOW, Marks, NotInserted, Window};
use crate::mapping::{Mapping, Missing};

/// Flags of memory for a page that nobody asks for yet: what is clean may go for it, and nothing is awaited.
const AHEAD: GfpFlags = GfpFlags::HIGHUSER.difference(GfpFlags::IO).union(GfpFlags::NORETRY).union(GfpFlags::NOWARN);

/// Pages that are about to be read for who has not asked yet: from the one at `start` on, those that are not there.
struct Ahead<K: Kernel> {
    start: u32,
    pages: [Option<PageRef<K>>; MAX_WINDOW as usize],
}

/// What a look for a page comes to.
pub(crate) enum Look<K: Kernel> {
    /// It is there.
    Ready(PageRef<K>),
    /// It is there, and who reads in order needs those behind it soon.
    ReadOn(PageRef<K>),
    /// It is on its way in.
    Coming(PageRef<K>),
    /// It is not there.
    Absent,
    /// It has as many references as can be counted.
    Crowded,
}

impl<K: Kernel> PageCache<K> {
    /// Looks for a page.
    #[inline]
    pub(crate) fn look(&self, mapping: u32, at: u32) -> Look<K> {
        self.index.with(|index| {
            let Some(frame) = index.find(mapping, at) else { return Look::Absent };
            let descriptor = index.pool.at_mut(frame);
            let Some(page) = descriptor.another() else { return Look::Crowded };
            if descriptor.has(Marks::READ_ON) {
                descriptor.marks -= Marks::READ_ON;
                return Look::ReadOn(page);
            }
            let is_ready = descriptor.has(Marks::UP_TO_DATE);
            index.counts.events.hits += u64::from(is_ready);
            if is_ready { Look::Ready(page) } else { Look::Coming(page) }
        })
    }
}

impl<K: Kernel> Mapping<K> {
    /// The page at `index`, up to date, with a reference for the caller's mapping. A page that is asked for to be
    /// written to is dirty from then on; what is written to it later is told by
    /// [`note_dirty`](PageCache::note_dirty). Process context.
    ///
    /// # Errors
    /// It lies beyond the end, there is no memory, or it cannot be read.
    pub fn page(&self, index: u64, access: FaultAccess) -> Result<Pfn, ObjectError> {
        let index = u32::try_from(index).map_err(|_| ObjectError::Beyond)?;
        if index >= self.end() {
            return Err(ObjectError::Beyond);
        }
        let page = self.bring(index)?;
        if access == FaultAccess::Write {
            self.cache.note_dirty(page.frame());
        }
        // It may have been cut off meanwhile: whoever did so has seen our reference, or we see the new end.
        if index >= self.end() { Err(ObjectError::Beyond) } else { Ok(page.into_frame()) }
    }

    /// Reads at `position`; returns the bytes read, 0 at the end. Of what is written meanwhile a part may be read.
    /// Process context.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`, `EFAULT`; none after bytes that were read.
    pub fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let before = buf.done();
        loop {
            let at = position.saturating_add((buf.done() - before) as u64);
            let left = usize::try_from(load(&self.bytes).saturating_sub(at)).unwrap_or(usize::MAX);
            let left = left.min(buf.remaining());
            if left == 0 {
                break;
            }
            match self.read_part(at, left, buf) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if buf.done() == before => return Err(error),
                Err(_) => break,
            }
        }
        Ok(buf.done() - before)
    }

    /// Reads what of these `left` bytes lies in one page.
    #[inline]
    fn read_part(&self, at: u64, left: usize, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let (index, offset) = place(at);
        let part = left.min(PAGE_SIZE - offset);
        let page = match self.cache.look(self.number, index) {
            Look::Ready(page) => page,
            Look::Absent if self.kind == Kind::Memory => return buf.put_zeros(part),
            look => match self.bring_from(look, index, (offset + left).div_ceil(PAGE_SIZE) as u32) {
                Ok(page) => page,
                // It was cut off meanwhile.
                Err(Missing::Beyond) => return Ok(0),
                Err(missing) => return Err(missing.into()),
            },
        };
        self.use_page(index, &page);
        page.show(|bytes| buf.put(&bytes[offset..offset + part]))?
    }

    /// The page at `index` is used. Who goes through it bit by bit uses it once.
    #[inline]
    pub(crate) fn use_page(&self, index: u32, page: &PageRef<K>) {
        if self.last_used.load(Relaxed) != index {
            self.last_used.store(index, Relaxed);
            flags::touch::<K>(page.frame());
        }
    }

    /// The page at `index`, up to date. Process context.
    pub(crate) fn bring(&self, index: u32) -> Result<PageRef<K>, Missing> {
        self.bring_from(self.cache.look(self.number, index), index, 1)
    }

    /// [`bring`](Self::bring) after a look, for who asks for `wanted` pages.
    fn bring_from(&self, mut look: Look<K>, index: u32, wanted: u32) -> Result<PageRef<K>, Missing> {
        loop {
            match look {
                Look::Ready(page) => return Ok(page),
                Look::ReadOn(page) => {
                    self.go_on(index);
                    return self.when_here(page, index);
                }
                Look::Coming(page) => self.cache.wait_unlocked(&page)?,
                Look::Crowded => return Err(Missing::NoMemory),
                Look::Absent if index >= self.end() => return Err(Missing::Beyond),
                Look::Absent if self.kind == Kind::Memory => self.insert_zeros(index)?,
                Look::Absent => {
                    if let Some(page) = self.read_in(index, wanted)? {
                        return Ok(page);
                    }
                }
            }
            look = self.cache.look(self.number, index);
        }
    }

    /// Puts a page of zeros in, unless there is one by now.
    pub(crate) fn insert_zeros(&self, index: u32) -> Result<(), Missing> {
        let mut page = PageRef::of_file(GfpFlags::HIGHUSER)?;
        page.show_mut(|bytes| bytes.fill(0))?;
        self.insert_new(index, page, Marks::UP_TO_DATE).map(drop)
    }

    /// Puts a page in that was made for `index`; says whether there was none.
    pub(crate) fn insert_new(&self, index: u32, page: PageRef<K>, marks: Marks) -> Result<bool, Missing> {
        match self.cache.index.with(|cache| cache.insert(self.number, index, page, marks)) {
            Ok(_) => Ok(true),
            Err((_page, NotInserted::Exists)) => Ok(false),
            Err((_page, NotInserted::Busy | NotInserted::Refused)) => Err(Missing::Refused),
        }
    }

    /// Reads the page at `index`, which is not there, and waits for it; begins to read those behind it. `None`: look
    /// again.
    fn read_in(&self, index: u32, wanted: u32) -> Result<Option<PageRef<K>>, Missing> {
        let backing = self.backing().ok_or(Missing::Beyond)?;
        let window = self.cache.index.with(|cache| cache.slots.at_mut(self.number).streams.miss(index, wanted));
        let page = self.page_for(index, GfpFlags::HIGHUSER)?;
        let ahead = self.pages_ahead(index + 1..window.pages.end);
        // All memory is there: nobody sleeps for some while requests wait for each other.
        backing.begin();
        let page = self.begin_read(&*backing, index, page, Marks::empty());
        self.begin_ahead(&*backing, ahead, window.mark);
        backing.end();
        let Some(page) = page? else { return Ok(None) };
        self.when_here(page, index).map(Some)
    }

    /// A page that is on its way in, when it has come.
    fn when_here(&self, page: PageRef<K>, index: u32) -> Result<PageRef<K>, Missing> {
        self.cache.wait_unlocked(&page)?;
        let frame = page.frame().as_u32();
        let error = self.cache.index.with(|cache| {
            let descriptor = cache.pool.at(frame);
            let is_here = descriptor.is_at(self.number, index) && descriptor.has(Marks::UP_TO_DATE);
            (!is_here).then(|| cache.slots.at(self.number).read_error)
        });
        match error {
            None => Ok(page),
            Some(_) if index >= self.end() => Err(Missing::Beyond),
            Some(error) => Err(Missing::Io(error)),
        }
    }

    /// Begins to read the next window of who reads in order and has come to `index`.
    #[cold]
    fn go_on(&self, index: u32) {
        let window = self.cache.index.with(|cache| cache.slots.at_mut(self.number).streams.go_on(index));
        if let Some(Window { pages, mark }) = window {
            self.read_window(pages, mark);
        }
    }

    /// Begins to read pages that are not there; waits neither for memory nor for them. Process context.
    pub fn read_ahead(&self, pages: Range<u64>) {
        let end = u32::try_from(pages.end).unwrap_or(u32::MAX);
        let mut start = u32::try_from(pages.start).unwrap_or(u32::MAX);
        while start < end.min(self.end()) {
            let next = end.min(start.saturating_add(MAX_WINDOW));
            self.read_window(start..next, None);
            start = next;
        }
    }

    fn read_window(&self, pages: Range<u32>, mark: Option<u32>) {
        let Some(backing) = self.backing() else { return };
        let ahead = self.pages_ahead(pages);
        backing.begin();
        self.begin_ahead(&*backing, ahead, mark);
        backing.end();
    }

    /// Pages for those of a window that are not there, as far as there is memory.
    fn pages_ahead(&self, window: Range<u32>) -> Ahead<K> {
        let mut ahead = Ahead { start: window.start, pages: [const { None }; MAX_WINDOW as usize] };
        for (place, index) in ahead.pages.iter_mut().zip(window.start..window.end.min(self.end())) {
            if self.cache.index.with(|cache| cache.find(self.number, index).is_some()) {
                continue;
            }
            let Ok(page) = self.page_for(index, AHEAD) else { break };
            *place = Some(page);
        }
        ahead
    }

    fn begin_ahead(&self, backing: &dyn Backing, ahead: Ahead<K>, mark: Option<u32>) {
        for (index, page) in (ahead.start..).zip(ahead.pages) {
            let marks = if mark == Some(index) { Marks::READ_ON } else { Marks::empty() };
            let begun = page.map(|page| self.begin_read(backing, index, page, marks));
            if let Some(Ok(Some(_))) = begun {
                self.cache.index.with(|cache| cache.counts.events.read_ahead += 1);
            }
        }
    }

    /// Begins to read into a new page; `None` if there is one by now.
    fn begin_read(
        &self,
        backing: &dyn Backing,
        index: u32,
        page: PageRef<K>,
        marks: Marks,
    ) -> Result<Option<PageRef<K>>, Missing> {
        let kept = page.another().ok_or(Missing::NoMemory)?;
        if !self.insert_new(index, kept, Marks::LOCKED | marks)? {
            return Ok(None);
        }
        let place = self.cache.index.with(|cache| {
            cache.counts.events.reads += 1;
            cache.place_of(page.frame().as_u32())
        });
        backing.read(PageIo::new(self.cache, place, Direction::Read));
        Ok(Some(page))
    }

    /// A new page to read the one at `index` into. What lies behind the end is zero.
    fn page_for(&self, index: u32, gfp: GfpFlags) -> Result<PageRef<K>, AllocError> {
        let mut page = self.new_page(gfp)?;
        let bytes = self.cache.index.with(|cache| cache.slots.at(self.number).bytes_of(index));
        if bytes < PAGE_SIZE {
            page.show_mut(|page| page[bytes..].fill(0))?;
        }
        Ok(page)
    }

    /// A page for this mapping.
    pub(crate) fn new_page(&self, gfp: GfpFlags) -> Result<PageRef<K>, AllocError> {
        if self.kind == Kind::Swap { PageRef::of_process(gfp) } else { PageRef::of_file(gfp) }
    }

    /// Where the pages come from.
    pub(crate) fn backing(&self) -> Option<Arc<dyn Backing>> {
        self.cache.index.with(|cache| cache.slots.at(self.number).backing.clone())
    }
}

/// The page in which a byte lies, and its place there.
pub(crate) const fn place(at: u64) -> (u32, usize) {
    ((at / PAGE_SIZE as u64) as u32, (at % PAGE_SIZE as u64) as usize)
}
