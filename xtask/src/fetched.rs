//! Programs that others wrote, among the usual initial files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cargo;
use crate::programs::files::{entries, name_of};

/// Where tools/userland.sh leaves what it fetched.
pub const FETCHED: &str = "build/userland";
/// The initial files that all have.
const ROOTFS: &str = "rootfs";
/// What was fetched, and what it is called in the guest.
const PROGRAMS: [(&str, &str); 3] =
    [("nolibc-test", "nolibc-test"), ("memtester", "memtester"), ("bash-static", "bash")];

/// A directory with the usual initial files, and the programs that were fetched.
pub fn initial_files(name: &str) -> Result<PathBuf> {
    let root = cargo::target_dir().join("userland").join(name);
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    copy(Path::new(ROOTFS), &root)?;
    fs::create_dir_all(root.join("bin"))?;
    for (fetched, program) in PROGRAMS {
        let fetched = Path::new(FETCHED).join(fetched);
        fs::copy(&fetched, root.join("bin").join(program)).with_context(|| fetched.display().to_string())?;
    }
    Ok(root)
}

/// Copies a directory of files and directories.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for path in entries(from)? {
        let copied = to.join(name_of(&path));
        if path.is_dir() {
            copy(&path, &copied)?;
        } else {
            fs::copy(&path, &copied).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}
