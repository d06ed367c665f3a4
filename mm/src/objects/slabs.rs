//! The slabs of one cache: what its lock protects.

use core::cmp::Ordering;
use core::ptr::NonNull;

use crate::addr::VirtAddr;
use crate::objects::descriptor::{ObjectState, SlabList, SlabRef};
use crate::objects::magazine::{CachedObject, MagazineRef};

/// The slabs, by how many of their objects are out.
pub struct Slabs {
    partial: SlabList,
    exhausted: SlabList,
    whole: SlabList,
    /// How many whole slabs a free keeps.
    kept: usize,
    /// Slabs that were taken out and are not given back yet.
    leaving: usize,
    /// Objects and pages of all slabs, leaving ones included.
    objects: usize,
    pages: usize,
    next_colour: usize,
    /// Objects that are live or cached.
    out: usize,
    pub(super) counts: Counts,
}

/// Counts of a cache since it was made.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    /// Most objects that were out of their slabs at once.
    pub(super) high: usize,
    /// Objects that left their slabs.
    pub(super) allocs: u64,
    pub(super) grown: u64,
    pub(super) reaped: u64,
    pub(super) errors: u64,
}

impl Slabs {
    pub(super) const fn new(kept: usize) -> Self {
        Self {
            partial: SlabList::new(),
            exhausted: SlabList::new(),
            whole: SlabList::new(),
            kept,
            leaving: 0,
            objects: 0,
            pages: 0,
            next_colour: 0,
            out: 0,
            counts: Counts { high: 0, allocs: 0, grown: 0, reaped: 0, errors: 0 },
        }
    }

    /// The slab to take from: a partly used one, or else a whole one.
    fn source(&mut self) -> Option<SlabRef> {
        self.partial.head().or_else(|| {
            let slab = self.whole.pop()?;
            self.partial.push(slab);
            Some(slab)
        })
    }

    /// Counts `count` objects that were just taken from `slab`.
    fn took(&mut self, slab: SlabRef, count: usize) {
        if slab.free() == 0 {
            self.partial.remove(slab);
            self.exhausted.push(slab);
        }
        self.out += count;
        self.counts.high = self.counts.high.max(self.out);
        self.counts.allocs += count as u64;
    }

    /// Takes an object and makes it live.
    pub(super) fn take(&mut self) -> Option<(SlabRef, usize)> {
        let slab = self.source()?;
        let object = slab.take(ObjectState::LIVE)?;
        self.took(slab, 1);
        Some((slab, object))
    }

    /// Fills two empty magazines, one after the other, with up to `batch` objects from one slab, in the order of
    /// addresses. Objects are `stride` bytes apart.
    pub(super) fn refill(&mut self, magazines: [MagazineRef; 2], batch: usize, stride: usize) {
        let Some(slab) = self.source() else { return };
        let free = slab.free();
        // At least one: tuning may have set the batch to 0 while a CPU still has magazines.
        let mut left = free.min(batch.max(1));
        for magazine in magazines {
            let count = left.min(magazine.capacity());
            magazine.fill(count, || {
                let object = slab.take(ObjectState::CACHED)?;
                let slot = slab.slot(object);
                NonNull::new(slab.first().add(object * stride).as_mut_ptr()).map(|object| CachedObject { object, slot })
            });
            left -= count;
        }
        self.took(slab, free - slab.free());
    }

    /// Puts an object back that is out.
    pub(super) fn put(&mut self, slab: SlabRef, object: usize) {
        let was_exhausted = slab.free() == 0;
        slab.put(object);
        self.out -= 1;
        if was_exhausted {
            self.exhausted.remove(slab);
            self.partial.push(slab);
        }
        if slab.is_whole() {
            self.partial.remove(slab);
            self.whole.push(slab);
        }
    }

    /// Puts every object of a magazine back; `slab_at` finds the slab around an address.
    pub(super) fn put_all(&mut self, magazine: MagazineRef, slab_at: impl Fn(VirtAddr) -> SlabRef) {
        while let Some(cached) = magazine.pop(|| ()) {
            let slab = slab_at(VirtAddr::from_ptr(cached.object.as_ptr()));
            self.put(slab, slab.object_of(cached.slot));
        }
    }

    /// Adds a fresh slab of so many pages.
    pub(super) fn add(&mut self, slab: SlabRef, pages: usize) {
        self.objects += slab.objects();
        self.pages += pages;
        self.whole.push(slab);
        self.counts.grown += 1;
    }

    /// The colour of the next slab, 0..=`colours`.
    pub(super) fn next_colour(&mut self, colours: usize) -> usize {
        // Slabs of fewer pages may have fewer colours.
        let colour = self.next_colour.min(colours);
        self.next_colour = if colour == colours { 0 } else { colour + 1 };
        colour
    }

    /// Takes a whole slab out, to be given back.
    pub(super) fn take_whole(&mut self) -> Option<SlabRef> {
        let slab = self.whole.pop()?;
        self.leaving += 1;
        Some(slab)
    }

    /// Takes a whole slab out that is one too many.
    pub(super) fn take_surplus(&mut self) -> Option<SlabRef> {
        if self.whole.len() > self.kept { self.take_whole() } else { None }
    }

    /// Lets a free keep all whole slabs.
    pub(super) fn keep_all(&mut self) {
        self.kept = usize::MAX;
    }

    /// Counts a slab of so many objects and pages that was taken out and is given back now.
    pub(super) fn gone(&mut self, objects: usize, pages: usize) {
        self.leaving -= 1;
        self.objects -= objects;
        self.pages -= pages;
        self.counts.reaped += 1;
    }

    /// Counts a failure to grow.
    pub(super) fn failed(&mut self) {
        self.counts.errors += 1;
    }

    /// Objects that are live or cached.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// Slabs with objects that are out.
    pub(super) fn active(&self) -> usize {
        self.partial.len() + self.exhausted.len()
    }

    /// All slabs, leaving ones included.
    pub(super) fn len(&self) -> usize {
        self.active() + self.whole.len() + self.leaving
    }

    /// Objects of all slabs.
    pub(super) fn objects(&self) -> usize {
        self.objects
    }

    /// Pages of all slabs.
    pub(super) fn pages(&self) -> usize {
        self.pages
    }

    /// Checks the lists, each slab, and that as many objects are cached as the magazines hold.
    pub(super) fn validate(&self, in_magazines: usize) -> Result<(), &'static str> {
        let (mut out, mut cached) = (0, 0);
        for slab in self.partial.iter().chain(self.exhausted.iter()).chain(self.whole.iter()) {
            slab.validate()?;
            out += slab.out();
            cached += slab.cached();
        }
        if self.exhausted.iter().any(|slab| slab.free() > 0) || self.whole.iter().any(|slab| !slab.is_whole()) {
            return Err("a slab hangs in the wrong list");
        }
        if self.partial.iter().any(|slab| slab.free() == 0 || slab.is_whole()) {
            return Err("a partly used slab is exhausted or whole");
        }
        if out != self.out {
            return Err("a cache's count of objects out is wrong");
        }
        match cached.cmp(&in_magazines) {
            Ordering::Less => Err("an object is in two magazines"),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err("a cached object is in no magazine"),
        }
    }
}
