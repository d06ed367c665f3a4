//! The tags `// Shows: S27, K1` in tests, and which test each belongs to.
//!
//! In a Rust file a tag is the first comment line inside a test function, or stands directly above it. In a
//! transcript it is a line of the header.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// Trees that hold tests.
const ROOTS: [&str; 7] = ["mm", "kapi", "drivers", "shell", "boot", "xtask", "tests"];

/// One statement that one test shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// `S27`, `K1`, `D9`.
    pub statement: String,
    /// Start of the test's name in the result file.
    pub prefix: String,
    /// The function; empty if the prefix is the whole name.
    pub function: String,
}

impl Tag {
    /// Whether a result's name, without the machine, is this test's.
    pub fn names(&self, result: &str) -> bool {
        if self.function.is_empty() {
            return result == self.prefix;
        }
        let inside = result.strip_prefix(&self.prefix).and_then(|rest| rest.strip_suffix(&self.function));
        // Between the two lies `::`, or a module of the file: `::tests::`.
        inside.is_some_and(|middle| middle.starts_with("::") && middle.ends_with("::"))
    }

    /// How the report calls the test.
    pub fn title(&self) -> String {
        if self.function.is_empty() { self.prefix.clone() } else { format!("{}::{}", self.prefix, self.function) }
    }
}

/// Every tag of the tree.
pub fn scan() -> Result<Vec<Tag>> {
    let mut tags = Vec::new();
    for root in ROOTS {
        for path in files(Path::new(root))? {
            let Some(prefix) = prefix(&path) else { continue };
            let text = fs::read_to_string(&path)?;
            tags.extend(if prefix.starts_with("transcript::") || prefix.starts_with("userland::") {
                in_transcript(&text, &prefix)
            } else {
                in_rust(&text, &prefix)
            });
        }
    }
    Ok(tags)
}

fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// How the names of a file's tests begin: `mm/src/buddy/tests.rs` is `host::mm::buddy::tests`.
fn prefix(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let (stem, extension) = parts.pop()?.rsplit_once('.')?;
    match (parts.as_slice(), extension) {
        (["tests", "transcripts"], "txt") => Some(format!("transcript::{stem}")),
        (["tests", "userland"], "txt") => Some(format!("userland::{stem}")),
        (["tests"], "rs") => Some(format!("qemu::{stem}")),
        ([package, "src" | "tests", modules @ ..], "rs") => {
            let mut names = vec!["host", package];
            names.extend(modules);
            names.extend((!["lib", "main", "mod"].contains(&stem)).then_some(stem));
            Some(names.join("::"))
        }
        _ => None,
    }
}

fn in_transcript(text: &str, prefix: &str) -> Vec<Tag> {
    let header = text.split("--- input").next().unwrap_or_default();
    let lines = header.lines().filter_map(|line| line.strip_prefix("# Shows:"));
    lines.flat_map(|list| tags(list, prefix, "")).collect()
}

fn in_rust(text: &str, prefix: &str) -> Vec<Tag> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(list) = line.trim_start().strip_prefix("// Shows:") else { continue };
        let function = enclosing(&lines[..at]).or_else(|| lines[at + 1..].iter().find_map(|line| function(line)));
        if let Some(function) = function {
            found.extend(tags(list, prefix, function));
        }
    }
    found
}

/// The function whose body begins just above, if one does; its signature may take a few lines.
fn enclosing<'a>(before: &[&'a str]) -> Option<&'a str> {
    if !before.last()?.trim_end().ends_with('{') {
        return None;
    }
    before.iter().rev().take(8).find_map(|line| function(line))
}

/// The name in a line such as `    fn name() -> Result<(), E> {`.
fn function(line: &str) -> Option<&str> {
    let declaration = line.trim_start();
    let rest = declaration.strip_prefix("pub ").unwrap_or(declaration).strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

fn tags(list: &str, prefix: &str, function: &str) -> Vec<Tag> {
    let words = list.split([',', ' ']).filter(|word| !word.is_empty());
    words
        .map(|word| Tag { statement: word.to_owned(), prefix: prefix.to_owned(), function: function.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Path, Tag, in_rust, in_transcript, prefix};

    fn pairs(tags: &[Tag]) -> Vec<String> {
        tags.iter().map(|tag| format!("{} {}", tag.statement, tag.title())).collect()
    }

    #[test]
    fn a_tag_belongs_to_the_function_around_or_below() {
        let text = "// Shows: S1\n#[test]\nfn a() {\n}\n\n\
            fn b() -> Result<(), ()> {\n    // Shows: S2, K3\n    fn c() {}\n}\n";
        assert_eq!(pairs(&in_rust(text, "qemu::x")), ["S1 qemu::x::a", "S2 qemu::x::b", "K3 qemu::x::b"]);
    }

    #[test]
    fn a_transcripts_tags_are_in_its_header() {
        let text = "# Words.\n# Shows: S64\n--- input\n# Shows: S1\n";
        assert_eq!(pairs(&in_transcript(text, "transcript::x")), ["S64 transcript::x"]);
    }

    #[test]
    fn prefixes_follow_the_tree() {
        let of = |path: &str| prefix(Path::new(path));
        assert_eq!(of("mm/src/slab/cache.rs").as_deref(), Some("host::mm::slab::cache"));
        assert_eq!(of("mm/src/lib.rs").as_deref(), Some("host::mm"));
        assert_eq!(of("mm/tests/model.rs").as_deref(), Some("host::mm::model"));
        assert_eq!(of("tests/boot.rs").as_deref(), Some("qemu::boot"));
        assert_eq!(of("tests/transcripts/scullp.txt").as_deref(), Some("transcript::scullp"));
        assert_eq!(of("mm/Cargo.toml"), None);
    }

    #[test]
    fn inner_test_modules_lie_between_prefix_and_function() {
        let tag = Tag { statement: "S1".into(), prefix: "host::mm::buddy".into(), function: "merges".into() };
        assert!(tag.names("host::mm::buddy::tests::merges"));
        assert!(!tag.names("host::mm::buddy_list::tests::merges"));
        assert!(!tag.names("host::mm::buddy::tests::never_merges"));
    }
}
