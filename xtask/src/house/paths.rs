//! Documents name files that exist, and the list of decisions is whole.
//!
//! Checked are links, and words in backticks that are paths: `mm/src/zone.rs`, `tests/common`, and short ones such as
//! `zone.rs`, which must be the end of some file's path. Blocks of code are not read, and a decision that was
//! superseded may name what is gone.

use super::finding::{Exceptions, Finding};

/// The list of decisions.
pub const DECISIONS: &str = "docs/adr/README.md";
/// The documents that must not name what is gone.
const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/guide.md"];
/// Directories whose names begin a path, besides `CRATE/src` and `CRATE/tests`.
const ROOTS: [&str; 3] = ["tests/", "docs/", "tools/"];

/// Whether the rule reads a file, given by its path.
pub fn applies(path: &str) -> bool {
    DOCUMENTS.contains(&path) || (path.starts_with("docs/adr/") && path.ends_with(".md"))
}

/// Names in a document that no file of the tree has.
pub fn check(path: &str, text: &str, tree: &[String], exceptions: &mut Exceptions) -> Vec<Finding> {
    let is_history = text.lines().any(|line| line.starts_with("Superseded by "));
    let mut found = Vec::new();
    let mut in_code = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code || line.starts_with("    ") {
            continue;
        }
        let words = words(line).filter(|word| !is_history && !named(word, tree));
        let stale = words.chain(links(line).filter(|to| !linked(path, to, tree)));
        for word in stale {
            let key = format!("path {path} {word}");
            if !exceptions.allow(&key) {
                found.push(Finding::new(path, at + 1, format!("{word} does not exist")).with_key(key));
            }
        }
    }
    found
}

/// Decisions that the list does not name.
pub fn check_decisions(list: &str, tree: &[String]) -> Vec<Finding> {
    let names = tree.iter().filter_map(|path| path.strip_prefix("docs/adr/"));
    let decisions = names.filter(|name| name.starts_with(|c: char| c.is_ascii_digit()));
    let missing = decisions.filter(|name| !list.contains(&format!("({name})")));
    missing.map(|name| Finding::new(DECISIONS, 1, format!("docs/adr/{name} is missing from the list"))).collect()
}

/// Words in backticks.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|word| !word.contains([' ', '*', '{', '<', '…', '$']))
}

/// Whether a word names something of the tree, or is no path.
fn named(word: &str, tree: &[String]) -> bool {
    let is_path = ROOTS.iter().any(|root| word.starts_with(root))
        || word.split_once('/').is_some_and(|(_, rest)| rest.starts_with("src/") || rest.starts_with("tests/"));
    let is_short = word.ends_with(".rs") && !is_path;
    if is_short {
        return tree
            .iter()
            .any(|path| path.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('/')));
    }
    !is_path || exists(word, tree)
}

fn exists(path: &str, tree: &[String]) -> bool {
    let path = path.trim_end_matches('/');
    tree.iter().any(|it| it.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Targets of links, without the place in the document.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(|target| target.split('#').next().unwrap_or_default()).filter(|it| !it.is_empty() && !it.contains(':'))
}

/// Whether a link's target exists, seen from the document.
fn linked(document: &str, target: &str, tree: &[String]) -> bool {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    exists(&parts.join("/"), tree)
}

#[cfg(test)]
mod tests {
    use super::{Exceptions, check, check_decisions};

    fn stale(text: &str) -> Vec<String> {
        let tree: Vec<String> = ["mm/src/page/map.rs", "tests/boot.rs", "docs/adr/0001-a.md"].map(str::to_owned).into();
        let found = check("docs/guide.md", text, &tree, &mut Exceptions::default());
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn paths_of_files_and_directories_must_exist() {
        assert!(stale("`mm/src/page/`, `mm/src/page`, `map.rs`, `page/map.rs`, `tests/boot.rs`, `tests`").is_empty());
        assert_eq!(stale("x\n`mm/src/pag`"), ["docs/guide.md:2: mm/src/pag does not exist"]);
        assert_eq!(stale("`tests/none.rs` `ap.rs` `mm/tests/x.rs`").len(), 3);
    }

    #[test]
    fn what_is_no_path_is_left_alone() {
        assert!(
            stale("`cargo test mm/src/none.rs` `tests/*.rs` `/proc/x` `a.b`\n```\n`mm/src/none.rs`\n```\n").is_empty()
        );
    }

    #[test]
    fn a_superseded_decision_is_history() {
        assert!(stale("Superseded by [0001](adr/0001-a.md).\n\n`mm/src/none.rs`\n").is_empty());
        assert_eq!(stale("Superseded by [0002](adr/0002-b.md).\n").len(), 1);
    }

    #[test]
    fn links_are_seen_from_the_document() {
        assert!(stale("[a](adr/0001-a.md#why) [b](../tests/boot.rs) [c](https://example.org) [d](#here)").is_empty());
        assert_eq!(stale("[a](../none.md)"), ["docs/guide.md:1: ../none.md does not exist"]);
    }

    #[test]
    fn every_decision_is_in_the_list() {
        let tree = ["docs/adr/0001-a.md", "docs/adr/0002-b.md", "docs/adr/README.md"].map(str::to_owned);
        let found = check_decisions("[0001](0001-a.md)", &tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("0002-b.md is missing"));
    }
}
