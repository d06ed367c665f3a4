//! What booting costs: instructions from the kernel's entry to its prompt.
//!
//! Under icount the guest's time-stamp counter advances by one an instruction, so the number is the same on
//! every host. The kernel prints it: `boot: N cycles from entry to prompt`.

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::Machine;

const BEFORE: &str = "boot: ";
const AFTER: &str = " cycles from entry to prompt";

/// Memory of the machine, unless somebody asks for another one.
pub const MEMORY: &str = "1G";

/// Boots once, with no input, and prints the number.
pub fn measure() -> Result<ExitCode> {
    let memory = env::var("MEM").unwrap_or_else(|_| MEMORY.into());
    println!("{}", line(instructions(&memory)?, &memory));
    Ok(ExitCode::SUCCESS)
}

/// What is printed.
pub fn line(instructions: u64, memory: &str) -> String {
    format!("{instructions} instructions from entry to prompt (MEM={memory})")
}

/// Boots once and returns the number.
pub fn instructions(memory: &str) -> Result<u64> {
    instructions_on(&format!("MEM={memory}"))
}

/// Boots a machine once and returns the number.
pub fn instructions_on(machine: &str) -> Result<u64> {
    let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
    let machine = Machine::parse(&format!("{machine} ICOUNT=1"))?;
    let run = guest::boot(Mode::Run, &kernel, &machine, "")?;
    let instructions = run
        .console
        .lines()
        .find_map(|line| line.strip_prefix(BEFORE)?.strip_suffix(AFTER))
        .with_context(|| format!("the kernel did not print the line `{BEFORE}N{AFTER}`: {}", run.messages))?;
    instructions.parse().with_context(|| format!("{instructions} is no number"))
}
