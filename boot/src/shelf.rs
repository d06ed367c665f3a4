//! Directories beside the kernel's, where xtask leaves what goes along.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::rootfs::{Initial, Mode};

/// The directory of what is built for the kernel's target.
const KERNEL_TARGET: &str = "x86_64-kernel";

/// The directory `name` of cargo's target directory, in which the kernel in `elf` was built; a kernel from elsewhere
/// has none.
pub fn of(elf: &Path, name: &str) -> Option<PathBuf> {
    let target = elf.ancestors().find(|path| path.file_name().is_some_and(|name| name == KERNEL_TARGET))?;
    Some(target.parent()?.join(name))
}

/// The files of a directory, sorted; none if it is not there.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// The file at `path` as one of the directory `place` in the guest.
pub fn file(path: &Path, place: &str, mode: Mode) -> Result<Initial> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let data = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Initial::File { name: format!("{place}/{name}"), data, mode })
}
