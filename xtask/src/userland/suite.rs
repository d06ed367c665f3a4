//! A suite, run by as many guests as it takes.
//!
//! A part that brings a guest down, or falls silent, takes no other part along.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::known::Known;
use super::verdicts::{Part, Verdict, parts};
use crate::cargo;
use crate::fetched::{self, FETCHED};
use crate::guest::{self, Mode, Run};
use crate::machine::Machine;
use crate::parallel::Job;
use crate::programs::files::{entries, name_of};
use crate::results::TestResult;

/// Transcripts of programs, and what runs the suites in the guest.
pub const TESTS: &str = "tests/suites";
/// One of busybox' tests of bc computes for minutes without a word.
const MACHINE: &str = "MEM=512M MODULES=none PROGRAMS=busybox TIMEOUT=900 LIMIT=3600";
/// So many guests may die before the rest is given up.
const MOST_GUESTS: usize = 12;
/// A part of the shell's tests that computes for minutes and asks nothing of a kernel.
const LEFT_OUT: &str = "ash-z_slow";
/// Lines of the console that are shown of a part that did not end.
const SHOWN: usize = 15;

/// How a suite is started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As the first process.
    Init,
    /// By its path.
    Path,
    /// By the script that runs busybox' tests, which takes the parts to run.
    Script,
}

/// A suite of tests.
pub struct Suite {
    /// As docs/userland.md has it.
    name: &'static str,
    way: Way,
    parts: Vec<String>,
}

impl Suite {
    /// All that there are.
    pub fn all() -> Result<Vec<Self>> {
        let fetched = Path::new(FETCHED).join("busybox-suite");
        let mut applets: Vec<String> = entries(&fetched.join("testsuite"))?
            .iter()
            .filter(|path| path.is_dir() || name_of(path).ends_with(".tests"))
            .map(|path| name_of(path).trim_end_matches(".tests").to_owned())
            .collect();
        applets.sort();
        applets.dedup();
        let directories = entries(&fetched.join("shell/ash_test"))?;
        let directories = directories.iter().map(|path| name_of(path)).filter(|name| name.starts_with("ash-"));
        let directories = directories.filter(|name| *name != LEFT_OUT).collect();
        let groups: Vec<String> = ["syscall", "stdlib"].map(String::from).to_vec();
        Ok(vec![
            Self { name: "busybox", way: Way::Script, parts: applets },
            Self { name: "ash", way: Way::Script, parts: directories },
            Self { name: "nolibc-init", way: Way::Init, parts: groups.clone() },
            Self { name: "nolibc", way: Way::Path, parts: groups },
        ])
    }

    /// The job that runs it: a result a part, and one for the sums.
    pub fn job(self, known: &Known) -> Job {
        let known = known.clone();
        Job { name: format!("userland::{}", self.name), work: Box::new(move || self.run(&known)) }
    }

    fn run(&self, known: &Known) -> Result<(Vec<TestResult>, String)> {
        let mut done: Vec<Part> = Vec::new();
        let mut consoles = String::new();
        let mut rest: Vec<String> = self.parts.clone();
        for _ in 0..MOST_GUESTS {
            let run = self.boot(&rest)?;
            let found = parts(&run.console);
            consoles += &run.console;
            let Some(last) = found.last().map(|part| part.name.clone()) else {
                bail!("it did not begin: {}\n{}", run.messages, last_lines(&run.console));
            };
            rest = rest.split_off(rest.iter().position(|part| *part == last).map_or(rest.len(), |at| at + 1));
            done.extend(found);
            if rest.is_empty() {
                break;
            }
        }
        fs::write(cargo::target_dir().join(format!("userland-{}.log", self.name)), &consoles)?;
        let mut results: Vec<TestResult> = done.iter().map(|part| self.judge(part, known)).collect();
        results.extend(rest.iter().map(|part| TestResult::failed(self.title(part), "no guest came as far as this")));
        results.push(match known.wrong_sum(self.name, &done) {
            None => TestResult::ok(self.title("sums")),
            Some(wrong) => TestResult::failed(self.title("sums"), wrong),
        });
        let count = |verdict| done.iter().map(|part| part.count(verdict)).sum::<usize>();
        let [pass, fail, skipped] = [Verdict::Pass, Verdict::Fail, Verdict::Skip].map(count);
        println!("userland::{}: {pass} pass, {fail} fail, {skipped} are skipped", self.name);
        Ok((results, String::new()))
    }

    fn title(&self, part: &str) -> String {
        format!("userland::{}::{part}", self.name)
    }

    fn judge(&self, part: &Part, known: &Known) -> TestResult {
        let mut wrong = known.surprises(self.name, part);
        if !part.has_ended {
            wrong.push("the guest died in it, or was silent for too long: see target/userland-*.log".into());
        }
        let title = self.title(&part.name);
        if wrong.is_empty() { TestResult::ok(title) } else { TestResult::failed(title, wrong.join("\n    ")) }
    }

    /// Boots a guest that runs these parts.
    fn boot(&self, parts: &[String]) -> Result<Run> {
        let rootfs = self.gather(parts).context("cannot gather the initial files")?;
        let (init, input) = match self.way {
            Way::Init => ("/bin/nolibc-test", String::new()),
            Way::Path => ("/bin/sh", "nolibc-test\n".into()),
            Way::Script => ("/bin/sh", format!("sh /suite.sh {} $(cat /parts)\n", self.name)),
        };
        let machine = Machine::parse(&format!("{MACHINE} INIT={init} ROOTFS={}", rootfs.display()))?;
        let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
        guest::boot(Mode::Run, &kernel, &machine, &input)
    }

    /// A directory with the initial files: those that all have, and the suite.
    fn gather(&self, parts: &[String]) -> Result<PathBuf> {
        let root = cargo::target_dir().join("userland").join(self.name);
        fetched::fill(&root)?;
        if self.way == Way::Script {
            fs::copy(Path::new(TESTS).join("busybox.sh"), root.join("suite.sh"))?;
            fs::write(root.join("parts"), parts.join("\n"))?;
            tar(&root.join("suite.tar"))?;
        }
        Ok(root)
    }
}

fn tar(file: &Path) -> Result<()> {
    let status = Command::new("tar").arg("-cf").arg(file).args(["-C", FETCHED, "busybox-suite"]).status();
    if !status.context("cannot run tar")?.success() {
        bail!("tar could not pack {FETCHED}/busybox-suite");
    }
    Ok(())
}

fn last_lines(console: &str) -> String {
    let lines: Vec<&str> = console.lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}
