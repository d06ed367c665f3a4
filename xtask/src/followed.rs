//! What a document tells its readers to do, done to the letter.
//!
//! The text comes out of the document, from the block after `<!-- followed: NAME -->`.

use std::fs;

use anyhow::{Context, Result};

use crate::docs::markdown;
use crate::parallel::Job;
use crate::transcripts;

/// Where a transcript is explained, with one that readers start from.
const CONTRIBUTING: &str = "CONTRIBUTING.md";

/// Jobs that follow the documents.
pub fn jobs() -> Result<Vec<Job>> {
    let example = markdown::followed(&read(CONTRIBUTING)?, "transcript").context(CONTRIBUTING)?;
    transcripts::jobs_of("followed::transcript", &example).context(CONTRIBUTING)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}
