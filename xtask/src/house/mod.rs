//! The house rules that a program can check: walls, arrows, texts.
//!
//! Each rule is a file here. What must stay outside of a rule has a line in `xtask/house-exceptions.txt`.

mod arrows;
mod c_names;
mod calls;
mod commands;
mod contexts;
mod finding;
mod impls;
mod lines;
mod measured;
mod names;
mod paths;
mod rings;
mod self_calls;
mod sources;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use c_names::Names;
use commands::Commands;
use finding::{Exceptions, Finding};
use sources::Crate;
pub use sources::files;

/// The crates whose arrows are checked.
const CRATES: [&str; 21] = [
    "mm",
    "pagetable",
    "services",
    "kapi",
    "abi",
    "blocks",
    "drivers",
    "shell",
    "loader",
    "signals",
    "terminal",
    "vfs",
    "pagecache",
    "virtio",
    "kernel",
    "boot",
    "watch",
    "hosttools",
    "bench",
    "bench-report",
    "xtask",
];
/// The crate whose types stay behind walls.
const WALLED: &str = "mm";
/// What lies at the top and is not the tree's.
const SKIPPED: [&str; 3] = [".git", "target", "build"];

/// Checks the tree at the current directory and prints what it finds.
pub fn report() -> Result<ExitCode> {
    let found = check(Path::new("."))?;
    for finding in &found {
        println!("{finding}");
    }
    if found.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("breaches of the house rules: {}", found.len());
    Ok(ExitCode::FAILURE)
}

/// All that the rules find in a tree, sorted by place within a rule.
fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut exceptions = Exceptions::read(root)?;
    let mut found = Vec::new();
    for name in CRATES {
        let sources = Crate::read(root, &format!("{name}/src"))?;
        if name == WALLED {
            found.extend(impls::check(&sources, &mut exceptions));
            found.extend(contexts::check(&sources));
        }
        found.extend(rings::check(&sources, &mut exceptions));
    }
    found.extend(check_texts(root, &mut exceptions)?);
    found.extend(exceptions.unused());
    Ok(found)
}

/// The rules that read files as text.
fn check_texts(root: &Path, exceptions: &mut Exceptions) -> Result<Vec<Finding>> {
    let tree = tree(root)?;
    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"));
    let makefile = read("Makefile")?;
    let commands = Commands::new(&tree, &makefile);
    let mut found = Vec::new();
    for path in tree.iter().filter(|path| lines::applies(path)) {
        found.extend(lines::check(path, &read(path)?));
    }
    for path in tree.iter().filter(|path| paths::applies(path)) {
        found.extend(paths::check(path, &read(path)?, &tree, exceptions));
        found.extend(commands.check(path, &read(path)?));
    }
    for path in tree.iter().filter(|path| measured::applies(path)) {
        let text = read(path)?;
        found.extend(measured::check(path, &text));
        found.extend(measured::check_history(root, path, &text));
    }
    let page = read(calls::PAGE)?;
    for path in tree.iter().filter(|path| calls::applies(path)) {
        found.extend(calls::check(path, &read(path)?, &page));
    }
    let mut names = Names::default();
    for path in tree.iter().filter(|path| Names::applies(path)) {
        names.read(path, &read(path)?);
    }
    found.extend(names.check());
    found.extend(paths::check_decisions(&read(paths::DECISIONS)?, &tree));
    Ok(found)
}

/// The paths of all files of the tree, sorted.
pub fn tree(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).context("cannot read the tree")? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_dir() {
            found.push(name);
        } else if !SKIPPED.contains(&name.as_str()) {
            found.extend(sources::files(root, &name)?);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_tree_keeps_the_house_rules() {
        let found = super::check(Path::new("..")).expect("the tree can be read");
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}
