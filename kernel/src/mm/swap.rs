//! Swap of this kernel: one static over the page cache.

use pagecache::swap::Swap;
use spin::Once;

use super::global::Kernel;
use super::page_cache::page_cache;
use super::space::{SPACES, set_swap_store};

static SWAP: Once<Swap<Kernel>> = Once::new();

/// The areas, and where pages of processes are. Any context, once the page cache has started.
pub fn swap() -> &'static Swap<Kernel> {
    SWAP.call_once(|| Swap::new(page_cache()))
}

/// Has page tables know of swap, and reclaim of page tables. Once, at boot, when the page cache has started.
pub fn start() {
    set_swap_store(swap());
    page_cache().set_scan(&SPACES);
}
