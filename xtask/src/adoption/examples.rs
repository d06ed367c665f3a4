//! The programs in mm/examples run.

use std::process::Stdio;

use anyhow::{Context, Result};

use crate::cargo;
use crate::progress;
use crate::results::TestResult;

/// Each with its arguments.
const PROGRAMS: [(&str, &[&str]); 2] = [("global", &[]), ("bench", &["1000"])];

/// Runs them.
pub(super) fn run() -> Result<Vec<TestResult>> {
    let _activity = progress::begin("the examples of mm");
    PROGRAMS.into_iter().map(|(name, arguments)| try_one(name, arguments)).collect()
}

fn try_one(name: &str, arguments: &[&str]) -> Result<TestResult> {
    let title = format!("adoption::examples::{name}");
    let mut cargo = cargo::cargo();
    cargo.args(["run", "--quiet", "-p", "mm", "--example", name, "--"]).args(arguments);
    let output = cargo.stdin(Stdio::null()).output().context("cannot run cargo")?;
    if output.status.success() {
        progress::say(&format!("ok     {title}"));
        return Ok(TestResult::ok(title));
    }
    progress::say(&format!("FAILED {title}\n{}", String::from_utf8_lossy(&output.stderr)));
    Ok(TestResult::failed(title, "what it said is above"))
}
