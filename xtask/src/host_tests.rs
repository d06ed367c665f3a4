//! Tests that run on this machine: of all crates but the kernel.
//!
//! Unit, integration and documentation tests, each program under a watchdog (tools/watchdog.sh).

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cargo::{self, TestProgram};
use crate::progress;
use crate::results::TestResult;

/// The tests that explore schedules: `mm` is built for them once more, with other atomics.
const EXPLORE: [&str; 10] = [
    "-p",
    "mm",
    "-p",
    "pagecache",
    "-p",
    "blocks",
    "--features",
    "mm/explore,pagecache/explore,blocks/explore",
    "--test",
    "explore",
];

/// The watcher, which `make run` does not build.
const WATCH: [&str; 2] = ["-p", "watch"];

/// Builds and runs them all.
pub fn run() -> Result<Vec<TestResult>> {
    let mut results = Vec::new();
    let (explore, watch) = (EXPLORE.map(String::from), WATCH.map(String::from));
    let mut programs = cargo::build_tests("the host tests", &[])?;
    programs.extend(cargo::build_tests("the explored schedules", &explore)?);
    programs.extend(cargo::build_tests("the watcher's tests", &watch)?);
    progress::expect(programs.len() + 1);
    for program in &programs {
        let _activity = progress::begin(prefix(program));
        results.extend(run_program(program)?);
    }
    let _activity = progress::begin("the examples in the documentation");
    results.extend(documentation_tests()?);
    Ok(results)
}

/// Ends a program in which a test hangs, and names the test. Cargo starts it itself; here it needs a path from the top.
const WATCHDOG: &str = "tools/watchdog.sh";

fn under_watchdog(executable: &Path) -> Result<Command> {
    let mut command = Command::new(env::current_dir().context("no current directory")?.join(WATCHDOG));
    command.arg(executable);
    Ok(command)
}

fn run_program(program: &TestProgram) -> Result<Vec<TestResult>> {
    let output = under_watchdog(&program.executable)?
        .current_dir(&program.package_dir)
        .env("CARGO_MANIFEST_DIR", &program.package_dir)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", program.executable.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(judged(&prefix(program), &text, output.status.success()))
}

/// How the names of a program's tests begin.
fn prefix(program: &TestProgram) -> String {
    match program.kind.as_str() {
        "test" => format!("host::{}::{}", program.package, program.target),
        _ => format!("host::{}", program.package),
    }
}

fn documentation_tests() -> Result<Vec<TestResult>> {
    let output = cargo::cargo()
        .args(["test", "--quiet", "--doc", "--", "--format=pretty"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the documentation tests")?;
    Ok(judged("doc", &String::from_utf8_lossy(&output.stdout), output.status.success()))
}

/// Reads what a test program printed, and shows it if a test failed.
fn judged(prefix: &str, text: &str, succeeded: bool) -> Vec<TestResult> {
    let mut results: Vec<TestResult> = text.lines().filter_map(|line| result(prefix, line)).collect();
    let any_failed = results.iter().any(|result| result.failure.is_some());
    if !succeeded && !any_failed {
        results.push(TestResult::failed(prefix, "the test program did not end well"));
    }
    if succeeded {
        progress::say(&format!("ok     {prefix}: {} tests", results.len()));
    } else {
        progress::say(&format!("FAILED {prefix}\n{text}"));
    }
    results
}

/// Reads a line such as `test buddy::tests::merges ... ok`.
fn result(prefix: &str, line: &str) -> Option<TestResult> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = format!("{prefix}::{}", name.trim_end_matches(" - should panic"));
    match outcome.split(',').next()? {
        "ok" => Some(TestResult::ok(name)),
        "FAILED" => Some(TestResult::failed(name, "its output is above")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::{Command, TestResult, WATCHDOG, judged, result};

    /// Runs a script under the watchdog, as a test program that may take a second; returns its status, and the last
    /// line that was printed.
    fn watched(name: &str, script: &str) -> (Option<i32>, String) {
        let folder = std::env::temp_dir().join(format!("scullery-watched-{}", std::process::id())).join("deps");
        fs::create_dir_all(&folder).expect("room");
        let program = folder.join(name);
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("room");
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("it is ours");
        let watchdog = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(WATCHDOG);
        let output = Command::new(watchdog).arg(&program).env("TEST_SECONDS", "1").output().expect("it runs");
        fs::remove_file(&program).expect("it is there");
        let text = String::from_utf8(output.stdout).expect("text");
        (output.status.code(), text.lines().last().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_test_that_hangs_is_ended_and_named() {
        let told = "echo 'test a::slow has been running for over 60 seconds'; echo 'test a::slow ... ok'
            printf '..test a::hangs has been running for over 60 seconds'; exec sleep 100";
        let (status, last) = watched("told", told);
        assert_eq!((status, &*last), (Some(124), "test a::hangs ... FAILED, it hangs: ended after 1 seconds"));
        assert!(result("host::mm", &last).is_some_and(|test| test.failure.is_some()));
        let one_thread = "echo 'test a::first ... ok'; printf 'test a::hangs ... '; exec sleep 100";
        assert_eq!(watched("one_thread", one_thread), (status, last));
    }

    #[test]
    fn a_program_that_ends_keeps_its_status() {
        let script = "echo 'test a ... FAILED'; exit 101";
        assert_eq!(watched("ends", script), (Some(101), "test a ... FAILED".to_owned()));
    }

    #[test]
    fn lines_of_the_test_harness_are_read() {
        assert_eq!(result("host::mm", "test a::b ... ok"), Some(TestResult::ok("host::mm::a::b")));
        assert_eq!(result("host::mm", "test a - should panic ... ok"), Some(TestResult::ok("host::mm::a")));
        let failed = result("host::mm", "test a ... FAILED");
        assert!(failed.is_some_and(|test| test.failure.is_some()));
        assert_eq!(result("host::mm", "test a ... ignored"), None);
        assert_eq!(result("host::mm", "test result: ok. 1 passed"), None);
    }

    #[test]
    fn a_program_that_dies_counts_as_failed() {
        let results = judged("host::mm", "running 3 tests\ntest a ... ok\n", false);
        assert_eq!(results.iter().filter(|test| test.failure.is_some()).count(), 1);
    }
}
