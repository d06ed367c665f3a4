//! Which changes to the allocators does no test notice?
//!
//! cargo-mutants changes one operator, match arm or function at a time and runs the tests (`.cargo/mutants.toml`). A
//! mutant that no test fails on must stand in [`SURVIVORS`], with the reason why none can; the list has no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::cargo;

/// Survivors that are known: a mutant a line, then, indented, `equivalent:` or `speed:` and the reason.
const SURVIVORS: &str = "mm/mutants.txt";
/// The most survivors, as a part of all mutants that compile: one in 20.
const MOST: usize = 20;
/// Seconds after which a mutant's tests hang, and the compiler too. The tests take a few.
const LIMITS: [&str; 4] = ["--timeout", "120", "--build-timeout", "600"];

/// What became of the mutants; each as `FILE: DESCRIPTION`, once for each that reads the same.
#[derive(Default)]
struct Outcome {
    caught: Vec<String>,
    survived: Vec<String>,
    hung: Vec<String>,
    unviable: Vec<String>,
}

/// Tries all mutants, or those of some files; says what is new and what is stale in the list.
pub fn report(files: &[&str]) -> Result<ExitCode> {
    let folder = cargo::target_dir().join("mutants");
    try_all(&folder, files)?;
    let outcome = Outcome::read(&folder.join("mutants.out"))?;
    let text = fs::read_to_string(SURVIVORS).with_context(|| format!("cannot read {SURVIVORS}"))?;
    let complaints = outcome.judge(&known(&text)?);
    println!("{}", outcome.score());
    complaints.iter().for_each(|complaint| println!("{complaint}"));
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn try_all(folder: &Path, files: &[&str]) -> Result<()> {
    let tool = cargo::target_dir().join("tools/bin/cargo-mutants");
    let status = Command::new("nice")
        .args(["-n", "19"])
        .arg(tool)
        .args(["mutants", "--package", "mm", "--jobs", "1", "--no-shuffle", "--output"])
        .arg(folder)
        .args(LIMITS)
        .args(files.iter().flat_map(|file| ["--file", file]))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TARGET_DIR", fs::canonicalize(".")?.join(folder).join("build"))
        .status()
        .context("cannot run cargo-mutants: start this by make")?;
    // 2: some survived, 3: some hung. Both are told from its lists.
    match status.code() {
        Some(0 | 2 | 3) => Ok(()),
        _ => bail!("cargo-mutants gave up: {status}"),
    }
}

impl Outcome {
    fn read(folder: &Path) -> Result<Self> {
        let list = |name: &str| -> Result<Vec<String>> {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(text.lines().map(without_place).collect())
        };
        Ok(Self {
            caught: list("caught.txt")?,
            survived: list("missed.txt")?,
            hung: list("timeout.txt")?,
            unviable: list("unviable.txt")?,
        })
    }

    /// Compares the survivors with those that are known, as far as their files were tried.
    fn judge(&self, known: &[String]) -> Vec<String> {
        let all = [&self.caught, &self.survived, &self.hung, &self.unviable].into_iter().flatten();
        let files: BTreeSet<&str> = all.filter_map(|mutant| mutant.split(':').next()).collect();
        let tried = |mutant: &&String| mutant.split(':').next().is_some_and(|file| files.contains(file));
        let mut unseen: Vec<&String> = known.iter().filter(tried).collect();
        let mut complaints = Vec::new();
        for mutant in &self.survived {
            match unseen.iter().position(|&known| known == mutant) {
                Some(place) => _ = unseen.swap_remove(place),
                None => complaints.push(format!("SURVIVES {mutant}")),
            }
        }
        complaints.extend(unseen.iter().map(|mutant| format!("STALE in {SURVIVORS}: {mutant}")));
        if self.survived.len() * MOST > self.viable() {
            complaints.push(format!("more than one mutant in {MOST} survives"));
        }
        complaints
    }

    fn viable(&self) -> usize {
        self.caught.len() + self.survived.len() + self.hung.len()
    }

    fn score(&self) -> String {
        format!(
            "{} mutants: {} fail a test, {} hang, {} survive; {} more do not compile",
            self.viable(),
            self.caught.len(),
            self.hung.len(),
            self.survived.len(),
            self.unviable.len()
        )
    }
}

/// `FILE:LINE:COLUMN: DESCRIPTION` without line and column, which change too often.
fn without_place(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    match (parts.next(), parts.nth(2)) {
        (Some(file), Some(what)) => format!("{file}:{what}"),
        _ => line.to_owned(),
    }
}

/// The mutants in the list of survivors; each must have a reason.
fn known(text: &str) -> Result<Vec<String>> {
    let mut mutants: Vec<String> = Vec::new();
    let mut reasons = 0;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let reason = line.strip_prefix("    ");
        if reason.is_some_and(|reason| reason.starts_with("equivalent: ") || reason.starts_with("speed: ")) {
            // It holds for all mutants since the last reason.
            reasons = mutants.len();
        } else if reason.is_none() {
            mutants.push(line.to_owned());
        } else {
            bail!("{SURVIVORS}: neither `equivalent: ` nor `speed: `: {line}");
        }
    }
    if let Some(mutant) = mutants.get(reasons) {
        bail!("{SURVIVORS}: no reason for {mutant}");
    }
    Ok(mutants)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Outcome, SURVIVORS, known, without_place};

    fn outcome(caught: usize, survived: &[&str]) -> Outcome {
        let survived = survived.iter().map(|line| without_place(line)).collect();
        Outcome { caught: vec!["a.rs: x".to_owned(); caught], survived, ..Outcome::default() }
    }

    #[test]
    fn new_survivors_and_stale_entries_are_told() {
        let known = known("# Survivors.\na.rs: replace < with <=\n    speed: it is.\nb.rs: y\n    equivalent: yes\n");
        let known = known.expect("reasons");
        assert!(outcome(40, &["a.rs:1:2: replace < with <="]).judge(&known).is_empty(), "b.rs was not tried");
        assert_eq!(outcome(40, &[]).judge(&known), ["STALE in mm/mutants.txt: a.rs: replace < with <="]);
        let twice = outcome(40, &["a.rs:1:2: replace < with <=", "a.rs:9:2: replace < with <="]);
        assert_eq!(twice.judge(&known), ["SURVIVES a.rs: replace < with <="], "one is listed, not two");
        assert_eq!(outcome(18, &["a.rs:1:2: replace < with <="]).judge(&known).len(), 1, "too many");
    }

    #[test]
    fn each_known_survivor_has_a_reason_and_a_file() {
        assert!(known("a.rs: x\n").is_err() && known("a.rs: x\n    because\n").is_err());
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = fs::read_to_string(top.join(SURVIVORS)).expect("the list");
        for mutant in known(&text).expect("reasons") {
            assert!(mutant.split_once(": ").is_some_and(|(file, _)| top.join(file).exists()), "{mutant}");
        }
    }
}
