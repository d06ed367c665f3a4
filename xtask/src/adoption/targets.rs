//! The crates build for other processors, or say why they cannot.
//!
//! `core` comes from the toolchain's own source, as for the kernel: no target has to be installed.

use std::process::{Output, Stdio};

use anyhow::{Context, Result};

use crate::cargo;
use crate::progress;
use crate::results::TestResult;

/// Targets that they are built for: 64 bits, and 32 bits with atomics of 64.
const BUILT: [&str; 3] = ["riscv64gc-unknown-none-elf", "aarch64-unknown-none", "i686-unknown-linux-gnu"];
/// Targets that are refused.
const REFUSED: [&str; 2] = ["riscv32imac-unknown-none-elf", "thumbv6m-none-eabi"];
/// What is said then.
const REASON: &str = "mm needs atomic operations on 64 bits";

/// Tries all of them.
pub(super) fn run(crates: &[&str]) -> Result<Vec<TestResult>> {
    let mut results = Vec::new();
    for target in BUILT {
        let output = build(crates, target, &["-Zbuild-std=core"])?;
        results.push(result(target, output.status.success(), &output));
    }
    for target in REFUSED {
        // Nothing is compiled for it; what else cannot be built without `core` says so too.
        let output = build(crates, target, &["--keep-going"])?;
        let refused = !output.status.success() && String::from_utf8_lossy(&output.stderr).contains(REASON);
        results.push(result(target, refused, &output));
    }
    Ok(results)
}

fn build(crates: &[&str], target: &str, options: &[&str]) -> Result<Output> {
    let _activity = progress::begin(format!("building the crates for {target}, with core if that is new"));
    let packages = crates.iter().flat_map(|name| ["-p", *name]);
    let mut cargo = cargo::cargo();
    cargo.args(["build", "--quiet", "--target", target]).args(packages).args(options);
    cargo.stdin(Stdio::null()).output().context("cannot run cargo")
}

fn result(target: &str, is_right: bool, output: &Output) -> TestResult {
    let name = format!("adoption::targets::{target}");
    if is_right {
        progress::say(&format!("ok     {name}"));
        return TestResult::ok(name);
    }
    progress::say(&format!("FAILED {name}\n{}", String::from_utf8_lossy(&output.stderr)));
    TestResult::failed(name, "what cargo said is above")
}
