//! Initial files of the tests that a repository does not keep well.
//!
//! These are long and odd names, empty directories, links.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{cargo, fetched, libcs};

/// Values of `ROOTFS` in a test's header that stand for such directories.
pub const ODD: &str = "odd";
/// Nothing at all.
pub const EMPTY: &str = "empty";
/// The usual ones, and programs that others wrote.
const USERLAND: &str = "userland";
/// Programs of other standard libraries.
const LIBCS: &str = "libcs";

/// The directory that `value` stands for, if it stands for one; what is missing in it is made.
pub fn directory(value: &str) -> Result<Option<PathBuf>> {
    let fill = match value {
        ODD => fill_odd,
        EMPTY => fill_empty,
        LIBCS => libcs::fill,
        USERLAND => return fetched::initial_files("programs").map(Some),
        _ => return Ok(None),
    };
    let root = cargo::target_dir().join("initial-files").join(value);
    fs::create_dir_all(&root)?;
    fill(&root).with_context(|| format!("cannot fill {}", root.display()))?;
    Ok(Some(root))
}

fn fill_empty(root: &Path) -> Result<()> {
    if fs::read_dir(root)?.next().is_some() {
        bail!("it has to be empty");
    }
    Ok(())
}

fn fill_odd(root: &Path) -> Result<()> {
    fs::create_dir_all(root.join("empty/deeper"))?;
    fs::create_dir_all(root.join("l".repeat(120)))?;
    file(root, &format!("{}/{}", "l".repeat(120), "m".repeat(110)), "long")?;
    file(root, &"n".repeat(101), "101")?;
    file(root, &"n".repeat(100), "100")?;
    file(root, ".hidden", "hidden")?;
    file(root, "nothing", "")?;
    file(root, "two words", "spaced")?;
    file(root, "it's", "quoted")?;
    match symlink("two words", root.join("link")) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a file with one line, unless it is there: another test may be reading it.
fn file(root: &Path, name: &str, line: &str) -> Result<()> {
    let path = root.join(name);
    let text = if line.is_empty() { String::new() } else { format!("{line}\n") };
    if fs::read_to_string(&path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    Ok(fs::write(path, text)?)
}
