//! The kernel's library as modules see it: its crates, its flags, its version.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// The crates whose names modules may not have, besides those of the library.
const TAKEN: [&str; 4] = ["core", "alloc", "compiler_builtins", "std"];

/// What cargo built.
#[derive(Debug)]
pub struct Library {
    /// Files of each crate by its name.
    crates: BTreeMap<String, CrateFiles>,
    /// Where the compiler looks for crates that these name.
    pub directories: BTreeSet<PathBuf>,
    /// The flags of the kernel's target, once they were asked for.
    flags: OnceCell<Vec<String>>,
    /// Changes with whatever is compiled into the library, and with nothing else.
    pub version: String,
}

#[derive(Debug)]
struct CrateFiles {
    metadata: PathBuf,
    archive: PathBuf,
}

impl Library {
    /// Builds it, if it has changed.
    pub fn build() -> Result<Self> {
        let (mut crates, mut directories) = (BTreeMap::new(), BTreeSet::new());
        for (name, files) in cargo::build_library("the kernel's library", &cargo::kernel_flags()?)? {
            directories.extend(files.iter().filter_map(|file| file.parent()).map(Path::to_owned));
            let with = |extension: &str| files.iter().find(|file| file.extension().is_some_and(|it| it == extension));
            if let (Some(metadata), Some(archive)) = (with("rmeta"), with("rlib")) {
                crates.insert(name, CrateFiles { metadata: metadata.clone(), archive: archive.clone() });
            }
        }
        let kernel = crates.get("kernel").context("cargo built no crate `kernel`")?;
        let version = crate_hash(&kernel.metadata)?;
        Ok(Self { crates, directories, flags: OnceCell::new(), version })
    }

    /// What of a crate the compiler reads.
    pub fn metadata(&self, name: &str) -> Result<&Path> {
        Ok(&self.files(name)?.metadata)
    }

    /// What of a crate the linker reads.
    pub fn archive(&self, name: &str) -> Result<&Path> {
        Ok(&self.files(name)?.archive)
    }

    /// The flags of the kernel's target.
    pub fn flags(&self) -> Result<&[String]> {
        if self.flags.get().is_none() {
            let _ = self.flags.set(cargo::target_flags()?);
        }
        Ok(self.flags.get().map_or(&[], Vec::as_slice))
    }

    fn files(&self, name: &str) -> Result<&CrateFiles> {
        self.crates.get(name).with_context(|| format!("the kernel has no crate `{name}`"))
    }

    /// Whether a crate of this name is there.
    pub fn has(&self, name: &str) -> bool {
        TAKEN.contains(&name) || self.crates.contains_key(name)
    }
}

/// The compiler's hash of a crate: of its source, its flags, and the hashes of the crates that it uses.
pub fn crate_hash(metadata: &Path) -> Result<String> {
    let output = Command::new("rustc").arg("-Zls=root").arg(metadata).output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    match hash_in(&text) {
        Some(hash) if output.status.success() => Ok(hash.to_owned()),
        _ => bail!("rustc does not say the hash of {}", metadata.display()),
    }
}

/// Reads the line `hash 6ed1be7161726430bf235190f30abeaf stable_crate_id ...`.
fn hash_in(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("hash ")?.split(' ').next())
}

#[cfg(test)]
mod tests {
    use super::hash_in;

    #[test]
    fn the_crates_own_hash_is_read_and_not_that_of_a_crate_below() {
        let text = "Crate info:\nname kernel-2823\nhash 6ed1 stable_crate_id StableCrateId(2)\n\
            =External Dependencies=\n1 core-3db9 hash 850a host_hash None\n";
        assert_eq!(hash_in(text), Some("6ed1"));
        assert_eq!(hash_in("error: no such file\n"), None);
    }
}
