//! The slabs of one cache: what its lock protects.

use core::cmp::Ordering;
use core::ptr::NonNull;

use crate::addr::VirtAddr;
use crate::error::FreeError;
use crate::objects::descriptor::{SlabRef, Stage};
use crate::objects::magazine::{CachedObject, MagazineRef};
use crate::objects::object_state::ObjectState;
use crate::objects::slab_list::SlabList;

/// The slabs, by how many of their objects are out.
pub struct Slabs {
    /// Those at the stages `Partial`, `Exhausted` and `Whole`.
    lists: [SlabList; 3],
    scrutiny: Scrutiny,
    /// How many whole slabs a free keeps.
    kept: usize,
    /// Slabs that were taken out and are not given back yet.
    leaving: usize,
    /// Callers that use the cache and are neither pinned nor hold the list's lock: as long as there are any, it stays.
    callers: usize,
    /// Objects and pages of all slabs, leaving ones included.
    objects: usize,
    pages: usize,
    next_colour: usize,
    /// Objects that are live or cached.
    out: usize,
    /// Of these, objects in quarantine.
    pub(super) quarantined: usize,
    pub(super) counts: Counts,
}

/// How closely a slab is looked at before it is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scrutiny {
    /// Its guard and seals.
    Seals,
    /// The state of each object too.
    All,
}

/// A slab was come upon that cannot be believed. It must be [retired](super::ObjectAllocator::retire_damaged).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Damaged;

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
    pub(super) retired: u64,
}

impl Slabs {
    pub(super) const fn new(kept: usize, scrutiny: Scrutiny) -> Self {
        Self {
            lists: [const { SlabList::new() }; 3],
            scrutiny,
            kept,
            leaving: 0,
            callers: 0,
            objects: 0,
            pages: 0,
            next_colour: 0,
            out: 0,
            quarantined: 0,
            counts: Counts { high: 0, allocs: 0, grown: 0, reaped: 0, errors: 0, retired: 0 },
        }
    }

    fn list(&self, stage: Stage) -> &SlabList {
        &self.lists[stage as usize]
    }

    /// Whether a slab may be believed.
    pub(super) fn is_sound(&self, slab: SlabRef) -> bool {
        match self.scrutiny {
            Scrutiny::Seals => slab.is_sound(),
            Scrutiny::All => slab.validate().is_ok(),
        }
    }

    /// The slab if it may be believed.
    fn check(&self, slab: SlabRef) -> Result<SlabRef, Damaged> {
        if self.is_sound(slab) { Ok(slab) } else { Err(Damaged) }
    }

    /// The slab to take from: a partly used one, or else a whole one.
    fn source(&self) -> Result<Option<SlabRef>, Damaged> {
        let source = self.list(Stage::Partial).head().or(self.list(Stage::Whole).head());
        source.map(|slab| self.check(slab)).transpose()
    }

    /// Moves a sound slab whose count of free objects has changed into the list where it belongs.
    #[inline]
    fn settle(&mut self, slab: SlabRef) {
        if !slab.is_at(slab.due_stage()) {
            self.unlist(slab);
            self.enlist(slab);
        }
    }

    fn unlist(&mut self, slab: SlabRef) {
        if let Some(stage) = [Stage::Partial, Stage::Exhausted, Stage::Whole].into_iter().find(|&at| slab.is_at(at)) {
            self.lists[stage as usize].remove(slab);
        }
    }

    fn enlist(&mut self, slab: SlabRef) {
        let stage = slab.due_stage();
        slab.enter(stage);
        self.lists[stage as usize].push(slab);
    }

    /// Counts `count` objects that were just taken from `slab`.
    fn took(&mut self, slab: SlabRef, count: usize) {
        self.settle(slab);
        self.out += count;
        self.counts.high = self.counts.high.max(self.out);
        self.counts.allocs += count as u64;
    }

    /// Takes an object and gives it a state.
    pub(super) fn take(&mut self, state: u8) -> Result<Option<(SlabRef, usize)>, Damaged> {
        let Some(slab) = self.source()? else { return Ok(None) };
        let object = slab.take(state).ok_or(Damaged)?;
        self.took(slab, 1);
        Ok(Some((slab, object)))
    }

