//! What the kernel knows of a process.
//!
//! Key types: [`Process`]. Its number never changes. Its group and session change only under the table's lock
//! ([`table`](super::table)), and so does its parent; anybody may read them.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::exit_status::{ChildEvent, Exit};
use super::limits::Limits;
use super::pid::Pid;
use crate::sched::WaitQueue;
use crate::sched::task::Name;
use crate::sync::SpinLock;

/// A process, from before it first runs until its parent has waited for it.
pub struct Process {
    pid: Pid,
    parent: AtomicU32,
    group: AtomicU32,
    session: AtomicU32,
    name: SpinLock<Name>,
    life: SpinLock<Life>,
    /// Woken when something became of a child.
    pub(super) children_changed: WaitQueue,
    limits: SpinLock<Limits>,
}

/// How far a process has come.
#[derive(Clone, Copy)]
struct Life {
    ended: Option<Exit>,
    /// What its parent has not asked for yet: that it was stopped, or goes on.
    news: Option<ChildEvent>,
}

/// Who a new process belongs to.
#[derive(Clone, Copy)]
pub struct Kin {
    /// Its parent.
    pub parent: Pid,
    /// Its group of processes.
    pub group: Pid,
    /// Its session.
    pub session: Pid,
}

impl Process {
    /// A process that does not run yet and that no table has.
    pub fn new(pid: Pid, kin: Kin, name: Name, limits: Limits) -> Self {
        Self {
            pid,
            parent: AtomicU32::new(kin.parent.as_u32()),
            group: AtomicU32::new(kin.group.as_u32()),
            session: AtomicU32::new(kin.session.as_u32()),
            name: SpinLock::new(name),
            life: SpinLock::new(Life { ended: None, news: None }),
            children_changed: WaitQueue::new(),
            limits: SpinLock::new(limits),
        }
    }

    /// Its number.
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Its parent, or [`Pid::NONE`].
    pub fn parent(&self) -> Pid {
        Pid::of_thread(self.parent.load(Relaxed))
    }

    /// Gives it another parent. Under the table's lock: [`table::with`](super::table::with).
    pub fn set_parent(&self, parent: Pid) {
        self.parent.store(parent.as_u32(), Relaxed);
    }

    /// Its group of processes.
    pub fn group(&self) -> Pid {
        Pid::of_thread(self.group.load(Relaxed))
    }

    /// Moves it to another group. Under the table's lock: [`table::with`](super::table::with).
    pub fn set_group(&self, group: Pid) {
        self.group.store(group.as_u32(), Relaxed);
    }

    /// Its session.
    pub fn session(&self) -> Pid {
        Pid::of_thread(self.session.load(Relaxed))
    }

    /// Moves it to another session. Under the table's lock: [`table::with`](super::table::with).
    pub fn set_session(&self, session: Pid) {
        self.session.store(session.as_u32(), Relaxed);
    }

    /// The name that ps shows: of its program, unless it has changed it. Any context.
    pub fn name(&self) -> Name {
        self.name.with(|name| *name)
    }

    /// Changes its name.
    pub fn set_name(&self, new: Name) {
        self.name.with(|name| *name = new);
    }

    /// Its limits. Any context.
    pub fn limits(&self) -> Limits {
        self.limits.with(|limits| *limits)
    }

    /// Changes its limits: `change` runs under their lock.
    pub fn with_limits<R>(&self, change: impl FnOnce(&mut Limits) -> R) -> R {
        self.limits.with(change)
    }

    /// How it ended, if it has. Any context.
    pub fn ended(&self) -> Option<Exit> {
        self.life.with(|life| life.ended)
    }

    /// Notes what its parent may ask for: that it was stopped, or goes on. The last of these counts. Whoever calls this
    /// tells the parent. Any context.
    pub fn set_news(&self, news: ChildEvent) {
        self.life.with(|life| match news {
            ChildEvent::Ended(exit) => life.ended = Some(exit),
            other => life.news = Some(other),
        });
    }

    /// What has become of it that its parent has not asked for yet, if `is_wanted` says so of it.
    pub(super) fn news(&self, is_wanted: impl Fn(ChildEvent) -> bool) -> Option<ChildEvent> {
        let life = self.life.with(|life| *life);
        life.ended.map(ChildEvent::Ended).or(life.news).filter(|news| is_wanted(*news))
    }

    /// The parent has asked: no news but the end is told twice.
    pub(super) fn forget_news(&self) {
        self.life.with(|life| life.news = None);
    }
}
