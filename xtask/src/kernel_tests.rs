//! Bootable tests: each file under tests/ is a kernel that runs its tests.
//!
//! A file's header may ask for machines, one a line: `//! Machine: MEM=24M FIRMWARE=uefi`. It runs once on each.
//! The lines that a test kernel prints are described in kernel/src/testing.rs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cargo;
use crate::guest::{self, Mode, Run};
use crate::machine::{self, Machine};
use crate::modules;
use crate::parallel::Job;
use crate::results::TestResult;

/// Builds every test kernel; one job for each machine that it asks for.
pub fn jobs() -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for program in cargo::build_tests("the test kernels", &cargo::kernel_flags()?)? {
        modules::check(&program.executable)?;
        let source =
            fs::read_to_string(&program.source).with_context(|| format!("cannot read {}", program.source.display()))?;
        let machines = machine::all_in(&source, "//! Machine:")
            .with_context(|| format!("{}: bad Machine line", program.source.display()))?;
        for machine in machines {
            let name = format!("qemu::{}{}", program.target, machine.suffix());
            let (title, executable) = (name.clone(), program.executable.clone());
            jobs.push(Job { name, work: Box::new(move || run(&title, &executable, &machine)) });
        }
    }
    Ok(jobs)
}

fn run(title: &str, kernel: &Path, machine: &Machine) -> Result<(Vec<TestResult>, String)> {
    let run = guest::boot(Mode::Test, kernel, machine, "")?;
    let results = judge(title, &machine.suffix(), &run);
    Ok((results, run.console + &run.messages))
}

/// One result for each test of the kernel, and one more for a kernel that did not end as it should.
fn judge(title: &str, suffix: &str, run: &Run) -> Vec<TestResult> {
    let mut results = Vec::new();
    let mut running = None;
    for line in run.console.lines() {
        if let Some(name) = line.strip_prefix("run ") {
            running = Some(name);
        }
        if let Some(result) = result(line, suffix) {
            results.push(result);
            running = None;
        }
    }
    let message = run.messages.trim().trim_start_matches("boot: ");
    if let Some(name) = running {
        results.push(TestResult::failed(format!("qemu::{name}{suffix}"), format!("did not end: {message}")));
    }
    let announced = announced(&run.console).unwrap_or(0);
    if announced > results.len() {
        let missing = announced - results.len();
        results.push(TestResult::failed(title, format!("{missing} more tests did not run")));
    }
    if run.lacks_high_memory() {
        results.push(TestResult::failed(title, guest::NO_SUCH_MACHINE));
    }
    let any_failed = results.iter().any(|result| result.failure.is_some());
    if results.is_empty() || (run.status != 0 && !any_failed) {
        results.push(TestResult::failed(title, format!("the kernel did not end well: {message}")));
    }
    results
}

/// The number in the line `running N tests`.
fn announced(console: &str) -> Option<usize> {
    console.lines().find_map(|line| line.strip_prefix("running ")?.strip_suffix(" tests")?.parse().ok())
}

/// Reads `test NAME ... ok` or `test NAME ... FAILED: MESSAGE`.
fn result(line: &str, suffix: &str) -> Option<TestResult> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let name = format!("qemu::{name}{suffix}");
    match outcome.strip_prefix("FAILED: ") {
        Some(why) => Some(TestResult::failed(name, why)),
        None => (outcome == "ok").then(|| TestResult::ok(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Run, judge};

    /// Passed, failed.
    fn counts(console: &str, status: i32) -> (usize, usize) {
        let run = Run { console: console.into(), messages: "boot: stopped".into(), status };
        let results = judge("qemu::t", " (CPU=max)", &run);
        let failed = results.iter().filter(|result| result.failure.is_some()).count();
        (results.len() - failed, failed)
    }

    #[test]
    fn a_kernel_that_passed_all_its_tests() {
        let console = "Scullery\nrunning 2 tests\nrun t::a\nlog\ntest t::a ... ok\nrun t::b\ntest t::b ... ok\n";
        assert_eq!(counts(console, 0), (2, 0));
    }

    #[test]
    fn a_hang_fails_the_running_test_and_names_the_rest() {
        assert_eq!(counts("running 3 tests\nrun t::a\ntest t::a ... ok\nrun t::b\n", 2), (1, 2));
    }

    #[test]
    fn a_machine_that_was_to_have_high_memory_has_some() {
        let refused = "warning: kernel option highmem: 8192 KiB would leave too little low memory\n";
        assert_eq!(counts(&format!("{refused}running 1 tests\nrun t::a\ntest t::a ... ok\n"), 0), (1, 1));
    }

    #[test]
    fn a_panic_fails_its_test() {
        assert_eq!(counts("running 1 tests\nrun t::a\npanic\ntest t::a ... FAILED: boom\n", 1), (0, 1));
    }

    #[test]
    fn a_kernel_that_says_nothing_or_ends_badly_has_failed() {
        assert_eq!(counts("", 0), (0, 1));
        assert_eq!(counts("running 1 tests\nrun t::a\ntest t::a ... ok\n", 2), (1, 1));
    }
}
