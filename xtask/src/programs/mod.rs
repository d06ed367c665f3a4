//! Programs for the guest: those of userland/, and a person's own.
//!
//! The tree's are in C, each a file `userland/NAME.c` or a directory `userland/NAME`, and are built by the host's
//! compiler against its static C library into `target/programs/bin`. A person's (`source`) are remembered and built
//! anew each time, into `target/programs/outside`. All are static programs for x86_64 (`elf`): the guest has no dynamic
//! linker. boot/src/programs.rs puts them among the initial files.

mod c;
mod elf;
pub mod files;
mod source;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::remembered::List;
use files::{entries, name_of, stem_of};
use source::Source;

pub use source::RUST_TARGET;

/// Where the tree's programs are.
const OF_THE_TREE: &str = "userland";

/// Builds the tree's programs, and those from elsewhere that are remembered.
pub fn build() -> Result<ExitCode> {
    let _alone = lock()?;
    build_tree()?;
    build_outside()?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the program at `path` and remembers it.
pub fn add(path: &str) -> Result<ExitCode> {
    let path = Path::new(path).canonicalize().with_context(|| path.to_owned())?;
    let _alone = lock()?;
    build_tree()?;
    // What could not be built once is not remembered.
    let files = build_one(&path)?;
    let is_new = outside_list().add(&path)?;
    build_outside().inspect_err(|_| {
        if is_new {
            let _ = outside_list().remove(&path);
        }
    })?;
    println!("`make run` takes it along, and there:");
    for file in files {
        println!("    /bin/{}", name_of(&file));
    }
    Ok(ExitCode::SUCCESS)
}

/// Forgets the program at `path`.
pub fn forget(path: &str) -> Result<ExitCode> {
    let _alone = lock()?;
    let path = Path::new(path);
    // It may be gone already.
    let path = path.canonicalize().or_else(|_| std::path::absolute(path))?;
    if !outside_list().remove(&path)? {
        bail!("{} is not remembered as a program", path.display());
    }
    build_outside()?;
    println!("{} goes along no more; what is in it stays", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Keeps other runs of this program out until it is dropped; waits for them.
fn lock() -> Result<File> {
    let directory = cargo::programs_dir();
    fs::create_dir_all(&directory)?;
    let file = File::create(directory.join("lock"))?;
    file.lock()?;
    Ok(file)
}

fn build_tree() -> Result<()> {
    let shelf = shelf("bin")?;
    let mut built = Vec::new();
    for path in entries(Path::new(OF_THE_TREE))? {
        let sources = if path.is_dir() { c::sources(&path)? } else { vec![path.clone()] };
        if c::is_source(&path) || path.is_dir() {
            built.push(c::build(&stem_of(&path), &sources, &shelf)?);
        }
    }
    keep_only(&shelf, &built)
}

/// Builds all that are remembered, and leaves no other.
fn build_outside() -> Result<()> {
    let mut built = Vec::new();
    for path in outside_list().existing()? {
        let advice = || format!("make forget-program P={} leaves it out", path.display());
        for file in build_one(path).with_context(advice)? {
            if built.contains(&file) {
                bail!("{} makes another program called {}: {}", path.display(), name_of(&file), advice());
            }
            built.push(file);
        }
    }
    keep_only(&shelf("outside")?, &built)
}

/// Builds what is at `path`: its programs, where the guest's initial files are gathered.
fn build_one(path: &Path) -> Result<Vec<PathBuf>> {
    let shelf = shelf("outside")?;
    let programs = Source::at(path)?.build(&shelf)?;
    let mut placed = Vec::new();
    for program in programs {
        elf::check(&program)?;
        let file = shelf.join(name_of(&program));
        if file != program {
            fs::copy(&program, &file).with_context(|| format!("cannot copy {}", program.display()))?;
        }
        placed.push(file);
    }
    Ok(placed)
}

fn shelf(name: &str) -> Result<PathBuf> {
    let shelf = cargo::programs_dir().join(name);
    fs::create_dir_all(&shelf)?;
    Ok(shelf)
}

fn keep_only(shelf: &Path, built: &[PathBuf]) -> Result<()> {
    for path in entries(shelf)?.iter().filter(|path| !built.contains(path)) {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

fn outside_list() -> List {
    List::read("program", cargo::programs_dir().join("outside.txt"))
}
