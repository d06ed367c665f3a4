//! The allocators beside Linux's: both kernels under the same QEMU.
//!
//! They count instructions, or ticks of the time.
//!
//! bench/linux/run.sh measures Linux and keeps its console's log; our kernel runs its command `bench`. Both print
//! lines `bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS` with the same names; the medians are laid side by side.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::bench_rows::{Row, row};
use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::Machine;

const LINUX: &str = "bench/linux/run.sh";
/// As run.sh has it for Linux.
const MACHINE: &str = "MEM=512M CPU=qemu64 ACCEL=tcg TIMEOUT=300 LIMIT=1200";

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
    let linux: Vec<Row<'_>> = linux.lines().filter_map(row).collect();
    let ours: Vec<Row<'_>> = ours.lines().filter_map(row).collect();
    let both: Vec<String> = ours.iter().filter_map(|&row| side_by_side(clock.label(), row, &linux)).collect();
    if both.is_empty() {
        bail!("the two kernels have no row in common");
    }
    both.iter().for_each(|line| println!("{line}"));
    Ok(ExitCode::SUCCESS)
}

fn measure_linux(clock: Clock) -> Result<String> {
    let work = cargo::target_dir().join("bench-linux");
    let status = Command::new(Path::new(LINUX))
        .arg(&work)
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
    let run = guest::boot(Mode::Run, &kernel, &Machine::parse(&clock.machine())?, "bench\n")?;
    if run.status != 0 {
        bail!("the kernel's benchmark failed: {}\n{}", run.messages, run.console);
    }
    Ok(run.console)
}

fn side_by_side(label: &str, (name, ours): Row<'_>, linux: &[Row<'_>]) -> Option<String> {
    let &(_, theirs) = linux.iter().find(|(other, _)| *other == name)?;
    Some(format!("{label} {name} {ours:.2} {theirs:.2} {:.3}", ours / theirs))
}

#[cfg(test)]
mod tests {
    use super::side_by_side;

    #[test]
    fn a_row_that_only_one_kernel_has_is_left_out() {
        assert_eq!(side_by_side("bench-linux", ("a", 1.0), &[("b", 2.0)]), None);
        let line = side_by_side("bench-linux", ("b", 1.0), &[("b", 4.0)]);
        assert_eq!(line.as_deref(), Some("bench-linux b 1.00 4.00 0.250"));
    }
}
