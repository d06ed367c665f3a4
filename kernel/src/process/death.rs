//! A process ends.
//!
//! What it has open is closed first, then its memory goes; after that its parent is told. A process whose thread died
//! in the kernel ends the same way, by what is left of that thread.

use alloc::sync::Arc;
use core::fmt;

use super::deliver;
use super::exit_status::{ChildEvent, Exit};
use super::pid::Pid;
use super::record::{Process, Times};
use super::table::{self, Table};
use crate::sched::user::with_owner;
use crate::sched::{self, FramesGone, Heir};

/// The signal that a process ends by whose thread died in the kernel: SIGSEGV, as on Linux.
const OOPS: Exit = Exit::Signal(11);

/// Settles what the thread of a process leaves behind that died in the kernel.
pub static HEIR: ProcessHeir = ProcessHeir;

/// See [`HEIR`].
pub struct ProcessHeir;

/// Ends the running thread's process. What the frames of its stack own is not dropped: they may only borrow. Process
/// context; may sleep.
pub fn exit(process: &Process, exit: Exit) -> ! {
    // What was wanted of it is void, and its files may have to wait while they are closed.
    sched::user::take_work();
    sched::clear_interrupt();
    close(process);
    finish(process, exit);
    sched::exit(exit.shell_status())
}

/// Closes the files of a process that ends.
fn close(process: &Process) {
    // Broken by this very thread: the files are lost, and so is its table.
    let _: Result<(), _> = process.files().close_all();
    drop(process.set_program(None));
}

/// Gives back the memory of a process, and tells those who want to know.
fn finish(process: &Process, exit: Exit) {
    // Of a space that the thread died over nothing comes back.
    let space = process.space().remove().ok().flatten();
    drop(space.and_then(|space| process.give_back(space)));
    let thread = sched::current();
    process.add_times(Times { own: thread.ticks(), children: 0 });
    process.set_thread(None);
    deliver::leave(process);
    drop(settle(process, exit));
    process.wake_ended();
    deliver::tell_parent(process, ChildEvent::Ended(exit));
}

/// Makes the process one that has ended: its children get another parent, and it is gone from the table if nobody will
/// ask for it; the caller lets go of it then.
fn settle(process: &Process, exit: Exit) -> Option<Arc<Process>> {
    let wants_zombie = table::find(process.parent()).is_some_and(|parent| deliver::wants_zombie(&parent));
    let kept = table::with(|table| {
        process.set_news(ChildEvent::Ended(exit));
        give_away_children(table, process.pid());
        table.forget_init(process.pid());
        if wants_zombie { None } else { table.remove(process.pid()) }
    });
    while let Some(orphan) = table::with(remove_one_orphan) {
        drop(orphan);
    }
    if let Some(init) = table::with(|table| table.init()).and_then(table::find) {
        // It may have got some that have ended.
        init.children_changed.wake_all();
    }
    kept
}

/// The children of `parent` become init's, or nobody's.
fn give_away_children(table: &Table, parent: Pid) {
    let init = table.init().filter(|init| *init != parent).unwrap_or(Pid::NONE);
    for child in table.iter().filter(|child| child.parent() == parent) {
        child.set_parent(init);
    }
}

/// Takes out one process that has ended and that nobody will ask for.
fn remove_one_orphan(table: &mut Table) -> Option<Arc<Process>> {
    let is_orphan = |process: &&Arc<Process>| process.parent() == Pid::NONE && process.ended().is_some();
    let pid = table.iter().find(is_orphan)?.pid();
    table.remove(pid)
}

impl Heir for ProcessHeir {
    fn write_work(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_owner(|process: &Process| write!(out, "{}[{}]", process.name(), process.pid())).unwrap_or(Ok(()))
    }

    fn close(&self, _: &FramesGone) {
        with_owner(close);
    }

    fn settle(&self, _: i32) {
        with_owner(|process: &Process| finish(process, OOPS));
    }
}
