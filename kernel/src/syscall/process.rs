//! Processes: fork, exec, exit, wait, limits, times.

use core::time::Duration;

use abi::{field, record};
use kapi::Errno;
use linux_raw_sys::general::{
    __WALL, __WCLONE, __WNOTHREAD, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_PARENT_SETTID, CLONE_SETTLS,
    CLONE_VFORK, CLONE_VM, RUSAGE_CHILDREN, RUSAGE_SELF, SIGCHLD, rlimit64, rusage,
};
use mm::VirtAddr;
use spin::Once;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::klog;
use crate::process::arguments::{Room, StringList};
use crate::process::exec::{self, Calling};
use crate::process::image;
use crate::process::limits::MOST_OPEN_FILES;
use crate::process::wait::{self, Children, WaitOptions};
use crate::process::{self, Exit, Fork, Limit, Pid, Process, Resource};
use crate::sched;
use crate::time;
use crate::user;

pub(super) const CALLS: &[Entry] = calls![
    fork(),
    vfork(),
    clone(Flags, Address, Address, Address, Address),
    execve(Path, Address, Address),
    exit(Count),
    exit_group(Count),
    wait4(Count, Address, Flags, Address),
    getpid(),
    getppid(),
    gettid(),
    sched_yield(),
    getrlimit(Count, Address),
    setrlimit(Count, Address),
    prlimit64(Count, Count, Address, Address),
    getrusage(Count, Address),
    times(Address),
];

/// Bytes of the longest path, with its zero.
const PATH_MAX: usize = 4096;
/// Bytes of a program's string that are read at a time.
const PIECE: usize = 256;

fn fork(call: &mut Call<'_>) -> Outcome {
    Ok(process::fork(call.process, call.frame, Fork::default())?.pid().as_u32() as usize)
}

fn vfork(call: &mut Call<'_>) -> Outcome {
    Ok(process::vfork(call.process, call.frame, Fork::default())?.as_u32() as usize)
}

/// What clone may be asked for by a program without threads.
const CLONE_KNOWN: u32 =
    CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_PARENT_SETTID | CLONE_SETTLS | CLONE_VFORK | CLONE_VM | CSIGNAL;
/// The part of clone's flags that is a signal's number.
const CSIGNAL: u32 = 0xff;

fn clone(call: &mut Call<'_>) -> Outcome {
    let flags = call.arg(0) as u32;
    let shares_memory = flags & CLONE_VM != 0 && flags & CLONE_VFORK == 0;
    if shares_memory || flags & !CLONE_KNOWN != 0 {
        static SAID: Once<()> = Once::new();
        let (name, pid) = (call.process.name(), call.process.pid());
        SAID.call_once(|| {
            klog!("{name}[{pid}] wants a thread (clone, flags {flags:x}): there are none, only processes")
        });
        return Err(Errno::ENOSYS);
    }
    if flags & CSIGNAL != SIGCHLD && flags & CSIGNAL != 0 {
        return Err(Errno::EINVAL);
    }
    let wanted = |flag, index| if flags & flag != 0 { Some(call.address(index)) } else { None };
    let how = Fork {
        stack: call.optional(1),
        child_number_at: wanted(CLONE_CHILD_SETTID, 3),
        thread_pointer: wanted(CLONE_SETTLS, 4),
        ..Fork::default()
    };
    // Nobody but the child has its memory: no store at its end is seen (CLONE_CHILD_CLEARTID).
    let pid = if flags & CLONE_VFORK == 0 {
        process::fork(call.process, call.frame, how)?.pid()
    } else {
        process::vfork(call.process, call.frame, how)?
    };
    let pid = pid.as_u32() as usize;
    if let Some(at) = wanted(CLONE_PARENT_SETTID, 2) {
        let _: Result<(), _> = user::write_value(at, pid as i32);
    }
    Ok(pid)
}

fn execve(call: &mut Call<'_>) -> Outcome {
    let mut path = [0; PATH_MAX];
    let path = user::read_string(call.address(0), &mut path)?;
    let path = core::str::from_utf8(path).map_err(|_| Errno::ENOENT)?;
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut room = exec::room(call.process);
    let mut arguments = strings(call.optional(1), &mut room)?;
    let environment = strings(call.optional(2), &mut room)?;
    if arguments.is_empty() {
        // No program has to look for a name that is not there.
        arguments.push(b"", &mut room)?;
    }
    exec::exec(call.process, call.frame, Calling { path, arguments, environment, room })?;
    Ok(0)
}

/// The strings that a row of addresses leads to, which ends with a zero.
fn strings(row: Option<VirtAddr>, room: &mut Room) -> Result<StringList, Errno> {
    let mut list = StringList::new()?;
    let Some(mut at) = row else { return Ok(list) };
    loop {
        let string = user::read_value::<u64>(at)?;
        if string == 0 {
            return Ok(list);
        }
        push_string(&mut list, VirtAddr::new(string as usize), room)?;
        at = at.checked_add(size_of::<u64>()).ok_or(Errno::EFAULT)?;
    }
}

fn push_string(list: &mut StringList, mut at: VirtAddr, room: &mut Room) -> Result<(), Errno> {
    let mut piece = [0; PIECE];
    loop {
        match user::read_string(at, &mut piece) {
            Ok(end) => {
                list.push_part(end, room)?;
                return list.end(room);
            }
            Err(Errno::ENAMETOOLONG) => list.push_part(&piece, room)?,
            Err(error) => return Err(error),
        }
        at = at.checked_add(PIECE).ok_or(Errno::EFAULT)?;
    }
}

fn exit(call: &mut Call<'_>) -> Outcome {
    process::exit(call.process, Exit::Code(call.arg(0) as u8))
}

