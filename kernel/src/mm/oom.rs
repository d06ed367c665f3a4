//! Memory is out: whoever knows the processes may end one.
//!
//! Key types: [`Killer`]. The layer above sets it; without one, what asks for memory is refused. Where there is swap,
//! he is asked only when that is full, no page was being written for a second, and under the conditions of 2.4
//! ([`Shortage`]).

use ::mm::{LastResort, Tag, Waiting};
use services::shortage::{Progress, Remedy, Shortage};
use spin::Once;

use crate::sync::SpinLock;
use crate::time::{self, HZ};

/// Ticks for which a request is tried after pages were written last while swap has room: then what fills memory is not
/// for swap to take.
const LONGEST: u64 = HZ as u64;
/// Ticks for which it is tried because pages are written, which others may get each time.
const MOST: u64 = 60 * HZ as u64;

/// Knows who has too much memory, and what room swap has.
pub trait Killer: Sync {
    /// Pages that swap has room for; `None` on a machine without swap. Any context.
    fn free_swap(&self) -> Option<usize>;

    /// Pages that have come to files and to swap so far. Any context.
    fn written(&self) -> u64;

    /// Whether some are on their way. Any context.
    fn is_writing(&self) -> bool;

    /// Whether the running process is to end: what it has will be back as soon as it can go on.
    fn is_ending(&self) -> bool;

    /// Memory is out for the caller, who wants it for `tag`. Process context; may sleep, for a short time. The caller
    /// may hold sleeping locks, of its own address space for one.
    fn out_of_memory(&self, tag: Tag) -> LastResort;
}

static KILLER: Once<&'static dyn Killer> = Once::new();
static SHORTAGE: SpinLock<Shortage> = SpinLock::new(Shortage::new(HZ as u64));
static PROGRESS: SpinLock<Progress> = SpinLock::new(Progress::NONE);

/// Says whom to ask, once: the first one counts.
pub fn set_killer(killer: &'static dyn Killer) {
    KILLER.call_once(|| killer);
}

/// What becomes of a request that was in vain.
pub(super) fn ask(waiting: &Waiting, tag: Tag) -> LastResort {
    let Some(killer) = KILLER.get() else { return LastResort::Refuse };
    if killer.is_ending() {
        return LastResort::UseReserve;
    }
    let now = time::ticks().0;
    let tried = now.saturating_sub(waiting.since);
    match killer.free_swap() {
        None => killer.out_of_memory(tag),
        Some(_) if tried < MOST && is_written(*killer, now) => LastResort::TryAgain,
        Some(0) => match SHORTAGE.with(|shortage| shortage.failed(now)) {
            Remedy::Wait => LastResort::TryAgain,
            Remedy::Kill => killer.out_of_memory(tag),
        },
        Some(_) if tried < LONGEST => LastResort::TryAgain,
        Some(_) => LastResort::Refuse,
    }
}

/// Whether pages are being written, or were a moment ago: then memory comes back, however slow the disk is.
fn is_written(killer: &dyn Killer, now: u64) -> bool {
    let written = killer.written();
    killer.is_writing() || PROGRESS.with(|progress| progress.pause(written, now)) < LONGEST
}
