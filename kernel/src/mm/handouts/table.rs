//! What is remembered: the live handouts, and the last ones that were freed.

use ::mm::{Pfn, VirtAddr};

use super::caches::{CACHES, Cache};
use super::calls::{Done, Errand, Request};
use super::handout::{HANDOUTS, Handout, State, What};
use super::outcome::{Answer, Refusal};

/// The handouts, and the caches that were created.
pub(super) struct Table {
    handouts: [Handout; HANDOUTS],
    last: u32,
    pub(super) caches: [Option<Cache>; CACHES],
}

impl Table {
    pub(super) const fn new() -> Self {
        Self { handouts: [Handout::NONE; HANDOUTS], last: 0, caches: [const { None }; CACHES] }
    }

    fn handouts(&self) -> impl Iterator<Item = Handout> {
        self.handouts.iter().copied().filter(|handout| handout.number != 0)
    }

    pub(super) fn find(&self, number: u32) -> Option<Handout> {
        self.handouts().find(|handout| handout.number == number)
    }

    /// The handouts that were not freed, in no order.
    pub(super) fn live(&self) -> impl Iterator<Item = Handout> {
        self.handouts().filter(|handout| handout.state == State::Live)
    }

    /// The oldest handout that was not freed and is younger than the one with this number.
    pub(super) fn live_after(&self, number: u32) -> Option<Handout> {
        self.live().filter(|handout| handout.number > number).min_by_key(|handout| handout.number)
    }

    /// The live handout that starts at `addr`.
    fn live_at(&self, addr: VirtAddr) -> Option<Handout> {
        self.live().find(|handout| handout.what.addr() == Some(addr))
    }

    /// The live device memory that iounmap of `addr` frees: any byte of its first page names it.
    fn live_device(&self, addr: VirtAddr) -> Option<Handout> {
        let is_named = |start: VirtAddr| start.page_down() == addr.page_down();
        self.live().find(|handout| matches!(handout.what, What::Device(start, ..) if is_named(start)))
    }

    /// The live block that starts at `frame`.
    fn live_block(&self, frame: Pfn) -> Option<Handout> {
        self.live().find(|handout| matches!(handout.what, What::Block(first, ..) if first == frame))
    }

    /// What is needed to carry a request out, where the table is out of reach.
    pub(super) fn admit(&mut self, request: Request) -> Result<Errand, Refusal> {
        let allocates = matches!(
            request,
            Request::Kmalloc(..)
                | Request::GetPages(..)
                | Request::GetZeroedPage(_)
                | Request::Vmalloc(_)
                | Request::Ioremap(..)
                | Request::CacheAlloc(..)
        );
        if allocates && self.place().is_none() {
            return Err(Refusal::Full);
        }
        let cache = match request {
            Request::CacheCreate(spec) if self.cache(spec.name.as_str()).is_none() => {
                Some(self.caches.iter().position(Option::is_none).ok_or(Refusal::TooManyCaches)?)
            }
            // The call itself refuses a name that is taken; it gets the place of the one that has it.
            Request::CacheCreate(spec) => self.cache(spec.name.as_str()),
            Request::CacheAlloc(name, _)
            | Request::CacheFree(name, _)
            | Request::CacheShrink(name)
            | Request::CacheDestroy(name) => Some(self.cache(name.as_str()).ok_or(Refusal::NoSuchCache)?),
            _ => None,
        };
        let frees = match request {
            Request::Kfree(addr) | Request::Vfree(addr) | Request::CacheFree(_, addr) => self.live_at(addr),
            Request::Iounmap(addr) => self.live_device(addr),
            Request::FreePages(block, _) => block.frame().and_then(|frame| self.live_block(frame)),
            _ => None,
        };
        let handle = cache.and_then(|place| self.caches[place].as_ref()).map(|cache| cache.handle);
        Ok(Errand { request, frees, cache, handle })
    }

    /// A place for one more handout: an empty one, or that of the oldest that was freed.
    fn place(&mut self) -> Option<&mut Handout> {
        let reusable = |place: &&mut Handout| place.number == 0 || place.state == State::Freed;
        self.handouts.iter_mut().filter(reusable).min_by_key(|place| place.number)
    }

    /// The place of the cache of this name.
    fn cache(&self, name: &str) -> Option<usize> {
        self.caches.iter().position(|cache| cache.as_ref().is_some_and(|cache| cache.name.as_str() == name))
    }

    /// Remembers what came of an errand.
    pub(super) fn note(&mut self, errand: &Errand, outcome: Done) -> Answer {
        match outcome {
            Done::Handed(what) => self.add(what),
            Done::Freed => match errand.frees {
                Some(freed) => {
                    let entry = self.handouts.iter_mut().find(|handout| handout.number == freed.number);
                    entry.into_iter().for_each(|handout| handout.state = State::Freed);
                    Answer::Freed(freed)
                }
                None => Answer::Nothing,
            },
            Done::Created(cache) => {
                if let Some(place) = errand.cache {
                    self.caches[place] = Some(cache);
                }
                Answer::Created
            }
            Done::Shrunk(pages) => Answer::Shrunk(pages),
            Done::Destroyed => {
                let gone = errand.cache.and_then(|place| self.caches[place].take().map(|cache| cache.state(place)));
                gone.map_or(Answer::Nothing, Answer::Destroyed)
            }
        }
    }

    fn add(&mut self, what: What) -> Answer {
        let handout = Handout { number: self.last.wrapping_add(1), what, state: State::Live };
        self.last = handout.number;
        if let Some(place) = self.place() {
            *place = handout;
        }
        Answer::Handed(handout)
    }
}
