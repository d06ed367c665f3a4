//! Programs and suites that others wrote, run in the guest.
//!
//! `make test-userland` does it. tools/userland.sh fetches them. `suite` boots a guest and takes down what a suite says
//! (`verdicts`); `known` has the failures that docs/userland.md explains, and the sums that it shows. Programs of which
//! a few lines are expected are transcripts (tests/suites). A part of a suite is a test: it passes if just those cases
//! fail that are known to.

mod known;
mod suite;
mod verdicts;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::fetched::FETCHED;
use crate::parallel::{self, Job};
use crate::results::Results;
use crate::transcripts;
use known::Known;
use suite::{Suite, TESTS};

/// Runs all whose name contains `filter`.
pub fn test(filter: &str) -> Result<ExitCode> {
    let mut jobs = jobs()?;
    jobs.retain(|job| job.name.contains(filter));
    if jobs.is_empty() {
        bail!("no test of userland has a name that contains {filter:?}");
    }
    let mut results = Results::default();
    results.extend(parallel::run(jobs));
    Ok(results.summary())
}

/// The suites, which take longest, and the programs.
fn jobs() -> Result<Vec<Job>> {
    if !Path::new(FETCHED).is_dir() {
        bail!("{FETCHED} is missing: type `make test-userland`, which fetches what there is to run");
    }
    let known = Known::read()?;
    let mut jobs: Vec<Job> = Suite::all()?.into_iter().map(|suite| suite.job(&known)).collect();
    for path in crate::programs::files::entries(Path::new(TESTS))? {
        if path.extension().is_some_and(|extension| extension == "txt") {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            jobs.extend(transcripts::jobs_of(&format!("userland::{stem}"), &fs::read_to_string(&path)?)?);
        }
    }
    Ok(jobs)
}
