//! Waiting for several files: poll, ppoll, select, pselect6.

use abi::time::{Timespec, Timeval, duration, duration_in_micros, timespec_of, timeval_of};
use core::mem::offset_of;
use core::time::Duration;
use kapi::{Errno, Events};
use linux_raw_sys::general::{__FD_SETSIZE, POLLNVAL, POLLRDNORM, POLLWRNORM, pollfd};
use mm::{GfpFlags, VirtAddr};
use signals::SignalSet;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::fs::OpenFile;
use crate::mm::KVec;
use crate::process::{Process, Resource};
use crate::sched::PollTable;
use crate::time::uptime;
use crate::user;

pub(super) const CALLS: &[Entry] = calls![
    poll(Address, Count, Count) IfUnhandled,
    ppoll(Address, Count, Address, Address, Count) IfUnhandled,
    select(Count, Address, Address, Address, Address) IfUnhandled,
    pselect6(Count, Address, Address, Address, Address, Address) IfUnhandled,
];

/// Bytes of a `struct pollfd`: the descriptor, what is wanted, what there is.
const ENTRY: usize = size_of::<pollfd>();
/// Bytes of a set of signals.
const SET_BYTES: u64 = 8;

/// What is told whether it is wanted or not.
const ALWAYS: Events = Events::ERROR.union(Events::HANG_UP);

/// A file that is waited for.
struct Watched {
    /// `None`: the descriptor is to be passed over, or is none.
    file: Option<OpenFile>,
    wanted: Events,
    found: Events,
}

impl Watched {
    fn new(file: Option<OpenFile>, wanted: Events) -> Self {
        Self { file, wanted, found: Events::empty() }
    }
}

/// Waits until one of the files has what is wanted of it, until `end` at most (since boot); says how many have. `ready`
/// is how many there are that need no wait.
fn wait(watched: &mut KVec<Watched>, end: Option<Duration>, ready: usize) -> Result<usize, Errno> {
    let mut found: KVec<Events> = KVec::with_capacity(watched.len(), GfpFlags::KERNEL)?;
    for _ in watched.iter() {
        found.push(Events::empty(), GfpFlags::KERNEL)?;
    }
    let count = look_or_wait(watched, &mut found, end, ready)?;
    for (watched, found) in watched.iter_mut().zip(found.iter()) {
        watched.found = *found;
    }
    Ok(count)
}

fn look_or_wait(
    watched: &KVec<Watched>,
    found: &mut KVec<Events>,
    end: Option<Duration>,
    ready: usize,
) -> Result<usize, Errno> {
    let mut table = PollTable::new()?;
    loop {
        let mut count = ready;
        for (watched, found) in watched.iter().zip(found.iter_mut()) {
            let events = watched.file.as_ref().map_or(Events::empty(), |file| file.poll(&mut table));
            *found = events & watched.wanted;
            count += usize::from(!found.is_empty());
        }
        let rest = end.map(|end| end.saturating_sub(uptime()));
        if count > 0 || rest == Some(Duration::ZERO) {
            return Ok(count);
        }
        table.wait(rest)?;
    }
}

fn poll(call: &mut Call<'_>) -> Outcome {
    // A negative time is none.
    let limit = u64::try_from(call.int(2)).ok().map(Duration::from_millis);
    poll_until(call, limit.map(|limit| uptime().saturating_add(limit)))
}

fn ppoll(call: &mut Call<'_>) -> Outcome {
    let end = call.optional(2).map(read_timespec).transpose()?.map(|limit| uptime().saturating_add(limit));
    let mask = call.optional(3).map(|at| read_mask(at, call.arg(4) as u64)).transpose()?;
    let outcome = with_mask(call.process, mask, || poll_until(call, end));
    if let (Some(at), Some(end)) = (call.optional(2), end) {
        // As on Linux: the result counts, even if the time cannot be told.
        let _: Result<(), _> = user::copy_to(at, &timespec_of(end.saturating_sub(uptime())));
    }
    outcome
}

