//! Links the kernel, and every bootable test, by kernel.ld and for modules.
//!
//! The second script, `for-modules.ld` beside what cargo builds, keeps symbols that modules of the tree use and gives
//! the kernel its version. xtask writes it between building this library and linking; whoever builds without it gets an
//! empty one, and a kernel that takes no modules.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// From a build script's own directory up to that of the profile: `PROFILE/build/kernel-HASH/out`.
const UP_TO_PROFILE: usize = 3;

fn main() -> io::Result<()> {
    let directory = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    println!("cargo:rustc-link-arg=-T{}", directory.join("kernel.ld").display());
    println!("cargo:rerun-if-changed={}", directory.join("kernel.ld").display());
    println!("cargo:rerun-if-changed=build.rs");

    let out = variable("OUT_DIR")?;
    let profile = Path::new(&out).ancestors().nth(UP_TO_PROFILE).ok_or_else(|| io::Error::other(out.clone()))?;
    let for_modules = profile.join("for-modules.ld");
    if !for_modules.exists() {
        fs::write(&for_modules, "")?;
    }
    println!("cargo:rustc-link-arg=-T{}", for_modules.display());
    // Each program that is linked includes the file, so that cargo links it anew when the file has changed.
    println!("cargo:rustc-env=FOR_MODULES={}", for_modules.display());
    Ok(())
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
