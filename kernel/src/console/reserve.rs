//! Pages that the shell keeps for bad times.
//!
//! When memory is so short that a file cannot be opened or a pipe made, these pages are given back to the allocator
//! and it is tried again: so `: > /dev/scull0` works when scull0 holds all that there was. Before the next line the
//! shell takes as many pages again, as far as it gets them.

use kapi::Errno;
use mm::{GfpFlags, Order};

use crate::mm::{PageBlock, memory};
use crate::sync::SpinLock;

/// How many pages: enough for the pipes of the longest pipeline and the objects around them.
const PAGES: usize = 32;

static RESERVE: SpinLock<[Option<PageBlock>; PAGES]> = SpinLock::new([const { None }; PAGES]);

/// While less than this part of memory is free, the reserve is not filled up.
const COMFORT: usize = 16;

/// Fills the reserve up while memory is plenty, so that this never has to wait.
pub fn fill() {
    for index in 0..PAGES {
        if RESERVE.with(|pages| pages[index].is_some()) {
            continue;
        }
        if memory().pages().free_pages_total() < memory().pages().managed_pages() / COMFORT {
            return;
        }
        let Ok(page) = PageBlock::new(Order::ZERO, GfpFlags::KERNEL) else { return };
        RESERVE.with(|pages| pages[index] = Some(page));
    }
}

/// Calls `call`, and once more with the reserve given back if there was no memory for it.
pub fn spent_if_needed<T>(call: impl Fn() -> Result<T, Errno>) -> Result<T, Errno> {
    match call() {
        Err(Errno::ENOMEM) => {
            for index in 0..PAGES {
                drop(RESERVE.with(|pages| pages[index].take()));
            }
            call()
        }
        result => result,
    }
}