/// Runs `f` with another mask. What a signal interrupted keeps it until the signal has been seen to.
fn with_mask<R>(process: &Process, mask: Option<SignalSet>, f: impl FnOnce() -> Result<R, Errno>) -> Result<R, Errno> {
    let Some(mask) = mask else { return f() };
    process.signals().with(|state| state.replace_mask(mask));
    if process.signals().with(|state| state.is_due()) {
        process.notify();
    }
    let result = f();
    if !matches!(result, Err(Errno::EINTR)) {
        process.signals().with(|state| state.give_mask_back());
    }
    result
}

fn read_mask(at: VirtAddr, bytes: u64) -> Result<SignalSet, Errno> {
    if bytes != SET_BYTES {
        return Err(Errno::EINVAL);
    }
    Ok(SignalSet::from_bits(user::read_value(at)?))
}

fn read_timespec(at: VirtAddr) -> Result<Duration, Errno> {
    let mut bytes: Timespec = [0; 16];
    user::copy_from(at, &mut bytes)?;
    duration(&bytes)
}

/// The entries are argument 0, how many there are argument 1.
fn poll_until(call: &Call<'_>, end: Option<Duration>) -> Outcome {
    let (at, count) = (call.address(0), call.word(1) as usize);
    if count as u64 > call.process.limit(Resource::OpenFiles) {
        return Err(Errno::EINVAL);
    }
    let mut watched: KVec<Watched> = KVec::with_capacity(count, GfpFlags::KERNEL)?;
    let mut bad = 0;
    for index in 0..count {
        let mut entry = [0; ENTRY];
        user::copy_from(entry_at(at, index)?, &mut entry)?;
        let (number, wanted) = (abi::field!(entry, pollfd, fd), abi::field!(entry, pollfd, events));
        let file = if number < 0 { None } else { call.process.files().get(number).ok() };
        bad += usize::from(number >= 0 && file.is_none());
        watched.push(Watched::new(file, wanted_events(wanted as u16) | ALWAYS), GfpFlags::KERNEL)?;
    }
    let ready = wait(&mut watched, end, bad)?;
    for (index, watched) in watched.iter().enumerate() {
        let entry = entry_at(at, index)?;
        let number: i32 = user::read_value(entry)?;
        let wanted: u16 = user::read_value(entry.add(offset_of!(pollfd, events)))?;
        let found = match watched.file {
            None if number >= 0 => POLLNVAL as u16,
            _ => found_bits(watched.found, wanted),
        };
        user::write_value(entry.add(offset_of!(pollfd, revents)), found)?;
    }
    Ok(ready)
}

fn entry_at(at: VirtAddr, index: usize) -> Result<VirtAddr, Errno> {
    at.checked_add(index * ENTRY).ok_or(Errno::EFAULT)
}

fn wanted_events(bits: u16) -> Events {
    let mut events = Events::from_bits_truncate(bits);
    events.set(Events::READABLE, bits & (POLLRDNORM as u16 | Events::READABLE.bits()) != 0);
    events.set(Events::WRITABLE, bits & (POLLWRNORM as u16 | Events::WRITABLE.bits()) != 0);
    events
}

/// What was found, as a program sees it that wanted `wanted`.
fn found_bits(events: Events, wanted: u16) -> u16 {
    let also = |event: Events, bit: u32| if events.contains(event) { wanted & bit as u16 } else { 0 };
    let asked = events.bits() & (wanted | ALWAYS.bits());
    asked | also(Events::READABLE, POLLRDNORM) | also(Events::WRITABLE, POLLWRNORM)
}

/// Words of 64 descriptors in a set.
const WORDS: usize = __FD_SETSIZE as usize / 64;

/// Which of select's sets.
const SETS: [Events; 3] = [
    Events::READABLE.union(Events::HANG_UP).union(Events::ERROR),
    Events::WRITABLE.union(Events::ERROR),
    Events::URGENT,
];