    /// [`take`](Self::take), or [`enter`](Self::enter) when there is nothing to take.
    pub(super) fn take_or_enter(&mut self, state: u8) -> Result<Option<(SlabRef, usize)>, Damaged> {
        let taken = self.take(state)?;
        if taken.is_none() {
            self.enter();
        }
        Ok(taken)
    }

    /// Fills two empty magazines, one after the other, with up to `batch` objects from one slab, in the order of
    /// addresses. Objects are `stride` bytes apart. Where there is none it [enters](Self::enter), and says `false`.
    pub(super) fn refill_or_enter(
        &mut self,
        magazines: [MagazineRef; 2],
        batch: usize,
        stride: usize,
    ) -> Result<bool, Damaged> {
        let Some(slab) = self.source()? else {
            self.enter();
            return Ok(false);
        };
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
        Ok(true)
    }

    /// Puts an object back that is out.
    pub(super) fn put(&mut self, slab: SlabRef, cached: CachedObject) -> Result<(), Damaged> {
        self.check(slab).and_then(|slab| self.put_sound(slab, cached))
    }

    fn put_sound(&mut self, slab: SlabRef, CachedObject { slot, .. }: CachedObject) -> Result<(), Damaged> {
        let object = slab.object_of(slot).ok_or(Damaged)?;
        self.put_number(slab, object);
        Ok(())
    }

    /// Puts the object at `addr`, an address in the pages of a slab, back if it is one of the live objects of the cache
    /// at `owner`.
    pub(super) fn put_live(
        &mut self,
        slab: SlabRef,
        addr: VirtAddr,
        owner: NonNull<u8>,
    ) -> Result<Result<(), FreeError>, Damaged> {
        if self.check(slab)?.owner() != owner {
            return Ok(Err(FreeError::WrongCache));
        }
        let Some(slot) = slab.state_at(addr) else { return Ok(Err(FreeError::Interior)) };
        if !slot.state().is_live() {
            return Ok(Err(FreeError::DoubleFree));
        }
        self.put_number(slab, slab.number(addr));
        Ok(Ok(()))
    }

    fn put_number(&mut self, slab: SlabRef, object: usize) {
        slab.put(object);
        self.out = self.out.saturating_sub(1);
        self.settle(slab);
    }

    /// Puts every object of a magazine back; `slab_at` finds the slab around an address, if it has not been retired.
    /// Those of damaged slabs are left where they are.
    pub(super) fn put_all(
        &mut self,
        magazine: MagazineRef,
        slab_at: impl Fn(VirtAddr) -> Option<SlabRef>,
    ) -> Result<(), Damaged> {
        let (mut result, mut last) = (Ok(()), None);
        while let Some(cached) = magazine.pop(|| ()) {
            let Some(slab) = slab_at(VirtAddr::from_ptr(cached.object.as_ptr())) else { continue };
            // Many come from one slab.
            let put = if last == Some(slab) { self.put_sound(slab, cached) } else { self.put(slab, cached) };
            last = Some(slab).filter(|_| put.is_ok());
            result = put.and(result);
        }
        result
    }

    /// Adds a fresh slab of so many pages.
    pub(super) fn add(&mut self, slab: SlabRef, pages: usize) {
        self.objects += slab.objects();
        self.pages += pages;
        self.enlist(slab);
        self.counts.grown += 1;
    }

    /// Forgets all slabs: they are [found](Self::found) again one by one.
    pub(super) fn forget(&mut self) {
        self.lists = [const { SlabList::new() }; 3];
        (self.leaving, self.objects, self.pages, self.out, self.quarantined) = (0, 0, 0, 0, 0);
    }

    /// Lists a sound slab of so many pages again.
    pub(super) fn found(&mut self, slab: SlabRef, pages: usize) {
        if slab.is_at(Stage::New) {
            return;
        }
        self.objects += slab.objects();
        self.pages += pages;
        if slab.is_at(Stage::Leaving) {
            self.leaving += 1;
        } else {
            self.out += slab.out();
            self.quarantined += slab.count(ObjectState::QUARANTINED);
            self.enlist(slab);
        }
    }

