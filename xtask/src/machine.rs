//! The machine that a test asks for, by make variables in its header.
//!
//! A line is `Machine: MEM=24M APPEND="a b"`.

use anyhow::{Context, Result, bail};

/// Every variable that describes a machine (boot/src/settings.rs): what a test does not name keeps its default,
/// whatever the caller's environment holds.
pub const VARIABLES: [&str; 21] = [
    "MEM",
    "APPEND",
    "INIT",
    "FIRMWARE",
    "CPU",
    "ACCEL",
    "SMP",
    "ICOUNT",
    "SCRIPT",
    "ROOTFS",
    "MODULES",
    "MODULES_DIR",
    "PROGRAMS",
    "FILES",
    "FLOPPY",
    "BOARD",
    "DISK",
    "SWAP",
    "TIMEOUT",
    "LIMIT",
    "GDB",
];

/// Variables and their values, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    text: String,
    /// Name and value of each variable.
    pub variables: Vec<(String, String)>,
}

impl Machine {
    /// Reads `NAME=VALUE NAME="VALUE WITH BLANKS"`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut variables = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=').with_context(|| format!("no = in {rest:?}"))?;
            if !VARIABLES.contains(&name) {
                bail!("{name} is not one of {}", VARIABLES.join(", "));
            }
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').with_context(|| format!("{name} lacks its second quote"))?,
                None => after.split_once(' ').unwrap_or((after, "")),
            };
            variables.push((name.to_owned(), value.to_owned()));
            rest = next.trim_start();
        }
        Ok(Self { text: text.trim().to_owned(), variables })
    }

    /// Appended to a test's name; empty for the default machine.
    pub fn suffix(&self) -> String {
        if self.text.is_empty() { String::new() } else { format!(" ({})", self.text) }
    }
}

/// The machines that a file's header names, in lines that start with `marker`; the default one if it names none.
pub fn all_in(text: &str, marker: &str) -> Result<Vec<Machine>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(marker));
    let machines = lines.map(Machine::parse).collect::<Result<Vec<_>>>()?;
    Ok(if machines.is_empty() { vec![Machine::default()] } else { machines })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{Machine, all_in};
    use crate::docs::markdown::followed;

    #[test]
    fn variables_may_be_quoted() {
        let machine = Machine::parse("MEM=64M APPEND=\"mem=60M crash=1\" CPU=max").expect("well formed");
        let pairs: Vec<_> = machine.variables.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        assert_eq!(pairs, ["MEM:64M", "APPEND:mem=60M crash=1", "CPU:max"]);
    }

    #[test]
    fn unknown_variables_are_refused() {
        assert!(Machine::parse("MEMORY=64M").is_err());
        assert!(Machine::parse("MEM").is_err());
        assert!(Machine::parse("APPEND=\"a").is_err());
    }

    #[test]
    fn a_header_may_name_several_machines_or_none() {
        assert_eq!(all_in("//! x\n", "//! Machine:").expect("none").len(), 1);
        assert_eq!(all_in("//! Machine:\n//! Machine: CPU=max\n", "//! Machine:").expect("two").len(), 2);
    }

    /// Bootable tests with the marker of their machines, and transcripts with theirs.
    fn guests() -> impl Iterator<Item = (PathBuf, &'static str)> {
        let kinds = [
            ("../tests", "rs", "//! Machine:"),
            ("../tests/transcripts", "txt", "machine:"),
            ("../tests/userland", "txt", "machine:"),
        ];
        kinds.into_iter().flat_map(|(directory, extension, marker)| {
            let entries = fs::read_dir(directory).expect("the tree has tests");
            let paths = entries.map(|entry| entry.expect("readable").path());
            paths.filter(move |path| path.extension().is_some_and(|it| it == extension)).map(move |path| (path, marker))
        })
    }

    #[test]
    fn every_guest_runs_with_high_memory_too_or_says_why_not() {
        for (path, marker) in guests() {
            let text = fs::read_to_string(&path).expect("readable");
            let machines = all_in(&text, marker).expect("well formed");
            let excused = text.lines().any(|line| line.starts_with("no-highmem: "));
            assert!(machines.iter().any(has_high_memory) || excused, "{}", path.display());
        }
    }

    fn has_high_memory(machine: &Machine) -> bool {
        machine.variables.iter().any(|(name, value)| name == "APPEND" && value.contains("highmem="))
    }

    #[test]
    fn who_starts_from_the_example_keeps_the_rule() {
        let text = fs::read_to_string("../CONTRIBUTING.md").expect("readable");
        let example = followed(&text, "transcript").expect("it is there");
        assert!(all_in(&example, "machine:").expect("well formed").iter().any(has_high_memory));
    }
}
