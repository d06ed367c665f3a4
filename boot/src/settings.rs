//! The machine to boot, as environment variables (make's) describe it.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::disks::Disk;
use crate::firmware::Firmware;
use crate::memory::Memory;
use crate::modules::Modules;
use crate::programs::Programs;
use crate::watched::Watched;

/// The usual initial files' directory, from the top of the tree.
const ROOTFS: &str = "rootfs";
const DEFAULT_MEMORY: &str = "128M";
/// Processors that QEMU's PC takes.
const MOST_PROCESSORS: u32 = 255;
/// How long a run without a terminal may be silent before it counts as hung.
const DEFAULT_SILENCE: Duration = Duration::from_secs(120);

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

/// How the initial files get to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// By QEMU's configuration device: the kernel reads of them what it needs, when it needs it.
    FwCfg,
    /// By the bootloader, which loads all of them: the only way on a machine that is not QEMU's.
    Ramdisk,
}

/// The machine that QEMU is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// A PC of 1996, with PCI.
    Pc,
    /// One of 2009, with PCI Express, and without floppy drive.
    Q35,
}

/// Whether the machine starts at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debugger {
    /// It does.
    None,
    /// It waits for gdb on port 1234 (`target remote :1234`, `continue`).
    Awaited,
}

/// Values of `PROGRAMS`; a run that says nothing takes all along.
const PROGRAMS: [(&str, Programs); 4] =
    [("all", Programs::All), ("busybox", Programs::Busybox), ("tree", Programs::OfTheTree), ("none", Programs::None)];

/// Everything that can be chosen about a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `MEM`: guest RAM.
    pub memory: Memory,
    /// `APPEND`: the kernel's command line, whatever its bytes: what is wrong with it the kernel says itself.
    pub append: OsString,
    /// `INIT`: the program that runs instead of the built-in console, a path in the guest.
    pub init: Option<String>,
    /// `FIRMWARE`: bios or uefi.
    pub firmware: Firmware,
    /// `BOARD`: pc or q35.
    pub board: Board,
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
    /// `MODULES`: which modules are among the initial files: all, tree (what the tree has), or none.
    pub modules: Modules,
    /// `MODULES_DIR`: where they are, if not where they are built.
    pub modules_dir: Option<PathBuf>,
    /// `PROGRAMS`: which programs are among the initial files: all, busybox (and those of the tree), tree, or none. The
    /// default is all, or none where the bootloader has to load them.
    pub programs: Programs,
    /// `FILES`: fw_cfg or ramdisk.
    pub carrier: Carrier,
    /// `FLOPPY`: image of the disk in the floppy drive; without it there is none.
    pub floppy: Option<PathBuf>,
    /// `DISK` and `SWAP`: files that are disks, in this order: /dev/vda and the next.
    pub disks: Vec<Disk>,
    /// The name in the guest of the disk that `SWAP` gives, if the guest can swap to it.
    pub swap: Option<&'static str>,
    /// `WATCHED`: who looks at the machine's memory meanwhile; `make watch` says it.
    pub watched: Option<Watched>,
    /// `TIMEOUT`: seconds of silence that end a run without a terminal; 0 is none.
    pub silence: Option<Duration>,
    /// `LIMIT`: seconds that a whole run may take; 0 is none.
    pub limit: Option<Duration>,
}

impl Settings {
    /// Reads and checks the environment; an unset or empty variable means its default.
    pub fn from_environment() -> Result<Self> {
        let firmware = choice("FIRMWARE", &[("bios", Firmware::Bios), ("uefi", Firmware::Uefi)])?;
        let carrier = choice("FILES", &[("fw_cfg", Carrier::FwCfg), ("ramdisk", Carrier::Ramdisk)])?;
        let disks = disks();
        Ok(Self {
            memory: Memory::new(&variable("MEM")?.unwrap_or_else(|| DEFAULT_MEMORY.into()), firmware)?,
            append: given("APPEND").unwrap_or_default(),
            init: init()?,
            firmware,
            board: choice("BOARD", &[("pc", Board::Pc), ("q35", Board::Q35)])?,
            cpu: variable("CPU")?,
            accel: choice("ACCEL", &[("auto", Accel::Auto), ("kvm", Accel::Kvm), ("tcg", Accel::Tcg)])?,
            smp: processors()?,
            clock: choice("ICOUNT", &[("0", Clock::Host), ("1", Clock::Instructions)])?,
            debugger: choice("GDB", &[("0", Debugger::None), ("1", Debugger::Awaited)])?,
            script: given("SCRIPT").map(PathBuf::from),
            rootfs: given("ROOTFS").unwrap_or_else(|| ROOTFS.into()).into(),
            modules: choice(
                "MODULES",
                &[("all", Modules::All), ("tree", Modules::OfTheTree), ("none", Modules::None)],
            )?,
            modules_dir: given("MODULES_DIR").map(PathBuf::from),
            programs: programs(carrier)?,
            carrier,
            floppy: given("FLOPPY").map(PathBuf::from),
            swap: swap(&disks),
            disks,
            watched: variable("WATCHED")?.map(|value| Watched::new(&value)).transpose()?,
            silence: seconds("TIMEOUT", Some(DEFAULT_SILENCE))?,
            limit: seconds("LIMIT", None)?,
        })
    }

