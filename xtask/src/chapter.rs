//! The report on the chapter: each statement, and the tests that show it.
//!
//! A tag counts only if its test passed, on every machine, in the last whole `make test`.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::fingerprint;
use crate::results::{self, TestResult};
use crate::tags::{self, Tag};

const STATEMENTS: &str = "docs/statements.txt";
const REPORT: &str = "docs/chapter.md";

/// Shown by reading the code: they are about names, signatures and history.
const BY_INSPECTION: [&str; 6] = ["S6", "S11", "S19", "S69", "S72", "S76"];

const INTRODUCTION: &str = "\
# The chapter as a checklist

Written by `make chapter`. S: what the chapter states; K: what this project decided; D: faults of the original
drivers that this one must not have. A test counts if it passed in the last `make test`.

";

/// Writes docs/chapter.md and prints it. Without all results of this very tree nothing is written.
pub fn report() -> Result<ExitCode> {
    let text = fs::read_to_string(STATEMENTS).with_context(|| format!("cannot read {STATEMENTS}"))?;
    let results = fingerprint::of(Path::new(".")).and_then(|tree| results::load(&tree));
    let results = results.with_context(|| format!("{REPORT} stays as it is, `make test` comes first"))?;
    let tags = tags::scan()?;
    warn_of_unknown(&text, &tags);
    let page = page(&text, &tags, &results);
    fs::write(REPORT, &page).with_context(|| format!("cannot write {REPORT}"))?;
    print!("{page}");
    Ok(ExitCode::SUCCESS)
}

fn statements(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
}

fn warn_of_unknown(text: &str, tags: &[Tag]) {
    for tag in tags {
        if statements(text).all(|(id, _)| id != tag.statement) {
            eprintln!("xtask: {} is tagged with {}, which is no statement", tag.title(), tag.statement);
        }
    }
}

fn page(text: &str, tags: &[Tag], results: &[TestResult]) -> String {
    let mut rows = String::new();
    let (mut shown, mut open) = (0, 0);
    for (id, summary) in statements(text) {
        let evidence = evidence(id, tags, results);
        let evidence = evidence.unwrap_or_else(|| "open".into());
        if evidence == "open" {
            open += 1
        } else {
            shown += 1
        }
        // Writing to a string does not fail.
        let _ = writeln!(rows, "| {id} | {summary} | {evidence} |");
    }
    format!("{INTRODUCTION}{shown} shown, {open} open.\n\n| | Statement | Shown by |\n|---|---|---|\n{rows}")
}

/// The tests that show a statement; `None` while it is open.
fn evidence(id: &str, tags: &[Tag], results: &[TestResult]) -> Option<String> {
    let mut titles: Vec<String> = tags
        .iter()
        .filter(|tag| tag.statement == id && passed(tag, results))
        .map(|tag| format!("`{}`", tag.title()))
        .collect();
    titles.sort();
    titles.dedup();
    if BY_INSPECTION.contains(&id) {
        titles.push("by inspection".into());
    }
    (!titles.is_empty()).then(|| titles.join(", "))
}

/// Whether the test ran at least once, and never failed.
fn passed(tag: &Tag, results: &[TestResult]) -> bool {
    let mut runs = results.iter().filter(|result| tag.names(result.base_name())).peekable();
    runs.peek().is_some() && runs.all(|result| result.failure.is_none())
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::{Tag, TestResult, page};

    fn row(results: &[TestResult], id: &str) -> String {
        let tag = Tag { statement: "S1".into(), prefix: "qemu::x".into(), function: "a".into() };
        let page = page("# c\nS1 one\nS2 two\nS6 six\n", &[tag], results);
        page.lines().find(|line| line.starts_with(&format!("| {id} "))).unwrap_or_default().to_owned()
    }

    #[test]
    fn only_a_test_that_passed_on_every_machine_counts() {
        let (good, bad) = (TestResult::ok("qemu::x::a"), TestResult::failed("qemu::x::a (CPU=max)", ""));
        assert_eq!(row(slice::from_ref(&good), "S1"), "| S1 | one | `qemu::x::a` |");
        assert_eq!(row(&[good, bad], "S1"), "| S1 | one | open |");
        assert_eq!(row(&[], "S1"), "| S1 | one | open |");
    }

    #[test]
    fn untagged_statements_are_open_or_by_inspection() {
        assert_eq!(row(&[], "S2"), "| S2 | two | open |");
        assert_eq!(row(&[], "S6"), "| S6 | six | by inspection |");
    }

    #[test]
    fn tests_of_a_statement_by_inspection_are_listed_too() {
        let tag = Tag { statement: "S6".into(), prefix: "qemu::x".into(), function: "a".into() };
        let page = page("S6 six\n", &[tag], &[TestResult::ok("qemu::x::a")]);
        assert!(page.ends_with("| S6 | six | `qemu::x::a`, by inspection |\n"), "{page}");
    }
}
