//! Memory is out: the process that has most of it is ended, one at a time.
//!
//! A request comes here when reclaim has failed for it as often as it may try ([`mm::Platform::out_of_memory`]), and
//! swap has no room for what fills memory. The victim gets SIGKILL; whoever asks meanwhile sleeps until it is gone. The
//! caller may hold sleeping locks, its own space's among them, and the victim may want those: so nobody sleeps here for
//! longer than [`PATIENCE`], and what is known of the spaces is read without their locks.
//!
//! A process is to blame if a good part of all memory would come back with it. When a program needs a page to go on,
//! somebody has to end: it then is the worst of all. Init, and the kernel's threads, are never to blame.

use alloc::sync::Arc;
use core::time::Duration;

use mm::pages::PageEvent;
use mm::{LastResort, Shrinker, Tag};
use services::badness::badness;
use signals::{Info, Signal};

use super::deliver;
use super::pid::Pid;
use super::record::Process;
use super::table::{self, Table, with_current};
use crate::klog;
use crate::mm::page_cache::page_cache;
use crate::mm::swap::swap;
use crate::mm::{memory, oom};
use crate::sync::SpinLock;
use crate::time::{self, HZ, Ticks};

/// How long a request waits for the victim to be gone.
const PATIENCE: Duration = Duration::from_secs(1);
/// Ticks after which another one is chosen though the last victim is still there.
const GIVEN_UP: u64 = 5 * HZ as u64;
/// A process that has this part of the memory is to blame for whatever cannot be had.
const BLAMED_PART: usize = 8;

/// Who was chosen last, and when.
#[derive(Clone, Copy)]
struct Victim {
    pid: Pid,
    chosen: Ticks,
}

static VICTIM: SpinLock<Option<Victim>> = SpinLock::new(None);

/// What is there to be done about a shortage.
enum Choice {
    /// This process is to end.
    New(Arc<Process>),
    /// It was chosen before.
    Awaited(Arc<Process>),
}

struct OfProcesses;

/// Has the allocators ask here.
pub fn init() {
    oom::set_killer(&OfProcesses);
}

impl oom::Killer for OfProcesses {
    fn free_swap(&self) -> Option<usize> {
        let totals = swap().totals();
        (totals.slots > 0).then_some(totals.free)
    }

    fn written(&self) -> u64 {
        let events = memory().pages().events();
        events.pages_out + events.swapped_out
    }

    fn is_writing(&self) -> bool {
        page_cache().pending() > 0
    }

    fn is_ending(&self) -> bool {
        with_current(is_killed) == Some(true)
    }

    fn out_of_memory(&self, tag: Tag) -> LastResort {
        let victim = match choose(fewest_pages(tag)) {
            None => return LastResort::Refuse,
            Some(Choice::Awaited(victim)) => victim,
            Some(Choice::New(victim)) => {
                kill(&victim);
                victim
            }
        };
        if with_current(Process::pid) == Some(victim.pid()) {
            return LastResort::UseReserve;
        }
        if victim.wait_ended_for(PATIENCE) { LastResort::TryAgain } else { LastResort::Refuse }
    }
}

/// The victim, which is there for a while from here on.
fn choose(fewest: usize) -> Option<Choice> {
    VICTIM.with(|place| {
        let victim = place.filter(Victim::is_awaited).and_then(|victim| table::find(victim.pid));
        if let Some(process) = victim {
            return Some(Choice::Awaited(process));
        }
        let process = table::with(|table| worst(table, fewest, place.map(|victim| victim.pid)))?;
        *place = Some(Victim { pid: process.pid(), chosen: time::ticks() });
        Some(Choice::New(process))
    })
}

impl Victim {
    /// Whether it is about to end.
    fn is_awaited(&self) -> bool {
        let is_there = |table: &mut Table| table.get(self.pid).is_some_and(|process| process.ended().is_none());
        time::ticks().0 - self.chosen.0 < GIVEN_UP && table::with(is_there)
    }
}

fn is_killed(process: &Process) -> bool {
    process.signals().with(|state| state.is_killed())
}

fn kill(victim: &Process) {
    memory().pages().count_pages(PageEvent::OomKill, 1);
    klog!("Out of Memory: Killed process {} ({}).", victim.pid(), victim.name());
    // A standard signal always has a place.
    let _: Result<(), _> = deliver::send(victim, Info::kernel(Signal::KILL));
}

/// Pages that a process must have, in memory or in swap, to be to blame for a request that is made for `tag`.
fn fewest_pages(tag: Tag) -> usize {
    let is_for_program = tag == Tag::Anonymous && with_current(|_| ()).is_some();
    if is_for_program { 1 } else { memory().pages().managed_pages() / BLAMED_PART }
}

/// The worst process of those that have `fewest` pages or more and may be ended; `last` was chosen in vain.
fn worst(table: &Table, fewest: usize, last: Option<Pid>) -> Option<Arc<Process>> {
    let is_spared = |pid: Pid| table.init() == Some(pid) || last == Some(pid);
    let is_to_blame = |process: &&Arc<Process>| {
        process.space().size().held >= fewest && !is_spared(process.pid()) && !is_killed(process)
    };
    table.iter().filter(is_to_blame).max_by_key(|process| points(process)).cloned()
}

fn points(process: &Process) -> u64 {
    let age = time::ticks().0.saturating_sub(process.started().0);
    badness(process.space().size().total as u64, process.ticks() / u64::from(HZ), age / u64::from(HZ))
}
