//! The system: its name, its memory, its log, its end; what processors it has.

use abi::record;
use kapi::Errno;
use linux_raw_sys::general::{
    GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM, LINUX_REBOOT_CMD_CAD_OFF, LINUX_REBOOT_CMD_CAD_ON,
    LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_MAGIC1,
    LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C, PRIO_PGRP, PRIO_PROCESS,
    PRIO_USER,
};
use linux_raw_sys::system::{__NEW_UTS_LEN, new_utsname, sysinfo as SysInfo};
use mm::{PAGE_SIZE, ZoneKind};

use super::buffers::{buffer, fill};
use super::call::{Call, Outcome, result};
use super::entry::{Entry, calls};
use crate::board::qemu::{self, ExitCode};
use crate::mm::swap::swap;
use crate::mm::{memory, page_cache};
use crate::process::{self, Pid};
use crate::time::uptime;
use crate::{debug, fs, hostname, load, random, startup, user, version};

pub(super) const CALLS: &[Entry] = calls![
    uname(Address),
    sethostname(Address, Count),
    sysinfo(Address),
    getrandom(Address, Count, Flags),
    getcpu(Address, Address),
    sched_getaffinity(Count, Count, Address),
    sched_setaffinity(Count, Count, Address),
    getpriority(Count, Count),
    setpriority(Count, Count, Count),
    personality(Flags),
    reboot(Flags, Flags, Flags),
];

/// Bytes of a name of the system, with the zero at its end.
const NAME_BYTES: usize = __NEW_UTS_LEN as usize + 1;

/// A name, as it stands in what `uname` tells.
fn padded(name: &str) -> [i8; NAME_BYTES] {
    let mut bytes = [0; NAME_BYTES];
    let room = NAME_BYTES - 1;
    bytes.iter_mut().take(room).zip(name.as_bytes()).for_each(|(to, from)| *to = *from as i8);
    bytes
}

fn uname(call: &mut Call<'_>) -> Outcome {
    let names = record!(new_utsname {
        sysname: padded(version::NAME),
        nodename: padded(hostname::get().as_str()),
        release: padded(version::RELEASE),
        version: padded(version::KIND),
        machine: padded(version::MACHINE),
        domainname: padded("(none)"),
    });
    user::copy_to(call.address(0), &names)?;
    Ok(0)
}

fn sethostname(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    let mut bytes = [0; NAME_BYTES - 1];
    let name = bytes.get_mut(..call.arg(1)).ok_or(Errno::EINVAL)?;
    user::copy_from(call.address(0), name)?;
    hostname::set(name)?;
    Ok(0)
}

fn sysinfo(call: &mut Call<'_>) -> Outcome {
    let zones = ZoneKind::ALL.map(|kind| memory().pages().zone_stats(kind));
    let high = &zones[ZoneKind::HighMem as usize];
    let swap = swap().totals();
    let bytes = |pages: usize| (pages * PAGE_SIZE) as u64;
    let info = record!(SysInfo {
        uptime: uptime().as_secs() as i64,
        loads: load::averages().map(|average| average.in_65536ths()),
        totalram: bytes(zones.iter().map(|zone| zone.managed).sum()),
        freeram: bytes(zones.iter().map(|zone| zone.free).sum()),
        sharedram: bytes(fs::tmpfs::pages()),
        bufferram: bytes(page_cache::page_cache().stats().buffers),
        procs: process::table::with(|table| table.len()) as u16,
        totalhigh: bytes(high.managed),
        freehigh: bytes(high.free),
        totalswap: bytes(swap.slots),
        freeswap: bytes(swap.free),
        mem_unit: 1u32,
    });
    user::copy_to(call.address(0), &info)?;
    Ok(0)
}

/// Random bytes that are made at a time.
const PIECE: usize = 256;

fn getrandom(call: &mut Call<'_>) -> Outcome {
    let flags = call.word(2);
    let contradiction = GRND_INSECURE | GRND_RANDOM;
    if flags & !(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) != 0 || flags & contradiction == contradiction {
        return Err(Errno::EINVAL);
    }
    let memory = buffer(call.address(0), call.arg(1))?;
    fill(&memory, |buf| {
        let mut bytes = [0; PIECE];
        while buf.remaining() > 0 {
            let piece = &mut bytes[..PIECE.min(buf.remaining())];
            random::fill(piece);
            buf.put(piece)?;
        }
        Ok(buf.done())
    })
}

/// The only processor has the number 0.
fn getcpu(call: &mut Call<'_>) -> Outcome {
    for at in [call.optional(0), call.optional(1)].into_iter().flatten() {
        user::write_value(at, 0u32)?;
    }
    Ok(0)
}

/// Bytes of the set of processors, which has one.
const SET_BYTES: usize = size_of::<u64>();

fn sched_getaffinity(call: &mut Call<'_>) -> Outcome {
    let bytes = call.word(1) as usize;
    if bytes < SET_BYTES || !bytes.is_multiple_of(SET_BYTES) {
        return Err(Errno::EINVAL);
    }
    find(call, call.int(0))?;
    user::write_value(call.address(2), 1u64)?;
    Ok(SET_BYTES)
}

/// `EINVAL` for a set without the only processor.
fn sched_setaffinity(call: &mut Call<'_>) -> Outcome {
    find(call, call.int(0))?;
    let first: u8 = if call.word(1) == 0 { 0 } else { user::read_value(call.address(2))? };
    if first & 1 == 0 { Err(Errno::EINVAL) } else { Ok(0) }
}

/// `ESRCH` when there is no process with this number; 0 is the caller.
fn find(call: &Call<'_>, number: i32) -> Result<(), Errno> {
    if number == 0 || number == call.process.pid().to_user() {
        return Ok(());
    }
    Pid::from_user(number).and_then(process::find).map(drop).ok_or(Errno::ESRCH)
}

/// All have the same priority, in the middle, which `getpriority` tells as 20.
const MIDDLE: usize = 20;

fn getpriority(call: &mut Call<'_>) -> Outcome {
    priority_of(call)?;
    Ok(MIDDLE)
}

/// What is asked for is taken note of by nobody.
fn setpriority(call: &mut Call<'_>) -> Outcome {
    priority_of(call)?;
    Ok(0)
}

fn priority_of(call: &Call<'_>) -> Result<(), Errno> {
    match call.word(0) {
        PRIO_PROCESS => find(call, call.int(1)),
        PRIO_PGRP | PRIO_USER => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// There is one way to run a program.
fn personality(call: &mut Call<'_>) -> Outcome {
    const ASK: u32 = u32::MAX;
    if matches!(call.word(0), 0 | ASK) { result(0) } else { Err(Errno::EINVAL) }
}

fn reboot(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    let second = [LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C];
    if call.word(0) != LINUX_REBOOT_MAGIC1 || !second.contains(&call.word(1)) {
        return Err(Errno::EINVAL);
    }
    match call.word(2) {
        LINUX_REBOOT_CMD_CAD_ON | LINUX_REBOOT_CMD_CAD_OFF => Ok(0),
        LINUX_REBOOT_CMD_POWER_OFF | LINUX_REBOOT_CMD_HALT => {
            page_cache::sync_at_the_end();
            qemu::exit(startup::verdict())
        }
        LINUX_REBOOT_CMD_RESTART => {
            page_cache::sync_at_the_end();
            qemu::leave(ExitCode::Reboot);
            debug::crash::reset()
        }
        _ => Err(Errno::EINVAL),
    }
}
