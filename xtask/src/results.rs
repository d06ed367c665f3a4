//! What the tests came to: one line each in a file, and the sum.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cargo;

/// One test's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// Kind, file and function: `host::mm::buddy::tests::merges`, `qemu::boot::has_names (CPU=max)`.
    pub name: String,
    /// What went wrong, if anything did.
    pub failure: Option<String>,
}

impl TestResult {
    /// A test that passed.
    pub fn ok(name: impl Into<String>) -> Self {
        Self { name: name.into(), failure: None }
    }

    /// A test that failed, and why.
    pub fn failed(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), failure: Some(why.into()) }
    }

    /// The name without the machine that it ran on.
    pub fn base_name(&self) -> &str {
        self.name.split(" (").next().unwrap_or(&self.name)
    }
}

/// All results of a run, in the order in which they came.
#[derive(Debug, Default)]
pub struct Results {
    all: Vec<TestResult>,
}

const FILE: &str = "test-results.txt";

impl Results {
    /// Adds some.
    pub fn extend(&mut self, more: impl IntoIterator<Item = TestResult>) {
        self.all.extend(more);
    }

    /// Writes the result file: `ok NAME` or `FAILED NAME`, sorted.
    pub fn save(&self) -> Result<()> {
        let mut lines: Vec<String> = self.all.iter().map(line).collect();
        lines.sort();
        let path = cargo::target_dir().join(FILE);
        fs::write(&path, lines.concat()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Prints every failure and, last, `N passed, N failed`; the exit status says whether all passed.
    pub fn summary(&self) -> ExitCode {
        let failures: Vec<&TestResult> = self.all.iter().filter(|result| result.failure.is_some()).collect();
        for result in &failures {
            println!("FAILED {}: {}", result.name, result.failure.as_deref().unwrap_or_default());
        }
        println!("{} passed, {} failed", self.all.len() - failures.len(), failures.len());
        if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn line(result: &TestResult) -> String {
    let word = if result.failure.is_none() { "ok" } else { "FAILED" };
    format!("{word} {}\n", result.name)
}

/// The results of the last whole `make test`, without reasons; none if there was no such run.
pub fn load() -> Vec<TestResult> {
    let text = fs::read_to_string(cargo::target_dir().join(FILE)).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<TestResult> {
    match line.split_once(' ')? {
        ("ok", name) => Some(TestResult::ok(name)),
        (_, name) => Some(TestResult::failed(name, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::{TestResult, line, parse};

    #[test]
    fn a_line_of_the_result_file_reads_back() {
        for result in [TestResult::ok("qemu::a::b (CPU=max)"), TestResult::failed("host::c", "")] {
            assert_eq!(parse(line(&result).trim_end()), Some(result));
        }
    }

    #[test]
    fn base_name_drops_the_machine() {
        assert_eq!(TestResult::ok("qemu::a::b (MEM=24M CPU=max)").base_name(), "qemu::a::b");
    }
}