fn select(call: &mut Call<'_>) -> Outcome {
    let limit = call.optional(4).map(read_timeval).transpose()?;
    let end = limit.map(|limit| uptime().saturating_add(limit));
    let outcome = select_until(call, end);
    if let (Some(at), Some(end)) = (call.optional(4), end) {
        // As on Linux: the result counts, even if the time cannot be told.
        let _: Result<(), _> = user::copy_to(at, &timeval_of(end.saturating_sub(uptime())));
    }
    outcome
}

fn read_timeval(at: VirtAddr) -> Result<Duration, Errno> {
    let mut bytes: Timeval = [0; 16];
    user::copy_from(at, &mut bytes)?;
    duration_in_micros(&bytes)
}

/// The mask comes as an address and a size, by one more address.
fn pselect6(call: &mut Call<'_>) -> Outcome {
    let end = call.optional(4).map(read_timespec).transpose()?.map(|limit| uptime().saturating_add(limit));
    let mask = call.optional(5).map(read_mask_with_size).transpose()?.flatten();
    let outcome = with_mask(call.process, mask, || select_until(call, end));
    if let (Some(at), Some(end)) = (call.optional(4), end) {
        let _: Result<(), _> = user::copy_to(at, &timespec_of(end.saturating_sub(uptime())));
    }
    outcome
}

fn read_mask_with_size(at: VirtAddr) -> Result<Option<SignalSet>, Errno> {
    let (mask, bytes): (u64, u64) = (user::read_value(at)?, user::read_value(at.add(8))?);
    if mask == 0 { Ok(None) } else { read_mask(VirtAddr::new(mask as usize), bytes).map(Some) }
}

fn select_until(call: &Call<'_>, end: Option<Duration>) -> Outcome {
    // Beyond what a process may have open there is nothing.
    let count = usize::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?.min(WORDS * 64);
    let words = count.div_ceil(64);
    let mut sets = [[0u64; WORDS]; SETS.len()];
    for (index, set) in sets.iter_mut().enumerate() {
        if let Some(at) = call.optional(1 + index) {
            for (word, place) in set[..words].iter_mut().enumerate() {
                *place = user::read_value(at.add(word * 8))?;
            }
        }
    }
    let mut watched: KVec<Watched> = KVec::new();
    let mut numbers: KVec<usize> = KVec::new();
    for number in 0..count {
        let wanted = wanted_of(&sets, number);
        if !wanted.is_empty() {
            watched.push(Watched::new(Some(call.process.files().get(number as i32)?), wanted), GfpFlags::KERNEL)?;
            numbers.push(number, GfpFlags::KERNEL)?;
        }
    }
    wait(&mut watched, end, 0)?;
    let mut found = [[0u64; WORDS]; SETS.len()];
    let mut bits = 0;
    for (watched, number) in watched.iter().zip(numbers.iter()) {
        for (index, events) in SETS.iter().enumerate() {
            let is_found = is_in(&sets[index], *number) && watched.found.intersects(*events);
            found[index][*number / 64] |= u64::from(is_found) << (*number % 64);
            bits += usize::from(is_found);
        }
    }
    for (index, set) in found.iter().enumerate() {
        if let Some(at) = call.optional(1 + index) {
            for (word, value) in set[..words].iter().enumerate() {
                user::write_value(at.add(word * 8), *value)?;
            }
        }
    }
    Ok(bits)
}

fn is_in(set: &[u64; WORDS], number: usize) -> bool {
    set[number / 64] >> (number % 64) & 1 != 0
}

fn wanted_of(sets: &[[u64; WORDS]; SETS.len()], number: usize) -> Events {
    let events = SETS.iter().zip(sets).filter(|(_, set)| is_in(set, number)).map(|(events, _)| *events);
    events.fold(Events::empty(), Events::union)
}
