//! `watch`: runs the machine and shows its memory; plays recordings.
//!
//! `watch run RUNNER KERNEL [RECORD]`, `watch replay RECORD`, `watch picture RECORD DIRECTORY`. The exit status of a
//! run is the runner's.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use watch::{guard, player, session};

const USAGE: &str = "usage: watch run RUNNER KERNEL [RECORD] | replay RECORD | picture RECORD DIRECTORY";

fn main() -> ExitCode {
    match dispatch() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("watch: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn dispatch() -> Result<u8> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let words: Vec<&Path> = arguments.iter().map(PathBuf::as_path).collect();
    let Some((command, operands)) = words.split_first() else { bail!(USAGE) };
    match (command.to_str(), operands) {
        (Some("run"), [runner, kernel]) => guard::guarded(|| session::run(runner, kernel, None)),
        (Some("run"), [runner, kernel, record]) => guard::guarded(|| session::run(runner, kernel, Some(record))),
        (Some("replay"), [record]) => guard::guarded(|| player::replay(record, &mut io::stdout()).map(|()| 0)),
        (Some("picture"), [record, directory]) => {
            for name in player::pictures(record, directory)? {
                println!("{}", directory.join(name).display());
            }
            Ok(0)
        }
        _ => bail!(USAGE),
    }
}
