//! Reclaim: what the cache gives back when memory is short.
//!
//! As Linux 2.4 did it, with clock hands for its lists.
//!
//! Pages that are used often are active, the others inactive: a page becomes active with its second use, so what is
//! read once in passing drives out nothing. The active hand makes pages inactive that were not used since it came by
//! last; the inactive hand takes them: clean ones first, then, if the request allows I/O, dirty ones are written,
//! neighbours together. When that is not enough, pages of processes come in by a scan of page tables. Who got nothing
//! waits for a page that is on its way out.
//!
//! Nothing is allocated; locks of pages are not even tried: who has one has a reference, and such a page stays. Each
//! call goes round each zone a few times at most.

use core::ops::ControlFlow;
use core::time::Duration;

use kapi::{Kernel, SpinLock, WaitQueue};
use mm::own::{PageRef, PageRefs};
use mm::pages::{Hand, PageEvent};
use mm::space::Scan;
use mm::{GfpFlags, Holder, PageFlags, Pfn, Shrinker, ZoneKind};

use crate::backing::Kind;
use crate::cache::PageCache;
use crate::flags;
use crate::index::{Index, Marks};
use crate::state::State;
use crate::writeback::Batch;

/// Pages that one call of reclaim's asks for.
const SHRINK_PAGES: usize = 32;
/// Pages that one call begins to write, at most. (2.4's MAX_LAUNDER)
const MAX_LAUNDER: usize = 64;
/// Scans of page tables of one call.
const SCANS: usize = 8;
/// Pages that are judged under the index lock before it is let go.
const JUDGED: usize = 32;
/// Pages in a row that may not go, after which dirty ones are written.
const IN_VAIN: usize = 64;
/// How long one call waits for a page on its way out, at most.
const PATIENCE: Duration = Duration::from_millis(100);
/// Turns of the hands in one call: the first one may do no more than take the marks of use.
const TURNS: usize = 2;
/// Waits of one call.
const WAITS: usize = 2;

/// What may be done with dirty pages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Launder {
    /// Nothing.
    No,
    /// They may be written.
    Begin,
}

/// What becomes of a page that the inactive hand stops at.
enum Verdict<K: Kernel> {
    /// It goes.
    Free(PageRef<K>),
    /// It is written, with its neighbours.
    Write(Batch),
    /// It stays.
    Keep,
}

/// One call of reclaim.
struct Sweep<'a> {
    zones: &'a [ZoneKind],
    wanted: usize,
    freed: usize,
    scanned: usize,
    laundered: usize,
}

impl Sweep<'_> {
    const fn is_done(&self) -> bool {
        self.freed >= self.wanted
    }

    /// What may still be done.
    const fn may(&self, launder: Launder) -> Launder {
        if self.laundered < MAX_LAUNDER { launder } else { Launder::No }
    }
}

/// Pages at which a hand has stopped, and that are judged together, under the index lock.
struct Stops {
    frames: [Pfn; JUDGED],
    len: usize,
}

impl Stops {
    const NONE: Self = Self { frames: [Pfn::new(0); JUDGED], len: 0 };

    fn push(&mut self, frame: Pfn) {
        self.frames[self.len] = frame;
        self.len += 1;
    }
}

impl<K: Kernel> PageCache<K> {
    /// Gives up to about `wanted` pages of these zones back, as far as the flags allow; returns how many that were.
    /// Bounded work, no memory. Starts I/O, and waits for I/O that runs, only if the flags have IO; takes no lock that
    /// is held while anybody sleeps. Process context, no page lock held.
    pub fn shrink(&'static self, gfp: GfpFlags, zones: &[ZoneKind], wanted: usize) -> usize {
        if !gfp.may_sleep() {
            return 0;
        }
        let mut sweep = Sweep { zones, wanted, freed: 0, scanned: 0, laundered: 0 };
        self.sweep_by(gfp, &mut sweep);
        let Sweep { freed, scanned, laundered, .. } = sweep;
        let pages = K::memory().pages();
        pages.count_pages(PageEvent::Scan, scanned);
        pages.count_pages(PageEvent::Launder, laundered);
        self.index.with(|index| {
            let events = &mut index.counts.events;
            events.scanned += scanned as u64;
            events.laundered += laundered as u64;
            events.freed += freed as u64;
        });
        freed
    }

