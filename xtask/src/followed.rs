//! What a document tells its readers to do, done to the letter.
//!
//! The text comes out of the document, from the block after `<!-- followed: NAME -->`. A driver that README.md adds is
//! added to a copy of the tree, which keeps what it has built: later runs build no more than has changed.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::dialogues;
use crate::docs::markdown;
use crate::machine::Machine;
use crate::parallel::Job;
use crate::results::TestResult;
use crate::{cargo, first_driver, session, transcripts};

/// Where a transcript is explained, with one that readers start from.
const CONTRIBUTING: &str = "CONTRIBUTING.md";
/// Where a driver is added.
const README: &str = "README.md";
const STORES: &str = "drivers/src/store.rs";
const MODULES: &str = "kernel/src/modules/linked.rs";
/// The line behind which the new driver's goes.
const LAST_OF_FAMILY: &str = "    linked::<Scull<Kernel, Vmalloc>>(),\n";
/// What lies at the top and is not the tree's.
const SKIPPED: [&str; 3] = [".git", "target", "build"];
const DRIVER: &str = "followed::driver";

/// Jobs that follow the documents.
pub fn jobs() -> Result<Vec<Job>> {
    let example = markdown::followed(&read(CONTRIBUTING)?, "transcript").context(CONTRIBUTING)?;
    let mut jobs = transcripts::jobs_of("followed::transcript", &example).context(CONTRIBUTING)?;
    let example = markdown::followed(&read(CONTRIBUTING)?, "dialogue").context(CONTRIBUTING)?;
    jobs.extend(dialogues::jobs_of("followed::dialogue", &example).context(CONTRIBUTING)?);
    jobs.push(Job { name: DRIVER.into(), work: Box::new(add_driver) });
    jobs.push(first_driver::job());
    Ok(jobs)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// Adds README.md's driver to a copy of the tree, builds that, and types what README.md types.
fn add_driver() -> Result<(Vec<TestResult>, String)> {
    let readme = read(README)?;
    let block = |name| markdown::followed(&readme, name).context(README);
    let stores = format!("{}\n{}", read(STORES)?, block("store")?);
    let modules = read(MODULES)?;
    if !modules.contains(LAST_OF_FAMILY) {
        bail!("{MODULES} has no line {LAST_OF_FAMILY:?} to put the new one behind");
    }
    let modules = modules.replace(LAST_OF_FAMILY, &format!("{LAST_OF_FAMILY}{}", block("family")?));
    let top = env::current_dir()?.join(cargo::target_dir()).join("followed");
    let (tree, target) = (top.join("tree"), top.join("target"));
    copy(Path::new("."), &tree, &[(STORES, &stores), (MODULES, &modules)])?;
    let output = cargo::cargo()
        .args(["build", "--quiet", "--bin", "kernel"])
        .args(cargo::kernel_flags()?)
        .current_dir(&tree)
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        return Ok((vec![TestResult::failed(DRIVER, "what README.md adds does not build")], messages));
    }
    session::types(DRIVER, &target.join("x86_64-kernel/kernel/kernel"), &Machine::default(), &block("scullz")?)
}

/// Makes `to` the same as `from`, with other texts for some files. What is the same already is left alone, so that
/// cargo finds nothing new in it.
fn copy(from: &Path, to: &Path, changed: &[(&str, &str)]) -> Result<()> {
    let files = files(from, Path::new(""))?;
    for path in &files {
        let changed = changed.iter().find(|(changed, _)| Path::new(changed) == path).map(|(_, text)| text.as_bytes());
        let content = match changed {
            Some(text) => text.to_owned(),
            None => fs::read(from.join(path)).with_context(|| format!("cannot read {}", path.display()))?,
        };
        let place = to.join(path);
        if fs::read(&place).ok().as_ref() != Some(&content) {
            place.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&place, content).with_context(|| format!("cannot write {}", place.display()))?;
        }
    }
    let known: BTreeSet<&PathBuf> = files.iter().collect();
    for path in self::files(to, Path::new(""))?.iter().filter(|path| !known.contains(path)) {
        fs::remove_file(to.join(path))?;
    }
    Ok(())
}

/// The files of a tree, by their paths from its top.
fn files(top: &Path, directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let here = top.join(directory);
    for entry in fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))? {
        let entry = entry?;
        let is_at_top = directory.as_os_str().is_empty();
        if is_at_top && SKIPPED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let path = directory.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(files(top, &path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::copy;

    #[test]
    fn a_copy_has_what_changed_and_nothing_else() {
        let top = std::env::temp_dir().join(format!("scullery-copy-{}", std::process::id()));
        let (from, to) = (top.join("from"), top.join("to"));
        fs::create_dir_all(from.join("a/target")).expect("a new directory");
        fs::create_dir_all(to.join("a")).expect("a new directory");
        for (path, text) in [("a/b", "1"), ("a/target/c", "2")] {
            fs::write(from.join(path), text).expect("writable");
        }
        fs::write(to.join("a/old"), "3").expect("writable");
        copy(&from, &to, &[("a/b", "4")]).expect("both are there");
        let read = |path: &str| fs::read_to_string(to.join(path)).ok();
        let texts = ["a/b", "a/target/c", "a/old"].map(read);
        assert_eq!(texts, [Some("4".into()), Some("2".into()), None]);
        fs::remove_dir_all(Path::new(&top)).expect("it is there");
    }
}
