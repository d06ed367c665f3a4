//! Transcript tests: lines typed at the real console, and what it shows.
//!
//! A file under tests/transcripts/ is a header, the input and the expected console:
//!
//! ```text
//! # What it shows, in words.
//! # Shows: S64
//! machine: MEM=64M FIRMWARE=uefi
//! status: 0
//! input: pipe
//! --- input
//! echo hello
//! --- console
//! {...}
//! # echo hello
//! hello
//! {...}
//! ```
//!
//! Those under tests/userland/ run with busybox among the initial files, and fail without it.
//!
//! `machine` may come several times; `status` is the runner's (0 without it); `input` is `pipe`, the default, or
//! `script`; `no-highmem` says why no machine has high memory. pattern.rs says what may stand for text that differs
//! from run to run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::{self, Machine};
use crate::parallel::Job;
use crate::pattern;
use crate::results::TestResult;

/// Where transcripts are, how the names of their tests begin, and which programs are in the guest.
const DIRECTORIES: [(&str, &str, Programs); 2] =
    [("tests/transcripts", "transcript", Programs::OfTheTree), ("tests/userland", "userland", Programs::WithBusybox)];

/// Which programs are among the initial files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Programs {
    OfTheTree,
    WithBusybox,
}

/// How the lines reach the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Pipe,
    Script,
}

#[derive(Debug, Clone)]
struct Transcript {
    machines: Vec<Machine>,
    status: i32,
    way: Way,
    input: String,
    console: String,
    programs: Programs,
}

/// One job for each machine of each transcript.
pub fn jobs() -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for (directory, kind, programs) in DIRECTORIES {
        for path in files(directory)? {
            let text = fs::read_to_string(&path)?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let found = jobs_with(&format!("{kind}::{stem}"), &text, programs);
            jobs.extend(found.with_context(|| path.display().to_string())?);
        }
    }
    Ok(jobs)
}

/// One job for each machine of a transcript.
pub fn jobs_of(title: &str, text: &str) -> Result<Vec<Job>> {
    jobs_with(title, text, Programs::OfTheTree)
}

fn jobs_with(title: &str, text: &str, programs: Programs) -> Result<Vec<Job>> {
    let mut transcript = parse(text).context("not a transcript")?;
    transcript.programs = programs;
    let job = |machine: &Machine| {
        let name = format!("{title}{}", machine.suffix());
        let (title, transcript, machine) = (name.clone(), transcript.clone(), machine.clone());
        Job { name, work: Box::new(move || run(title, &transcript, machine)) }
    };
    Ok(transcript.machines.iter().map(job).collect())
}

fn files(directory: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {directory}"))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "txt")).collect();
    files.sort();
    Ok(files)
}

fn parse(text: &str) -> Result<Transcript> {
    let (header, rest) = text.split_once("--- input\n").context("no line `--- input`")?;
    let (input, console) = rest.split_once("--- console\n").context("no line `--- console`")?;
    let mut transcript = Transcript {
        machines: machine::all_in(header, "machine:")?,
        status: 0,
        way: Way::Pipe,
        input: input.to_owned(),
        console: console.to_owned(),
        programs: Programs::OfTheTree,
    };
    for line in header.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (key, value) = line.split_once(':').with_context(|| format!("no colon in {line:?}"))?;
        match (key, value.trim()) {
            ("machine" | "no-highmem", _) => {}
            ("status", number) => transcript.status = number.parse().context("status is not a number")?,
            ("input", "pipe") => transcript.way = Way::Pipe,
            ("input", "script") => transcript.way = Way::Script,
            _ => bail!("{line:?} is not understood"),
        }
    }
    Ok(transcript)
}

fn run(title: String, transcript: &Transcript, mut machine: Machine) -> Result<(Vec<TestResult>, String)> {
    if transcript.programs == Programs::WithBusybox {
        machine.variables.push(("PROGRAMS".into(), "busybox".into()));
    }
    let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
    let input = match transcript.way {
        Way::Pipe => transcript.input.as_str(),
        Way::Script => {
            let path = script_file(&title, &transcript.input)?;
            machine.variables.push(("SCRIPT".into(), path.display().to_string()));
            ""
        }
    };
    let run = guest::boot(Mode::Run, &kernel, &machine, input)?;
    let message = run.messages.trim();
    let result = match pattern::compare(&transcript.console, &run.console)? {
        Err(difference) => TestResult::failed(title, difference),
        Ok(()) if run.status != transcript.status => {
            TestResult::failed(title, format!("status {}, not {}: {message}", run.status, transcript.status))
        }
        Ok(()) if run.lacks_high_memory() && !transcript.console.contains("highmem") => {
            TestResult::failed(title, guest::NO_SUCH_MACHINE)
        }
        Ok(()) => TestResult::ok(title),
    };
    Ok((vec![result], run.console + &run.messages))
}

/// Writes the input to a file of its own, for the machine to read as its script.
pub fn script_file(title: &str, input: &str) -> Result<PathBuf> {
    let directory = cargo::target_dir().join("scripts");
    fs::create_dir_all(&directory)?;
    let name: String = title.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let path = directory.join(Path::new(&name));
    fs::write(&path, input)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::{Way, parse};

    #[test]
    fn a_transcript_has_header_input_and_console() {
        let text = "# Words.\nmachine: MEM=64M\nmachine: CPU=max\nstatus: 1\ninput: script\n\
            --- input\nls\n--- console\n{...}\n";
        let transcript = parse(text).expect("well formed");
        assert_eq!((transcript.machines.len(), transcript.status, transcript.way), (2, 1, Way::Script));
        assert_eq!((transcript.input.as_str(), transcript.console.as_str()), ("ls\n", "{...}\n"));
    }

    #[test]
    fn mistakes_in_a_header_are_refused() {
        for header in ["mashine: MEM=64M\n", "status: well\n", "input: mail\n", "machine: MEMORY=1\n"] {
            assert!(parse(&format!("{header}--- input\n--- console\n")).is_err(), "{header}");
        }
        assert!(parse("--- input\nls\n").is_err());
    }
}
