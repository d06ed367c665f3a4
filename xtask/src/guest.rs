//! Boots a kernel by the runner (boot/) and takes down what it prints.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};

use crate::busybox;
use crate::cargo;
use crate::disks::Images;
use crate::floppy;
use crate::initial_files;
use crate::machine::{Machine, VARIABLES};
use crate::progress;

/// Seconds of silence, and seconds in all, after which a test's guest is stopped, unless the test says otherwise.
const TIMEOUT: &str = "120";
const LIMIT: &str = "400";

/// What the runner does with the kernel.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// Boots it as `make run` does.
    Run,
    /// Boots a test kernel: guest time counts instructions.
    Test,
    /// Boots a kernel that is not Scullery's.
    Other,
}

/// What a run left.
#[derive(Debug)]
pub struct Run {
    /// The guest's console.
    pub console: String,
    /// What the runner had to say.
    pub messages: String,
    /// The runner's exit status: 0 success, 1 failure, 2 anything else.
    pub status: i32,
}

/// What the kernel says where `highmem=` asks for more than there can be.
const NO_HIGH_MEMORY: &str = "KiB would leave too little low memory";
/// What is said of a test that runs there.
pub const NO_SUCH_MACHINE: &str = "its machine says highmem=, and the guest has no high memory: `mem=` is too small";

impl Run {
    /// Whether the guest has no high memory, though its machine asked for some: what was to be shown with it was not.
    pub fn lacks_high_memory(&self) -> bool {
        self.console.lines().any(|line| line.contains("option highmem: ") && line.ends_with(NO_HIGH_MEMORY))
    }
}

/// Boots `kernel` on `machine`, with `input` on its console, and waits for its end.
pub fn boot(mode: Mode, kernel: &Path, machine: &Machine, input: &str) -> Result<Run> {
    let _activity = progress::begin_alone("the guest runs");
    let images = Images::of(machine)?;
    let mut child =
        command(mode, kernel, machine)?.envs(images.variables()).spawn().context("cannot start the runner")?;
    let mut stdin = child.stdin.take().context("the runner has no standard input")?;
    let output = thread::scope(|scope| {
        // A guest that ends early leaves input unread; that is its test's business.
        scope.spawn(move || stdin.write_all(input.as_bytes()));
        child.wait_with_output()
    })?;
    let console = String::from_utf8_lossy(&output.stdout).into_owned();
    images.check(&console)?;
    Ok(Run {
        console,
        messages: String::from_utf8_lossy(&output.stderr).into_owned(),
        status: output.status.code().unwrap_or(-1),
    })
}

/// The runner, about to boot `kernel` on `machine`, its standard streams pipes.
pub fn command(mode: Mode, kernel: &Path, machine: &Machine) -> Result<Command> {
    let mut command = Command::new(cargo::target_dir().join("debug/boot"));
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    // What a tree shows does not depend on modules and programs from elsewhere.
    command.env("TIMEOUT", TIMEOUT).env("LIMIT", LIMIT).env("MODULES", "tree");
    let of = |wanted: &str| machine.variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    // What INIT names is one of busybox's, unless the programs are named too.
    let programs = of("PROGRAMS").unwrap_or(if of("INIT").is_some() { "busybox" } else { "tree" });
    if programs == "busybox" {
        busybox::check()?;
    }
    if of("FILES") != Some("ramdisk") {
        command.env("PROGRAMS", programs);
    }
    command.envs(machine.variables.iter().map(|(name, value)| (name, value)));
    if machine.variables.iter().any(|(name, value)| name == "FLOPPY" && value == floppy::COUNTING) {
        command.env("FLOPPY", floppy::counting()?);
    }
    for (_, value) in machine.variables.iter().filter(|(name, _)| name == "ROOTFS") {
        if let Some(directory) = initial_files::directory(value)? {
            command.env("ROOTFS", directory).env("MODULES", "none");
            if machine.variables.iter().all(|(name, _)| name != "PROGRAMS") {
                command.env("PROGRAMS", "none");
            }
        }
    }
    command.arg(match mode {
        Mode::Run => "run",
        Mode::Test => "test",
        Mode::Other => "other",
    });
    command.arg(kernel).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}
