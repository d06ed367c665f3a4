//! What docs/userland.md says of the suites.
//!
//! It has each failing case with its reason, and the sums, as rows of tables: `| SUITE | PART | CASE | REASON |`, and
//! `| SUITE | PASS | FAIL | SKIPPED | LINUX |`. A reason that begins with `sometimes` lets the case pass as well.

use std::fs;

use anyhow::{Context, Result};

use super::verdicts::{Part, Verdict};

/// The document.
pub const DOCUMENT: &str = "docs/userland.md";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    suite: String,
    part: String,
    case: String,
    is_certain: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sum {
    suite: String,
    counts: [usize; 3],
}

/// What is known.
#[derive(Debug, Clone)]
pub struct Known {
    failures: Vec<Failure>,
    sums: Vec<Sum>,
}

impl Known {
    /// Reads the document.
    pub fn read() -> Result<Self> {
        Ok(Self::parse(&fs::read_to_string(DOCUMENT).with_context(|| DOCUMENT.to_owned())?))
    }

    fn parse(text: &str) -> Self {
        let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").map(str::trim).collect()).collect();
        let failures = rows.iter().filter_map(|row| {
            let [suite, part, case, reason] = row.as_slice() else { return None };
            let is_certain = !reason.starts_with("sometimes");
            Some(Failure { suite: (*suite).into(), part: (*part).into(), case: plain(case), is_certain })
        });
        let sums = rows.iter().filter_map(|row| {
            let [suite, pass, fail, skipped, _linux] = row.as_slice() else { return None };
            let counts = [pass.parse().ok()?, fail.parse().ok()?, skipped.parse().ok()?];
            Some(Sum { suite: (*suite).into(), counts })
        });
        Self { failures: failures.collect(), sums: sums.collect() }
    }

    /// What is wrong with a part: cases that fail and are not known to, or are known to fail and pass.
    pub fn surprises(&self, suite: &str, part: &Part) -> Vec<String> {
        let known = |case: &str| {
            let mut failures = self.failures.iter();
            failures.find(|it| it.suite == suite && it.part == part.name && it.case == plain(case))
        };
        let surprise = |(case, verdict): &(String, Verdict)| match (verdict, known(case)) {
            (Verdict::Fail, None) => Some(format!("{case}: fails")),
            (Verdict::Pass, Some(failure)) if failure.is_certain => {
                Some(format!("{case}: passes; {DOCUMENT} says that it fails"))
            }
            _ => None,
        };
        part.cases.iter().filter_map(surprise).collect()
    }

    /// What is wrong with the sums that the document shows. Cases that fail sometimes count as failures there.
    pub fn wrong_sum(&self, suite: &str, parts: &[Part]) -> Option<String> {
        let mut counts = [Verdict::Pass, Verdict::Fail, Verdict::Skip]
            .map(|verdict| parts.iter().map(|part| part.count(verdict)).sum::<usize>());
        let lucky = parts.iter().flat_map(|part| part.cases.iter().map(move |case| (&part.name, case)));
        let lucky = lucky.filter(|(part, (case, verdict))| {
            *verdict == Verdict::Pass && self.failures.iter().any(|it| it.is_of(suite, part, case) && !it.is_certain)
        });
        let lucky = lucky.count();
        counts[0] -= lucky;
        counts[1] += lucky;
        let shown = self.sums.iter().find(|sum| sum.suite == suite).map(|sum| sum.counts);
        let [pass, fail, skipped] = counts;
        (shown != Some(counts))
            .then(|| format!("{DOCUMENT} is to show: | {suite} | {pass} | {fail} | {skipped} |, not {shown:?}"))
    }
}

impl Failure {
    fn is_of(&self, suite: &str, part: &str, case: &str) -> bool {
        self.suite == suite && self.part == part && self.case == plain(case)
    }
}

/// A case's name without what a table cannot hold.
fn plain(case: &str) -> String {
    case.replace(['|', '`', '\\'], "").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::Known;
    use crate::userland::verdicts::{Part, Verdict};

    const TEXT: &str = "text\n\n| suite | part | case | reason |\n|---|---|---|---|\n\
                        | busybox | sed | sed a b | a bug of its own |\n| busybox | sh | trap | sometimes: a race |\n\n\
                        | suite | pass | fail | skipped | on Linux |\n|---|---:|---:|---:|---:|\n\
                        | busybox | 1 | 2 | 0 | 3 |\n";

    fn part(cases: &[(&str, Verdict)], name: &str) -> Part {
        let cases = cases.iter().map(|(name, verdict)| ((*name).to_owned(), *verdict)).collect();
        Part { name: name.into(), cases, has_ended: true }
    }

    #[test]
    fn only_known_cases_may_fail_and_these_must() {
        let known = Known::parse(TEXT);
        let surprises = |cases: &[_], name| known.surprises("busybox", &part(cases, name)).len();
        assert_eq!(surprises(&[("sed a|b", Verdict::Fail), ("x", Verdict::Pass)], "sed"), 1);
        assert_eq!(surprises(&[("sed a b", Verdict::Fail), ("x", Verdict::Pass)], "sed"), 0);
        assert_eq!(surprises(&[("sed a b", Verdict::Pass), ("x", Verdict::Fail)], "sed"), 2);
        assert_eq!(surprises(&[("sed a b", Verdict::Fail)], "awk"), 1);
        assert_eq!(surprises(&[("trap", Verdict::Pass)], "sh"), 0);
    }

    #[test]
    fn the_sums_are_those_of_the_run() {
        let known = Known::parse(TEXT);
        let parts = |verdict| {
            [part(&[("sed a b", Verdict::Fail), ("x", Verdict::Pass)], "sed"), part(&[("trap", verdict)], "sh")]
        };
        assert_eq!(known.wrong_sum("busybox", &parts(Verdict::Fail)), None);
        assert_eq!(known.wrong_sum("busybox", &parts(Verdict::Pass)), None);
        assert!(known.wrong_sum("busybox", &parts(Verdict::Pass)[..1]).is_some());
        assert!(known.wrong_sum("ash", &[]).is_some());
    }
}
