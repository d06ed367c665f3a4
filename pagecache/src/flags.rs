//! What reclaim and page tables know of a page: flags in its word.

use kapi::Kernel;
use mm::pages::PageEvent;
use mm::{PageFlags, Pfn};

use crate::state::State;

/// The cache keeps the page from here on; it was not used yet.
pub(crate) fn enter<K: Kernel>(frame: Pfn) {
    K::memory().pages().set_page_flags(frame, PageFlags::CACHED);
}

/// The cache keeps it no more.
pub(crate) fn leave<K: Kernel>(frame: Pfn) {
    K::memory().pages().clear_page_flags(frame, PageFlags::all());
}

/// The page was used: once more, it is used often.
#[inline]
pub(crate) fn touch<K: Kernel>(frame: Pfn) {
    let pages = K::memory().pages();
    let flags = pages.page_flags(frame);
    if !flags.contains(PageFlags::REFERENCED) {
        pages.set_page_flags(frame, PageFlags::REFERENCED);
    } else if !flags.contains(PageFlags::ACTIVE) {
        activate::<K>(frame);
    }
}

/// The page is used often.
#[cold]
fn activate<K: Kernel>(frame: Pfn) {
    let pages = K::memory().pages();
    pages.clear_page_flags(frame, PageFlags::REFERENCED);
    pages.set_page_flags(frame, PageFlags::ACTIVE);
    pages.count_pages(PageEvent::Activate, 1);
}

/// Takes note that a page was written to by a mapping of its memory.
pub(crate) fn take_dirty<K: Kernel>(frame: Pfn) {
    K::memory().pages().clear_page_flags(frame, PageFlags::DIRTY);
}

/// The page went from one state to another: its word says so too, for reclaim and for readers of the machine's memory.
/// That a mapping has written to it meanwhile stays.
pub(crate) fn show_state<K: Kernel>(frame: Pfn, before: State, now: State) {
    let pages = K::memory().pages();
    match (before, now) {
        (State::Writeback, State::Clean) => pages.clear_page_flags(frame, PageFlags::WRITEBACK),
        (_, State::Clean) => pages.clear_page_flags(frame, PageFlags::DIRTY),
        (State::Writeback, State::Dirty) => {
            pages.clear_page_flags(frame, PageFlags::WRITEBACK);
            pages.set_page_flags(frame, PageFlags::DIRTY)
        }
        (_, State::Dirty) => pages.set_page_flags(frame, PageFlags::DIRTY),
        (_, State::Writeback) => {
            take_dirty::<K>(frame);
            pages.set_page_flags(frame, PageFlags::WRITEBACK)
        }
    };
}

/// Whether the page's word says what its state is.
pub(crate) fn agree<K: Kernel>(frame: Pfn, state: State) -> bool {
    let flags = K::memory().pages().page_flags(frame);
    let is_on_its_way = flags.contains(PageFlags::WRITEBACK);
    is_on_its_way == (state == State::Writeback) && (state != State::Dirty || flags.contains(PageFlags::DIRTY))
}
