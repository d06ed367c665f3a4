//! Where modules are built, and whether they have to be.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hosttools::exports::Exports;

use super::c_source;
use super::compile::{self, Compiler};
use super::compiled::Compiled;
use super::kernel_library::{self, Library};
use super::link::{self, About, Linking};
use super::manifest::{Abi, Manifest, Origin};
use super::object_file::Summary;
use super::record::{self, Record};
use super::{info, order};
use crate::progress;

/// Crates without variables, of which a module from elsewhere takes along what the kernel lacks.
const TAKEN_ALONG: [&str; 4] = ["core", "mm", "services", "kapi"];

/// How the files of modules end.
const EXTENSION: &str = "ko";

/// A module, as it was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// Where its source is.
    pub directory: PathBuf,
    /// What is known of it.
    pub record: Record,
    /// The module's file.
    pub file: PathBuf,
}

/// A directory for modules, and for what is left over from building them.
#[derive(Debug)]
pub struct Workshop {
    directory: PathBuf,
}

/// What modules are built for, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The kernel's library.
    pub library: &'a Library,
    /// Where the modules come from.
    pub origin: Origin,
    /// What the kernel has; not known yet for modules that it is linked for.
    pub exports: Option<&'a Exports>,
    /// Modules that these may use.
    pub others: &'a [Built],
}

/// What is linked.
struct Parts {
    compiled: Compiled,
    about: About,
    crate_hash: String,
}

/// One of them.
struct Job<'a> {
    order: Order<'a>,
    directory: &'a Path,
    manifest: Manifest,
    circumstances: String,
    file: PathBuf,
}

impl Workshop {
    /// The one in this directory.
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Keeps other programs out of it until it is dropped; waits for them.
    pub fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.directory)?;
        let path = self.directory.join("lock");
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        file.lock()?;
        Ok(file)
    }

    /// Builds the modules in these directories that have changed.
    pub fn build(&self, directories: &[PathBuf], order: Order<'_>) -> Result<Vec<Built>> {
        let mut modules = Vec::new();
        for directory in directories {
            modules.push((directory, self.manifest(directory, order)?));
        }
        let known: Vec<&str> = order.others.iter().map(|other| other.record.manifest.name.as_str()).collect();
        let mut all = order.others.to_vec();
        for (directory, manifest) in order::sort(modules, &known, |(_, manifest)| manifest)? {
            let order = Order { others: &all, ..order };
            let circumstances = circumstances(order, &manifest)?;
            let file = self.file(&manifest.name, order.origin);
            let record = self.build_one(Job { order, directory, manifest, circumstances, file: file.clone() })?;
            all.push(Built { directory: directory.clone(), record, file });
        }
        Ok(all.split_off(order.others.len()))
    }

    /// The modules of these directories as they were built last.
    pub fn remembered(&self, directories: &[PathBuf], origin: Origin) -> Vec<Built> {
        let built = |directory: &PathBuf| {
            let record = Record::read(&self.record_path(directory))?;
            let file = self.file(&record.manifest.name, origin);
            Some(Built { directory: directory.clone(), record, file })
        };
        directories.iter().filter_map(built).collect()
    }

    /// Removes files of other modules than these.
    pub fn keep_only(&self, modules: &[Built]) -> Result<()> {
        for origin in [Origin::Tree, Origin::Outside] {
            for entry in fs::read_dir(self.shelf(origin)).into_iter().flatten() {
                let path = entry?.path();
                let is_module = path.extension().is_some_and(|extension| extension == EXTENSION);
                if is_module && !modules.iter().any(|built| built.file == path) {
                    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                }
            }
        }
        Ok(())
    }

    /// What Cargo.toml says; cargo is asked only if it has changed.
    fn manifest(&self, directory: &Path, order: Order<'_>) -> Result<Manifest> {
        match Record::read(&self.record_path(directory)) {
            // A file more is no change of those that were there.
            Some(record) if record.manifest.c.is_none() && record.is_of_present_sources() => Ok(record.manifest),
            _ => Manifest::read(directory, order.origin, order.library),
        }
    }

    fn build_one(&self, job: Job<'_>) -> Result<Record> {
        let path = self.record_path(job.directory);
        if let Some(record) = Record::read(&path) {
            let is_fresh = record.circumstances == job.circumstances && record.manifest == job.manifest;
            if is_fresh && job.file.exists() && record.is_of_present_sources() {
                return Ok(record);
            }
        }
        let _activity = progress::begin(format!("building the module {}", job.manifest.name));
        let record = self.make(job)?;
        record.write(&path)?;
        Ok(record)
    }

    fn make(&self, job: Job<'_>) -> Result<Record> {
        let Job { order, directory, manifest, circumstances, file } = job;
        let own = self.scrap("crates").join(&manifest.name);
        let Parts { compiled, about, crate_hash } = match &manifest.c {
            None => self.compile(&manifest, directory, order)?,
            Some(source) => {
                let info = info::section(&manifest, "", "", &[]);
                let compiled = source.compile(&manifest.name, directory, &own, &info)?;
                Parts { compiled, about: About::Own, crate_hash: String::new() }
            }
        };
        let object = own.join(&manifest.name).with_extension("ko.o");
        let linking = Linking { archive: &compiled.archive, about, object };
        let summary = complete(&linking, &manifest, order)?;
        if let Some(shelf) = file.parent() {
            fs::create_dir_all(shelf)?;
        }
        linking.write(&summary, &file)?;
        let mut sources = compiled.sources.clone();
        let settings = directory.join(if manifest.c.is_some() { c_source::FLAGS_FILE } else { "Cargo.toml" });
        sources.extend(Some(settings).filter(|settings| settings.exists()));
        let contents = record::contents(&sources)?;
        let Summary { needs, offers, loaded, .. } = summary;
        Ok(Record { manifest, sources, contents, circumstances, crate_hash, needs, offers, loaded })
    }

    /// Compiles a module that is a crate.
    fn compile(&self, manifest: &Manifest, directory: &Path, order: Order<'_>) -> Result<Parts> {
        let output = self.scrap("crates");
        let compiler = Compiler { library: order.library, output: &output };
        let compiled = compiler.compile(manifest, directory)?;
        let crate_hash = kernel_library::crate_hash(&compiled.metadata)?;
        let info = output.join(&manifest.name).join("modinfo");
        let used = hashes_of_used(manifest, order);
        fs::write(&info, info::section(manifest, &order.library.version, &crate_hash, &used))?;
        let about = match manifest.abi {
            Abi::Rust => About::Shim(compiler.compile_shim(manifest, &info)?),
            Abi::C => About::Info(info),
        };
        Ok(Parts { compiled, about, crate_hash })
    }

    /// A place for something that can be made again.
    pub fn scrap(&self, name: &str) -> PathBuf {
        self.directory.join("build").join(name)
    }

    /// Where modules of an origin are put.
    fn shelf(&self, origin: Origin) -> PathBuf {
        match origin {
            Origin::Tree => self.directory.clone(),
            Origin::Outside => self.directory.join("outside"),
        }
    }

    fn file(&self, name: &str, origin: Origin) -> PathBuf {
        self.shelf(origin).join(name).with_extension(EXTENSION)
    }

    /// Directories may have one name; their records have not.
    fn record_path(&self, directory: &Path) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        directory.hash(&mut hasher);
        self.scrap(&format!("{:016x}.json", hasher.finish()))
    }
}

