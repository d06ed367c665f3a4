//! Figures that stay as they were say at which commit that was.
//!
//! A decision, and a page of benchmarks, is not brought up to date when what it measured changes: it names the
//! commit and the command instead.

use super::finding::Finding;

const BENCHMARKS: [&str; 2] = ["docs/benchmarks.md", "docs/benchmarks-linux.md"];
/// What measured figures are counted in.
const UNITS: [&str; 3] = ["instructions", "ticks", "cycles"];
const MARK: &str = "Measured at ";

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
    let name = rest.strip_prefix("commit `").and_then(|rest| rest.split('`').next()).unwrap_or_default();
    name.len() >= 7 && name.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{applies, check};

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
    fn the_page_of_benchmarks_is_figures_throughout() {
        assert!(applies("docs/benchmarks.md") && applies("docs/benchmarks-linux.md"));
        assert!(applies("docs/adr/0002-b.md") && !applies("README.md"));
        assert!(check("docs/benchmarks.md", "Written by hand.\n").is_some());
    }
}
