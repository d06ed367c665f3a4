//! The two kernels, each run once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::Machine;

const LINUX: &str = "bench/linux/run.sh";
/// As run.sh has it for Linux.
pub const MACHINE: &str = "MEM=512M CPU=qemu64 ACCEL=tcg PROGRAMS=busybox TIMEOUT=300 LIMIT=1200";

/// Where run.sh leaves its logs.
fn linux_dir() -> PathBuf {
    cargo::target_dir().join("bench-linux")
}

/// A console's log, in which not all bytes are UTF-8.
pub fn linux_log(name: &str) -> Result<String> {
    let path = linux_dir().join(name);
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Measures Linux, as run.sh is told by these variables, too.
pub fn run_linux(variables: &[(&str, &Path)]) -> Result<()> {
    let programs = ["procbench", "diskbench"].map(|name| cargo::programs_dir().join("bin").join(name));
    let status = Command::new(Path::new(LINUX))
        .arg(linux_dir())
        .args(programs)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {LINUX}"))?;
    if !status.success() {
        bail!("{LINUX} could not measure Linux; the reason is above");
    }
    Ok(())
}

/// The console of our kernel, on this machine, told these lines.
pub fn run_ours(machine: &str, lines: &str) -> Result<String> {
    let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
    let run = guest::boot(Mode::Run, &kernel, &Machine::parse(machine)?, lines)?;
    if run.status != 0 {
        bail!("the kernel's benchmark failed: {}\n{}", run.messages, run.console);
    }
    Ok(run.console)
}