/// Links a module. One that the kernel was not linked for takes along what the kernel lacks.
fn complete(linking: &Linking<'_>, manifest: &Manifest, order: Order<'_>) -> Result<Summary> {
    let cannot = || format!("the module {} cannot be linked", manifest.name);
    let summary = linking.link(&[]).with_context(cannot)?;
    let Some(exports) = order.exports else { return Ok(summary) };
    let lacks = |summary: &Summary| missing(&summary.needs, manifest, exports, order.others);
    if lacks(&summary).is_empty() {
        return Ok(summary);
    }
    let variables = linking.variables()?;
    let along: Vec<&str> = TAKEN_ALONG.into_iter().filter(|_| manifest.abi == Abi::Rust).collect();
    let archives = along.into_iter().map(|name| order.library.archive(name)).collect::<Result<Vec<_>>>()?;
    let summary = linking.link(&archives).with_context(cannot)?;
    let missing = lacks(&summary);
    if !missing.is_empty() {
        bail!("the module {} needs what the kernel has not: {}", manifest.name, link::readable(&missing));
    }
    if linking.variables()? != variables {
        bail!("the module {} would take along variables of the kernel's", manifest.name);
    }
    Ok(summary)
}

/// Which of a module's needs neither the kernel nor the modules that it uses have.
pub fn missing(needs: &BTreeSet<String>, manifest: &Manifest, exports: &Exports, others: &[Built]) -> BTreeSet<String> {
    let used: Vec<&Built> = others.iter().filter(|other| manifest.uses(&other.record.manifest.name)).collect();
    let has = |name: &str| match manifest.abi {
        Abi::Rust => exports.has(name),
        Abi::C => exports.offers(name),
    };
    // That no module can call these, insmod tells.
    let is_for_boot = |name: &str| manifest.abi == Abi::C && name.starts_with("alloc_bootmem");
    let is_missing = |name: &&String| {
        !has(name) && !is_for_boot(name) && !used.iter().any(|other| other.record.offers.contains(*name))
    };
    needs.iter().filter(is_missing).cloned().collect()
}

/// What modules need of the kernel by mangled names.
pub fn needs(modules: &[Built]) -> BTreeSet<String> {
    let offered: BTreeSet<&String> = modules.iter().flat_map(|built| &built.record.offers).collect();
    let rust = modules.iter().filter(|built| built.record.manifest.abi == Abi::Rust);
    let all = rust.flat_map(|built| &built.record.needs);
    all.filter(|name| !offered.contains(name)).cloned().collect()
}

/// All that a module depends on besides its own source.
fn circumstances(order: Order<'_>, manifest: &Manifest) -> Result<String> {
    let builder = fs::metadata(env::current_exe()?)?;
    let exports = order.exports.map(Exports::names);
    let mut hasher = DefaultHasher::new();
    (&order.library.version, builder.len(), builder.modified()?, order.origin).hash(&mut hasher);
    (fs::read(link::SCRIPT)?, fs::read(compile::SHIM)?).hash(&mut hasher);
    (hashes_of_used(manifest, order), exports).hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

/// The modules that a module uses, and the compiler's hashes of their crates.
fn hashes_of_used(manifest: &Manifest, order: Order<'_>) -> Vec<(String, String)> {
    let used = order.others.iter().map(|other| &other.record).filter(|other| manifest.uses(&other.manifest.name));
    used.map(|other| (other.manifest.name.clone(), other.crate_hash.clone())).collect()
}
