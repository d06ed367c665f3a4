//! What /proc tells of a process, or of a thread of the kernel.
//!
//! Key types: [`Subject`]. The formats are those of [`abi::proc_text`]. Everything here may sleep: it looks into the
//! address space of a process, for which it waits.

use alloc::sync::Arc;
use core::fmt::{self, Write};

use abi::proc_text::{AreaFacts, MemoryFacts, ProcessFacts, State};
use mm::PAGE_SIZE;
use vfs::Ids;

use super::pid::Pid;
use super::record::Process;
use super::table;
use crate::mm::space::{AreaInfo, Mapped, Protection, Role, Sharing, UserSpace};
use crate::sched::task::ThreadState;
use crate::sched::{self, ThreadInfo};
use crate::tty::job_control;

/// The terminal as a device number: major 4, minor 64 (ttyS0).
const TERMINAL: u32 = 4 << 8 | 64;
/// Bytes of arguments that are copied at a time.
const PIECE: usize = 256;

/// Somebody with a number.
#[derive(Clone)]
pub enum Subject {
    /// A process.
    Process(Arc<Process>),
    /// A thread of the kernel.
    Thread(u32),
}

impl Subject {
    /// Who has this number.
    pub fn find(pid: Pid) -> Option<Self> {
        if let Some(process) = table::find(pid) {
            return Some(Self::Process(process));
        }
        let id = pid.as_u32();
        sched::first_from(id).filter(|thread| thread.id == id).map(|thread| Self::Thread(thread.id))
    }

    /// The lowest number in use that is `from` or more.
    pub fn next_number(from: Pid) -> Option<Pid> {
        let process = table::with(|table| table.iter().map(|process| process.pid()).find(|pid| *pid >= from));
        // Number 0 is the idle thread's.
        let thread = sched::first_from(from.as_u32().max(1)).map(|thread| Pid::of_thread(thread.id));
        process.into_iter().chain(thread).min()
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        match self {
            Self::Process(process) => process.pid(),
            Self::Thread(id) => Pid::of_thread(*id),
        }
    }

    /// Whose it is: its user and group.
    pub fn owner(&self) -> (u32, u32) {
        match self {
            Self::Process(process) => {
                let who = process.credentials();
                (who.user.effective, who.group.effective)
            }
            Self::Thread(_) => (0, 0),
        }
    }

    /// The line of `stat`.
    pub fn write_stat(&self, out: &mut dyn Write) -> fmt::Result {
        self.with_facts(|facts| facts.write_stat(out))
    }

    /// The line of `statm`.
    pub fn write_statm(&self, out: &mut dyn Write) -> fmt::Result {
        self.with_facts(|facts| facts.write_statm(out))
    }

    /// `status`.
    pub fn write_status(&self, out: &mut dyn Write) -> fmt::Result {
        self.with_facts(|facts| facts.write_status(out))
    }

    /// The name alone.
    pub fn write_name(&self, out: &mut dyn Write) -> fmt::Result {
        self.with_facts(|facts| writeln!(out, "{}", facts.name))
    }

    /// What it was called with, each argument with a zero behind it, as it is in its memory now.
    pub fn write_arguments(&self, out: &mut dyn Write) -> fmt::Result {
        let Self::Process(process) = self else { return Ok(()) };
        let Ok(program) = process.program() else { return Ok(()) };
        let (mut at, end) = (program.arguments.start, program.arguments.end);
        while at < end {
            let mut bytes = [0; PIECE];
            let piece = &mut bytes[..PIECE.min(end.as_usize() - at.as_usize())];
            // A program may have unmapped them.
            let Ok(Ok(())) = process.space().with(|space| space.copy_out(at, piece)) else { break };
            write_lossy(piece, out)?;
            at = at.add(piece.len());
        }
        Ok(())
    }

    /// A line for each area of its memory.
    pub fn write_areas(&self, out: &mut dyn Write) -> fmt::Result {
        let Self::Process(process) = self else { return Ok(()) };
        let written = process.space().with(|space| space.areas().try_for_each(|area| write_area(&area, out)));
        written.unwrap_or(Ok(()))
    }

