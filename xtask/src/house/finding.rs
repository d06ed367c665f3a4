//! What a house rule finds, and the exceptions, each for its reason.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Where the exceptions stand.
pub const EXCEPTIONS: &str = "xtask/house-exceptions.txt";

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File and line, as an editor jumps to it.
    pub place: String,
    /// One sentence.
    pub text: String,
    /// What a line of the exceptions must say to allow it; empty where no exception is made.
    pub key: String,
}

impl Finding {
    /// A breach at a line of a file.
    pub fn new(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self { place: format!("{file}:{line}"), text: text.into(), key: String::new() }
    }

    /// The same, and what an exception for it is called.
    pub fn with_key(self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// The allowed exceptions, and which of them were of use.
#[derive(Debug, Default)]
pub struct Exceptions {
    /// Line and key of each.
    all: Vec<(usize, String)>,
    used: BTreeSet<String>,
}

impl Exceptions {
    /// Reads them; a tree without the file has none.
    pub fn read(root: &Path) -> Result<Self> {
        Self::parse(&fs::read_to_string(root.join(EXCEPTIONS)).unwrap_or_default())
    }

    /// Reads lines `KEY: REASON`; blank lines and those with `#` are comments.
    pub fn parse(text: &str) -> Result<Self> {
        let mut all = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let place = || format!("{EXCEPTIONS}:{}", at + 1);
            let (key, reason) = line.split_once(": ").with_context(|| format!("{}: no `KEY: REASON`", place()))?;
            if reason.trim().is_empty() {
                bail!("{}: an exception needs its reason", place());
            }
            all.push((at + 1, key.trim().to_owned()));
        }
        Ok(Self { all, used: BTreeSet::new() })
    }

    /// Whether an exception has this key; it then counts as used.
    pub fn allow(&mut self, key: &str) -> bool {
        let known = self.has(key);
        if known {
            self.used.insert(key.to_owned());
        }
        known
    }

    /// Whether an exception has this key.
    pub fn has(&self, key: &str) -> bool {
        self.all.iter().any(|(_, it)| it == key)
    }

    /// Exceptions that nothing needed.
    pub fn unused(&self) -> Vec<Finding> {
        let idle = self.all.iter().filter(|(_, key)| !self.used.contains(key));
        idle.map(|(line, key)| Finding::new(EXCEPTIONS, *line, format!("nothing needs the exception `{key}` any more")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Exceptions;

    #[test]
    fn an_exception_needs_a_reason_and_a_use() {
        assert!(Exceptions::parse("impl a.rs A\n").is_err());
        assert!(Exceptions::parse("impl a.rs A: \n").is_err());
        let mut exceptions =
            Exceptions::parse("# why\n\nimpl a.rs A: so\nring b c.rs -> d.rs: so\n").expect("well formed");
        assert!(exceptions.allow("impl a.rs A"));
        assert!(!exceptions.allow("impl a.rs B"));
        let unused: Vec<String> = exceptions.unused().iter().map(ToString::to_string).collect();
        assert_eq!(
            unused,
            ["xtask/house-exceptions.txt:4: nothing needs the exception `ring b c.rs -> d.rs` any more"]
        );
    }
}
