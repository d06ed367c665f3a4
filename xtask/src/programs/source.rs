//! A program of a person's own: what is at a path, and how it is built.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::files::{entries, stem_of};
use super::{c, elf};
use crate::cargo;

/// For which cargo builds: static programs.
pub const RUST_TARGET: &str = "x86_64-unknown-linux-musl";

/// What a person has, and how it becomes programs.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// A project of cargo's: all of its programs.
    Cargo(PathBuf),
    /// A directory with a Makefile, which leaves programs there.
    Make(PathBuf),
    /// A file in C.
    C(PathBuf),
    /// A program, as it is.
    Program(PathBuf),
}

impl Source {
    /// What is at `path`, a directory or a file.
    pub fn at(path: &Path) -> Result<Self> {
        if path.is_file() {
            return Self::file(path);
        }
        if path.join("Cargo.toml").exists() {
            return Ok(Self::Cargo(path.to_owned()));
        }
        if ["GNUmakefile", "makefile", "Makefile"].iter().any(|name| path.join(name).exists()) {
            return Ok(Self::Make(path.to_owned()));
        }
        match c::sources(path)?.as_slice() {
            [source] => Ok(Self::C(source.clone())),
            [] => bail!("{} has no Cargo.toml, no Makefile and no file in C", path.display()),
            _ => bail!("{} has several files in C: a Makefile has to say what is made of them", path.display()),
        }
    }

    fn file(path: &Path) -> Result<Self> {
        if c::is_source(path) {
            Ok(Self::C(path.to_owned()))
        } else if elf::is_elf(path) {
            Ok(Self::Program(path.to_owned()))
        } else {
            bail!("{} is neither a program nor a file in C", path.display())
        }
    }

    /// Builds it, `shelf` being a place for what is made here; the programs, wherever they are.
    pub fn build(&self, shelf: &Path) -> Result<Vec<PathBuf>> {
        match self {
            Self::Cargo(directory) => by_cargo(directory),
            Self::Make(directory) => by_make(directory),
            Self::C(source) => Ok(vec![c::build(&stem_of(source), std::slice::from_ref(source), shelf)?]),
            Self::Program(program) => Ok(vec![program.clone()]),
        }
    }
}

/// By the tree's own compiler: whoever has built the kernel has it.
fn by_cargo(directory: &Path) -> Result<Vec<PathBuf>> {
    add_rust_target();
    let options = ["--release", "--bins", "--target", RUST_TARGET, "--manifest-path"].map(str::to_owned);
    let mut options = Vec::from(options);
    options.push(directory.join("Cargo.toml").display().to_string());
    options.push("--target-dir".to_owned());
    options.push(cargo::programs_dir().join("cargo").display().to_string());
    let programs = cargo::build_programs(&directory.display().to_string(), &options).with_context(|| {
        format!("cargo builds for {RUST_TARGET}; if that is what is missing: rustup target add {RUST_TARGET}")
    })?;
    if programs.is_empty() {
        bail!("{} has no program, only a library", directory.display());
    }
    Ok(programs)
}

/// The pinned toolchain may lack the standard library of that target. If this fails, cargo says so.
fn add_rust_target() {
    let add = Command::new("rustup").args(["target", "list", "--installed"]).output();
    if add.is_ok_and(|list| !String::from_utf8_lossy(&list.stdout).lines().any(|target| target == RUST_TARGET)) {
        eprintln!("adding the target {RUST_TARGET} to the Rust toolchain");
        let _ = Command::new("rustup").args(["target", "add", RUST_TARGET]).status();
    }
}

/// `LDFLAGS` is given as a default, by the environment: what a Makefile says goes before.
fn by_make(directory: &Path) -> Result<Vec<PathBuf>> {
    let status = Command::new("make")
        .args(["--silent", "--no-print-directory", "-C"])
        .arg(directory)
        .env("LDFLAGS", "-static")
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .status()
        .context("cannot run make")?;
    if !status.success() {
        bail!("make failed in {}", directory.display());
    }
    let mut programs = entries(directory)?;
    programs.retain(|path| is_executable(path) && elf::is_elf(path));
    if programs.is_empty() {
        bail!("make left no program in {} itself", directory.display());
    }
    Ok(programs)
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Source;

    #[test]
    fn what_is_there_says_how_it_is_built() {
        let top = std::env::temp_dir().join(format!("scullery-programs-{}", std::process::id()));
        let put = |name: &str, content: &str| {
            let path = top.join(name);
            fs::create_dir_all(path.parent().expect("below the directory")).expect("made");
            fs::write(&path, content).expect("written");
        };
        for (name, content) in [
            ("rust/Cargo.toml", ""),
            ("rust/Makefile", ""),
            ("make/Makefile", ""),
            ("make/one.c", ""),
            ("c/one.c", ""),
            ("c/one.h", ""),
            ("several/one.c", ""),
            ("several/two.c", ""),
            ("none/text", "#!/bin/sh"),
            ("program", "\x7fELF"),
        ] {
            put(name, content);
        }
        let at = |name: &str| Source::at(&top.join(name)).map_err(|error| error.to_string());
        assert_eq!(at("rust"), Ok(Source::Cargo(top.join("rust"))));
        assert_eq!(at("make"), Ok(Source::Make(top.join("make"))));
        assert_eq!(at("c"), Ok(Source::C(top.join("c/one.c"))));
        assert_eq!(at("several/two.c"), Ok(Source::C(top.join("several/two.c"))));
        assert_eq!(at("program"), Ok(Source::Program(top.join("program"))));
        for (name, reason) in [
            ("several", "a Makefile has to say"),
            ("none", "no Cargo.toml, no Makefile"),
            ("none/text", "neither a program nor"),
        ] {
            let refused = at(name).expect_err("refused");
            assert!(refused.contains(reason), "{refused}");
        }
        fs::remove_dir_all(&top).expect("it is there");
    }
}
