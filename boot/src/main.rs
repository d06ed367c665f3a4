//! Scullery's host program: makes disk images and runs them in QEMU.
//!
//! `boot image ELF`, `boot run ELF` and `boot test ELF`; the machine is described by environment variables
//! (settings.rs), which make passes on. Exit status: 0 the guest said success, 1 it said failure, 2 anything
//! else, named on standard error.

mod console;
mod host;
mod image;
mod input;
mod qemu;
mod ramdisk;
mod runner;
mod settings;
mod symbols;
mod terminal;
mod verdict;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use input::Source;
use runner::Session;
use settings::{Firmware, Settings};
use verdict::Verdict;

const USAGE: &str = "usage: boot image|run|test KERNEL-ELF";

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
        _ => bail!(USAGE),
    }
}

fn make_images(elf: &Path) -> Result<Verdict> {
    let settings = Settings::from_environment()?;
    for firmware in [Firmware::Bios, Firmware::Uefi] {
        println!("{}", image::up_to_date(elf, firmware, &settings.rootfs)?.display());
    }
    Ok(Verdict::Success)
}

fn run(elf: &Path, settings: &Settings) -> Result<Verdict> {
    let image = image::up_to_date(elf, settings.firmware, &settings.rootfs).context("cannot make the disk image")?;
    loop {
        let session = Session::start(&image, settings)?;
        let is_watched = session.source() == Source::Terminal;
        match session.run()? {
            // For a person the machine comes up again.
            Verdict::Reboot if is_watched => {}
            verdict => return Ok(verdict),
        }
    }
}