    fn sweep_by(&'static self, gfp: GfpFlags, sweep: &mut Sweep<'_>) {
        let launder = if gfp.contains(GfpFlags::IO) { Launder::Begin } else { Launder::No };
        for _ in 0..TURNS {
            let has_aged = self.deactivate(sweep);
            let may_launder = launder == Launder::Begin && self.index.with(|index| index.counts.has_dirty());
            let insists = !gfp.contains(GfpFlags::NORETRY);
            self.pass(sweep, Launder::No, if insists && !may_launder { usize::MAX } else { IN_VAIN });
            if may_launder {
                self.pass(sweep, launder, usize::MAX);
            }
            if sweep.freed + sweep.laundered > 0 || !has_aged {
                break;
            }
        }
        if gfp.contains(GfpFlags::NORETRY) {
            // It takes what is at hand.
            return;
        }
        if let Some(scan) = self.index.with(|index| index.scan) {
            self.unmap(gfp, sweep, scan, launder);
        }
        for _ in 0..WAITS {
            let seen = self.index.with(|index| {
                let counts = &index.counts;
                (counts.writeback() > 0).then(|| counts.writes_ended())
            });
            let Some(seen) = seen.filter(|_| launder == Launder::Begin && sweep.freed == 0) else { return };
            let has_ended = || self.index.with(|index| index.counts.writes_ended() != seen);
            // Time may be up, or ^C may come: reclaim goes on with what there is.
            let _ = self.written.wait_timeout(has_ended, PATIENCE);
            self.pass(sweep, Launder::No, usize::MAX);
        }
    }

    /// Has pages of processes come in, until some of them are freed or on their way out: of those that several show,
    /// none can go before all of these have lost them.
    fn unmap(&'static self, gfp: GfpFlags, sweep: &mut Sweep<'_>, scan: &dyn Scan, launder: Launder) {
        let before = sweep.freed + sweep.laundered;
        for _ in 0..SCANS {
            if sweep.is_done() || scan.swap_out(gfp, sweep.wanted).unmapped == 0 {
                break;
            }
            self.pass(sweep, launder, usize::MAX);
            if sweep.freed + sweep.laundered > before {
                break;
            }
        }
    }

