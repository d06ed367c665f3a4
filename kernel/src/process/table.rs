//! The table of all processes, by number.
//!
//! Key functions: [`find`], [`each`], [`with`]. The table is a row of places, sorted by number, without gaps. Numbers
//! rise, so a new process nearly always goes to the end. Its lock is a spinlock: nothing is allocated, freed or waited
//! for under it.

use alloc::sync::Arc;

use kapi::Errno;
use signals::SignalState;

use super::pid::Pid;
use super::record::Process;
use crate::sched;
use crate::sync::SpinLock;

/// Most processes at a time.
pub const MAX_PROCESSES: usize = 1024;

/// All processes, for whoever holds the table's lock.
pub struct Table {
    /// The first `count` are taken.
    places: [Option<Arc<Process>>; MAX_PROCESSES],
    count: usize,
    init: Option<Pid>,
}

static TABLE: SpinLock<Table> = SpinLock::new(Table { places: [const { None }; MAX_PROCESSES], count: 0, init: None });

/// Runs `f` under the table's lock: nothing in it may sleep, allocate or let go of the last reference to a process.
pub fn with<R>(f: impl FnOnce(&mut Table) -> R) -> R {
    TABLE.with(f)
}

/// The process with number `pid`, if there is one; it may have ended. Any context but under the table's lock.
pub fn find(pid: Pid) -> Option<Arc<Process>> {
    with(|table| table.get(pid).cloned())
}

/// The process of the running thread; `None` for a kernel thread. [`with_current`] is cheaper.
pub fn current() -> Option<Arc<Process>> {
    find(Pid::of_thread(sched::current().id()))
}

/// Runs `f` with the process of the running thread; `None` for a kernel thread.
#[inline]
pub fn with_current<R>(f: impl FnOnce(&Process) -> R) -> Option<R> {
    sched::user::with_owner(f)
}

/// Calls `visit` for each process, by rising number, without the table's lock. Processes that come or go meanwhile may
/// be missed.
pub fn each(mut visit: impl FnMut(&Process)) {
    let mut from = Pid::NONE;
    while let Some(process) = with(|table| table.first_after(from).cloned()) {
        from = process.pid();
        visit(&process);
    }
}

impl Table {
    /// All processes, by rising number.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.places[..self.count].iter().flatten()
    }

    /// The process with number `pid`.
    pub fn get(&self, pid: Pid) -> Option<&Arc<Process>> {
        self.places[self.search(pid).ok()?].as_ref()
    }

    /// The process that gets the children of those that end.
    pub const fn init(&self) -> Option<Pid> {
        self.init
    }

    /// Makes `pid` the process that gets the children of those that end.
    pub fn set_init(&mut self, pid: Pid) {
        self.init = Some(pid);
        if let Some(init) = self.get(pid) {
            init.signals().with(SignalState::protect);
        }
    }

    /// The process `pid` ends: if it was init, there is none any more.
    pub(super) fn forget_init(&mut self, pid: Pid) {
        self.init = self.init.filter(|init| *init != pid);
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes in `process`; `EAGAIN` when the table is full.
    pub(super) fn admit(&mut self, process: &Arc<Process>) -> Result<(), Errno> {
        if self.count == MAX_PROCESSES {
            return Err(Errno::EAGAIN);
        }
        let place = self.search(process.pid()).unwrap_or_else(|place| place);
        self.places[place..=self.count].rotate_right(1);
        self.places[place] = Some(Arc::clone(process));
        self.count += 1;
        Ok(())
    }

    /// Takes the process with number `pid` out. The caller drops it when it has given the lock back.
    pub(super) fn remove(&mut self, pid: Pid) -> Option<Arc<Process>> {
        let place = self.search(pid).ok()?;
        let process = self.places[place].take();
        self.places[place..self.count].rotate_left(1);
        self.count -= 1;
        process
    }

    fn first_after(&self, pid: Pid) -> Option<&Arc<Process>> {
        let place = self.search(pid).map_or_else(|place| place, |place| place + 1);
        self.places[..self.count].get(place)?.as_ref()
    }

    /// The place of the process, or the one where it would be.
    fn search(&self, pid: Pid) -> Result<usize, usize> {
        self.places[..self.count].binary_search_by_key(&Some(pid), |place| place.as_ref().map(|process| process.pid()))
    }
}
