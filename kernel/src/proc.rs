//! The files of /proc: which there are, and what they say about this machine.
//!
//! The allocators' own texts are written by the crate `mm`; formats are those of Linux 2.4, those of the buddy and vmalloc
//! files today's.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use kapi::Errno;
use mm::ZoneKind;
use mm::proc::{FileCache, Statistics};

use crate::arch::irq::{self, Irq};
use crate::fs::procfs::{Source, register};
use crate::fs::tmpfs;
use crate::mm::firmware::{self, Kind, Region};
use crate::mm::memory;
use crate::options::{self, Switch};
use crate::{chrdev, drivers, time};

/// Adds all files but the modules' own.
pub fn init() -> Result<(), Errno> {
    let texts: [(&str, fn(&mut dyn Write) -> fmt::Result); 12] = [
        ("buddyinfo", buddyinfo),
        ("cmdline", |out| writeln!(out, "{}", options::line())),
        ("devices", chrdev::write_devices),
        ("interrupts", interrupts),
        ("iomem", iomem),
        ("meminfo", |out| mm::proc::meminfo(memory(), FileCache { cached: tmpfs::pages_used() }, out)),
        ("modules", drivers::write_modules),
        ("slabinfo", slabinfo),
        ("uptime", uptime),
        ("version", |out| writeln!(out, "Scullery version {}", env!("CARGO_PKG_VERSION"))),
        ("vmallocinfo", |out| mm::proc::vmallocinfo(memory().areas(), out)),
        ("zoneinfo", zoneinfo),
    ];
    texts.into_iter().try_for_each(|(name, show)| register(name, Source::Text(show)))?;
    register("sys/vm/drop_caches", Source::Control { show: |out| writeln!(out, "0"), store: drop_caches })
}

fn buddyinfo(out: &mut dyn Write) -> fmt::Result {
    mm::proc::buddyinfo(&ZoneKind::ALL.map(|kind| memory().zone_stats(kind)), out)
}

fn zoneinfo(out: &mut dyn Write) -> fmt::Result {
    mm::proc::zoneinfo(&ZoneKind::ALL.map(|kind| memory().zone_stats(kind)), out)
}

fn slabinfo(out: &mut dyn Write) -> fmt::Result {
    let statistics = match options::get().slab_stats {
        Switch::On => Statistics::On,
        Switch::Off => Statistics::Off,
    };
    mm::proc::slabinfo(memory().caches(), statistics, out)
}

/// Shrinks all caches, whichever of the usual 1, 2 and 3 is written: there is but one kind here.
fn drop_caches(line: &str) -> Result<(), Errno> {
    if !["1", "2", "3"].contains(&line) {
        return Err(Errno::EINVAL);
    }
    memory().drop_caches();
    Ok(())
}

/// Seconds since boot, and how many of them nothing ran.
fn uptime(out: &mut dyn Write) -> fmt::Result {
    let up = time::uptime();
    let mut idle = 0;
    crate::sched::threads(|thread| {
        if thread.name.as_str() == "idle" {
            idle += thread.ticks;
        }
    });
    let hundredths = idle * 100 / u64::from(time::HZ);
    let (seconds, part) = (up.as_secs(), up.subsec_millis() / 10);
    writeln!(out, "{seconds}.{part:02} {}.{:02}", hundredths / 100, hundredths % 100)
}

fn interrupts(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "           CPU0")?;
    for number in 0..Irq::COUNT {
        let Some(irq) = Irq::new(number as u8) else { continue };
        if let Some(name) = irq::name(irq) {
            writeln!(out, "{number:3}: {:10} {:>14}  {name}", irq::count(irq), irq::chip().name())?;
        }
    }
    writeln!(out, "ERR: {:10}", irq::spurious())
}

fn iomem(out: &mut dyn Write) -> fmt::Result {
    let mut last: Option<Region> = None;
    for region in firmware::regions() {
        match &mut last {
            Some(last) if last.end == region.start && name(last.kind) == name(region.kind) => last.end = region.end,
            _ => {
                last.into_iter().try_for_each(|region| write_region(out, region))?;
                last = Some(region);
            }
        }
    }
    last.into_iter().try_for_each(|region| write_region(out, region))
}

fn write_region(out: &mut dyn Write, region: Region) -> fmt::Result {
    writeln!(out, "{:08x}-{:08x} : {}", region.start.as_u64(), region.end.as_u64() - 1, name(region.kind))
}

/// What the bootloader took is RAM like any other.
const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Usable | Kind::Bootloader => "System RAM",
        Kind::Reserved => "reserved",
    }
}
