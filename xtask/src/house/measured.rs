//! Figures that stay as they were say at which commit that was.
//!
//! A decision, and a page of benchmarks, is not brought up to date when what it measured changes: it names the
//! commit and the command instead. A reader can look at that commit: it is one of this history.

use std::path::Path;
use std::process::Command;

use super::finding::Finding;

const BENCHMARKS: [&str; 2] = ["docs/benchmarks.md", "docs/benchmarks-linux.md"];
/// What measured figures are counted in.
const UNITS: [&str; 3] = ["instructions", "ticks", "cycles"];
const MARK: &str = "Measured at ";
const COMMIT: &str = "commit `";

/// Whether the rule reads a file, given by its path.
pub fn applies(path: &str) -> bool {
    BENCHMARKS.contains(&path) || (path.starts_with("docs/adr/") && path.ends_with(".md"))
}

/// The first figure of a file that does not say when it was measured.
pub fn check(path: &str, text: &str) -> Option<Finding> {
    let figure = text.lines().position(has_figure).or(BENCHMARKS.contains(&path).then_some(0))?;
    let is_marked = text.lines().any(|line| line.split(MARK).skip(1).any(names_commit));
    (!is_marked).then(|| Finding::new(path, figure + 1, format!("a figure, and no `{MARK}commit ...` in the file")))
}

/// Whether a line has a number with a unit behind it, such as `4,141 instructions`.
fn has_figure(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).any(|pair| {
        let unit = pair[1].trim_end_matches(|c: char| !c.is_alphanumeric());
        UNITS.contains(&unit) && pair[0].ends_with(|c: char| c.is_ascii_digit())
    })
}

fn names_commit(rest: &str) -> bool {
    rest.starts_with(COMMIT) && commits(rest).next().is_some()
}

/// The commits that a text names: those which "commit" and a backtick come before.
fn commits(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split(COMMIT).skip(1).filter_map(|rest| rest.split('`').next());
    names.filter(|name| name.len() >= 7 && name.chars().all(|c| c.is_ascii_hexdigit()))
}

/// The lines of a file that name a commit which the history at `root` lacks. A tree without its whole history is not
/// asked.
pub fn check_history(root: &Path, path: &str, text: &str) -> Vec<Finding> {
    if git(root, &["rev-parse", "--is-shallow-repository"]).as_deref() != Some("false") {
        return Vec::new();
    }
    let is_missing = |name: &str| git(root, &["merge-base", "--is-ancestor", name, "HEAD"]).is_none();
    let lines = text.lines().enumerate().flat_map(|(at, line)| commits(line).map(move |name| (at + 1, name)));
    lines
        .filter(|(_, name)| is_missing(name))
        .map(|(line, name)| Finding::new(path, line, format!("commit `{name}` is not in this history")))
        .collect()
}

/// What git says, if it is there and succeeds.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{applies, check, check_history, git};

    #[test]
    fn a_figure_needs_its_commit() {
        let is_found = |text: &str| check("docs/adr/0001-a.md", text).is_some();
        assert!(is_found("A pair is 4,141 instructions.\n"));
        assert!(is_found("A pair is 12 ticks.\n\nMeasured at noon.\n"));
        assert!(is_found("A pair is 12 ticks.\n\nMeasured at commit `soon`.\n"));
        assert!(!is_found("A pair is 12 ticks.\n\nMeasured at commit `f599d1e` by `make bench`.\n"));
        assert!(!is_found("Forty ticks, and 3 lines.\n"));
    }

    #[test]
    fn a_commit_is_one_of_this_history() {
        let root = Path::new("..");
        let Some(head) = git(root, &["rev-parse", "--short=8", "HEAD"]) else {
            return; // an archive of the tree, without git
        };
        let text = format!("At commit `{head}`,\nand at commit `0123456789abcdef`: at `fedcba9`.\n");
        let found: Vec<String> = check_history(root, "a.md", &text).iter().map(ToString::to_string).collect();
        let is_whole = git(root, &["rev-parse", "--is-shallow-repository"]).as_deref() == Some("false");
        let missing = ["a.md:2: commit `0123456789abcdef` is not in this history"];
        assert_eq!(found, missing[..usize::from(is_whole)]);
    }

    #[test]
    fn the_page_of_benchmarks_is_figures_throughout() {
        assert!(applies("docs/benchmarks.md") && applies("docs/benchmarks-linux.md"));
        assert!(applies("docs/adr/0002-b.md") && !applies("README.md"));
        assert!(check("docs/benchmarks.md", "Written by hand.\n").is_some());
    }
}
