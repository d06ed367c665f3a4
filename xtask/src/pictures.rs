//! Pictures of memory in the documents: made by scripts, remade by one command.
//!
//! Each `docs/pictures/NAME.txt` names a machine and lines to type; what they mark by `picture` becomes SVG beside it.
//! One with a line `twice:` is a test as well: it runs twice, must show what it marks, agree with /proc/memmap where it
//! reads that at its end, and draw the same to the byte both times. The others would only cost their machines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;
use crate::guest::{self, Mode};
use crate::live_map;
use crate::machine::{self, Machine};
use crate::parallel::Job;
use crate::results::TestResult;

const DIRECTORY: &str = "docs/pictures";
const INPUT: &str = "--- input\n";
/// Frames of a class that may change while /proc/memmap is read: its text needs some.
const MOVING: u32 = 96;

/// A script.
struct Script {
    name: String,
    machine: Machine,
    lines: String,
    is_test: bool,
}

/// What a run of a script left.
struct Drawn {
    console: String,
    /// A line for each picture.
    listed: String,
    directory: PathBuf,
    names: Vec<String>,
}

/// One job for each script that is a test.
pub fn jobs() -> Result<Vec<Job>> {
    let job = |script: Script| {
        let name = format!("pictures::{}", script.name);
        let title = name.clone();
        Job { name, work: Box::new(move || judge(title, &script)) }
    };
    Ok(scripts()?.into_iter().filter(|script| script.is_test).map(job).collect())
}

