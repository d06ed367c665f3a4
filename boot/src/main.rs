//! Scullery's host program: makes disk images and runs them in QEMU.
//!
//! `boot image ELF`, `boot run ELF`, `boot test ELF`, and `boot other ELF` for a kernel that is not Scullery's, which
//! gets no initial files; the machine is described by environment variables
//! (settings.rs), which make passes on. Exit status: 0 the guest said success, 1 it said failure, 2 anything
//! else, named on standard error.

mod archive;
mod console;
mod disks;
mod firmware;
mod handed;
mod host;
mod image;
mod input;
mod memory;
mod modules;
mod programs;
mod prune;
mod qemu;
mod rootfs;
mod runner;
#[cfg(test)]
mod scratch;
mod settings;
mod shelf;
mod terminal;
mod verdict;
mod watched;

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use firmware::Firmware;
use handed::Handed;
use image::{Kernel, Make, Recipe};
use input::Source;
use runner::Session;
use settings::{Carrier, Settings};
use verdict::Verdict;

/// Bytes of initial files in an image for a machine that is not known: its file system has no larger files.
const MOST_IN_AN_IMAGE: u64 = u32::MAX as u64;

/// What is worth a word when it takes longer.
const NOTABLE: Duration = Duration::from_secs(10);

const USAGE: &str = "usage: boot image|run|test|other KERNEL-ELF";

fn main() -> ExitCode {
    match dispatch() {
        Ok(verdict) => {
            if let Some(message) = verdict.message() {
                eprintln!("boot: {message}");
            }
            ExitCode::from(verdict.exit_status())
        }
        Err(error) => {
            eprintln!("boot: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn dispatch() -> Result<Verdict> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [command, elf] = arguments.as_slice() else { bail!(USAGE) };
    let elf = Path::new(elf);
    match command.as_str() {
        "image" => make_images(elf),
        "run" => run(elf, &Settings::from_environment()?),
        "test" => run(elf, &Settings::from_environment()?.for_tests()),
        "other" => run_other(elf, &Settings::from_environment()?),
        _ => bail!(USAGE),
    }
}

fn make_images(elf: &Path) -> Result<Verdict> {
    let settings = Settings::from_environment()?.for_images();
    let kernel = Kernel::read(elf, Make::Own)?;
    let initial_files = handed::initial_files(elf, &settings, MOST_IN_AN_IMAGE)?;
    for firmware in [Firmware::Bios, Firmware::Uefi] {
        let recipe = Recipe { kernel: &kernel, ramdisk: &initial_files, firmware };
        println!("{}", recipe.to_keep().context("cannot make the disk image")?.display());
    }
    Ok(Verdict::Success)
}

fn run(elf: &Path, settings: &Settings) -> Result<Verdict> {
    let firmware = settings.firmware;
    let kernel = Kernel::read(elf, Make::Own)?;
    let room = match settings.carrier {
        Carrier::FwCfg => handed::LONGEST_FILE,
        Carrier::Ramdisk => settings.memory.room_for_files(firmware, kernel.memory()?),
    };
    let initial_files = handed::initial_files(elf, settings, room)?;
    let (ramdisk, handed) = match settings.carrier {
        Carrier::FwCfg => ([].as_slice(), Handed::files(&initial_files, settings)),
        Carrier::Ramdisk => (initial_files.as_slice(), Handed::none(settings)),
    };
    let recipe = Recipe { kernel: &kernel, ramdisk, firmware };
    let loading = memory::loading_time(firmware, ramdisk.len());
    if loading > NOTABLE {
        eprintln!(
            "boot: the initial files take the BIOS about {} s to load; FIRMWARE=uefi is quicker",
            loading.as_secs()
        );
    }
    loop {
        let image = recipe.for_run().context("cannot make the disk image")?;
        let session = Session::start(image, &handed, loading, settings)?;
        let is_watched = session.source() == Source::Terminal;
        match session.run()? {
            // For a person the machine comes up again.
            Verdict::Reboot if is_watched => {}
            verdict => return Ok(verdict),
        }
    }
}

fn run_other(elf: &Path, settings: &Settings) -> Result<Verdict> {
    let kernel = Kernel::read(elf, Make::Other)?;
    let recipe = Recipe { kernel: &kernel, ramdisk: &[], firmware: settings.firmware };
    let image = recipe.for_run().context("cannot make the disk image")?;
    Session::start(image, &Handed::none(settings), Duration::ZERO, settings)?.run()
}
