//! What a compiler left of a module's source, and what it read.

use std::path::PathBuf;

/// What the compiler left of an author's source.
#[derive(Debug)]
pub struct Compiled {
    /// For the linker.
    pub archive: PathBuf,
    /// For the compiler.
    pub metadata: PathBuf,
    /// What it was read from.
    pub sources: Vec<PathBuf>,
}

/// The files that a crate was read from, of the compiler's rules for make, `OUTPUT: FILE FILE`.
pub fn sources(rules: &str) -> Vec<PathBuf> {
    // A backslash at a line's end goes on with the next one.
    let rules = rules.replace("\\\n", " ");
    let first = rules.lines().find_map(|line| line.split_once(": ")).map_or("", |(_, files)| files);
    // A blank in a name has a backslash before it.
    let names = first.replace("\\ ", "\0");
    names.split_whitespace().map(|name| name.replace('\0', " ").into()).collect()
}

#[cfg(test)]
mod tests {
    use super::sources;

    #[test]
    fn sources_come_from_the_rule_for_make() {
        let rules = "out/libm.rmeta: m/src/lib.rs m/src/a\\ b.rs\n\nout/m.d: m/src/lib.rs\n\nm/src/lib.rs:\n";
        let names: Vec<String> = sources(rules).iter().map(|path| path.display().to_string()).collect();
        assert_eq!(names, ["m/src/lib.rs", "m/src/a b.rs"]);
        assert_eq!(sources("a.o: a.c \\\n b.h\n").len(), 2);
        assert!(sources("").is_empty());
    }
}