/// Draws all pictures of the documents anew.
pub fn redraw() -> Result<ExitCode> {
    for script in scripts()? {
        let drawn = run(&script, "drawn")?;
        for name in &drawn.names {
            let to = Path::new(DIRECTORY).join(format!("{}-{name}", script.name));
            fs::copy(drawn.directory.join(name), &to)?;
            println!("{}", to.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn scripts() -> Result<Vec<Script>> {
    let entries = fs::read_dir(DIRECTORY).context(DIRECTORY)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().map(|path| script(path).with_context(|| path.display().to_string())).collect()
}

fn script(path: &Path) -> Result<Script> {
    let text = fs::read_to_string(path)?;
    let (header, lines) = text.split_once(INPUT).context("no line `--- input`")?;
    let machine = machine::all_in(header, "machine:")?.into_iter().next().context("no machine")?;
    let name = path.file_stem().context("no name")?.to_string_lossy().into_owned();
    let is_test = header.lines().any(|line| line.starts_with("twice:"));
    Ok(Script { name, machine, lines: lines.to_owned(), is_test })
}

/// Runs a script and draws what it marks.
fn run(script: &Script, which: &str) -> Result<Drawn> {
    let watch = cargo::build_program("the watcher", "watch", &["-p".into(), "watch".into()])?;
    let directory = cargo::target_dir().join("pictures").join(format!("{}-{which}", script.name));
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    let (lines, record) = (directory.join("lines"), directory.join("record"));
    fs::write(&lines, &script.lines)?;
    let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
    let runner = guest::command(Mode::Run, &kernel, &script.machine)?;
    let mut command = Command::new(&watch);
    command.arg("run").arg(runner.get_program()).arg(&kernel).arg(&record);
    live_map::inherit(&mut command, &runner);
    command.env("ICOUNT", "1").env("SCRIPT", &lines);
    let console = output(&mut command)?;
    let listed = output(Command::new(&watch).arg("replay").arg(&record))?;
    let written = output(Command::new(&watch).arg("picture").arg(&record).arg(&directory))?;
    let name = |line: &str| Path::new(line).file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Drawn { console, listed, names: written.lines().filter_map(name).collect(), directory })
}

/// What a program prints, if it ends well.
fn output(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&stdout).into_owned();
    if !status.success() {
        bail!("{command:?}: {status}\n{text}{}", String::from_utf8_lossy(&stderr));
    }
    Ok(text)
}

fn judge(title: String, script: &Script) -> Result<(Vec<TestResult>, String)> {
    let one = run(script, "1")?;
    let result = match same(&one, &run(script, "2")?).and_then(|()| check(script, &one)) {
        Ok(()) => TestResult::ok(title),
        Err(error) => TestResult::failed(title, format!("{error:#}")),
    };
    Ok((vec![result], one.console + &one.listed))
}

/// Checks that two runs left the same.
fn same(one: &Drawn, two: &Drawn) -> Result<()> {
    ensure!(one.console == two.console, "the two runs differ on the console");
    ensure!(one.names == two.names, "the two runs drew {:?} and {:?}", one.names, two.names);
    for name in &one.names {
        let same = fs::read(one.directory.join(name))? == fs::read(two.directory.join(name))?;
        ensure!(same, "{name} differs from one run to the next");
    }
    Ok(())
}

fn check(script: &Script, one: &Drawn) -> Result<()> {
    for mark in script.lines.lines().filter_map(|line| line.strip_prefix("picture ")) {
        ensure!(one.names.contains(&format!("{mark}.svg")), "{mark} was not drawn");
        let line = one.listed.lines().find(|line| line.split_whitespace().nth(1) == Some(mark));
        ensure!(line.is_some_and(|line| line.contains(" torn 0 ")), "{mark} contradicts itself: {line:?}");
    }
    if script.lines.trim_end().ends_with("cat /proc/memmap") {
        agrees(&one.console, &one.listed)?;
    }
    Ok(())
}

/// Checks that the last mark shows what /proc/memmap did behind it.
fn agrees(console: &str, listed: &str) -> Result<()> {
    let last = listed.lines().rfind(|line| line.split_whitespace().nth(1) != Some("-")).context("no mark")?;
    let outside = |letter: &str| {
        let counts = last.split_whitespace().filter_map(|word| word.strip_prefix(letter));
        counts.filter_map(|count| count.strip_prefix('=')?.parse::<u32>().ok()).sum::<u32>()
    };
    // `f      123 file`
    let inside = |letter: &str| {
        let legend = console.lines().filter_map(|line| line.strip_prefix(letter)?.strip_prefix(' '));
        legend.filter_map(|rest| rest.split_whitespace().next()?.parse::<u32>().ok()).sum::<u32>()
    };
    // Values' pages that vmalloc has mapped are told apart outside alone.
    for letters in [
        &["K"][..],
        &["#"],
        &["x"],
        &["t"],
        &["k"],
        &["m"],
        &["v", "o"],
        &["s"],
        &["b"],
        &["f", "D", "w"],
        &[".", ",", "0"],
    ] {
        let sum = |count: &dyn Fn(&str) -> u32| letters.iter().map(|letter| count(letter)).sum::<u32>();
        let (out, inner) = (sum(&outside), sum(&inside));
        ensure!(out.abs_diff(inner) <= MOVING, "{letters:?}: {out} frames from outside, {inner} in /proc/memmap");
    }
    ensure!(
        outside("K") > 0 && outside("K") == inside("K"),
        "the image has {} frames or {}",
        outside("K"),
        inside("K")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::agrees;

    const LISTED: &str = "1 - ticks 0 torn 1 K=9 .=1\n2 end ticks 3 torn 0 K=9 .=500 s=7 v=100\n3 - ticks 9 torn 0 K=1";

    #[test]
    fn a_mark_is_compared_with_the_text_behind_it() {
        let console =
            "# cat /proc/memmap\nK        9 kernel image\n.      480 free\ns        8 slab\no       99 owned value\n";
        assert!(agrees(console, LISTED).is_ok(), "{:?}", agrees(console, LISTED));
        assert!(agrees(&console.replace("480", "80"), LISTED).is_err());
        assert!(agrees(&console.replace("  9 kernel", "  8 kernel"), LISTED).is_err());
    }
}
