//! The soak of disks: two minutes of a machine whose disk fails.
//!
//! Its memory is short meanwhile, and goes to another disk.
//! The program disksoak (userland/disksoak) does it, and checks every byte. `SEED=7` is the work of such a run again,
//! `SOAK_SECONDS=600` a longer one.

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::Machine;

/// The disk that fails, and one for swap.
const MACHINE: &str =
    "MEM=512M APPEND=\"mem=64M ramdisk=8M,192M\" ACCEL=tcg ICOUNT=0 PROGRAMS=busybox TIMEOUT=300 LIMIT=3600";
const SECONDS: u32 = 120;
/// How a run ends in which all was right.
const RIGHT: &str = ": all data right";

/// Runs it, and shows what came of it.
pub fn run() -> Result<ExitCode> {
    let given = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let seconds = given("SOAK_SECONDS").map_or(Ok(SECONDS), |text| text.parse())?;
    let seed = given("SEED").unwrap_or_default();
    println!("a disk fails and memory is short, {seconds} s");
    let lines = format!(
        "/bin/busybox mkswap /dev/ram1\n/bin/busybox swapon /dev/ram1\n\
         echo ram0 timeout 2 > /proc/sys/dev/disks\n/bin/disksoak ram0 {seconds} {seed}\n"
    );
    let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
    let run = guest::boot(Mode::Run, &kernel, &Machine::parse(MACHINE)?, &lines)?;
    for line in run.console.lines().filter(|line| line.starts_with("disksoak: ")) {
        println!("{line}");
    }
    if run.status != 0 || !run.console.lines().any(|line| line.ends_with(RIGHT)) {
        bail!("the soak has failed: {}\n{}", run.messages.trim(), run.console);
    }
    Ok(ExitCode::SUCCESS)
}
