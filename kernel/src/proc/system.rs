//! /proc/cmdline, interrupts, loadavg, stat, uptime, version.

use core::fmt::{self, Write};
use core::time::Duration;

use abi::proc_text::{self, Counts, CpuTicks};

use crate::irq::{self, Irq};

use crate::mm::memory;
use crate::sched::task::ThreadState;
use crate::{block, chrdev, load, options, sched, time, version};

/// The thread that runs when no other does.
const IDLE_THREAD: u32 = 0;

/// The kernel's command line, as given.
pub(super) fn cmdline(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", options::line())
}

/// Major numbers: drivers of character devices, kinds of disks.
pub(super) fn devices(out: &mut dyn Write) -> fmt::Result {
    chrdev::write_devices(out)?;
    writeln!(out, "\nBlock devices:")?;
    for (index, disk) in (0..).map_while(block::nth).enumerate() {
        // The others of its kind come behind it.
        if !(0..index).filter_map(block::nth).any(|other| other.major() == disk.major()) {
            writeln!(out, "{:3} {}", disk.major(), kind_of(disk.name()))?;
        }
    }
    Ok(())
}

/// What a disk's name begins with, before its number or letter.
fn kind_of(disk: &str) -> &str {
    let kind = disk.trim_end_matches(|c: char| c.is_ascii_digit());
    if kind.len() < disk.len() { kind } else { &disk[..disk.len().saturating_sub(1)] }
}

/// Interrupts so far, line by line.
pub(super) fn interrupts(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "           CPU0       ")?;
    for irq in (0..Irq::COUNT as u8).filter_map(Irq::new) {
        if irq::is_served(irq) {
            let (count, chip, names) = (irq::count(irq), irq::chip().name(), irq::names(irq));
            writeln!(out, "{:3}: {count:10}          {chip}  {names}", irq.number())?;
        }
    }
    writeln!(out, "ERR: {:10}", irq::spurious())
}

/// Ticks that found no thread to run.
fn idle_ticks() -> u64 {
    sched::first_from(IDLE_THREAD).map_or(0, |idle| idle.ticks)
}

/// Threads that want to run, the caller's included, of how many.
fn running() -> (usize, usize) {
    let (mut running, mut all) = (0, 0);
    sched::threads(|thread| {
        if thread.id != IDLE_THREAD {
            all += 1;
            running += usize::from(thread.state == ThreadState::Runnable);
        }
    });
    (running, all)
}

/// Threads of programs that no signal wakes: what they sleep for is a disk, or memory.
fn blocked() -> usize {
    let mut blocked = 0;
    sched::threads(|thread| blocked += usize::from(thread.is_user && thread.state == ThreadState::Sleeping));
    blocked
}

/// What the processor did in the ticks so far, and counts.
pub(super) fn stat(out: &mut dyn Write) -> fmt::Result {
    let (all, user, idle) = (time::ticks().0, sched::user_ticks(), idle_ticks());
    let ticks = CpuTicks { user, system: all.saturating_sub(user + idle), idle };
    let events = memory().pages().events();
    let kib = |pages: u64| mm::kib(pages as usize) as u64;
    let interrupts = (0..Irq::COUNT as u8).filter_map(Irq::new).map(irq::count).sum();
    let counts = Counts {
        interrupts,
        boot_time: time::realtime().saturating_sub(time::uptime()),
        started: sched::started(),
        running: running().0,
        blocked: blocked(),
        disk_kib: [kib(events.pages_in + events.swapped_in), kib(events.pages_out + events.swapped_out)],
        swapped: [events.swapped_in, events.swapped_out],
    };
    proc_text::write_kernel_stat(ticks, counts, out)
}

/// How many threads wanted to run on average over 1, 5 and 15 minutes, how many do now, of how many, and the newest.
pub(super) fn loadavg(out: &mut dyn Write) -> fmt::Result {
    let (running, all) = running();
    load::averages().iter().try_for_each(|average| write!(out, "{average} "))?;
    writeln!(out, "{running}/{all} {}", sched::started())
}

/// Seconds since boot, and for how many of them the processor was idle.
pub(super) fn uptime(out: &mut dyn Write) -> fmt::Result {
    let idle = time::TICK.saturating_mul(u32::try_from(idle_ticks()).unwrap_or(u32::MAX));
    let seconds = |time: Duration| (time.as_secs(), time.subsec_millis() / 10);
    let (up, idle) = (seconds(time::uptime()), seconds(idle));
    writeln!(out, "{}.{:02} {}.{:02}", up.0, up.1, idle.0, idle.1)
}

/// The kernel's name and version.
pub(super) fn version(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{} version {} ({})", version::NAME, version::RELEASE, version::MACHINE)
}
