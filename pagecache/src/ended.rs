//! A page has come from its disk, or has come there, or has not.

use kapi::{Errno, Kernel, SpinLock, WaitQueue};
use mm::own::{KArc, KString, PageRef};
use mm::pages::PageEvent;
use mm::{AllocError, Pfn};

use crate::backing::{Direction, Ended, IoError, Kind, PageIo, Place};
use crate::cache::PageCache;
use crate::index::{Index, Marks};
use crate::state::State;

/// Writes of a page that may fail, one after the other, before the page is given up.
const TRIES: u8 = 3;

/// What is left to do without the lock.
struct Rest<K: Kernel> {
    /// Whose page it was.
    kind: Option<Kind>,
    /// The reference to a page that was given up.
    page: Option<PageRef<K>>,
    /// What is to be told of in the log.
    news: Option<News<K>>,
}

struct News<K: Kernel> {
    name: KArc<KString<K>, K>,
    index: u32,
    error: IoError,
    is_lost: bool,
}

impl<K: Kernel> Rest<K> {
    const NOTHING: Self = Self { kind: None, page: None, news: None };
}

impl<K: Kernel> PageCache<K> {
    /// The request that a token stands for ([`PageIo::into_token`]). `None` if there is none such. Any context.
    pub fn io(&'static self, token: usize) -> Option<PageIo> {
        let (frame, direction) = PageIo::of_token(token);
        let place = self.index.with(|index| {
            let is_on_its_way = index.is_on_its_way(frame.as_u32(), direction);
            is_on_its_way.then(|| index.place_of(frame.as_u32()))
        })?;
        Some(PageIo::new(self, place, direction))
    }
}

/// What is counted for all the machine.
const fn event(kind: Kind, direction: Direction) -> PageEvent {
    match (kind, direction) {
        (Kind::Swap, Direction::Read) => PageEvent::SwapIn,
        (Kind::Swap, Direction::Write) => PageEvent::SwapOut,
        (_, Direction::Read) => PageEvent::PageIn,
        (_, Direction::Write) => PageEvent::PageOut,
    }
}

impl<K: Kernel> Ended for PageCache<K> {
    fn ended(&self, frame: Pfn, direction: Direction, result: Result<(), IoError>) {
        let now = self.now();
        let rest = self.index.with(|index| match direction {
            Direction::Read => index.end_read(frame.as_u32(), result),
            Direction::Write => index.end_write(frame.as_u32(), result, now),
        });
        if let (Ok(()), Some(kind)) = (result, rest.kind) {
            K::memory().pages().count_pages(event(kind, direction), 1);
        }
        self.queue(frame).wake_all();
        if direction == Direction::Write {
            self.written.wake_all();
        }
        if let Some(News { name, index, error, is_lost }) = rest.news {
            let (name, text) = (name.as_str(), Errno::from(error).text());
            let end = if is_lost { "it is lost" } else { "it will be tried again" };
            K::log(format_args!("{name}: page {index} could not be written ({text}): {end}"));
        }
        drop(rest.page);
    }

    fn show(&self, frame: Pfn, f: &mut dyn FnMut(&mut [u8])) -> Result<(), AllocError> {
        PageRef::<K>::to(frame).ok_or(AllocError)?.show_mut(f)
    }
}

impl<K: Kernel> Index<K> {
    /// Whether a request for this page runs.
    fn is_on_its_way(&self, frame: u32, direction: Direction) -> bool {
        self.pool.get(frame).is_some_and(|page| {
            let state = match direction {
                Direction::Read => State::Clean,
                Direction::Write => State::Writeback,
            };
            let is_coming = page.has(Marks::LOCKED) && !page.has(Marks::UP_TO_DATE);
            page.is_kept() && page.state() == state && (direction == Direction::Write || is_coming)
        })
    }

    /// Which page of what a kept page is.
    pub(crate) fn place_of(&self, frame: u32) -> Place {
        let descriptor = self.pool.at(frame);
        let bytes = self.slots.at(descriptor.mapping()).bytes_of(descriptor.index());
        Place { frame: Pfn::new(frame), index: descriptor.index().into(), bytes }
    }

    /// Tells the backing that a page has failed.
    fn tell_failure(&self, frame: u32, direction: Direction) {
        let descriptor = self.pool.at(frame);
        if let Some(backing) = &self.slots.at(descriptor.mapping()).backing {
            backing.failed(descriptor.index().into(), Pfn::new(frame), direction);
        }
    }

    fn end_read(&mut self, frame: u32, result: Result<(), IoError>) -> Rest<K> {
        if !self.is_on_its_way(frame, Direction::Read) {
            return Rest::NOTHING;
        }
        if let Err(error) = result {
            self.counts.events.read_errors += 1;
            self.tell_failure(frame, Direction::Read);
            let mapping = self.pool.at(frame).mapping();
            self.slots.at_mut(mapping).read_error = error;
            let page = self.take(frame);
            self.pool.at_mut(frame).unlock();
            return Rest { page, ..Rest::NOTHING };
        }
        let descriptor = self.pool.at_mut(frame);
        descriptor.unlock();
        descriptor.marks |= Marks::UP_TO_DATE;
        self.rest_of(frame)
    }

    /// What is left to do for a page that has come, or has come to its disk. One of swap that lost its last user on the
    /// way goes.
    fn rest_of(&mut self, frame: u32) -> Rest<K> {
        let mapping = self.pool.at(frame).mapping();
        let kind = self.slots.at(mapping).kind;
        Rest { kind: Some(kind), page: self.take_unwanted(frame), news: None }
    }

    fn end_write(&mut self, frame: u32, result: Result<(), IoError>, now: u32) -> Rest<K> {
        if !self.is_on_its_way(frame, Direction::Write) {
            return Rest::NOTHING;
        }
        let Err(error) = result else {
            self.counts.events.writes += 1;
            let descriptor = self.pool.at_mut(frame);
            descriptor.tries = 0;
            if descriptor.has(Marks::REDIRTIED) {
                self.dirty_again(frame, now);
            } else {
                self.set_state(frame, State::Clean);
            }
            return self.rest_of(frame);
        };
        self.counts.events.write_errors += 1;
        self.tell_failure(frame, Direction::Write);
        let descriptor = self.pool.at_mut(frame);
        descriptor.tries += 1;
        descriptor.stamp = now;
        descriptor.marks = (descriptor.marks - Marks::REDIRTIED) | Marks::FAILED;
        let (mapping, index) = (descriptor.mapping(), descriptor.index());
        // A page of a process is kept as long as it has a user, whatever becomes of its area.
        let is_lost = descriptor.tries >= TRIES && self.slots.at(mapping).kind.is_written_back();
        let is_mapped = descriptor.references() > 1;
        if is_lost && is_mapped {
            // Who maps it and who reads the file go on seeing the same page.
            descriptor.tries = 0;
            descriptor.marks -= Marks::FAILED;
        }
        self.set_state(frame, if is_lost { State::Clean } else { State::Dirty });
        let slot = self.slots.at_mut(mapping);
        slot.has_failed = true;
        let is_news = slot.errors.add(error);
        let news = slot.name.clone().filter(|_| is_news || is_lost);
        let news = news.map(|name| News { name, index, error, is_lost });
        let lost = (is_lost && !is_mapped).then(|| self.take(frame)).flatten();
        let page = lost.or_else(|| self.take_unwanted(frame));
        self.counts.events.lost += u64::from(is_lost);
        Rest { kind: None, page, news }
    }
}
