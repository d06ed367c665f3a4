//! The crates build with the oldest compiler that they promise.
//!
//! Where rustup has that compiler: none is installed for it. Elsewhere clippy's `incompatible_msrv` alone watches.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cargo;
use crate::progress;
use crate::results::TestResult;

/// Tries it, if it is there.
pub(super) fn run(crates: &[&str]) -> Result<Option<TestResult>> {
    let version = promised(crates)?;
    let name = format!("adoption::oldest::{version}");
    let _activity = progress::begin(format!("building the crates with Rust {version}"));
    if !with(&version, "rustc").arg("--version").output().is_ok_and(|output| output.status.success()) {
        progress::say(&format!("not run: {name}; for it, rustup toolchain install {version} --profile minimal"));
        return Ok(None);
    }
    let mut cargo = with(&version, "cargo");
    cargo.args(["check", "--quiet", "--offline"]).args(crates.iter().flat_map(|name| ["-p", *name]));
    cargo.arg("--target-dir").arg(cargo::target_dir().join("oldest")).env("RUSTC_BOOTSTRAP", "-1");
    let output = cargo.output().context("cannot run rustup")?;
    if output.status.success() {
        progress::say(&format!("ok     {name}"));
        return Ok(Some(TestResult::ok(name)));
    }
    progress::say(&format!("FAILED {name}\n{}", String::from_utf8_lossy(&output.stderr)));
    Ok(Some(TestResult::failed(name, "what cargo said is above")))
}

/// A program of this version of the toolchain.
fn with(version: &str, program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", version, program]).env("RUSTUP_AUTO_INSTALL", "0").stdin(Stdio::null());
    command
}

/// What all of the crates say.
fn promised(crates: &[&str]) -> Result<String> {
    let mut versions = Vec::new();
    for name in crates {
        let path = format!("{name}/Cargo.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
        versions.push(line.with_context(|| format!("{path} has no rust-version"))?.to_owned());
    }
    versions.dedup();
    match versions.as_slice() {
        [version] => Ok(version.clone()),
        _ => anyhow::bail!("the crates promise different compilers: {}", versions.join(", ")),
    }
}
