//! What authors of other kernels take: crates, packages, an example.

mod packages;
mod targets;

use anyhow::Result;

use crate::results::TestResult;

/// The crates that go to other kernels, each behind those that it depends on.
const CRATES: [&str; 2] = ["mm", "pagetable"];

/// Builds the crates for other targets, and out of their own packages.
pub fn run() -> Result<Vec<TestResult>> {
    let mut results = targets::run(&CRATES)?;
    results.extend(packages::run(&CRATES)?);
    Ok(results)
}
