//! A machine that a document starts, and all that is typed at it.
//!
//! A document is read as a person types it: `$ make run MEM=64M` starts a machine, and everything typed at a guest from
//! there on goes to that one. Before the first such line it is a plain `make run`. Guest time counts instructions, so
//! that a machine prints the same each time; on UEFI it does not, whose firmware would take minutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::markdown::{Block, Marker, Prompt};
use crate::guest::{self, Mode};
use crate::machine::Machine;
use crate::pins::Pins;
use crate::{bench_boot, cargo, icount, transcripts};

/// A step of a document: the number of its block, and its number there.
pub type Place = (usize, usize);

/// One machine.
#[derive(Debug, Clone)]
pub struct Session {
    /// What is asked of make, and what must be done before; the step that shows it, if one does.
    command: String,
    start: Option<Place>,
    /// Lines that a pipe types; the document shows them again.
    piped: Option<Vec<String>>,
    /// What is typed in the guest.
    typed: Vec<(Place, String)>,
}

/// What a step printed.
pub type Output = (Place, Vec<String>);

/// The machines of a document, in the order in which they start.
pub fn sessions(blocks: &[Block]) -> Result<Vec<Session>> {
    let mut sessions: Vec<Session> = Vec::new();
    let checked = blocks.iter().enumerate().filter(|(_, block)| is_checked(block));
    for (at, block) in checked {
        for (step_at, step) in block.steps.iter().enumerate() {
            let place = (at, step_at);
            match (step.prompt, sessions.last_mut()) {
                (Prompt::Host, _) => sessions.push(Session::start(&step.command, Some(place))?),
                (Prompt::Guest, Some(last)) if last.piped.is_none() => last.typed.push((place, step.command.clone())),
                (Prompt::Guest, Some(last)) if last.start.is_some_and(|start| start.0 == at) => {
                    last.typed.push((place, step.command.clone()));
                }
                (Prompt::Guest, _) => {
                    let mut plain = Session::start("make run", None)?;
                    plain.typed.push((place, step.command.clone()));
                    sessions.push(plain);
                }
            }
        }
    }
    sessions.iter().try_for_each(Session::check)?;
    Ok(sessions)
}

/// Whether a block is to be run.
pub fn is_checked(block: &Block) -> bool {
    matches!(block.marker, Marker::Exact | Marker::Within(_))
}

impl Session {
    /// A command such as `printf 'free\n' | make -s run MEM=24M`.
    fn start(command: &str, start: Option<Place>) -> Result<Self> {
        let (piped, command) = match command.strip_prefix("printf '") {
            None => (None, command),
            Some(rest) => {
                let (text, command) = rest.split_once("' | ").context("no pipe after printf '...'")?;
                let lines = text.replace("%%", "%").replace("\\n", "\n");
                (Some(lines.lines().map(str::to_owned).collect()), command)
            }
        };
        Ok(Self { command: command.to_owned(), start, piped, typed: Vec::new() })
    }

    /// What the document says is typed must be what the pipe types.
    fn check(&self) -> Result<()> {
        let Some(piped) = &self.piped else { return Ok(()) };
        let shown: Vec<&String> = self.typed.iter().map(|(_, line)| line).collect();
        if shown != piped.iter().collect::<Vec<_>>() {
            bail!("{:?} types other lines than are shown below it", self.command);
        }
        Ok(())
    }

    /// The place of its first step, for its name.
    pub fn first(&self) -> Option<Place> {
        self.start.or_else(|| self.typed.first().map(|(place, _)| *place))
    }

    /// Starts the machine and types; returns what each step printed, and the whole console.
    pub fn run(&self, title: &str) -> Result<(Vec<Output>, String)> {
        let (before, make) = self.command.rsplit_once("; ").unwrap_or(("", &self.command));
        let scratch = cargo::target_dir().join("docs");
        prepare(before, &scratch)?;
        let words = make.strip_prefix("make ").with_context(|| format!("{make:?} does not start with make"))?;
        match words.trim_start_matches("-s ").split_once(' ').unwrap_or((words.trim_start_matches("-s "), "")) {
            ("run", variables) => self.boot(title, Machine::parse(variables)?, &scratch),
            ("bench-boot", "") => {
                // Measured elsewhere, as a pinned figure.
                let instructions = Pins::load()?.get(icount::BOOT).context("no figure of booting is pinned")?;
                let line = bench_boot::line(instructions as u64, bench_boot::MEMORY);
                let start = self.start.context("a measurement that nobody shows")?;
                Ok((vec![(start, vec![line.clone()])], line))
            }
            _ => bail!("nobody knows how to run {make:?} for a document"),
        }
    }

