//! What authors of other kernels take: crates, packages, an example.

mod examples;
mod kernels;
mod oldest;
mod packages;
mod targets;

use anyhow::Result;

pub use kernels::jobs;

use crate::results::TestResult;

/// The crates that go to other kernels, each behind those that it depends on.
const CRATES: [&str; 2] = ["mm", "pagetable"];

/// Builds the crates for other targets, out of their own packages, and with an old compiler; runs the examples.
pub fn run() -> Result<Vec<TestResult>> {
    let mut results = targets::run(&CRATES)?;
    results.extend(examples::run()?);
    results.extend(packages::run(&CRATES)?);
    results.extend(oldest::run(&CRATES)?);
    Ok(results)
}
