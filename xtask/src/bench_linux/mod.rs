//! Allocators, processes and disks beside Linux's.
//!
//! Both kernels run under the same QEMU.
//! They count instructions, or ticks of the time.
//!
//! bench/linux/run.sh measures Linux and keeps its console's log; our kernel runs its command `bench` and, as Linux
//! does, the programs procbench and diskbench. All print lines `bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS` with the
//! same names; the medians are laid side by side, and what counts instructions is written to docs/benchmarks-linux.md,
//! with the time that dd takes (`dd.rs`).

mod dd;
mod notes;
mod page;
mod pair;
mod runs;
mod summary;

use std::env;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::bench_rows::{Row, row};

use page::{DISKS, PAGE, PROCESSES, in_millions};
use pair::Pair;
use runs::{MACHINE, linux_log, run_linux, run_ours};

/// What our kernel is told.
const LINES: &str = "bench\n/bin/procbench\n";
/// What it is told on a machine with little memory and a disk in the rest.
const DISK_LINES: &str = "bench disks\n/bin/diskbench cached /dev/ram0\n/bin/diskbench reclaim /dev/ram0\n\
                          /bin/diskbench swap /dev/ram0\n";
/// What makes that machine of the usual one.
const DISK_MACHINE: &str = "APPEND=\"mem=128M ramdisk=320M ramdisk_latency=0\"";

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

    const fn logs(self) -> [&'static str; 2] {
        match self {
            Self::Instructions => ["linux.log", "linux-disk.log"],
            Self::Ticks => ["linux-ticks.log", "linux-disk-ticks.log"],
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
    let rows: Vec<Row<'_>> = ours.lines().filter_map(row).collect();
    let pairs = pairs(&rows, &theirs);
    let alone = rows.len() - pairs.len();
    for pair in &pairs {
        println!("{} {} {:.2} {:.2} {:.3}", clock.label(), pair.name, pair.ours, pair.linux, pair.ratio());
    }
    let missing: Vec<&str> = missing(&theirs, &pairs).collect();
    if pairs.is_empty() || !missing.is_empty() {
        bail!("rows that Linux has and this kernel lacks: {}\n{ours}", missing.join(", "));
    }
    let times = if matches!(clock, Clock::Instructions) { dd::pairs()? } else { Vec::new() };
    for time in &times {
        println!("bench-linux-dd {} {:.0} {:.0} {:.3}", time.name, time.ours, time.linux, time.ratio());
    }
    if matches!(clock, Clock::Instructions) {
        let text = page::render(&version(&linux), &pairs, &times, alone);
        fs::write(PAGE, text).with_context(|| format!("cannot write {PAGE}"))?;
    }
    println!("{}: {}", clock.label(), summary::line(&[pairs, in_millions(&times)].concat(), alone));
    Ok(ExitCode::SUCCESS)
}

/// The version in the line `uname 6.1.0-48-amd64 #1 SMP ...` of Linux's log.
fn version(log: &str) -> String {
    let version = log.lines().find_map(|line| line.split_once("uname ")?.1.split_whitespace().next());
    format!("Linux {}", version.unwrap_or("of an unknown version"))
}

fn measure_linux(clock: Clock) -> Result<String> {
    run_linux(&[])?;
    clock.logs().into_iter().map(linux_log).collect()
}

fn measure_ours(clock: Clock) -> Result<String> {
    let machine = clock.machine();
    Ok(run_ours(&machine, LINES)? + &run_ours(&format!("{machine} {DISK_MACHINE}"), DISK_LINES)?)
}

/// The rows that both have.
fn pairs<'a>(ours: &[Row<'a>], theirs: &[Row<'_>]) -> Vec<Pair<'a>> {
    let pair = |&(name, ours): &Row<'a>| {
        let &(_, linux) = theirs.iter().find(|(other, _)| *other == name)?;
        Some(Pair { name, ours, linux })
    };
    ours.iter().filter_map(pair).collect()
}

/// Rows of programs that only Linux has: the programs are the same, so one of them has failed here.
fn missing<'a>(theirs: &'a [Row<'_>], pairs: &'a [Pair<'_>]) -> impl Iterator<Item = &'a str> {
    let is_program = |name: &&str| name.starts_with(PROCESSES) || name.starts_with(DISKS);
    let names = theirs.iter().map(|(name, _)| *name).filter(is_program);
    names.filter(|name| pairs.iter().all(|pair| pair.name != *name))
}

#[cfg(test)]
mod tests {
    use super::pair::Pair;
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