    /// The colour of the next slab, 0..=`colours`.
    pub(super) fn next_colour(&mut self, colours: usize) -> usize {
        // Slabs of fewer pages may have fewer colours.
        let colour = self.next_colour.min(colours);
        self.next_colour = if colour == colours { 0 } else { colour + 1 };
        colour
    }

    /// Takes a whole slab out, to be given back.
    pub(super) fn take_whole(&mut self) -> Result<Option<SlabRef>, Damaged> {
        let Some(slab) = self.list(Stage::Whole).head() else { return Ok(None) };
        self.unlist(self.check(slab)?);
        slab.enter(Stage::Leaving);
        self.leaving += 1;
        Ok(Some(slab))
    }

    /// Takes a whole slab out that is one too many.
    pub(super) fn take_surplus(&mut self) -> Result<Option<SlabRef>, Damaged> {
        if self.list(Stage::Whole).len() > self.kept { self.take_whole() } else { Ok(None) }
    }

    /// Lets a free keep all whole slabs.
    pub(super) fn keep_all(&mut self) {
        self.kept = usize::MAX;
    }

    /// Counts a slab of so many objects and pages that was taken out and is given back now.
    pub(super) fn gone(&mut self, objects: usize, pages: usize) {
        self.drop_leaving(objects, pages);
        self.counts.reaped += 1;
    }

    /// Counts a slab that was taken out and is retired now.
    pub(super) fn drop_leaving(&mut self, objects: usize, pages: usize) {
        // A slab that was retired on its way is counted already.
        self.leaving = self.leaving.saturating_sub(1);
        self.objects = self.objects.saturating_sub(objects);
        self.pages = self.pages.saturating_sub(pages);
    }

    /// Counts a failure to grow.
    pub(super) fn failed(&mut self) {
        self.counts.errors += 1;
    }

    /// Objects that are live. Exact while no CPU allocates: a free makes one less, and never one more.
    pub(super) fn live(&self) -> usize {
        let slabs = self.list(Stage::Partial).iter().chain(self.list(Stage::Exhausted).iter());
        slabs.map(|slab| slab.count(ObjectState::LIVE)).sum()
    }

    /// Counts a caller that found the cache open, until it [leaves](Self::leave).
    pub(super) fn enter(&mut self) {
        self.callers += 1;
    }

    /// A caller that entered uses the cache no more.
    pub(super) fn leave(&mut self) {
        self.callers = self.callers.saturating_sub(1);
    }

    /// Whether callers have entered.
    pub(super) fn has_callers(&self) -> bool {
        self.callers > 0
    }

    /// Objects that are live or cached.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// Slabs with objects that are out.
    pub(super) fn active(&self) -> usize {
        self.list(Stage::Partial).len() + self.list(Stage::Exhausted).len()
    }

    /// Whether slabs were taken out that are given back now.
    pub(super) fn is_any_leaving(&self) -> bool {
        self.leaving > 0
    }

    /// All slabs, leaving ones included.
    pub(super) fn len(&self) -> usize {
        self.active() + self.list(Stage::Whole).len() + self.leaving
    }

    /// Objects of all slabs.
    pub(super) fn objects(&self) -> usize {
        self.objects
    }

    /// Pages of all slabs.
    pub(super) fn pages(&self) -> usize {
        self.pages
    }

    /// The slabs in the lists. Behind one that is damaged its list ends.
    pub(super) fn iter(&self) -> impl Iterator<Item = SlabRef> {
        self.lists.iter().flat_map(SlabList::iter)
    }

    /// Checks the lists, each slab, and that as many objects are cached as the magazines and the quarantine hold.
    pub(super) fn validate(&self, in_magazines: usize) -> Result<(), &'static str> {
        let (mut out, mut cached) = (0, 0);
        for slab in self.iter() {
            slab.validate()?;
            out += slab.out();
            cached += slab.count(ObjectState::CACHED) + slab.count(ObjectState::QUARANTINED);
            if !slab.is_at(slab.due_stage()) {
                return Err("a slab hangs in the wrong list");
            }
        }
        if out != self.out {
            return Err("a cache's count of objects out is wrong");
        }
        match cached.cmp(&(in_magazines + self.quarantined)) {
            Ordering::Less => Err("an object is in two magazines"),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err("a cached object is in no magazine"),
        }
    }
}
