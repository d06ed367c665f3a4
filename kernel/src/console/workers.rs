//! The threads that commands run on.
//!
//! They are started when the console is, with their stacks and their places for a command, and wait for work: a command
//! can thus be run when no memory is left. A pipeline longer than that starts more threads, as far as there is memory.
//!
//! A place goes from idle to claimed (its files are being prepared), assigned, running, finished, and back to idle.
//! One that nobody waits for skips finished. Each place has a lock of its own, the only one held here at any time.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mm::AllocError;
use shell::editor::LINE;
use shell::text::Text;
use shell::{Env, Status};

use super::pipeline::Back;
use super::process::{Process, Streams};
use crate::sched::{self, Thread};
use crate::sync::{SpinLock, WaitQueue};

/// Places for commands: the most that can run at a time.
const PLACES: usize = 24;
/// Threads that are started with the console.
const STARTED: usize = 8;

/// What a thread of the crew is to do.
pub enum Work {
    /// Run one command, with these standard streams.
    Command(Streams),
    /// Run an and-or list: be a shell of its own.
    List,
}

/// Who waits for the work to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attendance {
    /// The shell: ^C is for this command.
    Foreground,
    /// Another thread of the crew, which runs a list in the background.
    Background,
    /// Nobody.
    Detached,
}

enum State {
    Idle,
    Claimed,
    Assigned(Work),
    Running,
    Finished(Status),
}

struct Place {
    state: State,
    attendance: Attendance,
    text: Text<LINE>,
    last: Status,
    /// The thread that works here, once there is one.
    thread: Option<Thread>,
}

struct Slot {
    place: SpinLock<Place>,
    /// Woken when there is work, and when it is done.
    changed: WaitQueue,
}

static CREW: [Slot; PLACES] = [const {
    let (state, attendance, text) = (State::Idle, Attendance::Detached, Text::new());
    let place = Place { state, attendance, text, last: Status::OK, thread: None };
    Slot { place: SpinLock::new(place), changed: WaitQueue::new() }
}; PLACES];

/// Commands that places were claimed for, ever.
static CLAIMS: AtomicU64 = AtomicU64::new(0);

/// Knows whether a command has been the only one all the time.
pub struct Alone(Option<u64>);

impl Alone {
    /// From now on. Called by a command.
    pub fn since_now() -> Self {
        let claims = CLAIMS.load(Relaxed);
        let is_busy = |slot: &&Slot| slot.place.with(|place| !matches!(place.state, State::Idle | State::Finished(_)));
        Self((CREW.iter().filter(is_busy).count() <= 1).then_some(claims))
    }

    /// Whether no other command has run since.
    pub fn holds(&self) -> bool {
        self.0 == Some(CLAIMS.load(Relaxed))
    }
}

/// Starts the first threads.
pub fn start() -> Result<(), AllocError> {
    CREW.iter().take(STARTED).enumerate().try_for_each(|(index, slot)| slot.start_thread(index))
}

/// A place that was claimed for a command. Dropping it without assigning work gives it back.
pub struct Claim(usize);

/// Work that was assigned, to be waited for.
#[must_use = "a place whose end nobody takes note of stays taken"]
pub struct Running(usize);

/// Claims a place, and starts a thread for it if it has none yet. `None` when all are taken or no thread can be started.
pub fn claim() -> Option<Claim> {
    for (index, slot) in CREW.iter().enumerate() {
        let claimed = slot.place.with(|place| {
            let idle = matches!(place.state, State::Idle);
            if idle {
                place.state = State::Claimed;
            }
            idle.then_some(place.thread.is_some())
        });
        let Some(has_thread) = claimed else { continue };
        CLAIMS.fetch_add(1, Relaxed);
        let claim = Claim(index);
        return (has_thread || slot.start_thread(index).is_ok()).then_some(claim);
    }
    None
}

