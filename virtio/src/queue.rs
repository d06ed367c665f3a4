//! The queue of requests: offered in one ring, taken back from the other.

use core::mem::size_of_val;
use core::sync::atomic::{Ordering, fence};

use kapi::Kernel;
use kapi::block::{BlockError, BlockRequest};
use kapi::mm::own::{KBox, KVec};
use kapi::mm::{GfpFlags, PhysAddr, VirtAddr};

use crate::error::Unusable;
use crate::request::Request;
use crate::rings::{Addresses, ENTRIES, Rings};

/// Requests to a page.
const TO_A_PAGE: usize = 7;

/// As many requests as a page has room for.
type Page = [Request; TO_A_PAGE];

/// How a request went.
pub type Outcome = Result<(), BlockError>;

/// The device says something that cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nonsense;

/// Which requests are the device's.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct UnderWay(u64);

impl UnderWay {
    /// Whether `tag` is.
    pub const fn has(self, tag: u16) -> bool {
        self.0 >> tag & 1 != 0
    }

    fn add(&mut self, tag: u16) {
        self.0 |= 1 << tag;
    }

    /// Takes `tag` out.
    pub fn remove(&mut self, tag: u16) {
        self.0 &= !(1 << tag);
    }

    /// All of them.
    pub fn tags(self) -> impl Iterator<Item = u16> {
        (0..ENTRIES as u16).filter(move |&tag| self.has(tag))
    }
}

/// A queue with the memory of its requests.
pub struct Queue<K: Kernel> {
    rings: KBox<Rings, K>,
    place: PhysAddr,
    requests: KVec<(KBox<Page, K>, PhysAddr), K>,
    entries: u16,
    /// Requests offered and taken back since the last reset; they wrap.
    offered: u16,
    seen: u16,
    /// What the device has.
    pub under_way: UnderWay,
}

/// Where memory of kmalloc's lies.
fn physical<K: Kernel, T>(memory: &KBox<T, K>) -> Result<PhysAddr, Unusable> {
    let at = VirtAddr::from_ptr(memory.as_ptr());
    let frame = K::memory().frame_of(at).ok_or(Unusable::NoMemory)?;
    Ok(PhysAddr::new(frame.phys().as_u64() + at.page_offset() as u64))
}

impl<K: Kernel> Queue<K> {
    /// A queue of `entries`, a power of two of at most [`ENTRIES`]. Process context.
    pub fn new(entries: u16) -> Result<Self, Unusable> {
        let rings = KBox::new(Rings::new(), GfpFlags::KERNEL)?;
        let place = physical(&rings)?;
        let pages = usize::from(entries).div_ceil(TO_A_PAGE);
        let mut requests = KVec::with_capacity(pages, GfpFlags::KERNEL)?;
        for _ in 0..pages {
            let page: KBox<Page, K> = KBox::new(core::array::from_fn(|_| Request::new()), GfpFlags::KERNEL)?;
            let at = physical(&page)?;
            requests.push((page, at), GfpFlags::KERNEL)?;
        }
        Ok(Self { rings, place, requests, entries, offered: 0, seen: 0, under_way: UnderWay::default() })
    }

    /// Requests that there can be: tags are smaller.
    pub const fn entries(&self) -> u16 {
        self.entries
    }

    /// What the device is told of the queue.
    pub fn addresses(&self) -> Addresses {
        Rings::addresses(self.place)
    }

    /// The request of `tag`, and where it lies.
    fn request(&self, tag: u16) -> Option<(&Request, PhysAddr)> {
        let (page, index) = (usize::from(tag) / TO_A_PAGE, usize::from(tag) % TO_A_PAGE);
        let (page, start) = self.requests.get(page)?;
        let offset = index * size_of_val(&page[index]);
        Some((&page[index], PhysAddr::new(start.as_u64() + offset as u64)))
    }

    /// Whether a request may be started with this tag.
    pub fn is_free(&self, tag: u16) -> bool {
        tag < self.entries && !self.under_way.has(tag)
    }

    /// Offers a request, whose tag is [free](Self::is_free).
    pub fn start(&mut self, wanted: &BlockRequest<'_>) {
        let Some((request, place)) = self.request(wanted.tag) else { return };
        // The table is the first of what lies there.
        self.rings.lead(wanted.tag, place, request.fill(place, wanted));
        self.under_way.add(wanted.tag);
        self.offer(wanted.tag);
    }

    fn offer(&mut self, tag: u16) {
        let place = self.place_of(self.offered);
        self.offered = self.offered.wrapping_add(1);
        self.rings.offer(tag, place, self.offered);
    }

    /// Whether the device wants to hear of what was offered.
    pub fn wants_notice(&self) -> bool {
        // Either the device sees the offer, or we see that it wants to be told.
        fence(Ordering::SeqCst);
        self.rings.wants_notice()
    }

    /// The next request that the device is done with.
    pub fn take(&mut self) -> Result<Option<(u16, Outcome)>, Nonsense> {
        if self.rings.used_index() == self.seen {
            return Ok(None);
        }
        let entry = self.rings.used_entry(self.place_of(self.seen));
        let tag = u16::try_from(entry).ok().filter(|&tag| tag < self.entries && self.under_way.has(tag));
        let tag = tag.ok_or(Nonsense)?;
        let (request, _) = self.request(tag).ok_or(Nonsense)?;
        let outcome = request.outcome();
        self.seen = self.seen.wrapping_add(1);
        self.under_way.remove(tag);
        Ok(Some((tag, outcome)))
    }

    /// Makes the rings new, after a reset, and offers again what is under way.
    pub fn begin_again(&mut self) {
        self.rings.clear();
        (self.offered, self.seen) = (0, 0);
        for tag in self.under_way.tags() {
            self.offer(tag);
        }
    }

    fn place_of(&self, index: u16) -> usize {
        usize::from(index & (self.entries - 1))
    }
}
