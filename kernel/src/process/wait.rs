//! A parent learns what became of its children.

use alloc::sync::Arc;

use bitflags::bitflags;
use kapi::Errno;

use super::exit_status::ChildEvent;
use super::pid::Pid;
use super::record::{Process, Times};
use super::table::{self, Table};

/// Which children a parent asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Children {
    /// Any.
    Any,
    /// This one.
    One(Pid),
    /// Those of this group.
    Group(Pid),
}

bitflags! {
    /// How a parent asks.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct WaitOptions: u32 {
        /// Nobody sleeps.
        const NO_HANG = 1;
        /// Children that were stopped count.
        const STOPPED = 2;
        /// Children that go on count.
        const CONTINUED = 8;
    }
}

/// What wait found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// The child.
    pub pid: Pid,
    /// What became of it.
    pub event: ChildEvent,
    /// CPU time of it and of the children that it waited for, in ticks; 0 while it lives.
    pub ticks: u64,
}

/// The next child of `parent` that something became of; one that has ended is gone after this. Sleeps until there is
/// one. `ECHILD` when no child fits, `EINTR` for a signal; `None` when nothing became of those that there are, with
/// [`NO_HANG`](WaitOptions::NO_HANG).
pub fn wait(parent: &Process, which: Children, options: WaitOptions) -> Result<Option<Found>, Errno> {
    let mut found = look(parent.pid(), which, options);
    if matches!(found, Ok(None)) && !options.contains(WaitOptions::NO_HANG) {
        parent.children_changed.wait_until_interruptible(|| {
            // Asked again after a yes, it must not take another child.
            if matches!(found, Ok(None)) {
                found = look(parent.pid(), which, options);
            }
            !matches!(found, Ok(None))
        })?;
    }
    let Some((child, event)) = found? else { return Ok(None) };
    let Times { own, children } = child.times();
    let ticks = own + children;
    if let ChildEvent::Ended(_) = event {
        parent.add_times(Times { own: 0, children: ticks });
    }
    Ok(Some(Found { pid: child.pid(), event, ticks }))
}

/// A child that fits, and what became of it: taken, so that it is told once. Under no lock that may be held where the
/// last reference to a process goes: the caller drops it.
fn look(parent: Pid, which: Children, options: WaitOptions) -> Result<Option<(Arc<Process>, ChildEvent)>, Errno> {
    table::with(|table| {
        let mut has_children = false;
        let found = children(table, parent, which).find_map(|child| {
            has_children = true;
            child.news(|event| options.asks_for(event)).map(|event| (Arc::clone(child), event))
        });
        match found {
            Some((child, ChildEvent::Ended(exit))) => {
                // The clone above keeps it until the lock is given back.
                drop(table.remove(child.pid()));
                Ok(Some((child, ChildEvent::Ended(exit))))
            }
            Some((child, event)) => {
                child.forget_news();
                Ok(Some((child, event)))
            }
            None if has_children => Ok(None),
            None => Err(Errno::ECHILD),
        }
    })
}

fn children(table: &Table, parent: Pid, which: Children) -> impl Iterator<Item = &Arc<Process>> {
    table.iter().filter(move |child| child.parent() == parent && which.has(child))
}

impl Children {
    fn has(self, child: &Process) -> bool {
        match self {
            Self::Any => true,
            Self::One(pid) => child.pid() == pid,
            Self::Group(group) => child.group() == group,
        }
    }
}

impl WaitOptions {
    fn asks_for(self, event: ChildEvent) -> bool {
        match event {
            ChildEvent::Ended(_) => true,
            ChildEvent::Stopped(_) => self.contains(Self::STOPPED),
            ChildEvent::Continued => self.contains(Self::CONTINUED),
        }
    }
}
