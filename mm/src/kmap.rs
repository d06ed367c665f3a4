//! kmap and kunmap: windows onto pages that the direct map does not show.
//!
//! (Chapter: "Memory zones"; the calls are 2.4's.) A page of low memory needs no window: its address is the direct
//! map's.
//!
//! A window that its last user has left goes on showing its page: it is *stale*, and the next kmap of that page uses it
//! again. When no clean window is left, kmap unmaps all stale ones and makes them clean by one flush. So kunmap, which
//! any context may call, never flushes, and the flush, which may wait for other CPUs, runs in process context.

use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::flush::MustFlush;
use crate::mapper::{Frames, Mapping};
use crate::pages::{PageAllocator, WINDOW_PAGES};
use crate::platform::{KernelTables, Lock, OwnMappings, Platform};
use crate::report::Call;
use crate::tables::PageTables;

/// Windows, for all CPUs together.
pub const WINDOWS: usize = 256;
/// Pages of addresses that they and the CPUs' own windows behind them need; all lie in one aligned range of 2 MiB.
pub const KMAP_PAGES: usize = WINDOWS + WINDOW_PAGES;

const _: () = assert!(KMAP_PAGES <= 512);

/// What a window shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shown {
    /// Nothing, and no TLB has a translation.
    Clean,
    /// Nothing; a TLB may have a translation until the flush.
    Recycled,
    /// This page, for so many users; stale when there are none.
    Page { frame: Pfn, users: u32 },
}

/// The windows of kmap.
pub struct Kmap<P: Platform> {
    pages: &'static PageAllocator<P>,
    tables: &'static PageTables<P>,
    start: VirtAddr,
    windows: P::Lock<[Shown; WINDOWS]>,
}

impl<P: Platform> Kmap<P> {
    /// Windows whose addresses start at `start`.
    pub(crate) fn new(pages: &'static PageAllocator<P>, tables: &'static PageTables<P>, start: VirtAddr) -> Self {
        Self { pages, tables, start, windows: Lock::new([Shown::Clean; WINDOWS]) }
    }

    /// Makes the page tables of the windows, the CPUs' own too, if there is high memory. Boot.
    pub(crate) fn init(&self, call: Call) -> Result<(), AllocError> {
        if self.pages.managed_pages() == self.pages.low_pages() {
            return Ok(());
        }
        let frames = [self.pages.direct().highmem_start()];
        self.tables.map(self.start, Frames::Each(&frames), Mapping::Memory, call)?;
        self.pages.platform().tables().flush(self.pages.platform().unmap(self.start, 1, |_, _| ()));
        Ok(())
    }

    /// An address at which the page in `frame` shows until [`kunmap`](Self::kunmap). A page that shows already gets the
    /// same address again, and needs as many kunmaps. Sleeps while all windows are taken: process context only.
    pub(crate) fn kmap(&'static self, frame: Pfn, call: Call) -> Result<VirtAddr, AllocError> {
        self.pages.check_may_sleep(call)?;
        if let Some(addr) = self.pages.direct().page_address(frame) {
            return Ok(addr);
        }
        if self.pages.map().block_of(frame).is_none() {
            return Err(self.pages.refuse(call, "no such page"));
        }
        loop {
            if let Some(addr) = self.windows.with(|windows| self.show(windows, frame)) {
                let reason = "the windows have no page table, or one of them has too many users";
                return addr.map_err(|AllocError| self.pages.refuse(call, reason));
            }
            if !self.recycle() {
                let ready = |windows: &mut [Shown; WINDOWS]| {
                    place_for(windows, frame).is_some() || windows.iter().any(Shown::is_stale)
                };
                self.pages.platform().wait_for_memory(&mut || self.windows.with(ready));
            }
        }
    }

    /// Ends a [`kmap`](Self::kmap) of the page in `frame`. Never sleeps; any context. A page of high memory that is not
    /// shown is reported.
    pub(crate) fn kunmap(&self, frame: Pfn, call: Call) -> Result<(), FreeError> {
        if self.pages.direct().page_address(frame).is_some() {
            return Ok(());
        }
        let left = self.windows.with(|windows| {
            windows.iter_mut().find_map(|window| match window {
                Shown::Page { frame: shown, users } if *shown == frame && *users > 0 => {
                    *users -= 1;
                    Some(*users)
                }
                _ => None,
            })
        });
        match left {
            Some(0) => self.pages.platform().wake_waiters(),
            Some(_) => {}
            None => return Err(self.pages.bad_frame(call, frame, FreeError::DoubleFree)),
        }
        Ok(())
    }

    /// Shows `frame` to one more user; `None` when there is no clean window.
    fn show(&self, windows: &mut [Shown; WINDOWS], frame: Pfn) -> Option<Result<VirtAddr, AllocError>> {
        let place = place_for(windows, frame)?;
        let addr = self.address(place);
        match &mut windows[place] {
            Shown::Page { users, .. } => match users.checked_add(1) {
                Some(more) => *users = more,
                None => return Some(Err(AllocError)),
            },
            window => {
                let frames = [frame];
                if self.pages.platform().map(addr, Frames::Each(&frames), Mapping::Memory, &mut None) != Ok(1) {
                    return Some(Err(AllocError));
                }
                *window = Shown::Page { frame, users: 1 };
            }
        }
        Some(Ok(addr))
    }

    /// Makes all stale windows clean, by one flush; says whether there was one. Process context.
    fn recycle(&self) -> bool {
        let mut recycled = [false; WINDOWS];
        let must_flush = self.windows.with(|windows| {
            let mut must_flush: Option<MustFlush> = None;
            for (place, window) in windows.iter_mut().enumerate().filter(|(_, window)| window.is_stale()) {
                (*window, recycled[place]) = (Shown::Recycled, true);
                let flush = self.pages.platform().unmap(self.address(place), 1, |_, _| ());
                must_flush = Some(match must_flush {
                    Some(before) => before.merge(flush),
                    None => flush,
                });
            }
            must_flush
        });
        let Some(must_flush) = must_flush else { return false };
        self.pages.platform().tables().flush(must_flush);
        self.windows.with(|windows| {
            windows
                .iter_mut()
                .zip(recycled)
                .filter(|(_, recycled)| *recycled)
                .for_each(|(window, _)| *window = Shown::Clean);
        });
        // Other callers may wait for a clean one.
        self.pages.platform().wake_waiters();
        true
    }

    fn address(&self, place: usize) -> VirtAddr {
        self.start.add(place * PAGE_SIZE)
    }
}

impl Shown {
    fn is_stale(&self) -> bool {
        matches!(self, Self::Page { users: 0, .. })
    }
}

/// The window that shows `frame`, or else a clean one.
fn place_for(windows: &[Shown; WINDOWS], wanted: Pfn) -> Option<usize> {
    let shows = |window: &Shown| matches!(window, Shown::Page { frame, .. } if *frame == wanted);
    windows.iter().position(shows).or_else(|| windows.iter().position(|window| *window == Shown::Clean))
}
