//! Lines of at most 120 columns; each Rust file says on its first what it is.

use super::finding::Finding;

/// Columns of a line.
const WIDTH: usize = 120;
/// Columns of a Rust file's first line.
const FIRST_WIDTH: usize = 80;

/// Whether the rule reads a file, given by its path.
pub fn applies(path: &str) -> bool {
    path.ends_with(".rs") || path.ends_with(".md") || path.rsplit('/').next() == Some("Makefile")
}

/// The lines of a file that are too long, and its first line if that is not as it should be.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    if path.ends_with(".rs") {
        found.extend(first_line(path, text.lines().next().unwrap_or_default()));
    }
    for (at, line) in text.lines().enumerate() {
        let width = line.chars().count();
        // A table is one line a row; what a machine prints is as long as it is.
        let is_given = path.ends_with(".md") && (line.trim_start().starts_with('|') || line.starts_with("    "));
        if width > WIDTH && !is_given {
            found.push(Finding::new(path, at + 1, format!("the line has {width} columns, more than {WIDTH}")));
        }
    }
    found
}

fn first_line(path: &str, line: &str) -> Option<Finding> {
    let width = line.chars().count();
    if !line.starts_with("//! ") {
        return Some(Finding::new(path, 1, "the file does not open with a line `//! ...` that says what it is"));
    }
    (width > FIRST_WIDTH)
        .then(|| Finding::new(path, 1, format!("the file's first line has {width} columns, more than {FIRST_WIDTH}")))
}

#[cfg(test)]
mod tests {
    use super::check;

    fn texts(path: &str, text: &str) -> Vec<String> {
        check(path, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn long_lines_are_found_but_not_in_tables_and_blocks() {
        let (fits, long) = ("é".repeat(120), "é".repeat(121));
        assert!(texts("a.md", &fits).is_empty());
        assert_eq!(texts("a.md", &long), ["a.md:1: the line has 121 columns, more than 120"]);
        assert!(texts("a.md", &format!("| {long} |")).is_empty());
        assert!(texts("a.md", &format!("    {long}")).is_empty());
        assert_eq!(texts("a.rs", &format!("//! A.\n    {long}")).len(), 1);
        assert_eq!(texts("Makefile", &format!("a:\n| {long} |")).len(), 1);
    }

    #[test]
    fn a_rust_file_opens_with_a_short_line() {
        assert!(texts("a.rs", "//! Short.\n\nuse x;\n").is_empty());
        assert_eq!(texts("a.rs", "use x;\n").len(), 1);
        assert_eq!(texts("a.rs", &format!("//! {}\n", "x".repeat(77))).len(), 1);
        assert_eq!(texts("a.rs", "").len(), 1);
    }
}