    /// The active hand: where too few pages are inactive, those become so that were not used since it came by last.
    /// Whether it came by any.
    fn deactivate(&self, sweep: &Sweep<'_>) -> bool {
        let (pages, mut has_met) = (K::memory().pages(), false);
        for &zone in sweep.zones {
            let (active, inactive) = (pages.stops(zone, Hand::Active), pages.stops(zone, Hand::Inactive));
            let lacking = (active / 2 + sweep.wanted).saturating_sub(inactive).min(active).min(2 * sweep.wanted);
            let mut left = lacking;
            if left == 0 {
                continue;
            }
            pages.turn(zone, Hand::Active, 2 * pages.round(zone), &mut |frame, flags| {
                has_met = true;
                if flags.contains(PageFlags::REFERENCED) {
                    pages.clear_page_flags(frame, PageFlags::REFERENCED);
                } else {
                    pages.clear_page_flags(frame, PageFlags::ACTIVE);
                    left -= 1;
                }
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            pages.count_pages(PageEvent::Deactivate, lacking - left);
        }
        has_met
    }

    /// The inactive hand: once round each zone, until enough is freed, or written; or until so many pages in a row may
    /// not go.
    fn pass(&'static self, sweep: &mut Sweep<'_>, launder: Launder, in_vain: usize) {
        let (pages, launder) = (K::memory().pages(), sweep.may(launder));
        for &zone in sweep.zones {
            let (mut left, mut round) = (pages.stops(zone, Hand::Inactive), pages.round(zone));
            let mut met = 0;
            while left > 0 && round > 0 && met < in_vain && !sweep.is_done() && sweep.may(launder) == launder {
                let most = left.min(sweep.wanted - sweep.freed).min(JUDGED);
                let mut stops = Stops::NONE;
                let passed = pages.turn(zone, Hand::Inactive, round, &mut |frame, _| {
                    stops.push(frame);
                    if stops.len == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                if stops.len == 0 {
                    break;
                }
                (left, round) = (left - stops.len, round.saturating_sub(passed));
                let before = sweep.freed;
                self.visit(sweep, launder, &stops.frames[..stops.len]);
                met = if sweep.freed > before { 0 } else { met + stops.len };
            }
        }
    }

    /// Frees those of these pages that may go, and has others written as far as `launder` allows.
    fn visit(&'static self, sweep: &mut Sweep<'_>, launder: Launder, mut stops: &[Pfn]) {
        sweep.scanned += stops.len();
        while let Some(batch) = self.free_or_write(sweep, launder, &mut stops) {
            let (frames, begun) = (batch.frames(), self.submit(batch));
            sweep.laundered += begun;
            // What has come to its disk already may go at once.
            self.free_or_write(sweep, Launder::No, &mut &frames[..begun]);
        }
    }

    /// Frees those of these pages that may go, up to one that is written first, with its neighbours.
    fn free_or_write(&self, sweep: &mut Sweep<'_>, launder: Launder, stops: &mut &[Pfn]) -> Option<Batch> {
        let (now, mut freed) = (self.now(), PageRefs::new());
        self.index.with(|index| {
            while let Some((&frame, rest)) = stops.split_first() {
                *stops = rest;
                match index.judge(frame, sweep.may(launder), now) {
                    Verdict::Free(page) => {
                        freed.push(page);
                        sweep.freed += 1;
                    }
                    Verdict::Write(batch) => return Some(batch),
                    Verdict::Keep => {}
                }
            }
            None
        })
    }
}

impl<K: Kernel> Index<K> {
    fn judge(&mut self, at: Pfn, launder: Launder, now: u32) -> Verdict<K> {
        let (pages, frame) = (K::memory().pages(), at.as_u32());
        let flags = pages.page_flags(at);
        let Some(page) = self.pool.get(frame).filter(|page| page.is_kept()) else { return Verdict::Keep };
        let state = page.state();
        if flags.contains(PageFlags::DIRTY) && state != State::Dirty {
            flags::take_dirty::<K>(at);
            self.dirty(frame, now);
            return Verdict::Keep;
        }
        let page = self.pool.at(frame);
        if page.has(Marks::LOCKED) || state == State::Writeback || flags.contains(PageFlags::ACTIVE) {
            return Verdict::Keep;
        }
        let kind = self.slots.at(page.mapping()).kind;
        if kind == Kind::Memory && state == State::Dirty {
            // It has no disk. Who reads it brings the hand back; it is parked again.
            pages.set_page_flags(at, PageFlags::PARKED);
            return Verdict::Keep;
        }
        let is_shared = page.references() > 1;
        if is_shared && (state == State::Clean || kind == Kind::Swap) {
            pages.park_shared(at);
            return Verdict::Keep;
        }
        let may_go = state == State::Clean && !flags.contains(PageFlags::KEPT) || !self.is_wanted(frame);
        if may_go {
            return (!is_shared).then(|| self.take(frame)).flatten().map_or(Verdict::Keep, Verdict::Free);
        }
        // What could not be written stays, until nobody wants it.
        let may_write = launder == Launder::Begin && !flags.contains(PageFlags::KEPT);
        let batch = may_write.then(|| self.batch_around(frame)).flatten();
        batch.map_or(Verdict::Keep, Verdict::Write)
    }
}

impl<K: Kernel> Shrinker for PageCache<K> {
    fn shrink(&'static self, gfp: GfpFlags) -> usize {
        self.shrink(gfp, gfp.zones(), SHRINK_PAGES)
    }

    fn holder(&self) -> Holder {
        Holder::PageCache
    }

    fn pending(&'static self) -> usize {
        self.index.with(|index| index.counts.writeback())
    }

    fn purge(&'static self) -> usize {
        self.invalidate()
    }
}
