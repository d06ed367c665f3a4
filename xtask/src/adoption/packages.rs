//! The crates build from their packages, without the tree around them.
//!
//! Each package is unpacked beside the others and built offline by itself, with the compiler's unstable features off.
//! What it depends on comes out of the other packages. (cargo's own check wants a crate that may be published.)

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::progress;
use crate::results::TestResult;

/// What a package must have, besides its sources.
const FILES: [&str; 5] = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs"];

/// Packs, unpacks and builds each.
pub(super) fn run(crates: &[&str]) -> Result<Vec<TestResult>> {
    let _activity = progress::begin("building the crates from their packages");
    let directory = std::env::current_dir()?.join(cargo::target_dir()).join("packages");
    let mut unpacked = Vec::new();
    crates.iter().map(|name| try_one(name, &directory, &mut unpacked)).collect()
}

fn try_one(name: &str, directory: &Path, unpacked: &mut Vec<(String, PathBuf)>) -> Result<TestResult> {
    let title = format!("adoption::packages::{name}");
    let built = pack(name, directory).and_then(|package| {
        let missing: Vec<&str> = FILES.into_iter().filter(|file| !package.join(file).is_file()).collect();
        if !missing.is_empty() {
            bail!("the package lacks {}", missing.join(", "));
        }
        build(&package, directory, unpacked)?;
        unpacked.push((name.to_owned(), package));
        Ok(())
    });
    Ok(match built {
        Ok(()) => {
            progress::say(&format!("ok     {title}"));
            TestResult::ok(title)
        }
        Err(error) => {
            progress::say(&format!("FAILED {title}\n{error:#}"));
            TestResult::failed(title, "what was said is above")
        }
    })
}

/// Makes the package and unpacks it; returns where.
fn pack(name: &str, directory: &Path) -> Result<PathBuf> {
    let mut cargo = cargo::cargo();
    cargo.args(["package", "--quiet", "--offline", "--allow-dirty", "--no-verify", "--exclude-lockfile", "-p", name]);
    succeed(cargo.arg("--target-dir").arg(directory))?;
    let archives = directory.join("package");
    let stem = newest(&archives, name)?;
    let package = archives.join(&stem);
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    // As new: all archives have files of one date, by which cargo would take what it built from the last one.
    succeed(Command::new("tar").arg("-xmzf").arg(archives.join(format!("{stem}.crate"))).arg("-C").arg(&archives))?;
    Ok(package)
}

/// The name, with its version, of the archive of this crate that was written last.
fn newest(archives: &Path, name: &str) -> Result<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(archives).with_context(|| format!("cannot list {}", archives.display()))? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let stem = file.strip_suffix(".crate").filter(|stem| stem.starts_with(&format!("{name}-")));
        found.extend(stem.map(|stem| (entry.metadata().and_then(|data| data.modified()).ok(), stem.to_owned())));
    }
    found.sort();
    Ok(found.pop().with_context(|| format!("cargo made no package of {name}"))?.1)
}

/// Builds an unpacked package, its dependencies among `others`.
fn build(package: &Path, directory: &Path, others: &[(String, PathBuf)]) -> Result<()> {
    let mut cargo = cargo::cargo();
    cargo
        .args(["build", "--quiet", "--offline", "--lib", "--examples", "--manifest-path"])
        .arg(package.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(directory).env("RUSTC_BOOTSTRAP", "-1").env("RUSTFLAGS", "-Dwarnings");
    for (name, path) in others {
        cargo.arg("--config").arg(format!("patch.crates-io.{name}.path='{}'", path.display()));
    }
    succeed(&mut cargo)
}

/// Runs a command; the error is what it said.
fn succeed(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
