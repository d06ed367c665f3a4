//! Allocators and processes beside Linux's: both kernels under the same QEMU.
//!
//! They count instructions, or ticks of the time.
//!
//! bench/linux/run.sh measures Linux and keeps its console's log; our kernel runs its command `bench` and, as Linux
//! does, the program procbench. All print lines `bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS` with the same names; the
//! medians are laid side by side, and what counts instructions is written to docs/benchmarks-linux.md.

mod page;

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::bench_rows::{Row, row};
use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::Machine;

use page::{PAGE, PROCESSES, Pair};

const LINUX: &str = "bench/linux/run.sh";
/// What our kernel is told.
const LINES: &str = "bench\n/bin/procbench\n";
/// As run.sh has it for Linux.
const MACHINE: &str = "MEM=512M CPU=qemu64 ACCEL=tcg PROGRAMS=busybox TIMEOUT=300 LIMIT=1200";

/// What the time-stamp counter counts.
#[derive(Clone, Copy)]
enum Clock {
    /// Instructions: the same in every run.
    Instructions,
    /// Ticks of the host's time, as long as they take under emulation.
    Ticks,
}

impl Clock {
    /// The caller's choice: `TICKS=1` or nothing. run.sh goes by the same variable.
    fn chosen() -> Self {
        if env::var_os("TICKS").is_some_and(|value| !value.is_empty()) { Self::Ticks } else { Self::Instructions }
    }

    const fn log(self) -> &'static str {
        match self {
            Self::Instructions => "linux.log",
            Self::Ticks => "linux-ticks.log",
        }
    }

    fn machine(self) -> String {
        match self {
            Self::Instructions => format!("{MACHINE} ICOUNT=1"),
            Self::Ticks => MACHINE.to_owned(),
        }
    }

    /// First word of the lines that are printed.
    const fn label(self) -> &'static str {
        match self {
            Self::Instructions => "bench-linux",
            Self::Ticks => "bench-linux-ticks",
        }
    }
}

/// Measures both and prints `bench-linux NAME OURS LINUX RATIO` for each row that both have; `bench-linux-ticks` when
/// the counter tells the time.
pub fn compare() -> Result<ExitCode> {
    let clock = Clock::chosen();
    let linux = measure_linux(clock)?;
    let ours = measure_ours(clock)?;
    let theirs: Vec<Row<'_>> = linux.lines().filter_map(row).collect();
    let pairs = pairs(&ours.lines().filter_map(row).collect::<Vec<_>>(), &theirs);
    for pair in &pairs {
        println!("{} {} {:.2} {:.2} {:.3}", clock.label(), pair.name, pair.ours, pair.linux, pair.ratio());
    }
    let missing: Vec<&str> = missing(&theirs, &pairs).collect();
    if pairs.is_empty() || !missing.is_empty() {
        bail!("rows that Linux has and this kernel lacks: {}\n{ours}", missing.join(", "));
    }
    if matches!(clock, Clock::Instructions) {
        fs::write(PAGE, page::render(&version(&linux), &pairs)).with_context(|| format!("cannot write {PAGE}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The version in the line `uname 6.1.0-48-amd64 #1 SMP ...` of Linux's log.
fn version(log: &str) -> String {
    let version = log.lines().find_map(|line| line.split_once("uname ")?.1.split_whitespace().next());
    format!("Linux {}", version.unwrap_or("of an unknown version"))
}

fn measure_linux(clock: Clock) -> Result<String> {
    let work = cargo::target_dir().join("bench-linux");
    let status = Command::new(Path::new(LINUX))
        .arg(&work)
        .arg(cargo::programs_dir().join("bin/procbench"))
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {LINUX}"))?;
    if !status.success() {
        bail!("{LINUX} could not measure Linux; the reason is above");
    }
    let log = work.join(clock.log());
    // A console's bytes, not all of them UTF-8.
    let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn measure_ours(clock: Clock) -> Result<String> {
    let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
    let run = guest::boot(Mode::Run, &kernel, &Machine::parse(&clock.machine())?, LINES)?;
    if run.status != 0 {
        bail!("the kernel's benchmark failed: {}\n{}", run.messages, run.console);
    }
    Ok(run.console)
}

/// The rows that both have.
fn pairs<'a>(ours: &[Row<'a>], theirs: &[Row<'_>]) -> Vec<Pair<'a>> {
    let pair = |&(name, ours): &Row<'a>| {
        let &(_, linux) = theirs.iter().find(|(other, _)| *other == name)?;
        Some(Pair { name, ours, linux })
    };
    ours.iter().filter_map(pair).collect()
}

/// Rows of processes that only Linux has: the program is the same, so one of them has failed here.
fn missing<'a>(theirs: &'a [Row<'_>], pairs: &'a [Pair<'_>]) -> impl Iterator<Item = &'a str> {
    let names = theirs.iter().map(|(name, _)| *name).filter(|name| name.starts_with(PROCESSES));
    names.filter(|name| pairs.iter().all(|pair| pair.name != *name))
}

#[cfg(test)]
mod tests {
    use super::page::Pair;
    use super::{missing, pairs, version};

    #[test]
    fn a_row_that_only_one_kernel_has_is_left_out() {
        assert_eq!(pairs(&[("a", 1.0)], &[("b", 2.0)]), []);
        assert_eq!(pairs(&[("b", 1.0)], &[("b", 4.0)]), [Pair { name: "b", ours: 1.0, linux: 4.0 }]);
    }

    #[test]
    fn processes_are_to_be_measured_on_both() {
        let theirs = [("only_linux_has_it", 1.0), ("proc_a", 1.0), ("proc_b", 1.0)];
        let pairs = pairs(&[("proc_a", 1.0)], &theirs);
        assert_eq!(missing(&theirs, &pairs).collect::<Vec<_>>(), ["proc_b"]);
    }

    #[test]
    fn linux_says_its_version() {
        assert_eq!(version("x\nuname 6.1.0-48-amd64 #1 SMP\n"), "Linux 6.1.0-48-amd64");
    }
}
