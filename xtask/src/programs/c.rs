//! Building a program in C, by the host's compiler, with its static library.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::elf;
use super::files::{entries, name_of};
use crate::{cargo, progress};

/// The compiler for the guest's processor, by the name that Debian gives it on every host, and by the usual one.
const COMPILERS: [&str; 2] = ["x86_64-linux-gnu-gcc", "cc"];
const FLAGS: [&str; 6] = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-static", "-s"];

/// Whether a file is one to compile.
pub fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "c")
}

/// The files to compile in a directory.
pub fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = entries(directory)?;
    sources.retain(|path| is_source(path));
    Ok(sources)
}

/// Builds the program `name` in the directory `shelf`, unless it is there and nothing has changed.
pub fn build(name: &str, sources: &[PathBuf], shelf: &Path) -> Result<PathBuf> {
    let program = shelf.join(name);
    let compiler = compiler()?;
    let stamp = cargo::programs_dir().join("stamps").join(format!("{}-{name}", name_of(shelf)));
    let state = state(compiler, sources)?;
    if program.exists() && fs::read_to_string(&stamp).is_ok_and(|old| old == state) {
        return Ok(program);
    }
    let _activity = progress::begin(format!("compiling {name}"));
    let status = Command::new(compiler).args(FLAGS).args(sources).arg("-o").arg(&program).status()?;
    if !status.success() {
        bail!("{compiler} could not make {name}; if the static C library is missing, `make setup` installs it");
    }
    elf::check(&program)?;
    put(&stamp, &state)?;
    Ok(program)
}

fn compiler() -> Result<&'static str> {
    let works = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    COMPILERS.iter().find(works).copied().context("there is no C compiler: `make setup` installs one")
}

/// A hash of all that a program is made of: its sources, the headers beside them, and how it is compiled.
fn state(compiler: &str, sources: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    (Command::new(compiler).arg("--version").output()?.stdout, FLAGS).hash(&mut hasher);
    let beside = sources.iter().filter_map(|source| source.parent());
    let mut files: Vec<PathBuf> = sources.to_vec();
    for directory in beside {
        files.extend(entries(directory)?.into_iter().filter(|path| path.extension().is_some_and(|it| it == "h")));
    }
    files.sort();
    files.dedup();
    for file in files {
        (&file, fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?).hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn put(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
