//! The page of system calls names those that are answered, family by family.

use std::collections::BTreeSet;

use super::finding::Finding;

/// Where families are files.
const FAMILIES: &str = "kernel/src/syscall/";
/// The page.
pub const PAGE: &str = "docs/syscalls.md";
/// How a family's row of calls begins.
const ROW: &str = " = calls![";

/// Whether a file may be a family, given by its path.
pub fn applies(path: &str) -> bool {
    path.strip_prefix(FAMILIES).is_some_and(|name| name.ends_with(".rs") && !name.contains('/'))
}

/// What is wrong with the page's row for the family at `path`, whose source is `text`.
pub fn check(path: &str, text: &str, page: &str) -> Option<Finding> {
    let answered = answered(text)?;
    let name = path.strip_prefix(FAMILIES)?;
    let start = format!("| `{name}` |");
    let Some((at, row)) = page.lines().enumerate().find(|(_, line)| line.starts_with(&start)) else {
        return Some(Finding::new(PAGE, 1, format!("no row for {path}")));
    };
    let told: BTreeSet<&str> = row.split('|').nth(2)?.split_whitespace().collect();
    let list = |names: Vec<&&str>| names.into_iter().copied().collect::<Vec<_>>().join(" ");
    let (missing, extra) = (list(answered.difference(&told).collect()), list(told.difference(&answered).collect()));
    match (missing.as_str(), extra.as_str()) {
        ("", "") => None,
        (missing, "") => Some(Finding::new(PAGE, at + 1, format!("{path} answers as well: {missing}"))),
        (_, extra) => Some(Finding::new(PAGE, at + 1, format!("{path} does not answer: {extra}"))),
    }
}

/// The calls of a family; `None` for a file that has none.
fn answered(text: &str) -> Option<BTreeSet<&str>> {
    let (_, rest) = text.split_once(ROW).or_else(|| text.split_once(" =\n    calls!["))?;
    let (rows, _) = rest.split_once("];")?;
    Some(rows.split(')').filter_map(|row| row.split_once('(')).filter_map(|(name, _)| name_of(name)).collect())
}

/// The last word: before it may stand what the call before says of signals.
fn name_of(text: &str) -> Option<&str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').rfind(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{answered, applies, check};

    const FAMILY: &str = "pub(super) const CALLS: &[Entry] = calls![\n    read(Fd, Address, Count),\n    \
                          poll(Address, Count) IfUnhandled,\n    sync(),\n];\n";

    #[test]
    fn calls_are_found_in_their_row() {
        assert_eq!(answered(FAMILY).map(Vec::from_iter), Some(vec!["poll", "read", "sync"]));
        assert_eq!(answered("fn read() {}"), None);
        assert!(applies("kernel/src/syscall/io.rs") && !applies("kernel/src/fs/io.rs"));
    }

    #[test]
    fn the_page_names_what_is_answered() {
        let found = |row: &str| check("kernel/src/syscall/io.rs", FAMILY, row).map(|finding| finding.to_string());
        assert_eq!(found("| `io.rs` | read poll sync | |\n"), None);
        assert!(found("| `io.rs` | read poll | |\n").is_some_and(|text| text.ends_with("answers as well: sync")));
        assert!(found("| `io.rs` | read poll sync open | |\n").is_some_and(|text| text.ends_with("answer: open")));
        assert!(
            found("| `names.rs` | read |\n").is_some_and(|text| text.ends_with("no row for kernel/src/syscall/io.rs"))
        );
    }
}