impl Claim {
    /// Has the place's thread do `work` on the command or list `text`. `last` is what `$?` means in it.
    pub fn assign(self, text: &str, last: Status, work: Work, attendance: Attendance) -> Running {
        let slot = &CREW[self.0];
        slot.place.with(|place| {
            place.text.set(text.as_bytes());
            place.last = last;
            place.attendance = attendance;
            place.state = State::Assigned(work);
        });
        slot.changed.wake_all();
        let index = self.0;
        core::mem::forget(self);
        Running(index)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CREW[self.0].place.with(|place| place.state = State::Idle);
    }
}

impl Running {
    /// Sleeps until the work is done; its status.
    pub fn wait(self) -> Status {
        let slot = &CREW[self.0];
        let finished = || slot.place.with(|place| matches!(place.state, State::Finished(_)));
        if slot.changed.wait_until(finished).is_err() {
            // Where nobody may sleep no shell runs either.
            return Status::CANNOT_RUN;
        }
        slot.place.with(|place| match core::mem::replace(&mut place.state, State::Idle) {
            State::Finished(status) => status,
            _ => Status::CANNOT_RUN,
        })
    }

    /// Leaves detached work to itself.
    pub fn leave(self) {}
}

/// Interrupts the commands that the shell waits for, and says whether there were any. Any context.
pub fn interrupt_foreground() -> bool {
    CREW.iter().fold(false, |any, slot| {
        any | slot.place.with(|place| {
            let at_work = matches!(place.state, State::Assigned(_) | State::Running);
            let meant = at_work && place.attendance == Attendance::Foreground;
            if let Some(thread) = place.thread.as_ref().filter(|_| meant) {
                thread.interrupt();
            }
            meant
        })
    })
}

/// The command that the thread with number `id` runs, for ps.
pub fn command_of(id: u32) -> Option<Text<LINE>> {
    CREW.iter().find_map(|slot| {
        slot.place.with(|place| {
            let works = matches!(place.state, State::Running) && place.thread.as_ref().is_some_and(|t| t.id() == id);
            works.then(|| place.text.clone())
        })
    })
}

impl Slot {
    fn start_thread(&'static self, index: usize) -> Result<(), AllocError> {
        let mut name = Text::<8>::new();
        // "sh/" and two digits fit.
        let _ = core::fmt::Write::write_fmt(&mut name, format_args!("sh/{index}"));
        let thread = sched::spawn(name.as_str(), move || self.work_for_ever())?;
        self.place.with(|place| place.thread = Some(thread));
        Ok(())
    }

    fn work_for_ever(&self) -> i32 {
        let mut text = Text::<LINE>::new();
        loop {
            let assigned = || self.place.with(|place| matches!(place.state, State::Assigned(_)));
            if self.changed.wait_until(assigned).is_err() {
                return 1;
            }
            if let Some((work, last)) = self.take_work(&mut text) {
                let status = do_work(work, text.as_str(), last);
                self.finish(status);
            }
        }
    }

    /// The work that was assigned, if any was.
    fn take_work(&self, text: &mut Text<LINE>) -> Option<(Work, Status)> {
        self.place.with(|place| {
            if !matches!(place.state, State::Assigned(_)) {
                return None;
            }
            text.set(place.text.as_bytes());
            match core::mem::replace(&mut place.state, State::Running) {
                State::Assigned(work) => Some((work, place.last)),
                _ => None,
            }
        })
    }

    fn finish(&self, status: Status) {
        self.place.with(|place| {
            // Under the lock, so that a ^C meant for this command does not reach the next.
            sched::clear_interrupt();
            place.state = match place.attendance {
                Attendance::Detached => State::Idle,
                Attendance::Foreground | Attendance::Background => State::Finished(status),
            };
        });
        self.changed.wake_all();
    }
}

/// Does the work in the current thread. All files that came with it are closed when this returns.
fn do_work(work: Work, text: &str, last: Status) -> Status {
    match work {
        Work::Command(streams) => {
            let mut process = Process::new(streams);
            let status = shell::run_command(&mut process, text, last);
            if process.interrupted() { Status::INTERRUPTED } else { status }
        }
        Work::List => shell::exec::run_list(&mut Back, text, last),
    }
}
