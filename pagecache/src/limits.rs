//! How many pages may be dirty, and who does something about it.
//!
//! bdflush and kupdated write, and who writes too much has to help.

use core::time::Duration;

use kapi::{Kernel, SpinLock, WaitQueue, WrongContext};
use mm::ZoneKind;

use crate::bdflush::BdFlush;
use crate::cache::PageCache;
use crate::writeback::ROUND;

/// How long a writer waits for another's page to be written, at most.
const PATIENCE: Duration = Duration::from_secs(1);

impl<K: Kernel> PageCache<K> {
    /// The nine numbers of /proc/sys/vm/bdflush. Any context.
    pub fn bdflush(&self) -> BdFlush {
        self.limits.numbers()
    }

    /// Sets them. Any context.
    pub fn set_bdflush(&self, numbers: BdFlush) {
        self.limits.set(numbers);
    }

    /// Wakes bdflush. Any context.
    pub fn wake_bdflush(&self) {
        self.limits.wake();
    }

    /// Sleeps until bdflush has work. Process context.
    ///
    /// # Errors
    /// The caller may not sleep.
    pub fn bdflush_wait(&self) -> Result<(), WrongContext> {
        self.limits.wait()
    }

    /// A round of bdflush: begins to write the oldest dirty pages, until few are left. Returns how many. Process
    /// context.
    pub fn bdflush_round(&'static self) -> usize {
        let (mut written, most) = (0, self.index.with(|index| index.counts.dirty()));
        while written < most {
            let round = self.write_oldest(self.bdflush().pages_a_round(), 0);
            written += round;
            if round == 0 || self.dirty_percent() <= self.bdflush().stop_percent() as usize {
                break;
            }
        }
        written
    }

    /// A round of kupdated: begins to write the pages that have been dirty for as long as the numbers say. Returns how
    /// many. Process context.
    pub fn kupdate_round(&'static self) -> usize {
        let most = self.index.with(|index| index.counts.dirty());
        self.write_oldest(most, self.bdflush().age())
    }

    /// Percent of low memory that could be had (free, or of files and devices) that so many pages are.
    fn percent(&self, pages: usize) -> usize {
        let free = |zone| K::memory().pages().free_pages_of(zone);
        let had = free(ZoneKind::Dma) + free(ZoneKind::Normal) + self.index.with(|index| index.counts.written_back());
        pages * 100 / had.max(1)
    }

    fn dirty_percent(&self) -> usize {
        self.percent(self.index.with(|index| index.counts.dirty()))
    }

    /// A page was written to. If many are dirty, wakes bdflush; if too many, writes some itself and waits until one
    /// has been written. Process context, no page lock held.
    pub(crate) fn throttle(&'static self) {
        if !self.limits.is_time_to_look() {
            return;
        }
        let numbers = self.bdflush();
        let percent = self.percent(self.index.with(|index| index.counts.unwritten()));
        if percent > numbers.start_percent() as usize {
            self.wake_bdflush();
        }
        if percent > numbers.throttle_percent() as usize {
            let seen = self.index.with(|index| {
                index.counts.events.throttled += 1;
                index.counts.writes_ended()
            });
            self.write_oldest(ROUND, 0);
            let has_room =
                || self.index.with(|index| index.counts.writes_ended() != seen || index.counts.writeback() == 0);
            // Whether one has been written or time is up, or ^C: the writer goes on.
            let _ = self.written.wait_timeout(has_room, PATIENCE);
        }
    }
}
