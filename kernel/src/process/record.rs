//! What the kernel knows of a process.
//!
//! Key types: [`Process`]. Its number never changes. Its group and session change only under the table's lock
//! ([`table`](super::table)), and so does its parent; anybody may read them.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use core::time::Duration;

use core::ops::Range;

use kapi::Errno;
use mm::VirtAddr;
use vfs::Credentials;

use super::descriptors::Descriptors;
use super::exit_status::{ChildEvent, Exit};
use super::limits::{Limits, Resource};
use super::pid::Pid;
use super::signal::Signals;
use crate::fs::{OpenFile, Place};
use crate::mm::space::UserSpace;
use crate::sched::task::Name;
use crate::sched::{self, Mutex, Thread, WaitQueue};
use crate::sync::SpinLock;
use crate::time::{self, Ticks};
use crate::user::ThreadSpace;

/// A process, from before it first runs until its parent has waited for it.
pub struct Process {
    pid: Pid,
    parent: AtomicU32,
    group: AtomicU32,
    session: AtomicU32,
    name: SpinLock<Name>,
    credentials: SpinLock<Credentials>,
    life: SpinLock<Life>,
    /// Woken when something became of a child.
    pub(super) children_changed: WaitQueue,
    /// Woken when it has a program of its own, and when it has ended.
    changed: WaitQueue,
    limits: SpinLock<Limits>,
    thread: SpinLock<Option<Thread>>,
    space: ThreadSpace,
    /// Memory that its parent is to go on with.
    lent: SpinLock<Option<UserSpace>>,
    files: Descriptors,
    place: Mutex<Place>,
    program: Mutex<Option<Program>>,
    times: SpinLock<Times>,
    started: Ticks,
    signals: Signals,
    interrupted_sleep: SpinLock<Option<InterruptedSleep>>,
}

/// A sleep that a signal has interrupted: when it was to end, in time since boot, and where the rest of it is written.
pub type InterruptedSleep = (Duration, Option<VirtAddr>);

/// What a process runs.
#[derive(Clone)]
pub struct Program {
    /// Its file.
    pub file: OpenFile,
    /// Where the arguments lie that it was called with, as text.
    pub arguments: Range<VirtAddr>,
}

/// CPU time, in ticks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// Of the process, once it has ended.
    pub own: u64,
    /// Of children that it has waited for, and of theirs.
    pub children: u64,
}

/// How far a process has come.
#[derive(Clone, Copy)]
struct Life {
    ended: Option<Exit>,
    /// What its parent has not asked for yet: that it was stopped, or goes on.
    news: Option<ChildEvent>,
    /// Whether it runs what its parent ran when it was made.
    is_copy: bool,
    /// Whether its parent waits, to go on with this process's memory.
    borrows: bool,
}

/// All that a process begins with.
pub struct Parts {
    /// Its number.
    pub pid: Pid,
    /// Who it belongs to.
    pub kin: Kin,
    /// Its name.
    pub name: Name,
    /// Who it is.
    pub credentials: Credentials,
    /// Its limits.
    pub limits: Limits,
    /// Its memory.
    pub space: UserSpace,
    /// What it has open.
    pub files: Descriptors,
    /// Where it is in the tree of files.
    pub place: Place,
    /// What it runs.
    pub program: Program,
    /// Its signals.
    pub signals: Signals,
    /// How it came by its program.
    pub origin: Origin,
}

