//! What the tests came to: one line each in a file, and the sum.
//!
//! The file's first line says of which tree the results are, and how many.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

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
const HEADER: &str = "results of tree ";

impl Results {
    /// Adds some.
    pub fn extend(&mut self, more: impl IntoIterator<Item = TestResult>) {
        self.all.extend(more);
    }

    /// Writes the result file of a whole run on `tree`: `ok NAME` or `FAILED NAME`, sorted.
    pub fn save(&self, tree: &str) -> Result<()> {
        let path = cargo::target_dir().join(FILE);
        fs::write(&path, self.file(tree)).with_context(|| format!("cannot write {}", path.display()))
    }

    fn file(&self, tree: &str) -> String {
        let mut lines: Vec<String> = self.all.iter().map(line).collect();
        lines.sort();
        format!("{HEADER}{tree} {}\n{}", lines.len(), lines.concat())
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

/// The results of the last whole `make test`, without reasons. Refuses those of another tree than `tree`, and a part.
pub fn load(tree: &str) -> Result<Vec<TestResult>> {
    match fs::read_to_string(cargo::target_dir().join(FILE)) {
        Ok(text) => whole(&text, tree),
        Err(_) => bail!("there are no results of tests"),
    }
}

fn whole(text: &str, tree: &str) -> Result<Vec<TestResult>> {
    let (header, lines) = text.split_once('\n').unwrap_or_default();
    let Some((of, count)) = header.strip_prefix(HEADER).and_then(|rest| rest.split_once(' ')) else {
        bail!("the results of tests do not say of which tree they are");
    };
    if of != tree {
        bail!("the tree has changed since the results of tests were written");
    }
    let results: Vec<TestResult> = lines.lines().filter_map(parse).collect();
    if results.is_empty() || count.parse() != Ok(results.len()) {
        bail!("the results of tests are a part only, {} of {count}", results.len());
    }
    Ok(results)
}

fn parse(line: &str) -> Option<TestResult> {
    match line.split_once(' ')? {
        ("ok", name) => Some(TestResult::ok(name)),
        (_, name) => Some(TestResult::failed(name, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Results, TestResult, line, parse, whole};

    #[test]
    fn a_line_of_the_result_file_reads_back() {
        for result in [TestResult::ok("qemu::a::b (CPU=max)"), TestResult::failed("host::c", "")] {
            assert_eq!(parse(line(&result).trim_end()), Some(result));
        }
    }

    #[test]
    fn only_all_results_of_the_same_tree_are_read() {
        let mut results = Results::default();
        results.extend([TestResult::ok("host::a"), TestResult::failed("host::b", "")]);
        let file = results.file("0123");
        assert_eq!(
            whole(&file, "0123").expect("the same tree"),
            [TestResult::failed("host::b", ""), TestResult::ok("host::a")]
        );
        let refusal = |text: &str, tree: &str| whole(text, tree).expect_err("refused").to_string();
        assert!(refusal(&file, "4567").contains("the tree has changed"));
        assert!(refusal(file.trim_end_matches("ok host::a\n"), "0123").contains("1 of 2"));
        assert!(refusal(&Results::default().file("0123"), "0123").contains("0 of 0"));
        for text in ["", "ok host::a\n", "results of tree 0123\n"] {
            assert!(refusal(text, "0123").contains("do not say of which tree"), "{text}");
        }
    }

    #[test]
    fn base_name_drops_the_machine() {
        assert_eq!(TestResult::ok("qemu::a::b (MEM=24M CPU=max)").base_name(), "qemu::a::b");
    }
}
