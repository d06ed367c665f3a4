//! A disk in memory, as its queue sees it.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use core::time::Duration;

use kapi::block::SECTOR_SIZE;
use kapi::mm::own::KArc;
use kapi::mm::{AllocError, GfpFlags};
use kapi::services::options::Switch;
use kapi::{BlockDriver, BlockRequest, Busy, Completer, Errno, Hardware, SpinLock, Timer};

use super::medium::Medium;
use super::orders::Order;
use super::state::{Started, State, TICK};

/// How a disk in memory behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemDiskSettings {
    /// Sectors that it has.
    pub sectors: u64,
    /// Requests that it works at together.
    pub depth: usize,
    /// Ticks until an answer comes; 0: at once.
    pub latency: u64,
    /// Sectors that its own write cache holds, which is lost with the power; 0: it has none.
    pub cache: usize,
}

/// A disk in memory.
///
/// Its data moves when a request ends: what had not ended when the machine stopped was never written. Dropping it
/// forgets what it works at.
pub struct MemDisk<K: Hardware> {
    settings: MemDiskSettings,
    is_read_only: AtomicBool,
    completer: Completer,
    state: KArc<K::SpinLock<State<K>>, K>,
    timer: K::Timer,
}

/// How long a timer takes so that the time `due` has come then.
fn delay(due: Duration, now: Duration) -> Duration {
    // A timer takes what is left of the current tick besides.
    due.saturating_sub(now).saturating_sub(TICK)
}

/// Ends all requests whose time has come.
fn end_due<K: Hardware>(state: &K::SpinLock<State<K>>, completer: &Completer, timer: &K::Timer) {
    let now = K::uptime();
    while let Some((tag, result)) = state.with(|state| state.end_one(now)) {
        completer.complete(tag, result);
    }
    if let Some(due) = state.with(|state| state.next_due()) {
        timer.start(delay(due, now));
    }
}

impl<K: Hardware> MemDisk<K> {
    /// A disk over `medium`, which has room for its sectors. Process context; may sleep for memory.
    ///
    /// # Errors
    /// No memory.
    pub fn new(medium: Medium<K>, settings: MemDiskSettings, completer: Completer) -> Result<Self, AllocError> {
        let state = State::new(medium, settings.depth, settings.latency, settings.cache)?;
        let state: KArc<K::SpinLock<State<K>>, K> = KArc::new(SpinLock::new(state), GfpFlags::KERNEL)?;
        let (ended, told) = (state.clone(), completer.clone());
        let timer = K::Timer::new(move |timer| end_due::<K>(&ended, &told, timer))?;
        Ok(Self { settings, is_read_only: AtomicBool::new(false), completer, state, timer })
    }

    /// Obeys an order. Any context.
    ///
    /// # Errors
    /// `ENOSPC` when too many faults are planned, `EINVAL` when the medium has no such sectors.
    pub fn obey(&self, order: Order) -> Result<(), Errno> {
        if let Order::ReadOnly(switch) = order {
            self.is_read_only.store(switch == Switch::On, Relaxed);
        }
        self.state.with(|state| state.obey(order))?;
        self.timer.start(Duration::ZERO);
        Ok(())
    }

    /// Sectors written since the last flush, which a loss of power would undo. Any context.
    pub fn unflushed(&self) -> usize {
        self.state.with(|state| state.unflushed())
    }

    /// Copies a sector to `to`, past all requests. Any context.
    ///
    /// # Errors
    /// `EINVAL`: there is no such sector.
    pub fn peek(&self, sector: u64, to: &mut [u8; SECTOR_SIZE]) -> Result<(), Errno> {
        self.state.with(|state| state.peek(sector, to))
    }
}

impl<K: Hardware> BlockDriver for MemDisk<K> {
    fn sectors(&self) -> u64 {
        self.settings.sectors
    }

    fn is_read_only(&self) -> bool {
        self.is_read_only.load(Relaxed)
    }

    fn depth(&self) -> usize {
        self.settings.depth
    }

    fn has_write_cache(&self) -> bool {
        self.settings.cache > 0
    }

    fn start(&self, request: BlockRequest<'_>) -> Result<(), Busy> {
        let (tag, now) = (request.tag, K::uptime());
        match self.state.with(|state| state.start(request, now)) {
            Started::Busy => return Err(Busy),
            Started::Ended(result) => self.completer.complete(tag, result),
            Started::At(Some(due)) => self.timer.start(delay(due, now)),
            Started::At(None) => {}
        }
        Ok(())
    }

    fn abort(&self, tag: u16) {
        self.state.with(|state| state.forget(tag));
    }

    fn control(&self, line: &str) -> Result<(), Errno> {
        self.obey(Order::parse(line).ok_or(Errno::EINVAL)?)
    }

    fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if self.is_read_only() {
            writeln!(out, "  read-only")?;
        }
        let picture = self.state.with(|state| state.picture());
        write!(out, "{picture}")
    }
}
