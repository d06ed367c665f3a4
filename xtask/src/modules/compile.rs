//! A module's two crates, compiled as cargo compiles the kernel.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::compiled::{Compiled, sources};
use super::kernel_library::Library;
use super::manifest::{Abi, Manifest, UnsafeCode};

const TARGET_FILE: &str = "x86_64-kernel.json";
/// The flags of the profile `kernel` (Cargo.toml) that shape code. One unit of code: modules are small.
const PROFILE: [&str; 4] = ["-Copt-level=3", "-Coverflow-checks=on", "-Cdebuginfo=2", "-Ccodegen-units=1"];

/// The source of the crate around each module's.
pub const SHIM: &str = "modules/shim.rs";
/// What an author may do who needs unsafe code.
const UNSAFE_HINT: &str =
    "\na module that needs unsafe code says so in its Cargo.toml: [package.metadata.module] with unsafe = \"allowed\"";

/// Where the compiler reads crates and writes what it makes.
#[derive(Debug)]
pub struct Compiler<'a> {
    /// The kernel's crates.
    pub library: &'a Library,
    /// A directory with one for each module, for what is made of it.
    pub output: &'a Path,
}

impl Compiler<'_> {
    /// Compiles the author's crate. What the compiler warns of goes to standard error.
    pub fn compile(&self, manifest: &Manifest, directory: &Path) -> Result<Compiled> {
        let name = &manifest.name;
        let output = self.output.join(name);
        fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;
        let mut rustc = self.rustc(manifest)?;
        rustc.args(["--crate-name", name, "--emit=metadata,link,dep-info", "--out-dir"]).arg(&output);
        if directory.is_absolute() {
            // Reports of the kernel name a file from the module on; messages to its author name it in full.
            rustc.arg("--remap-path-prefix").arg(pair(directory, name)).arg("--remap-path-scope=macro");
        }
        if manifest.unsafe_code == UnsafeCode::Forbidden {
            rustc.arg("-Funsafe_code");
        }
        if let Some(messages) = run(rustc.arg(&manifest.source))? {
            let hint = if messages.contains("-F unsafe-code") { UNSAFE_HINT } else { "" };
            bail!("the module {name} does not compile\n{messages}{hint}");
        }
        let dependencies = fs::read_to_string(output.join(format!("{name}.d")))?;
        let archive = output.join(format!("lib{name}.rlib"));
        Ok(Compiled { archive, metadata: self.metadata(name), sources: sources(&dependencies) })
    }

    /// Compiles the crate around it, with the lines of `.modinfo` that are in the file `info`, and returns its object.
    pub fn compile_shim(&self, manifest: &Manifest, info: &Path) -> Result<PathBuf> {
        let name = &manifest.name;
        let object = self.output.join(name).join("shim.o");
        let mut rustc = self.rustc(manifest)?;
        rustc.args(["--crate-name", &format!("{name}_module"), "--emit=obj", "-o"]).arg(&object);
        give(&mut rustc, "kernel", self.library.metadata("kernel")?);
        give(&mut rustc, "noprelude:alloc", self.library.metadata("alloc")?);
        give(&mut rustc, "author", &self.metadata(name));
        rustc.env("MODULE_NAME", name).env("MODULE_INFO", std::path::absolute(info)?);
        if let Some(messages) = run(rustc.arg(SHIM))? {
            bail!(
                "no module can be made of {name}: it needs `pub type Module<K> = ...;`, a type that implements \
                 `kapi::Module<K>` for every `K: kapi::Kernel`, with the NAME {name:?}\n{messages}"
            );
        }
        Ok(object)
    }

    /// The compiler with all that both crates are compiled with.
    fn rustc(&self, manifest: &Manifest) -> Result<Command> {
        let mut rustc = Command::new("rustc");
        rustc.args(["--crate-type=rlib", "-Zunstable-options", "--target", TARGET_FILE]);
        rustc.args(["--edition", &manifest.edition]).args(PROFILE).args(self.library.flags()?);
        let own = manifest.modules().map(|name| self.output.join(name));
        for directory in self.library.directories.iter().cloned().chain(own) {
            rustc.arg("-L").arg(pair("dependency", directory));
        }
        for name in ["core", "compiler_builtins"] {
            give(&mut rustc, &format!("noprelude:{name}"), self.library.metadata(name)?);
        }
        let interface = (manifest.abi == Abi::Rust).then_some("kapi");
        for name in interface.into_iter().chain(manifest.kernel_crates()) {
            give(&mut rustc, name, self.library.metadata(name)?);
        }
        for name in manifest.modules() {
            give(&mut rustc, name, &self.metadata(name));
        }
        Ok(rustc)
    }

    /// What the compiler reads of a module's crate.
    fn metadata(&self, name: &str) -> PathBuf {
        self.output.join(name).join(format!("lib{name}.rmeta"))
    }
}

/// Lets the crate that is compiled name another.
fn give(rustc: &mut Command, name: &str, metadata: &Path) {
    rustc.arg("--extern").arg(pair(name, metadata));
}

/// `LEFT=RIGHT`, whatever the bytes of a path.
fn pair(left: impl AsRef<OsStr>, right: impl AsRef<OsStr>) -> OsString {
    let mut pair = left.as_ref().to_owned();
    pair.push("=");
    pair.push(right);
    pair
}

/// Runs the compiler. What it says goes to standard error, unless it refuses: then to the caller.
fn run(rustc: &mut Command) -> Result<Option<String>> {
    if io::stderr().is_terminal() {
        rustc.arg("--color=always");
    }
    let output = rustc.output().context("cannot run rustc")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Ok(Some(messages.trim_end().to_owned()));
    }
    eprint!("{messages}");
    Ok(None)
}
