//! Programs that belong to the toolchain.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

use anyhow::{Context, Result, bail};

/// The linker.
pub fn linker() -> Result<PathBuf> {
    program("rust-lld")
}

/// What copies object files and changes them on the way.
pub fn objcopy() -> Result<PathBuf> {
    program("llvm-objcopy")
}

fn program(name: &str) -> Result<PathBuf> {
    let sysroot = rustc(&["--print", "sysroot"])?;
    let version = rustc(&["--version", "--verbose"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let path = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin").join(name);
    if path.exists() {
        return Ok(path);
    }
    bail!("{} is missing: `make setup` installs it (component llvm-tools)", path.display())
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let program = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(&program).args(arguments).output().with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
