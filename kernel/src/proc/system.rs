//! /proc/cmdline, interrupts, uptime, version.

use core::fmt::{self, Write};
use core::time::Duration;

use crate::irq::{self, Irq};
use crate::{options, sched, time, version};

/// The thread that runs when no other does.
const IDLE_THREAD: u32 = 0;

/// The kernel's command line, as given.
pub(super) fn cmdline(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", options::line())
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

/// Seconds since boot, and for how many of them the processor was idle.
pub(super) fn uptime(out: &mut dyn Write) -> fmt::Result {
    let mut idle = 0;
    sched::threads(|thread| {
        if thread.id == IDLE_THREAD {
            idle = thread.ticks;
        }
    });
    let idle = time::TICK.saturating_mul(u32::try_from(idle).unwrap_or(u32::MAX));
    let seconds = |time: Duration| (time.as_secs(), time.subsec_millis() / 10);
    let (up, idle) = (seconds(time::uptime()), seconds(idle));
    writeln!(out, "{}.{:02} {}.{:02}", up.0, up.1, idle.0, idle.1)
}

/// The kernel's name and version.
pub(super) fn version(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{} version {} ({})", version::NAME, version::RELEASE, version::MACHINE)
}
