//! What the cache has, and what it has done.

use crate::backing::Kind;
use crate::state::State;

/// A snapshot, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CacheStats {
    /// Pages of block devices: `Buffers`.
    pub buffers: usize,
    /// Pages of files: `Cached`.
    pub cached: usize,
    /// Pages of swap areas: `SwapCached`.
    pub swap_cached: usize,
    /// Pages of files and devices that have to be written.
    pub dirty: usize,
    /// Pages of swap areas that have to be written, should memory be short.
    pub swap_dirty: usize,
    /// Pages on their way to a disk.
    pub writeback: usize,
    /// What has happened.
    pub events: CacheEvents,
}

/// What has happened since boot, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CacheEvents {
    /// Pages that were read from where they are kept.
    pub reads: u64,
    /// Of these, pages that nobody had asked for yet.
    pub read_ahead: u64,
    /// Pages that were written there.
    pub writes: u64,
    /// Reads of a page that was in memory.
    pub hits: u64,
    /// Pages that could not be read.
    pub read_errors: u64,
    /// Writes of a page that failed.
    pub write_errors: u64,
    /// Pages that were given up because no write of them succeeded.
    pub lost: u64,
    /// Pages that reclaim looked at.
    pub scanned: u64,
    /// Pages that reclaim began to write.
    pub laundered: u64,
    /// Pages that reclaim freed.
    pub freed: u64,
    /// How often a writer had to write pages back, there were so many dirty ones.
    pub throttled: u64,
}

/// Kinds of mappings.
const KINDS: usize = 4;
/// Kinds whose pages are written back.
const WRITTEN_BACK: [Kind; 2] = [Kind::File, Kind::Device];

/// The counts, as they stand under the index lock.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Pages of each kind.
    pub(crate) pages: [usize; KINDS],
    /// Of these, those in each state.
    pub(crate) states: [[usize; KINDS]; State::COUNT],
    pub(crate) events: CacheEvents,
}

impl Counts {
    fn in_state(&self, state: State, kinds: &[Kind]) -> usize {
        kinds.iter().map(|&kind| self.states[state as usize][kind as usize]).sum()
    }

    /// Dirty pages of files and devices.
    pub(crate) fn dirty(&self) -> usize {
        self.in_state(State::Dirty, &WRITTEN_BACK)
    }

    /// Whether reclaim could write anything.
    pub(crate) fn has_dirty(&self) -> bool {
        self.dirty() + self.in_state(State::Dirty, &[Kind::Swap]) > 0
    }

    /// Pages of files and devices that are dirty or on their way out.
    pub(crate) fn unwritten(&self) -> usize {
        self.dirty() + self.in_state(State::Writeback, &WRITTEN_BACK)
    }

    /// Pages on their way out, of all kinds.
    pub(crate) fn writeback(&self) -> usize {
        self.states[State::Writeback as usize].iter().sum()
    }

    /// Writes that have ended, well or not.
    pub(crate) const fn writes_ended(&self) -> u64 {
        self.events.writes + self.events.write_errors
    }

    /// Pages of files and devices.
    pub(crate) const fn written_back(&self) -> usize {
        self.pages[Kind::File as usize] + self.pages[Kind::Device as usize]
    }

    /// A snapshot.
    pub(crate) fn stats(&self) -> CacheStats {
        let pages = |kind: Kind| self.pages[kind as usize];
        CacheStats {
            buffers: pages(Kind::Device),
            cached: pages(Kind::File) + pages(Kind::Memory),
            swap_cached: pages(Kind::Swap),
            dirty: self.dirty(),
            swap_dirty: self.in_state(State::Dirty, &[Kind::Swap]),
            writeback: self.writeback(),
            events: self.events,
        }
    }
}
