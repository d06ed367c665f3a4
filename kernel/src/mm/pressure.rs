//! What requests of different flags do when memory is short: an experiment.
//!
//! Key types: [`Observed`]. All memory above the watermark `min` is taken for a moment; then pages are asked for, and
//! the counts of /proc/vmstat say what that has led to. (Chapter: "The Flags Argument".)

use core::time::Duration;

use ::mm::pages::EventCounts;
use ::mm::{AllocError, GfpFlags, Order, ZoneKind};

use super::global::{KVVec, PageBlock, UserPage, memory};
use crate::sync::preempt::preempt_disable;
use crate::time;

/// What requests have done, and what was done for them meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    /// Pages that they got.
    pub granted: usize,
    /// 1 if the request after these failed.
    pub failed: usize,
    /// How long they took, in whole ticks.
    pub took: Duration,
    /// How often they slept.
    pub sleeps: u64,
    /// Pages that they began to write themselves.
    pub laundered: u64,
    /// Pages that kswapd began to write meanwhile.
    pub by_kswapd: u64,
    /// Pages of processes that were written to swap meanwhile, by whomever.
    pub swapped: u64,
    /// Blocks from below `min`.
    pub from_reserve: u64,
}

/// Gives back what is only kept, takes all memory above `min`, asks for `requests` single pages with these flags, one
/// after the other until one is refused, and gives all of it back. Others that need memory meanwhile may have to wait,
/// or be refused. Process context; may sleep.
///
/// # Errors
/// No memory to begin with.
pub fn observe(gfp: GfpFlags, requests: usize) -> Result<Observed, AllocError> {
    let mut pages = KVVec::with_capacity(requests, GfpFlags::KERNEL)?;
    memory().drop_caches();
    let mut hoard = KVVec::with_capacity(memory().pages().managed_pages(), GfpFlags::KERNEL)?;
    // Nobody else runs before the first request: what it finds is what this leaves.
    let alone = preempt_disable();
    ZoneKind::ALL.iter().for_each(|&kind| take_down_to_min(kind, &mut hoard));
    let (before, start) = (memory().pages().events(), time::uptime());
    drop(alone);
    let mut failed = 0;
    for _ in 0..requests {
        match PageBlock::new(Order::ZERO, gfp | GfpFlags::NOWARN) {
            // There is room.
            Ok(page) => drop(pages.push(page, GfpFlags::ATOMIC)),
            Err(AllocError) => {
                failed += 1;
                break;
            }
        }
    }
    let (after, took) = (memory().pages().events(), time::uptime() - start);
    drop(hoard);
    Ok(Observed { granted: pages.len(), failed, took, ..Observed::between(&before, &after) })
}

/// High memory that is held.
pub struct HeldHighMem(#[expect(dead_code, reason = "held until it is dropped")] KVVec<UserPage>);

/// Takes all high memory above `min`: what is written to files until that is dropped lies in memory that any request
/// can get back. Process context; may sleep.
///
/// # Errors
/// No memory for the list of the pages.
pub fn hold_high_memory() -> Result<HeldHighMem, AllocError> {
    let free = memory().pages().zone_stats(ZoneKind::HighMem).free;
    let mut hoard = KVVec::with_capacity(free, GfpFlags::KERNEL)?;
    take_down_to_min(ZoneKind::HighMem, &mut hoard);
    Ok(HeldHighMem(hoard))
}

/// Takes the zone's pages, but `min`. Any context.
fn take_down_to_min(kind: ZoneKind, hoard: &mut KVVec<UserPage>) {
    let zone = match kind {
        ZoneKind::Dma => GfpFlags::DMA,
        ZoneKind::Normal => GfpFlags::empty(),
        ZoneKind::HighMem => GfpFlags::HIGHMEM,
    };
    let stats = memory().pages().zone_stats(kind);
    for _ in stats.marks.min..stats.free {
        let Ok(page) = UserPage::zeroed(GfpFlags::ATOMIC | GfpFlags::NOWARN | zone) else { return };
        // There is room for all pages.
        let _: Result<(), _> = hoard.push(page, GfpFlags::ATOMIC);
    }
}

impl Observed {
    fn between(before: &EventCounts, after: &EventCounts) -> Self {
        Self {
            sleeps: after.sleeps - before.sleeps,
            laundered: after.laundered_direct - before.laundered_direct,
            by_kswapd: after.laundered_background - before.laundered_background,
            swapped: after.swapped_out - before.swapped_out,
            from_reserve: after.reserve - before.reserve,
            ..Self::default()
        }
    }
}