/// How a process came by its program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The kernel started it.
    Started,
    /// It is a copy of its parent.
    Forked,
    /// It is a copy of its parent, which does not run until it gets the copy's memory back.
    Borrowed,
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
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { pid, kin, name, credentials, limits, space, files, place, program, signals, origin } = parts;
        Self {
            pid,
            parent: AtomicU32::new(kin.parent.as_u32()),
            group: AtomicU32::new(kin.group.as_u32()),
            session: AtomicU32::new(kin.session.as_u32()),
            name: SpinLock::new(name),
            credentials: SpinLock::new(credentials),
            life: SpinLock::new(Life {
                ended: None,
                news: None,
                is_copy: origin != Origin::Started,
                borrows: origin == Origin::Borrowed,
            }),
            lent: SpinLock::new(None),
            children_changed: WaitQueue::new(),
            changed: WaitQueue::new(),
            limits: SpinLock::new(limits),
            thread: SpinLock::new(None),
            space: ThreadSpace::new(space),
            files,
            place: Mutex::new(place),
            program: Mutex::new(Some(program)),
            times: SpinLock::new(Times::default()),
            started: time::ticks(),
            signals,
            interrupted_sleep: SpinLock::new(None),
        }
    }

    /// Its number.
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// The sleep that a signal interrupted last: when it would have ended, and where to tell what was left.
    pub fn interrupted_sleep(&self) -> Option<InterruptedSleep> {
        self.interrupted_sleep.with(|sleep| *sleep)
    }

    /// Notes that a signal interrupted a sleep.
    pub fn set_interrupted_sleep(&self, end: Duration, rest: Option<VirtAddr>) {
        self.interrupted_sleep.with(|sleep| *sleep = Some((end, rest)));
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

    /// Changes its name, and that of its thread, which is the running one.
    pub fn set_name(&self, new: Name) {
        sched::set_name(new.as_str());
        self.name.with(|name| *name = new);
    }

    /// Who it is. Any context.
    pub fn credentials(&self) -> Credentials {
        self.credentials.with(|credentials| *credentials)
    }

    /// Changes who it is: `change` runs under the lock.
    pub fn with_credentials<R>(&self, change: impl FnOnce(&mut Credentials) -> R) -> R {
        self.credentials.with(change)
    }

    /// Its limits. Any context.
    pub fn limits(&self) -> Limits {
        self.limits.with(|limits| *limits)
    }

    /// Changes its limits: `change` runs under their lock.
    pub fn with_limits<R>(&self, change: impl FnOnce(&mut Limits) -> R) -> R {
        self.limits.with(change)
    }

    /// What is obeyed of a limit. Any context.
    pub fn limit(&self, resource: Resource) -> u64 {
        self.limits.with(|limits| limits.soft(resource))
    }

    /// Its memory.
    pub const fn space(&self) -> &ThreadSpace {
        &self.space
    }

    /// What it has open.
    pub const fn files(&self) -> &Descriptors {
        &self.files
    }

    /// Runs `f` with where it is in the tree of files; `EIO` when a thread died over that.
    pub fn with_place<R>(&self, f: impl FnOnce(&mut Place) -> R) -> Result<R, Errno> {
        Ok(f(&mut *self.place.lock_uninterruptible()?))
    }

    /// Where it is in the tree of files, with its rights.
    pub fn place(&self) -> Result<Place, Errno> {
        Ok(self.with_place(|place| place.clone())?.of(self.credentials()))
    }

    /// What it runs; `ESRCH` once it has ended.
    pub fn program(&self) -> Result<Program, Errno> {
        self.program.lock_uninterruptible()?.clone().ok_or(Errno::ESRCH)
    }

    /// Says what it runs from now on, or that it runs nothing any more; returns what it ran.
    pub(super) fn set_program(&self, program: Option<Program>) -> Result<Option<Program>, Errno> {
        let mut place = self.program.lock_uninterruptible()?;
        Ok(core::mem::replace(&mut *place, program))
    }

    /// Its thread, from before it first runs until it has ended. Any context.
    pub fn thread(&self) -> Option<Thread> {
        self.thread.with(|thread| thread.clone())
    }

    pub(super) fn set_thread(&self, thread: Option<Thread>) {
        let old = self.thread.with(|place| core::mem::replace(place, thread));
        drop(old);
    }

    /// Its signals. Any context.
    pub const fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Has it look at its signals before it is in ring 3 again; what it sleeps for by a signal's leave ends. Any
    /// context.
    pub fn notify(&self) {
        self.thread.with(|thread| {
            if let Some(thread) = thread {
                thread.notify_user();
            }
        });
    }

    /// Whether it runs what its parent ran when it was made. Any context.
    pub fn is_copy(&self) -> bool {
        self.life.with(|life| life.is_copy)
    }

    /// When it began, in ticks since boot.
    pub const fn started(&self) -> Ticks {
        self.started
    }

    /// CPU time. Any context.
    pub fn times(&self) -> Times {
        self.times.with(|times| *times)
    }

    /// Ticks of the clock that found it running, so far. Any context.
    pub fn ticks(&self) -> u64 {
        self.times().own + self.thread.with(|thread| thread.as_ref().map_or(0, Thread::ticks))
    }

    /// Notes more CPU time.
    pub(super) fn add_times(&self, more: Times) {
        self.times.with(|times| {
            times.own += more.own;
            times.children += more.children;
        });
    }

    /// It has a program of its own now.
    pub(super) fn settle(&self) {
        self.life.with(|life| life.is_copy = false);
        self.changed.wake_all();
    }

    /// The process does not need `space` any more: its parent gets it if it waits for that; else it is returned.
    pub(super) fn give_back(&self, space: UserSpace) -> Option<UserSpace> {
        if !self.life.with(|life| core::mem::take(&mut life.borrows)) {
            return Some(space);
        }
        self.lent.with(|lent| lent.replace(space))
    }

    /// The memory that the process has given back; it gives none back any more.
    pub fn take_back(&self) -> Option<UserSpace> {
        self.life.with(|life| life.borrows = false);
        self.lent.with(Option::take)
    }

    /// Sleeps until the process runs another program than its parent did, or has ended; `EINTR` for a signal.
    pub fn wait_settled(&self) -> Result<(), Errno> {
        Ok(self.changed.wait_until_interruptible(|| self.life.with(|life| !life.is_copy || life.ended.is_some()))?)
    }

    /// Sleeps until the process has ended; how. `EINTR` for a signal, or ^C.
    pub fn wait_ended(&self) -> Result<Exit, Errno> {
        self.changed.wait_until_interruptible(|| self.ended().is_some())?;
        self.ended().ok_or(Errno::EINTR)
    }

    /// Sleeps until the process has ended, but not for longer than `limit`, whatever comes; whether it has.
    pub(super) fn wait_ended_for(&self, limit: Duration) -> bool {
        self.changed.wait_timeout(|| self.ended().is_some(), limit) == Ok(true)
    }

    /// It has ended: wakes those who wait for that and have no table's word.
    pub(super) fn wake_ended(&self) {
        self.changed.wake_all();
    }

    /// How it ended, if it has. Any context.
    pub fn ended(&self) -> Option<Exit> {
        self.life.with(|life| life.ended)
    }

    /// Notes what its parent may ask for: that it was stopped, or goes on. The last of these counts. Whoever calls this
    /// tells the parent. Any context.
    pub fn set_news(&self, news: ChildEvent) {
        self.life.with(|life| match news {
            ChildEvent::Ended(exit) => life.ended = life.ended.or(Some(exit)),
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
