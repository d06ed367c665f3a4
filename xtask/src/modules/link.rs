//! From compiled crates to a module's file, one relocatable object.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use hosttools::{functions, names, toolchain};

use super::object_file::{self, ENTRY, Summary, THIS_MODULE};

/// Which sections there are.
pub const SCRIPT: &str = "modules/module.ld";

/// What tells of a module, besides its author's crate.
#[derive(Debug)]
pub enum About {
    /// The object of the crate around it, with its entry and `.modinfo`.
    Shim(PathBuf),
    /// The file that becomes `.modinfo`: it is of the C ABI, which names its entry.
    Info(PathBuf),
    /// It tells of itself: it is in C.
    Own,
}

/// A module that is to be linked.
#[derive(Debug)]
pub struct Linking<'a> {
    /// Its author's crate.
    pub archive: &'a Path,
    /// What tells of it.
    pub about: About,
    /// Where the object goes that keeps its debug information; the table of functions lies beside it.
    pub object: PathBuf,
}

impl Linking<'_> {
    /// Makes one object of the crates, and of what `more` archives have for them. All that the author's crate has for
    /// other crates stays, for other modules.
    pub fn link(&self, more: &[&Path]) -> Result<Summary> {
        let own = object_file::archive_offers(&read(self.archive)?)?;
        let mut linker = Command::new(toolchain::linker()?);
        linker.args(["-flavor", "gnu", "-r", "--gc-sections", "-T", SCRIPT]);
        linker.args(own.iter().flat_map(|name| ["-u", name]));
        linker.arg("-o").arg(&self.object);
        if let About::Shim(shim) = &self.about {
            linker.args(["-u", ENTRY]).arg(shim);
        }
        if matches!(self.about, About::Own) {
            linker.args(["-u", THIS_MODULE, "--whole-archive"]);
        }
        linker.arg(self.archive);
        linker.args(more);
        run(&mut linker)?;
        let mut summary = object_file::summary(&read(&self.object)?)?;
        // Others mean what the author wrote; what was made for the author's crate alone is nobody's business.
        summary.offers.retain(|name| own.contains(name));
        Ok(summary)
    }

    /// Writes the module's file: the linked object without what only debuggers read, and with what is told of it.
    pub fn write(&self, summary: &Summary, module: &Path) -> Result<()> {
        let functions = summary.functions.iter().map(|(place, name)| (*place, names::short(name))).collect();
        let table = self.object.with_extension("ksyms");
        fs::write(&table, functions::encode(&functions)?)?;
        let mut objcopy = Command::new(toolchain::objcopy()?);
        // What it took along is for nobody else.
        let globals = self.object.with_extension("globals");
        let names: Vec<&str> = summary.offers.iter().map(String::as_str).chain([ENTRY]).collect();
        fs::write(&globals, names.join("\n"))?;
        objcopy.arg(format!("--keep-global-symbols={}", globals.display()));
        // What is told of a module is read in its file, and takes no memory.
        objcopy.args(["--strip-debug", "--strip-unneeded", "--set-section-flags", ".modinfo=readonly"]);
        if matches!(self.about, About::Own) {
            // The kernel finds these by their names.
            let variables = object_file::parameters(&read(&self.object)?)?;
            objcopy.args(
                variables.iter().map(String::as_str).chain([THIS_MODULE]).map(|it| format!("--keep-symbol={it}")),
            );
        }
        objcopy.arg("--add-section").arg(format!(".ksyms={}", table.display()));
        if let About::Info(info) = &self.about {
            objcopy.arg("--add-section").arg(format!(".modinfo={}", info.display()));
        }
        // A machine may be starting with the old one: the rename is atomic.
        let unfinished = self.object.with_extension("unfinished");
        run(objcopy.arg(&self.object).arg(&unfinished))?;
        fs::rename(&unfinished, module).with_context(|| format!("cannot write {}", module.display()))
    }

    /// Bytes of what can be written to.
    pub fn variables(&self) -> Result<u64> {
        object_file::variables(&read(&self.object)?)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn run(command: &mut Command) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let result = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    let messages = String::from_utf8_lossy(&result.stderr);
    if !result.status.success() {
        bail!("{} failed\n{}", program.display(), messages.trim_end());
    }
    eprint!("{messages}");
    Ok(())
}

/// Names as people read them.
pub fn readable(mangled: &BTreeSet<String>) -> String {
    mangled.iter().map(|name| names::whole(name)).collect::<Vec<_>>().join(", ")
}