fn exit_group(call: &mut Call<'_>) -> Outcome {
    exit(call)
}

fn wait4(call: &mut Call<'_>) -> Outcome {
    const KNOWN: u32 = WaitOptions::all().bits() | __WALL | __WCLONE | __WNOTHREAD;
    let options = call.word(2);
    if options & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let which = match call.int(0) {
        -1 => Children::Any,
        0 => Children::Group(call.process.group()),
        pid @ 1.. => Children::One(Pid::of_thread(pid as u32)),
        group => Children::Group(Pid::from_user(group.checked_neg().ok_or(Errno::ESRCH)?).ok_or(Errno::ESRCH)?),
    };
    let Some(found) = wait::wait(call.process, which, WaitOptions::from_bits_truncate(options))? else { return Ok(0) };
    if let Some(at) = call.optional(1) {
        user::write_value(at, found.event.wait_status() as i32)?;
    }
    if let Some(at) = call.optional(3) {
        user::copy_to(at, &usage(found.ticks))?;
    }
    Ok(found.pid.as_u32() as usize)
}

fn getpid(call: &mut Call<'_>) -> Outcome {
    Ok(call.process.pid().as_u32() as usize)
}

fn getppid(call: &mut Call<'_>) -> Outcome {
    Ok(call.process.parent().as_u32() as usize)
}

/// A process has one thread, which has its number.
fn gettid(call: &mut Call<'_>) -> Outcome {
    getpid(call)
}

fn sched_yield(_call: &mut Call<'_>) -> Outcome {
    sched::yield_now().map_err(|_| Errno::EINTR)?;
    Ok(0)
}

fn getrlimit(call: &mut Call<'_>) -> Outcome {
    let resource = resource(call, 0)?;
    write_limit(call.address(1), call.process.limits().get(resource))
}

fn setrlimit(call: &mut Call<'_>) -> Outcome {
    let resource = resource(call, 0)?;
    let limit = read_limit(call.address(1))?;
    set_limit(call, call.process, resource, limit)
}

fn prlimit64(call: &mut Call<'_>) -> Outcome {
    let resource = resource(call, 1)?;
    let new = call.optional(2).map(read_limit).transpose()?;
    let of = match call.int(0) {
        0 => None,
        pid => Some(Pid::from_user(pid).and_then(process::find).ok_or(Errno::ESRCH)?),
    };
    let of = of.as_deref().unwrap_or(call.process);
    let is_own = of.pid() == call.process.pid();
    if !is_own && !call.process.credentials().may_control(&of.credentials()) {
        return Err(Errno::EPERM);
    }
    let old = of.limits().get(resource);
    if let Some(new) = new {
        set_limit(call, of, resource, new)?;
    }
    call.optional(3).map_or(Ok(0), |at| write_limit(at, old))
}

fn resource(call: &Call<'_>, index: usize) -> Result<Resource, Errno> {
    Resource::from_user(call.word(index).into()).ok_or(Errno::EINVAL)
}

fn read_limit(at: VirtAddr) -> Result<Limit, Errno> {
    let mut bytes = [0; size_of::<rlimit64>()];
    user::copy_from(at, &mut bytes)?;
    Ok(Limit { soft: field!(bytes, rlimit64, rlim_cur), hard: field!(bytes, rlimit64, rlim_max) })
}

fn write_limit(at: VirtAddr, limit: Limit) -> Outcome {
    user::copy_to(at, &record!(rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard }))?;
    Ok(0)
}

/// Sets a limit: root may raise all of them, but that of open files only so far (`EPERM`). Others raise none beyond
/// what it may be raised to.
fn set_limit(call: &Call<'_>, process: &Process, resource: Resource, limit: Limit) -> Outcome {
    if limit.soft > limit.hard {
        return Err(Errno::EINVAL);
    }
    if limit.hard > process.limits().get(resource).hard {
        call.check_root()?;
    }
    if resource == Resource::OpenFiles && limit.hard > MOST_OPEN_FILES {
        return Err(Errno::EPERM);
    }
    let limits = process.with_limits(|limits| {
        limits.set(resource, limit);
        *limits
    });
    process.space().with(|space| space.set_limits(image::space_limits(&limits)))?;
    Ok(0)
}

fn getrusage(call: &mut Call<'_>) -> Outcome {
    let ticks = match call.int(0) {
        who if who == RUSAGE_SELF as i32 => sched::current().ticks(),
        who if who == RUSAGE_CHILDREN => call.process.times().children,
        _ => return Err(Errno::EINVAL),
    };
    user::copy_to(call.address(1), &usage(ticks))?;
    Ok(0)
}

/// A `struct rusage`: CPU time. The tick does not tell ring 3 from the kernel: all of it is the program's.
fn usage(ticks: u64) -> [u8; size_of::<rusage>()] {
    let time: Duration = time::TICK * u32::try_from(ticks).unwrap_or(u32::MAX);
    let mut bytes = [0; size_of::<rusage>()];
    bytes[..8].copy_from_slice(&time.as_secs().to_le_bytes());
    bytes[8..16].copy_from_slice(&u64::from(time.subsec_micros()).to_le_bytes());
    bytes
}

/// CPU times of the process and its children, in ticks; the result is the ticks since boot.
fn times(call: &mut Call<'_>) -> Outcome {
    if let Some(at) = call.optional(0) {
        let words = [sched::current().ticks(), 0, call.process.times().children, 0];
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).zip(words).for_each(|(place, word)| place.copy_from_slice(&word.to_le_bytes()));
        user::copy_to(at, &bytes)?;
    }
    Ok((time::uptime().as_millis() / time::TICK.as_millis()) as usize)
}
