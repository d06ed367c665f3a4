//! Programs of other standard libraries, for a test.
//!
//! They are of musl, in C, and of Rust's. tests/libcs has a source each. The initial files that hold them are made anew
//! whenever one has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, id};

use anyhow::{Context, Result, bail};

use crate::programs::RUST_TARGET;

const SOURCES: &str = "tests/libcs";

/// Compiles what is missing in the directory of initial files at `root`, or older than its source.
pub fn fill(root: &Path) -> Result<()> {
    fs::create_dir_all(root.join("bin"))?;
    compile(
        "musl.c",
        &root.join("bin/musl"),
        Command::new("musl-gcc").args(["-static", "-O2", "-s"]),
        "sudo apt-get install musl-tools",
    )?;
    compile(
        "rust.rs",
        &root.join("bin/rust"),
        Command::new("rustc").args(["--edition", "2024", "-O", "-C", "strip=symbols", "--target", RUST_TARGET]),
        &format!("rustup target add {RUST_TARGET}"),
    )
}

/// By another name first: a machine of another run may be reading the one that is there.
fn compile(source: &str, program: &Path, compiler: &mut Command, remedy: &str) -> Result<()> {
    let source = PathBuf::from(SOURCES).join(source);
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    if changed(program).is_ok_and(|built| changed(&source).is_ok_and(|written| written < built)) {
        return Ok(());
    }
    let new = program.with_extension(id().to_string());
    let made = compiler.arg("-o").arg(&new).arg(&source).output();
    let made = made.with_context(|| format!("{} is not compiled; type: {remedy}", source.display()))?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        bail!("{} is not compiled; if a library is missing, type: {remedy}\n{said}", source.display());
    }
    Ok(fs::rename(new, program)?)
}