    fn boot(&self, title: &str, mut machine: Machine, scratch: &Path) -> Result<(Vec<Output>, String)> {
        let firmware = machine.variables.iter().find(|(name, _)| name == "FIRMWARE");
        if firmware.is_none_or(|(_, value)| value != "uefi") {
            machine.variables.push(("ICOUNT".into(), "1".into()));
        }
        for (_, value) in machine.variables.iter_mut().filter(|(name, _)| name == "FLOPPY") {
            *value = scratch.join(&value).display().to_string();
        }
        let lines: String = self.typed.iter().map(|(_, line)| format!("{line}\n")).collect();
        let script: PathBuf = transcripts::script_file(title, &lines)?;
        machine.variables.push(("SCRIPT".into(), script.display().to_string()));
        let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
        let run = guest::boot(Mode::Run, &kernel, &machine, "")?;
        if run.status != 0 {
            bail!("the machine ended with status {}: {}\n{}", run.status, run.messages.trim(), run.console);
        }
        Ok((self.split(&run.console)?, run.console))
    }

    /// Finds each typed line behind its prompt; what lies between is what they printed.
    fn split(&self, console: &str) -> Result<Vec<Output>> {
        let mut rest: Vec<String> = console.lines().map(|line| line.trim_end().to_owned()).collect();
        rest.truncate(rest.iter().rposition(|line| !line.is_empty() && line != "#").map_or(0, |last| last + 1));
        let mut place = self.start;
        let mut outputs = Vec::new();
        for (next, line) in &self.typed {
            let prompt = format!("# {}", line.trim_end());
            let at = rest.iter().position(|shown| *shown == prompt);
            let at = at.with_context(|| format!("the console does not show {prompt:?}:\n{console}"))?;
            let after = rest.split_off(at + 1);
            rest.truncate(at);
            outputs.extend(place.map(|place| (place, rest)));
            (rest, place) = (after, Some(*next));
        }
        outputs.extend(place.map(|place| (place, rest)));
        Ok(outputs)
    }
}

/// Runs what a document's command does before make, in a directory where files may lie about.
fn prepare(commands: &str, scratch: &Path) -> Result<()> {
    fs::create_dir_all(scratch)?;
    if commands.is_empty() {
        return Ok(());
    }
    let status = Command::new("sh").args(["-c", commands]).current_dir(scratch).status();
    if !status.with_context(|| format!("cannot run {commands:?}"))?.success() {
        bail!("{commands:?} failed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::markdown::blocks;
    use super::{Session, sessions};

    fn of(text: &str) -> anyhow::Result<Vec<Session>> {
        sessions(&blocks(text)?)
    }

    #[test]
    fn a_machine_lasts_until_the_next_one_starts() {
        let text = "    # a\n\ntext\n\n    $ make run MEM=64M\n    # b\n\ntext\n\n    # c\n";
        let sessions = of(text).expect("well formed");
        let typed: Vec<Vec<&str>> =
            sessions.iter().map(|it| it.typed.iter().map(|(_, line)| line.as_str()).collect()).collect();
        assert_eq!(typed, [vec!["a"], vec!["b", "c"]]);
        assert_eq!((sessions[0].start, sessions[1].start), (None, Some((1, 0))));
    }

    #[test]
    fn what_a_pipe_types_is_shown() {
        let text = "    $ printf 'a; b\\nc\\n' | make -s run\n    ...\n    # a; b\n    # c\n\ntext\n\n    # d\n";
        let sessions = of(text).expect("well formed");
        assert_eq!((sessions.len(), sessions[0].typed.len(), sessions[0].command.as_str()), (2, 2, "make -s run"));
        assert!(of("    $ printf 'a\\n' | make run\n    # b\n").is_err());
    }

    #[test]
    fn the_output_lies_between_prompts() {
        let sessions = of("    $ make run\n    # a\n    # b\n    # c\n").expect("well formed");
        let outputs = sessions[0].split("boot\n# a\n\n1\n# b\n# c\n2 \n#").expect("all are there");
        let texts: Vec<String> = outputs.into_iter().map(|(_, lines)| lines.join("|")).collect();
        assert_eq!(texts, ["boot", "|1", "", "2"]);
        assert!(sessions[0].split("boot\n# a\n").is_err());
    }

    #[test]
    fn a_block_that_is_not_run_types_nothing() {
        assert!(of("<!-- not run: why -->\n\n    # a\n").expect("well formed").is_empty());
    }
}