    /// The same for disk images that are kept: they have programs only if `PROGRAMS` asks for them. Whoever passes an
    /// image on passes the programs on, too.
    pub fn for_images(mut self) -> Self {
        if given("PROGRAMS").is_none() {
            self.programs = Programs::None;
        }
        self
    }

    /// The same machine for a test kernel: deterministic unless `ICOUNT=0` asks otherwise. Not by default on
    /// UEFI: its firmware waits in loops of billions of instructions, more than a minute under icount.
    pub fn for_tests(mut self) -> Self {
        let quick = self.firmware == Firmware::Bios && self.accel != Accel::Kvm;
        if given("ICOUNT").is_none() && quick {
            self.clock = Clock::Instructions;
        }
        self
    }
}

/// A variable's value, whatever its bytes; an empty one counts as unset.
fn given(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn variable(name: &str) -> Result<Option<String>> {
    match given(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(value)) => bail!("{name}={} is not UTF-8", value.display()),
    }
}

/// The value that a variable names; the first choice is the default.
fn choice<T: Copy>(name: &str, choices: &[(&str, T)]) -> Result<T> {
    let given = variable(name)?.unwrap_or_else(|| choices[0].0.into());
    match choices.iter().find(|(word, _)| *word == given) {
        Some((_, value)) => Ok(*value),
        None => {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            bail!("{name}={given} is not one of {}", words.join(", "))
        }
    }
}

/// The bootloader would take half a minute to load all of them.
fn programs(carrier: Carrier) -> Result<Programs> {
    match (variable("PROGRAMS")?, carrier) {
        (None, Carrier::Ramdisk) => Ok(Programs::None),
        _ => choice("PROGRAMS", &PROGRAMS),
    }
}

/// A word of the command line has no blanks.
fn init() -> Result<Option<String>> {
    match variable("INIT")? {
        Some(path) if !path.starts_with('/') || path.contains(char::is_whitespace) => {
            bail!("INIT={path} is not the whole path of a program in the guest, such as /bin/sh")
        }
        init => Ok(init),
    }
}

fn disks() -> Vec<Disk> {
    let disks: Vec<Disk> = ["DISK", "SWAP"].iter().filter_map(|name| Some(Disk::new(name, &given(name)?))).collect();
    if given("SWAP").is_some() && disks.len() == 1 {
        eprintln!("boot: SWAP without DISK is the first disk, /dev/vda");
    }
    disks
}

/// Names of disks in the guest.
pub const DISK_NAMES: [&str; 2] = ["vda", "vdb"];

fn swap(disks: &[Disk]) -> Option<&'static str> {
    let value = given("SWAP")?;
    let (disk, name) = disks.iter().zip(DISK_NAMES).next_back()?;
    if disk.is_swap() {
        return Some(name);
    }
    if disk.open().is_ok() {
        eprintln!(
            "boot: SWAP={}: not swapped to: that takes a disk that answers and may be written to, and begins with a \
             page of zeros or was made by mkswap",
            value.display()
        );
    }
    None
}

fn processors() -> Result<u32> {
    let Some(text) = variable("SMP")? else { return Ok(1) };
    match text.parse() {
        Ok(count @ 1..=MOST_PROCESSORS) => Ok(count),
        _ => bail!("SMP={text} is not a number of processors from 1 to {MOST_PROCESSORS}"),
    }
}

fn seconds(name: &str, default: Option<Duration>) -> Result<Option<Duration>> {
    let Some(text) = variable(name)? else { return Ok(default) };
    match text.parse::<u32>() {
        Ok(0) => Ok(None),
        Ok(count) => Ok(Some(Duration::from_secs(count.into()))),
        Err(_) => bail!("{name}={text} is not a number of seconds, such as 120; 0 is without end"),
    }
}

#[cfg(test)]
mod tests {
    use super::{PROGRAMS, Programs};

    #[test]
    fn a_run_that_names_no_programs_takes_all_along() {
        assert_eq!(PROGRAMS[0], ("all", Programs::All));
    }
}
