//! A session of a document, typed at a kernel.

use std::path::Path;

use anyhow::Result;

use crate::docs::markdown;
use crate::guest::{self, Mode};
use crate::machine::Machine;
use crate::pattern;
use crate::results::TestResult;

/// Types the lines of a session at a kernel on `machine`; a gap in it is any number of lines. The result is that of the
/// test `name`.
pub fn types(name: &str, kernel: &Path, machine: &Machine, session: &str) -> Result<(Vec<TestResult>, String)> {
    let expected = expected(session.lines().filter(|line| !line.starts_with("$ ")));
    let typed = expected.lines().filter_map(|line| line.strip_prefix("# "));
    let input: String = typed.map(|line| format!("{line}\n")).collect();
    let run = guest::boot(Mode::Run, kernel, machine, &input)?;
    let result = match pattern::compare(&expected, &run.console)? {
        Ok(()) if run.status == 0 => TestResult::ok(name),
        Ok(()) => TestResult::failed(name, run.messages.trim()),
        Err(difference) => TestResult::failed(name, difference),
    };
    Ok((vec![result], run.console + &run.messages))
}

/// What a document shows, as a text with gaps.
pub fn expected<'a>(shown: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<&str> = shown.map(|line| if line == markdown::GAP { "{...}" } else { line }).collect();
    lines.join("\n")
}
