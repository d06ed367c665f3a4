//! Memory is short: a request reclaims, sleeps and tries again, or fails.

use super::PageAllocator;
use super::events::Event;
use super::waiters::Turn;
use super::zone::Zone;
use crate::addr::Pfn;
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::platform::{LastResort, Lock, Platform};
use crate::report::{Call, Incident};
use crate::tag::Tag;

/// How often a request that may sleep tries again although nothing could be reclaimed.
const RETRIES: usize = 16;
/// The same for blocks of several pages, where waiting helps less.
const RETRIES_LARGE: usize = 2;

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
        if let Some(frame) = self.alloc_reclaimed(gfp, order, tag) {
            self.note_owner(frame, call.at());
            return Ok(frame);
        }
        self.count(Event::Failure, 1);
        self.with_zone(self.first_zone(gfp), Zone::count_failure);
        if !gfp.contains(GfpFlags::NOWARN) {
            self.report(call, Incident::OutOfMemory { order, gfp });
        }
        Err(AllocError)
    }

    /// A block after reclaim, if the caller may sleep: in its turn, or with `NORETRY` at once and if nobody waits.
    fn alloc_reclaimed(&'static self, gfp: GfpFlags, order: Order, tag: Tag) -> Option<Pfn> {
        if !gfp.may_sleep() {
            return None;
        }
        if gfp.contains(GfpFlags::NORETRY) {
            self.reclaim(gfp);
            let admitted = !self.waiters.any() && self.platform.admits(order);
            return admitted.then(|| self.alloc_admitted(gfp, order, tag)).flatten();
        }
        let turn = self.waiters.join(gfp, order);
        let frame = self.alloc_whatever_it_takes(gfp, order, tag, &turn);
        self.waiters.leave(turn);
        // There may be memory for the next waiter too.
        self.wake_waiters();
        frame
    }

    /// Waits for its turn and for memory; when that was in vain, the kernel may help in its own way.
    fn alloc_whatever_it_takes(&'static self, gfp: GfpFlags, order: Order, tag: Tag, turn: &Turn) -> Option<Pfn> {
        loop {
            if let Some(frame) = self.alloc_in_turn(gfp, order, tag, turn) {
                return Some(frame);
            }
            match self.last_resort(gfp, tag) {
                LastResort::Refuse => return None,
                LastResort::TryAgain => {}
                LastResort::UseReserve => {
                    let urgent = gfp.difference(GfpFlags::WAIT) | GfpFlags::HIGH;
                    return self.platform.admits(order).then(|| self.alloc_admitted(urgent, order, tag)).flatten();
                }
            }
        }
    }

    /// Asks the kernel for help, if it could help: not with memory that is there, but in pieces, nor below 16 MiB.
    fn last_resort(&self, gfp: GfpFlags, tag: Tag) -> LastResort {
        let is_out =
            gfp.contains(GfpFlags::USER) && !gfp.contains(GfpFlags::DMA) && !self.would_grant(gfp, Order::ZERO);
        if is_out { self.platform.out_of_memory(tag) } else { LastResort::Refuse }
    }

    /// Reclaims, sleeps and tries again, until it is this request's turn and there is memory, or until the retries are
    /// used up.
    fn alloc_in_turn(&'static self, gfp: GfpFlags, order: Order, tag: Tag, turn: &Turn) -> Option<Pfn> {
        let mut patience = if order == Order::ZERO { RETRIES } else { RETRIES_LARGE };
        let mut stood_back = false;
        while patience > 0 {
            if self.reclaim(gfp) == 0 || stood_back {
                patience -= 1;
                self.sleep_for_memory(gfp, order, turn);
            }
            let frame = self.platform.admits(order).then(|| self.alloc_admitted(gfp, order, tag)).flatten();
            let Some(frame) = frame else { continue };
            stood_back = patience > 0 && self.is_wanted_before(turn, frame, order, gfp);
            if !stood_back {
                return Some(frame);
            }
            let freed = self.free_block(frame, order, tag);
            debug_assert!(freed.is_ok());
        }
        None
    }

    /// Sleeps until a zone might serve the request and it is its turn, or a short while.
    fn sleep_for_memory(&self, gfp: GfpFlags, order: Order, turn: &Turn) {
        self.count(Event::Sleep, 1);
        self.with_zone(self.first_zone(gfp), Zone::count_sleep);
        self.platform.wait_for_memory(&mut || self.would_grant(gfp, order) && self.is_next(turn));
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
