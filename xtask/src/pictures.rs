//! Pictures of memory in the documents: made by scripts, remade by one command.
//!
//! Each `docs/pictures/NAME.txt` names a machine and lines to type; what they mark by `picture` becomes SVG beside it.
//! One with a line `twice:` is a test as well: it runs twice, must show what it marks, agree with /proc/memmap where it
//! reads that behind a mark, and draw the same to the byte both times. One more test runs a script with the watcher and
//! without: the machine must not see a difference.

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
/// The test that compares a machine that is watched with one that is not, and the script whose lines it runs.
const UNSEEN: &str = "pictures::unseen";
const UNSEEN_SCRIPT: &str = "files";
/// What it runs behind them: what has a time or a count in it.
const COUNTS: &str = "dmesg; time true; cat /proc/uptime /proc/interrupts /proc/vmstat\n";
const READ: &str = "cat /proc/memmap";
/// Letters of the classes, and by how many frames they may change while /proc/memmap is read: its text takes a page of
/// free memory. Values' pages that vmalloc has mapped are told apart outside alone.
const CLASSES: &[(&[&str], u32)] = &[
    (&["b"], 1),
    (&[".", ",", "0"], 1),
    (&["v", "o"], 0),
    (&["_"], 0),
    (&["x"], 0),
    (&["K"], 0),
    (&["#"], 0),
    (&["B"], 0),
    (&["s"], 0),
    (&["!"], 0),
    (&["t"], 0),
    (&["k"], 0),
    (&["f"], 0),
    (&["D"], 0),
    (&["w"], 0),
    (&["u"], 0),
    (&["U"], 0),
    (&["m"], 0),
    (&["d"], 0),
    (&["p"], 0),
];

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

/// One job for each script that is a test, and one for a machine that cannot tell whether it is watched.
pub fn jobs() -> Result<Vec<Job>> {
    let job = |script: Script| {
        let name = format!("pictures::{}", script.name);
        let title = name.clone();
        Job { name, work: Box::new(move || judge(title, &script)) }
    };
    let unseen = Job { name: UNSEEN.into(), work: Box::new(judge_unseen) };
    Ok(scripts()?.into_iter().filter(|script| script.is_test).map(job).chain([unseen]).collect())
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
    let directory = directory(script, which)?;
    let record = directory.join("record");
    let console = output(&mut watched(script, &script.lines, &directory)?)?;
    let watch = watcher()?;
    let listed = output(Command::new(&watch).arg("replay").arg(&record))?;
    let written = output(Command::new(&watch).arg("picture").arg(&record).arg(&directory))?;
    let name = |line: &str| Path::new(line).file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Drawn { console, listed, names: written.lines().filter_map(name).collect(), directory })
}

