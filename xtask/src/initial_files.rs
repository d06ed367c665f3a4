//! Initial files of the tests that a repository does not keep well.
//!
//! These are long and odd names, empty directories, links.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

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
        USERLAND => fetched::fill,
        _ => return Ok(None),
    };
    let root = cargo::target_dir().join("initial-files").join(value);
    one_at_a_time(&root, fill)?;
    Ok(Some(root))
}

/// Fills a directory. Tests that run side by side may want the same one: the first makes what is missing, and those
/// that waited for it find all there.
fn one_at_a_time(root: &Path, fill: impl Fn(&Path) -> Result<()>) -> Result<()> {
    static FILLING: Mutex<()> = Mutex::new(());
    let _filling = FILLING.lock().unwrap_or_else(PoisonError::into_inner);
    fs::create_dir_all(root)?;
    fill(root).with_context(|| format!("cannot fill {}", root.display()))
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

/// Writes a file with one line, unless it is there: a machine may be reading it.
fn file(root: &Path, name: &str, line: &str) -> Result<()> {
    let path = root.join(name);
    let text = if line.is_empty() { String::new() } else { format!("{line}\n") };
    if fs::read_to_string(&path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    Ok(fs::write(path, text)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::thread;

    use anyhow::Result;

    use super::one_at_a_time;

    /// Makes a file as a compiler would: under another name first, which takes a while.
    fn compile(root: &Path) -> Result<()> {
        let (new, made) = (root.join("new"), root.join("made"));
        if !made.exists() {
            fs::write(&new, "program")?;
            thread::sleep(std::time::Duration::from_millis(1));
            fs::rename(new, made)?;
        }
        Ok(())
    }

    #[test]
    fn tests_side_by_side_may_want_the_same_files() {
        let root = std::env::temp_dir().join(format!("scullery-initial-files-{}", std::process::id()));
        thread::scope(|scope| {
            let fillers: Vec<_> = (0..8).map(|_| scope.spawn(|| one_at_a_time(&root, compile))).collect();
            for filler in fillers {
                filler.join().expect("no panic").expect("filled");
            }
        });
        fs::remove_dir_all(&root).expect("it was made");
    }
}
