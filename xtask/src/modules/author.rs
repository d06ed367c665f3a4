//! What an author does besides building: begins a module, and tests it.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::manifest;
use crate::cargo;

/// The module that others begin as.
const TEMPLATE: &str = "modules/hello";
/// Files of it.
const FILES: [&str; 2] = ["Cargo.toml", "src/lib.rs"];
/// How it names the tree.
const TREE: &str = "../../";

/// Makes a module of the template's in `directory`, which is not there or empty; its name is the directory's.
pub fn begin(directory: &str) -> Result<ExitCode> {
    let directory = Path::new(directory);
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    manifest::check_name(name)?;
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} has files already", directory.display());
    }
    let tree = env::current_dir()?;
    for file in FILES {
        let path = Path::new(TEMPLATE).join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        put(&directory.join(file), &renamed(&text, name, &tree))?;
    }
    println!("{} is a module: make test-module, make module, with M={0}", directory.display());
    Ok(ExitCode::SUCCESS)
}

/// Runs the tests of the module in `directory`, by the tree's own compiler and with the crates that the tree has.
pub fn test(directory: &str) -> Result<ExitCode> {
    let directory = Path::new(directory);
    let lock = directory.join("Cargo.lock");
    if !lock.exists() && directory.join("Cargo.toml").exists() && !super::is_of_the_tree(&directory.canonicalize()?)? {
        fs::copy("Cargo.lock", &lock).with_context(|| format!("cannot write {}", lock.display()))?;
    }
    let status = cargo::cargo()
        .args(["test", "--manifest-path"])
        .arg(directory.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(cargo::target_dir().join("modules/tests"))
        .status()
        .context("cannot run cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The template's text as that of a module with another name, in a directory elsewhere.
fn renamed(text: &str, name: &str, tree: &Path) -> String {
    let tree = format!("{}/", tree.display());
    text.replace("\"hello\"", &format!("{name:?}")).replace("Hello", &type_name(name)).replace(TREE, &tree)
}

/// `my_driver` as the name of a type: `MyDriver`.
fn type_name(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split('_').map(word).collect()
}

fn put(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{renamed, type_name};

    #[test]
    fn types_are_named_as_rust_names_them() {
        assert_eq!(["scullq", "my_driver", "a__b2", "x_"].map(type_name), ["Scullq", "MyDriver", "AB2", "X"]);
    }

    #[test]
    fn a_module_that_was_begun_has_its_own_name_and_finds_the_tree() {
        let text = "\"hello\" { path = \"../../kapi\" } type Module<K> = Hello<K>; log(\"hello, {who}\")";
        let expected = "\"my_own\" { path = \"/s/kapi\" } type Module<K> = MyOwn<K>; log(\"hello, {who}\")";
        assert_eq!(renamed(text, "my_own", Path::new("/s")), expected);
    }
}
