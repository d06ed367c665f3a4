//! Memory is short: a request reclaims, sleeps and tries again, or fails.

use super::PageAllocator;
use super::events::Event;
use super::waiters::Turn;
use super::zone::Zone;
use crate::addr::Pfn;
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::page::BlockKey;
use crate::platform::{LastResort, Lock, Platform, Reclaiming, Verdict};
use crate::report::{Call, Incident};
use crate::sleep::{Slept, Waiting};
use crate::tag::Tag;

/// How often a request that may sleep tries again although nothing could be reclaimed.
const RETRIES: usize = 16;
/// The same for blocks of several pages, where waiting helps less.
const RETRIES_LARGE: usize = 2;
/// How often it tries again although what was reclaimed went to others, or lies in pieces.
const ROUNDS: usize = 64;
/// How often it tries again while pages are being written that will come back: more than a disk's time-out takes.
const AWAITED: usize = 4096;

/// A request that has found no memory.
struct Request {
    gfp: GfpFlags,
    order: Order,
    tag: Tag,
    call: Call,
}

/// How much a request still tries.
struct Patience {
    retries: usize,
    rounds: usize,
    awaited: usize,
}

/// Why a request has got nothing.
enum Failure {
    /// Its retries are used up.
    NoMemory,
    /// It waits for itself.
    InVain,
}

impl Patience {
    const fn new(order: Order) -> Self {
        let retries = if order.log2() == 0 { RETRIES } else { RETRIES_LARGE };
        Self { retries, rounds: ROUNDS, awaited: AWAITED }
    }
}

impl<P: Platform> PageAllocator<P> {
    /// Memory is short: reclaim and wait if the caller may, else fail. (Spec: the 2.4 decision table, bounded.)
    #[cold]
    #[inline(never)]
    pub(super) fn alloc_slow(
        &'static self,
        gfp: GfpFlags,
        order: Order,
        tag: Tag,
        call: Call,
    ) -> Result<Pfn, AllocError> {
        self.platform.wake_reclaimer();
        if let Some(frame) = self.alloc_reclaimed(&Request { gfp, order, tag, call }) {
            self.note_owner(frame, call.at());
            if !self.waiters.any() {
                // Who has asked once asks again.
                self.stock(BlockKey::new(self.first_zone(gfp), Order::ZERO));
            }
            return Ok(frame);
        }
        self.count(Event::Failure, 1);
        self.with_zone(self.first_zone(gfp), Zone::count_failure);
        if !gfp.contains(GfpFlags::NOWARN) {
            self.report(call, Incident::OutOfMemory { order, gfp });
        }
        Err(AllocError)
    }

    /// A block after reclaim, if the caller may sleep: in its turn, or with `NORETRY` at once and if nobody waits. A
    /// task that reclaims takes the reserve.
    fn alloc_reclaimed(&'static self, request: &Request) -> Option<Pfn> {
        if self.platform.reclaiming() != Reclaiming::No {
            return self.alloc_from_reserve(request);
        }
        if !request.gfp.may_sleep() {
            return None;
        }
        if request.gfp.contains(GfpFlags::NORETRY) {
            self.reclaim(request.gfp);
            return if self.waiters.any() { None } else { self.try_again(request, request.gfp) };
        }
        self.alloc_patiently(request)
    }

    /// Joins the line of those who wait for memory, and tells the kernel beneath if that took a while.
    fn alloc_patiently(&'static self, request: &Request) -> Option<Pfn> {
        let &Request { gfp, order, call, .. } = request;
        let (since, before) = (self.platform.ticks(), self.freed());
        let mut waiting = Waiting { call, gfp, order, since, naps: 0 };
        let turn = self.waiters.join(gfp, order);
        let frame = self.alloc_whatever_it_takes(request, &turn, &mut waiting);
        self.waiters.leave(turn);
        // There may be memory for the next waiter too.
        self.wake_waiters();
        let ticks = self.platform.ticks().saturating_sub(since);
        if waiting.naps == 0 && ticks > 0 {
            self.count_sleep(gfp);
        }
        if waiting.naps > 0 || ticks > 0 {
            let freed = self.freed().since(before);
            self.platform.slept(&Slept { waiting, ticks, freed, result: frame.map(|_| ()).ok_or(AllocError) });
        }
        frame
    }

    /// One more attempt, with these flags.
    fn try_again(&'static self, request: &Request, gfp: GfpFlags) -> Option<Pfn> {
        let admitted = self.platform.admits(request.order);
        admitted.then(|| self.alloc_admitted(gfp, request.order, request.tag)).flatten()
    }

