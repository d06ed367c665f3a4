//! The machine to boot, as environment variables (make's) describe it.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Below this the BIOS stage of the bootloader has no room for the kernel.
const LEAST_FOR_BIOS_MIB: u64 = 24;
/// Below this OVMF does not start.
const LEAST_FOR_UEFI_MIB: u64 = 48;
/// The usual initial files' directory, from the top of the tree.
pub const ROOTFS: &str = "rootfs";
const DEFAULT_MEMORY: &str = "128M";
/// How long a run without a terminal may be silent before it counts as hung.
const DEFAULT_SILENCE: Duration = Duration::from_secs(120);

/// What starts the bootloader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS, QEMU's default.
    Bios,
    /// OVMF.
    Uefi,
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
        })
    }
}

/// How QEMU runs guest code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// KVM where the processor and /dev/kvm offer it, else TCG.
    Auto,
    /// Hardware virtualisation.
    Kvm,
    /// Software emulation.
    Tcg,
}

/// How guest time runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// With the host's.
    Host,
    /// One nanosecond an instruction: the same from run to run.
    Instructions,
}

/// Whether the machine starts at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debugger {
    /// It does.
    None,
    /// It waits for gdb on port 1234 (`target remote :1234`, `continue`).
    Awaited,
}

/// Everything that can be chosen about a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `MEM`: guest RAM in QEMU's notation.
    pub memory: String,
    /// `APPEND`: the kernel's command line, whatever its bytes: what is wrong with it the kernel says itself.
    pub append: OsString,
    /// `FIRMWARE`: bios or uefi.
    pub firmware: Firmware,
    /// `CPU`: QEMU's CPU model; `None` is QEMU's default.
    pub cpu: Option<String>,
    /// `ACCEL`: auto, kvm or tcg.
    pub accel: Accel,
    /// `SMP`: number of processors.
    pub smp: u32,
    /// `ICOUNT`: 1 for a deterministic run.
    pub clock: Clock,
    /// `GDB`: 1 to wait for a debugger.
    pub debugger: Debugger,
    /// `SCRIPT`: file with the lines to run, instead of standard input.
    pub script: Option<PathBuf>,
    /// `ROOTFS`: directory of the initial files.
    pub rootfs: PathBuf,
    /// `FLOPPY`: image of the disk in the floppy drive; without it there is none.
    pub floppy: Option<PathBuf>,
    /// `TIMEOUT`: seconds of silence that end a run without a terminal; 0 is none.
    pub silence: Option<Duration>,
    /// `LIMIT`: seconds that a whole run may take; 0 is none.
    pub limit: Option<Duration>,
}

impl Settings {
    /// Reads and checks the environment; an unset or empty variable means its default.
    pub fn from_environment() -> Result<Self> {
        let firmware = choice("FIRMWARE", &[("bios", Firmware::Bios), ("uefi", Firmware::Uefi)])?;
        Ok(Self {
            memory: memory(&variable("MEM").unwrap_or_else(|| DEFAULT_MEMORY.into()), firmware)?,
            append: env::var_os("APPEND").unwrap_or_default(),
            firmware,
            cpu: variable("CPU"),
            accel: choice("ACCEL", &[("auto", Accel::Auto), ("kvm", Accel::Kvm), ("tcg", Accel::Tcg)])?,
            smp: number("SMP")?.unwrap_or(1),
            clock: choice("ICOUNT", &[("0", Clock::Host), ("1", Clock::Instructions)])?,
            debugger: choice("GDB", &[("0", Debugger::None), ("1", Debugger::Awaited)])?,
            script: variable("SCRIPT").map(PathBuf::from),
            rootfs: variable("ROOTFS").unwrap_or_else(|| ROOTFS.into()).into(),
            floppy: variable("FLOPPY").map(PathBuf::from),
            silence: seconds("TIMEOUT", Some(DEFAULT_SILENCE))?,
            limit: seconds("LIMIT", None)?,
        })
    }

    /// The same machine for a test kernel: deterministic unless `ICOUNT=0` asks otherwise. Not by default on
    /// UEFI: its firmware waits in loops of billions of instructions, more than a minute under icount.
    pub fn for_tests(mut self) -> Self {
        let quick = self.firmware == Firmware::Bios && self.accel != Accel::Kvm;
        if variable("ICOUNT").is_none() && quick {
            self.clock = Clock::Instructions;
        }
        self
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The value that a variable names; the first choice is the default.
fn choice<T: Copy>(name: &str, choices: &[(&str, T)]) -> Result<T> {
    let given = variable(name).unwrap_or_else(|| choices[0].0.into());
    match choices.iter().find(|(word, _)| *word == given) {
        Some((_, value)) => Ok(*value),
        None => {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            bail!("{name}={given} is not one of {}", words.join(", "))
        }
    }
}

fn number(name: &str) -> Result<Option<u32>> {
    let Some(text) = variable(name) else { return Ok(None) };
    let value: u32 = text.parse().with_context(|| format!("{name}={text} is not a number"))?;
    Ok(Some(value))
}

fn seconds(name: &str, default: Option<Duration>) -> Result<Option<Duration>> {
    Ok(match number(name)? {
        None => default,
        Some(0) => None,
        Some(count) => Some(Duration::from_secs(count.into())),
    })
}

/// Checks an amount such as `24M`, `2G` or `128` (MiB).
fn memory(text: &str, firmware: Firmware) -> Result<String> {
    let (digits, unit_mib) = match text.chars().last() {
        Some('M' | 'm') => (&text[..text.len() - 1], 1),
        Some('G' | 'g') => (&text[..text.len() - 1], 1024),
        _ => (text, 1),
    };
    let Ok(count) = digits.parse::<u64>() else {
        bail!("MEM={text} is not an amount of memory: write 128M or 2G");
    };
    let (least, who) = match firmware {
        Firmware::Bios => (LEAST_FOR_BIOS_MIB, "the bootloader"),
        Firmware::Uefi => (LEAST_FOR_UEFI_MIB, "the UEFI firmware"),
    };
    if count.saturating_mul(unit_mib) < least {
        bail!("MEM={text} is too small: {who} needs at least {least}M");
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::{Firmware, memory};

    #[test]
    fn memory_below_the_firmwares_need_is_refused() {
        let bios = |text| memory(text, Firmware::Bios);
        assert!(bios("24M").is_ok() && bios("1G").is_ok());
        assert!(bios("23M").is_err() && bios("lots").is_err() && bios("").is_err());
        assert!(memory("48M", Firmware::Uefi).is_ok());
        let refusal = memory("24M", Firmware::Uefi).expect_err("OVMF does not start there");
        assert_eq!(refusal.to_string(), "MEM=24M is too small: the UEFI firmware needs at least 48M");
    }
}
