//! Programs that others wrote, among the usual initial files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::programs::files::{entries, name_of};

/// Where tools/userland.sh leaves what it fetched.
pub const FETCHED: &str = "build/userland";
/// The initial files that all have.
const ROOTFS: &str = "rootfs";
/// What was fetched, and what it is called in the guest.
const PROGRAMS: [(&str, &str); 3] =
    [("nolibc-test", "nolibc-test"), ("memtester", "memtester"), ("bash-static", "bash")];

/// Fills the directory `root` with the usual initial files, and the programs that were fetched.
pub fn fill(root: &Path) -> Result<()> {
    copy(Path::new(ROOTFS), root)?;
    fs::create_dir_all(root.join("bin"))?;
    for (fetched, program) in PROGRAMS {
        put(&Path::new(FETCHED).join(fetched), &root.join("bin").join(program))?;
    }
    Ok(())
}

/// Copies a directory of files and directories.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for path in entries(from)? {
        let copied = to.join(name_of(&path));
        if path.is_dir() { copy(&path, &copied)? } else { put(&path, &copied)? }
    }
    Ok(())
}

/// Copies a file, unless it is there: a machine may be reading it.
fn put(from: &Path, to: &Path) -> Result<()> {
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    if written(to).is_ok_and(|copied| written(from).is_ok_and(|source| source <= copied)) {
        return Ok(());
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}
