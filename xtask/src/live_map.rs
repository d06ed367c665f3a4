//! The live map at a terminal, driven by keys.
//!
//! `watch/tests/live.rs` runs on the kernel.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::Machine;
use crate::parallel::Job;
use crate::progress;
use crate::results::TestResult;

const NAME: &str = "pictures::live";
/// Callers are remembered, and there is a disk to write to, and swap.
const MACHINE: &str = "MEM=32M APPEND=\"page_owner=1 mem=28M ramdisk=1M,1M swap=/dev/ram1\"";

/// The one job.
pub fn job() -> Job {
    Job { name: NAME.into(), work: Box::new(run) }
}

fn run() -> Result<(Vec<TestResult>, String)> {
    let options = ["-p", "watch", "--test", "live"].map(String::from);
    let programs = cargo::build_tests("the watcher's tests", &options)?;
    let program = programs.first().context("the watcher has no test of this name")?;
    let _activity = progress::begin_alone("the guest runs");
    let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
    let runner = guest::command(Mode::Run, &kernel, &Machine::parse(MACHINE)?)?;
    let mut command = Command::new(&program.executable);
    command.arg("--ignored").env("WATCH_RUNNER", runner.get_program()).env("WATCH_KERNEL", &kernel);
    inherit(&mut command, &runner);
    let output = command.stdin(Stdio::null()).output().context("the watcher's test does not start")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let result = if output.status.success() { TestResult::ok(NAME) } else { TestResult::failed(NAME, text.clone()) };
    Ok((vec![result], text))
}

/// Gives a command the machine that a runner would have.
pub fn inherit(command: &mut Command, runner: &Command) {
    for (name, value) in runner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}
