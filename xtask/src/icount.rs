//! What things cost today, measured as the pinned figures were (pins.rs).
//!
//! Guest time counts instructions, so a figure is the same on every host: the rows of the command `bench` and of the
//! program procbench, on the machine on which docs compare them with Linux, booting, and the bytes of the kernel's text
//! and data.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, SectionFlags, elf};

use crate::guest::{self, Mode};
use crate::machine::Machine;
use crate::parallel::{self, Job};
use crate::pins::Pins;
use crate::results::TestResult;
use crate::{bench_boot, bench_rows, cargo};

/// The machine of the rows, and the lines that it runs.
const MACHINE: &str = "MEM=512M CPU=qemu64 ICOUNT=1 SCRIPT=tests/scripts/bench";
/// The machine of the rows about processes, and what runs there.
const PROCESS_MACHINE: &str = "MEM=512M CPU=qemu64 ICOUNT=1 MODULES=none PROGRAMS=busybox";
const PROCESS_LINE: &str = "/bin/procbench 5\n";
/// How their names begin.
const PROCESSES: &str = "proc_";
/// What booting the usual machine costs; README.md shows it.
pub const BOOT: &str = "boot_1G";
/// What a further page frame costs: the difference that more memory makes.
const FRAME: &str = "boot_page_frame";
/// The same with busybox among the initial files.
const BOOT_BUSYBOX: &str = "boot_busybox_1G";
const LARGE_MEMORY: &str = "20G";
const MORE_FRAMES: f64 = (19_u64 << 30 >> 12) as f64;
const SIZE: &str = "kernel_text_and_data_bytes";

/// A part of the figures, measured by one job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Bench,
    Processes,
    Boot,
    Userland,
    Size,
}

/// The one that takes longest first.
const PARTS: [Part; 5] = [Part::Bench, Part::Processes, Part::Boot, Part::Userland, Part::Size];

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Bench => "icount::bench",
            Self::Processes => "icount::processes",
            Self::Boot => "icount::boot",
            Self::Userland => "icount::userland",
            Self::Size => "icount::size",
        }
    }

    fn has(self, row: &str) -> bool {
        let part = match row {
            BOOT | FRAME => Self::Boot,
            BOOT_BUSYBOX => Self::Userland,
            SIZE => Self::Size,
            name if name.starts_with(PROCESSES) => Self::Processes,
            _ => Self::Bench,
        };
        part == self
    }

    fn measure(self) -> Result<Pins> {
        match self {
            Self::Bench => bench(MACHINE, ""),
            Self::Processes => bench(PROCESS_MACHINE, PROCESS_LINE),
            Self::Boot => boot(),
            Self::Userland => userland(),
            Self::Size => size(),
        }
    }
}

/// Jobs that measure, and compare with what is pinned.
pub fn jobs() -> Result<Vec<Job>> {
    let pins = Arc::new(Pins::load()?);
    let job = |part: Part| {
        let pins = Arc::clone(&pins);
        Job { name: part.name().into(), work: Box::new(move || Ok((vec![judge(part, &pins)?], String::new()))) }
    };
    Ok(PARTS.into_iter().map(job).collect())
}

fn judge(part: Part, pins: &Pins) -> Result<TestResult> {
    let verdict = pins.only(|row| part.has(row)).judge(&part.measure()?);
    for line in &verdict.better {
        println!("{}: better: {line}; `make accept-icount` keeps it", part.name());
    }
    if verdict.worse.is_empty() {
        return Ok(TestResult::ok(part.name()));
    }
    let worse = verdict.worse.join("\n  ");
    Ok(TestResult::failed(part.name(), format!("if that is worth it, `make accept-icount` pins it:\n  {worse}")))
}

/// Measures, pins what was measured, and says what has changed.
pub fn accept() -> Result<ExitCode> {
    let old = Pins::load().unwrap_or_default();
    let measured = Arc::new(Mutex::new(Vec::new()));
    let job = |part: Part| {
        let measured = Arc::clone(&measured);
        let work = move || {
            let pins = part.measure()?;
            measured.lock().unwrap_or_else(PoisonError::into_inner).push((part.name(), pins));
            Ok((vec![TestResult::ok(part.name())], String::new()))
        };
        Job { name: part.name().into(), work: Box::new(work) }
    };
    let results = parallel::run(PARTS.into_iter().map(job).collect());
    if let Some(why) = results.into_iter().find_map(|result| result.failure) {
        bail!("nothing is pinned: {why}");
    }
    let mut measured = std::mem::take(&mut *measured.lock().unwrap_or_else(PoisonError::into_inner));
    measured.sort_by_key(|(name, _)| *name);
    let mut today = Pins::default();
    measured.into_iter().for_each(|(_, pins)| today.extend(pins));
    let verdict = old.judge(&today);
    verdict.worse.iter().chain(&verdict.better).for_each(|line| println!("{line}"));
    today.save()?;
    println!("pinned; `make docs` takes them over into the documents");
    Ok(ExitCode::SUCCESS)
}

fn bench(machine: &str, input: &str) -> Result<Pins> {
    let run = guest::boot(Mode::Run, &kernel(), &Machine::parse(machine)?, input)?;
    let mut pins = Pins::default();
    for (name, median) in run.console.lines().filter_map(bench_rows::row) {
        pins.add(name, median);
    }
    let failed = run.console.lines().find(|line| line.starts_with("bench ") && bench_rows::row(line).is_none());
    match failed {
        Some(line) => bail!("{line}"),
        None if run.status != 0 => bail!("the benchmark ended with {}: {}", run.status, run.messages.trim()),
        None => Ok(pins),
    }
}

fn boot() -> Result<Pins> {
    let mut pins = Pins::default();
    let (small, large) = (bench_boot::instructions(bench_boot::MEMORY)?, bench_boot::instructions(LARGE_MEMORY)?);
    pins.add(BOOT, small as f64);
    pins.add(FRAME, (large as f64 - small as f64) / MORE_FRAMES);
    Ok(pins)
}

fn userland() -> Result<Pins> {
    let mut pins = Pins::default();
    pins.add(BOOT_BUSYBOX, bench_boot::instructions_on("MEM=1G PROGRAMS=busybox")? as f64);
    Ok(pins)
}

fn size() -> Result<Pins> {
    let path = kernel();
    let data = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let file = object::File::parse(&*data)?;
    let is_in_image = |section: &object::Section<'_, '_>| {
        let SectionFlags::Elf { sh_flags } = section.flags() else { return false };
        sh_flags & u64::from(elf::SHF_ALLOC) != 0 && section.file_range().is_some()
    };
    let bytes: u64 = file.sections().filter(is_in_image).map(|section| section.size()).sum();
    let mut pins = Pins::default();
    pins.add(SIZE, bytes as f64);
    Ok(pins)
}

fn kernel() -> PathBuf {
    cargo::target_dir().join("x86_64-kernel/kernel/kernel")
}
