//! README.md names every command of the shell and every file of /proc.
//!
//! And no command that there is not.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::Machine;
use crate::results::TestResult;
use crate::transcripts;

const SECTION: &str = "\n## The shell\n";
const HELP: &str = "# help";
const FILES: &str = "# ls /proc";

/// Asks the machine what there is, and compares.
pub fn check(title: &str, readme: &str) -> Result<(Vec<TestResult>, String)> {
    let mut machine = Machine::parse("ICOUNT=1")?;
    let script = transcripts::script_file(title, "help\nls /proc\n")?;
    machine.variables.push(("SCRIPT".into(), script.display().to_string()));
    let run = guest::boot(Mode::Run, &cargo::target_dir().join("x86_64-kernel/kernel/kernel"), &machine, "")?;
    let (help, files) = printed(&run.console).context("the machine did not tell what there is")?;
    let section = readme.split(SECTION).nth(1).and_then(|rest| rest.split("\n## ").next());
    let wrong = wrong(section.context("README.md has no section on the shell")?, &help, &files);
    let result = if wrong.is_empty() { TestResult::ok(title) } else { TestResult::failed(title, wrong.join("; ")) };
    Ok((vec![result], run.console + &run.messages))
}

/// The commands, and the files of /proc.
fn printed(console: &str) -> Result<(BTreeSet<&str>, BTreeSet<&str>)> {
    let lines: Vec<&str> = console.lines().map(str::trim_end).collect();
    let at = |prompt| lines.iter().position(|line| *line == prompt).with_context(|| format!("no line {prompt:?}"));
    let (help, files) = (at(HELP)?, at(FILES)?);
    if files < help {
        bail!("{FILES:?} comes before {HELP:?}");
    }
    // A command, blanks, and what it does; the last line tells of the language.
    let commands = lines[help + 1..files].iter().filter_map(|line| line.split_once("  ")).map(|(name, _)| name);
    // Processes and threads come and go, by number.
    let is_file = |line: &&str| !line.is_empty() && *line != "#" && !line.bytes().all(|byte| byte.is_ascii_digit());
    Ok((commands.collect(), lines[files + 1..].iter().copied().filter(is_file).collect()))
}

fn wrong(section: &str, commands: &BTreeSet<&str>, files: &BTreeSet<&str>) -> Vec<String> {
    let words = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let all = words(section);
    let in_table: String = section.lines().filter(|line| line.starts_with('|')).collect();
    let listed = words(&in_table);
    let is_named = |file: &&&str| all.contains(**file) || all.iter().any(|it| it.contains(&format!("/proc/{file}/")));
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(
        commands.iter().filter(|it| !listed.contains(**it)).map(|it| format!("the command {it} is not listed")),
    );
    wrong.extend(listed.iter().filter(|it| !commands.contains(it.as_str())).map(|it| format!("no command {it}")));
    wrong.extend(files.iter().filter(|it| !is_named(it)).map(|it| format!("/proc/{it} is not listed")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::{printed, wrong};

    #[test]
    fn what_is_missing_and_what_is_gone_are_named() {
        let console = "x\n# help\ncat   copies\nls    lists\nA line: a; b\n# ls /proc\nmeminfo\nsys\n12\nnew\n#\n";
        let (commands, files) = printed(console).expect("both were printed");
        let section = "| files | `cat` `rm` |\nUnder /proc: `meminfo`, `ls`; `echo 3 > /proc/sys/vm/drop_caches`.\n";
        let expected = ["the command ls is not listed", "no command rm", "/proc/new is not listed"];
        assert_eq!(wrong(section, &commands, &files), expected);
    }
}