    fn with_facts<R>(&self, f: impl FnOnce(ProcessFacts<'_>) -> R) -> R {
        match self {
            Self::Process(process) => of_process(process, f),
            Self::Thread(id) => of_thread(*id, f),
        }
    }
}

fn of_process<R>(process: &Process, f: impl FnOnce(ProcessFacts<'_>) -> R) -> R {
    let (name, thread, times) = (process.name(), process.thread(), process.times());
    let who = process.credentials();
    let numbers = |ids: Ids| [ids.real, ids.effective, ids.saved];
    let is_at_terminal = job_control::session().is_some_and(|session| session.0 == process.session().as_u32());
    let foreground = job_control::foreground().filter(|_| is_at_terminal);
    f(ProcessFacts {
        pid: process.pid().as_u32(),
        name: name.as_str(),
        state: match (process.ended(), process.signals().stopped_by(), &thread) {
            (Some(_), ..) => State::Zombie,
            (_, Some(_), _) => State::Stopped,
            (_, _, Some(thread)) => state(thread.state()),
            (_, _, None) => State::Running,
        },
        parent: process.parent().as_u32(),
        group: process.group().as_u32(),
        session: process.session().as_u32(),
        terminal: if is_at_terminal { TERMINAL } else { 0 },
        foreground: foreground.and_then(|group| i32::try_from(group.0).ok()).unwrap_or(-1),
        ticks: process.ticks(),
        child_ticks: times.children,
        started: process.started().0,
        users: numbers(who.user),
        groups: numbers(who.group),
        memory: process.space().with(|space| memory(space)).unwrap_or_default(),
    })
}

fn of_thread<R>(id: u32, f: impl FnOnce(ProcessFacts<'_>) -> R) -> R {
    let alive: Option<ThreadInfo> = sched::first_from(id).filter(|thread| thread.id == id);
    f(ProcessFacts {
        pid: id,
        name: alive.as_ref().map_or("", |thread| thread.name.as_str()),
        state: alive.as_ref().map_or(State::Zombie, |thread| state(thread.state)),
        foreground: -1,
        ticks: alive.as_ref().map_or(0, |thread| thread.ticks),
        ..ProcessFacts::default()
    })
}

const fn state(of: ThreadState) -> State {
    match of {
        ThreadState::Runnable => State::Running,
        ThreadState::Sleeping => State::Waiting,
        ThreadState::Interruptible => State::Sleeping,
        ThreadState::Dead => State::Zombie,
    }
}

fn memory(space: &UserSpace) -> MemoryFacts {
    let usage = space.usage();
    MemoryFacts {
        total: usage.total,
        resident: usage.resident,
        shared: usage.file,
        tables: usage.tables,
        swapped: usage.swapped,
    }
}

fn write_area(area: &AreaInfo<'_, Mapped>, out: &mut dyn Write) -> fmt::Result {
    let rights = [Protection::READ, Protection::WRITE, Protection::EXEC].map(|right| area.protection.contains(right));
    let facts = AreaFacts {
        range: (area.start.as_usize(), area.end.as_usize()),
        rights,
        is_shared: area.sharing == Sharing::Shared,
        offset: area.object.map_or(0, |(_, page)| page * PAGE_SIZE as u64),
        id: area.object.map_or((0, 0), |(object, _)| object.0.id()),
    };
    let role = match area.role {
        Role::Heap => "[heap]",
        Role::Stack => "[stack]",
        Role::Plain => "",
    };
    facts.write(area.object.is_some() || !role.is_empty(), out)?;
    match area.object {
        Some((object, _)) => object.0.write_name(out)?,
        None => out.write_str(role)?,
    }
    out.write_str("\n")
}

/// Writes text, with a mark for what is none.
fn write_lossy(bytes: &[u8], out: &mut dyn Write) -> fmt::Result {
    bytes.utf8_chunks().try_for_each(|chunk| {
        out.write_str(chunk.valid())?;
        if chunk.invalid().is_empty() { Ok(()) } else { out.write_char(char::REPLACEMENT_CHARACTER) }
    })
}