    /// What is left may go to this request.
    fn alloc_from_reserve(&'static self, request: &Request) -> Option<Pfn> {
        self.try_again(request, request.gfp.difference(GfpFlags::WAIT) | GfpFlags::HIGH)
    }

    /// Waits for its turn and for memory; when that was in vain, the kernel may help in its own way.
    fn alloc_whatever_it_takes(&'static self, request: &Request, turn: &Turn, waiting: &mut Waiting) -> Option<Pfn> {
        loop {
            match self.alloc_in_turn(request, turn, waiting) {
                Ok(frame) => return Some(frame),
                Err(Failure::InVain) => return None,
                Err(Failure::NoMemory) => {}
            }
            match self.last_resort(request, waiting) {
                LastResort::Refuse => return None,
                LastResort::TryAgain => {}
                LastResort::UseReserve => return self.alloc_from_reserve(request),
            }
        }
    }

    /// Asks the kernel for help, if it could help: not with memory that is there, but in pieces, nor below 16 MiB.
    fn last_resort(&self, request: &Request, waiting: &Waiting) -> LastResort {
        let gfp = request.gfp;
        let is_out =
            gfp.contains(GfpFlags::USER) && !gfp.contains(GfpFlags::DMA) && !self.would_grant(gfp, Order::ZERO);
        if is_out { self.platform.out_of_memory(waiting, request.tag) } else { LastResort::Refuse }
    }

    /// Reclaims, sleeps and tries again, until it is this request's turn and there is memory, or until the retries are
    /// used up.
    fn alloc_in_turn(&'static self, request: &Request, turn: &Turn, waiting: &mut Waiting) -> Result<Pfn, Failure> {
        let (gfp, order) = (request.gfp, request.order);
        let mut patience = Patience::new(order);
        let mut stood_back = false;
        while patience.retries > 0 {
            let got_some = self.reclaim(gfp) > 0 && patience.rounds > 0;
            if got_some && !stood_back {
                patience.rounds -= 1;
            } else {
                self.lose_patience(&mut patience, gfp);
                self.sleep_for_memory(gfp, order, turn);
                waiting.naps += 1;
            }
            let frame = self.try_again(request, gfp);
            let Some(frame) = frame else {
                if waiting.naps > 0 && self.platform.after_nap(waiting) == Verdict::Fail {
                    return Err(Failure::InVain);
                }
                continue;
            };
            stood_back = patience.retries > 0 && self.is_wanted_before(turn, frame, order, gfp);
            if !stood_back {
                return Ok(frame);
            }
            let freed = self.free_block(frame, order, request.tag);
            debug_assert!(freed.is_ok());
        }
        Err(Failure::NoMemory)
    }

    /// One retry less, unless it may wait for I/O, and pages are being written.
    fn lose_patience(&self, patience: &mut Patience, gfp: GfpFlags) {
        if gfp.contains(GfpFlags::IO) && patience.awaited > 0 && self.has_pending() {
            patience.awaited -= 1;
        } else {
            patience.retries -= 1;
        }
    }

    /// Sleeps until a zone might serve the request and it is its turn, or a short while.
    fn sleep_for_memory(&self, gfp: GfpFlags, order: Order, turn: &Turn) {
        self.count_sleep(gfp);
        self.platform.wait_for_memory(&mut || self.would_grant(gfp, order) && self.is_next(turn));
    }

    /// A request sleeps, or has slept until pages that it found under way were written.
    fn count_sleep(&self, gfp: GfpFlags) {
        self.count(Event::Sleep, 1);
        self.with_zone(self.first_zone(gfp), Zone::count_sleep);
    }

    /// Whether some zone would serve the request now.
    fn would_grant(&self, gfp: GfpFlags, order: Order) -> bool {
        gfp.zones().iter().any(|&kind| self.zone(kind).with(|zone| zone.would_grant(order, gfp.priority())))
    }

    /// Whether no earlier waiter could be served now.
    fn is_next(&self, turn: &Turn) -> bool {
        !self.waiters.before(turn).any(|(gfp, order)| self.would_grant(gfp, order))
    }

    /// Whether a block that was granted would serve an earlier waiter, which then gets it.
    fn is_wanted_before(&self, turn: &Turn, frame: Pfn, order: Order, gfp: GfpFlags) -> bool {
        let zone = self.direct.zone_of(frame);
        let would_do = |(other, wanted): (GfpFlags, Order)| {
            wanted <= order && other.priority() <= gfp.priority() && other.zones().contains(&zone)
        };
        self.waiters.before(turn).any(would_do)
    }
}