/// An empty directory for what a run leaves.
fn directory(script: &Script, which: &str) -> Result<PathBuf> {
    let directory = cargo::target_dir().join("pictures").join(format!("{}-{which}", script.name));
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn watcher() -> Result<PathBuf> {
    cargo::build_program("the watcher", "watch", &["-p".into(), "watch".into()])
}

/// The runner, about to run these lines on a script's machine, whose time counts instructions.
fn unwatched(script: &Script, lines: &str, directory: &Path) -> Result<Command> {
    let path = directory.join("lines");
    fs::write(&path, lines)?;
    let mut runner = guest::command(Mode::Run, &kernel(), &script.machine)?;
    runner.env("ICOUNT", "1").env("SCRIPT", &path);
    Ok(runner)
}

/// The same, watched and recorded.
fn watched(script: &Script, lines: &str, directory: &Path) -> Result<Command> {
    let runner = unwatched(script, lines, directory)?;
    let mut command = Command::new(watcher()?);
    command.arg("run").arg(runner.get_program()).arg(kernel()).arg(directory.join("record"));
    live_map::inherit(&mut command, &runner);
    Ok(command)
}

fn kernel() -> PathBuf {
    cargo::target_dir().join("x86_64-kernel/kernel/kernel")
}

/// Runs a script without its marks, which a machine that nobody watches complains about, watched and not.
fn judge_unseen() -> Result<(Vec<TestResult>, String)> {
    let scripts = scripts()?;
    let script = scripts.iter().find(|script| script.name == UNSEEN_SCRIPT).context(UNSEEN_SCRIPT)?;
    let lines = script.lines.lines().filter(|line| !line.starts_with("picture ")).map(|line| format!("{line}\n"));
    let lines = lines.collect::<String>() + COUNTS;
    let directory = directory(script, "unseen")?;
    let with = output(&mut watched(script, &lines, &directory)?)?;
    let without = output(&mut unwatched(script, &lines, &directory)?)?;
    let differs = with.lines().zip(without.lines()).find(|(with, without)| with != without);
    let result = if with == without {
        TestResult::ok(UNSEEN)
    } else {
        TestResult::failed(UNSEEN, format!("the console differs when it is watched: {differs:?}"))
    };
    Ok((vec![result], with))
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
    let lines: Vec<&str> = script.lines.lines().collect();
    let read = lines.windows(2).filter(|pair| pair[1] == READ).filter_map(|pair| pair[0].strip_prefix("picture "));
    // What the console says behind each reading, up to the next.
    for (mark, text) in read.zip(one.console.split(READ).skip(1)) {
        let line = one.listed.lines().find(|line| line.split_whitespace().nth(1) == Some(mark));
        agrees(text, line.unwrap_or_default()).with_context(|| mark.to_owned())?;
    }
    Ok(())
}

/// Checks that the line of a mark counts what /proc/memmap did behind it.
fn agrees(text: &str, listed: &str) -> Result<()> {
    let outside = |letter: &str| {
        let mut counts = listed.split_whitespace().filter_map(|word| word.strip_prefix(letter)?.strip_prefix('='));
        counts.next().and_then(|count| count.parse::<u32>().ok()).unwrap_or(0)
    };
    // `f      123 file`
    let inside = |letter: &str| {
        let mut legend = text.lines().filter_map(|line| line.strip_prefix(letter)?.strip_prefix(' '));
        legend.find_map(|rest| rest.split_whitespace().next()?.parse::<u32>().ok()).unwrap_or(0)
    };
    for (letters, moving) in CLASSES {
        let sum = |count: &dyn Fn(&str) -> u32| letters.iter().map(|letter| count(letter)).sum::<u32>();
        let (out, inner) = (sum(&outside), sum(&inside));
        ensure!(out.abs_diff(inner) <= *moving, "{letters:?}: {out} frames from outside, {inner} in {READ}");
    }
    ensure!(outside("K") > 0, "the image has no frames");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, agrees};

    const LISTED: &str = "2 end ticks 3 torn 0 K=9 .=500 ,=3 b=7 s=8 v=100 t=2 D=1";
    const TEXT: &str = "\nK        9 kernel image\n.      497 free\n,        5 free, in a magazine\nb        8 block\n\
                        s        8 slab\no      100 owned value\nt        2 page table\nD        1 file, dirty\n# x\n";

    #[test]
    fn a_mark_is_compared_with_the_text_behind_it() {
        assert!(agrees(TEXT, LISTED).is_ok(), "{:?}", agrees(TEXT, LISTED));
        for (from, to) in [
            ("497", "496"),
            ("b        8", "b        9"),
            ("s        8", "s        7"),
            ("D ", "f "),
            ("  9 kernel", "  8 kernel"),
        ] {
            assert!(agrees(&TEXT.replace(from, to), LISTED).is_err(), "{to}");
        }
        assert!(agrees("", "").is_err());
    }

    #[test]
    fn every_class_is_compared() {
        let classes = std::fs::read_to_string("../mm/src/outside/class.rs").expect("it is in the tree");
        let letters = classes.split("fn letter").nth(1).and_then(|rest| rest.split("fn ").next()).expect("it is there");
        let letters: Vec<&str> = letters.split('\'').skip(1).step_by(2).collect();
        assert!(letters.len() > 20, "{letters:?}");
        for letter in letters {
            assert!(CLASSES.iter().any(|(compared, _)| compared.contains(&letter)), "{letter} is left out");
        }
    }
}
