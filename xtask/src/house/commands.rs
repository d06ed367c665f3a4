//! Documents name commands that exist.
//!
//! Checked are, in backticks and in blocks of code: `make TARGET`, `make test-qemu T=NAME`, and `cargo test` with its
//! `-p PACKAGE` and `--test NAME`.

use super::finding::Finding;

/// Begins and ends the path of a transcript, and of a bootable test.
const TRANSCRIPTS: (&str, &str) = ("tests/transcripts/", ".txt");
const USERLAND: (&str, &str) = ("tests/userland/", ".txt");
const KERNELS: (&str, &str) = ("tests/", ".rs");
/// Those of a dialogue.
const DIALOGUES: (&str, &str) = ("tests/dialogues/", ".txt");
/// Tests in QEMU that are no files of their own.
const OTHERS: [&str; 6] = ["docs::", "icount::", "followed::", "adoption::", "modules::", "pictures::"];

/// What there is to name.
pub struct Commands<'a> {
    tree: &'a [String],
    targets: Vec<&'a str>,
}

impl<'a> Commands<'a> {
    /// Those of a tree with this makefile.
    pub fn new(tree: &'a [String], makefile: &'a str) -> Self {
        let rules = makefile.lines().filter(|line| !line.starts_with(['\t', '#', '.', ' ']) && !line.contains(":="));
        let targets = rules.filter_map(|line| Some(line.split_once(':')?.0)).flat_map(str::split_whitespace);
        Self { tree, targets: targets.collect() }
    }

    /// Commands in a document that name what is not there.
    pub fn check(&self, path: &str, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut is_fenced = false;
        for (at, line) in text.lines().enumerate() {
            if line.starts_with("```") {
                is_fenced = !is_fenced;
            }
            let parts: Vec<&str> = if is_fenced || line.starts_with("    ") {
                vec![line]
            } else {
                line.split('`').skip(1).step_by(2).collect()
            };
            let commands = parts.iter().flat_map(|part| part.split([';', '|', '&']));
            let wrong = commands.filter_map(|command| self.missing(&command.split_whitespace().collect::<Vec<_>>()));
            found.extend(wrong.map(|what| Finding::new(path, at + 1, what)));
        }
        found
    }

    fn missing(&self, words: &[&str]) -> Option<String> {
        let words = words.strip_prefix(&["$"]).unwrap_or(words);
        match words {
            ["make", rest @ ..] => self.missing_in_make(rest),
            ["cargo", "test", rest @ ..] => self.missing_in_cargo(rest),
            _ => None,
        }
    }

    fn missing_in_make(&self, words: &[&str]) -> Option<String> {
        let target = words.iter().find(|word| !word.starts_with('-') && !word.contains('='))?;
        if !self.targets.contains(target) {
            return Some(format!("`make {target}`: the makefile has no such target"));
        }
        let name = words.iter().find_map(|word| word.strip_prefix("T="))?;
        (*target == "test-qemu" && name != "name" && !self.has_test(name))
            .then(|| format!("`T={name}`: no test in QEMU has such a name"))
    }

    fn has_test(&self, name: &str) -> bool {
        let is_one = |path: &str, (begin, end): (&str, &str), kind: &str| {
            let stem = path.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
            stem.is_some_and(|stem| !stem.contains('/') && format!("{kind}::{stem}").contains(name))
        };
        let kinds = [(TRANSCRIPTS, "transcript"), (USERLAND, "userland"), (KERNELS, "qemu"), (DIALOGUES, "dialogue")];
        self.tree.iter().any(|path| kinds.iter().any(|(place, kind)| is_one(path, *place, kind)))
            || OTHERS.iter().any(|kind| name.starts_with(kind) || kind.contains(name))
    }

    fn missing_in_cargo(&self, words: &[&str]) -> Option<String> {
        let after = |option: &str| {
            let at = words.iter().enumerate().filter(move |(_, word)| **word == option).map(|(at, _)| at);
            at.filter_map(|at| words.get(at + 1).copied()).collect::<Vec<_>>()
        };
        let packages: Vec<&str> = after("-p").iter().map(|name| name.trim_start_matches("scullery-")).collect();
        let has = |path: String| self.tree.contains(&path);
        let is_here = |package: &&&str| ["", "modules/"].iter().any(|at| has(format!("{at}{package}/Cargo.toml")));
        if let Some(package) = packages.iter().find(|package| !is_here(package)) {
            return Some(format!("`-p {package}`: no such package"));
        }
        let is_there = |test: &&str| {
            packages.iter().any(|package| {
                has(format!("{package}/tests/{test}.rs")) || has(format!("{package}/tests/{test}/main.rs"))
            })
        };
        after("--test").iter().find(|test| !is_there(test)).map(|test| format!("`--test {test}`: no such test"))
    }
}

#[cfg(test)]
mod tests {
    use super::Commands;

    const MAKEFILE: &str = "X := 1\n.PHONY: a\nrun: kernel\n\tmake nothing\ntest-qemu: kernel\n";

    fn wrong(text: &str) -> usize {
        let paths =
            ["mm/Cargo.toml", "mm/tests/kmap.rs", "mm/tests/explore/main.rs", "tests/kmap.rs", "kapi/Cargo.toml"];
        let tree: Vec<String> = paths.map(str::to_owned).into();
        Commands::new(&tree, MAKEFILE).check("README.md", text).len()
    }

    #[test]
    fn targets_must_be_in_the_makefile() {
        assert_eq!(wrong("`make run MEM=24M` `make -s run`, make it\n    $ printf 'a' | make run\n"), 0);
        assert_eq!(wrong("`make nothing`\n    make a\n```\nmake b\n```\n"), 3);
    }

    #[test]
    fn tests_must_be_there() {
        assert_eq!(wrong("`make test-qemu T=kmap` `make test-qemu T=docs` `make test-qemu T=name`"), 0);
        assert_eq!(wrong("`make test-qemu T=nosuch`"), 1);
        assert_eq!(wrong("`cargo test -p mm --test kmap --test explore` `cargo test -p scullery-kapi`"), 0);
        assert_eq!(wrong("`cargo test -p mm --test kunmap` `cargo test -p nn`"), 2);
    }
}
