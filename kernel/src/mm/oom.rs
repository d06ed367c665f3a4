//! Memory is out: whoever knows the processes may end one.
//!
//! Key types: [`Killer`]. The layer above sets it; without one, what asks for memory is refused.

use ::mm::{LastResort, Tag};
use spin::Once;

/// Knows who has too much memory.
pub trait Killer: Sync {
    /// Memory is out for the caller, who wants it for `tag`. Process context; may sleep, for a short time. The caller
    /// may hold sleeping locks, of its own address space for one.
    fn out_of_memory(&self, tag: Tag) -> LastResort;
}

static KILLER: Once<&'static dyn Killer> = Once::new();

/// Says whom to ask, once: the first one counts.
pub fn set_killer(killer: &'static dyn Killer) {
    KILLER.call_once(|| killer);
}

/// Asks him.
pub(super) fn ask(tag: Tag) -> LastResort {
    KILLER.get().map_or(LastResort::Refuse, |killer| killer.out_of_memory(tag))
}
