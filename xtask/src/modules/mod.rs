//! Building the kernel and its modules.
//!
//! Modules are Rust crates that are linked when they are loaded: by names that hold for one build of the kernel's
//! library only. So all of them are built from that library, whenever it has changed, in this order:
//!
//! 1. the kernel's library (`kernel_library`), and its version
//! 2. the modules of the tree, `modules/*`; what they need of the library goes into a linker script (`needed`), and
//!    what others may need (`facade`)
//! 3. the kernel, linked by that script, and its list of symbols: whatever a module lacks there is an error
//! 4. modules from elsewhere (`remembered.rs`), which make do with what the kernel has, and bring along what it lacks
//!
//! A module is its author's crate and one around it that names the kernel, `modules/shim.rs`. Both are compiled by
//! rustc (`compile`), and made one relocatable object (`link`), `target/modules/NAME.ko`. What has not changed is left
//! alone (`record`, `workshop`). One in C is a directory of sources instead (`c_source`), and uses what the kernel
//! offers to everybody.

mod author;
mod c_source;
mod compile;
mod compiled;
mod facade;
mod info;
mod kernel_library;
mod link;
mod manifest;
mod needed;
mod object_file;
mod order;
mod record;
mod trials;
mod workshop;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use hosttools::exports::Exports;

use crate::cargo;
use crate::remembered::List;
use kernel_library::Library;
use manifest::Origin;
use record::Record;
use workshop::{Built, Order, Workshop};

pub use author::{begin, test};
pub use trials::jobs;

/// Where modules of the tree are, each a directory.
const OF_THE_TREE: &str = "modules";
/// Where there those in C are.
const IN_C: &str = "c";
/// The modules that are part of the kernel (its modules/linked.rs); so many of them are attached from boot on.
const OF_THE_KERNEL: [&str; 8] = ["scull", "scullc", "scullp", "scullv", "fd", "allocator", "ramdisk", "nulldisk"];
const AT_BOOT: usize = 5;
/// The linker script that kernel/build.rs names, in the target directory.
const FOR_MODULES: &str = "x86_64-kernel/kernel/for-modules.ld";

/// Builds the kernel, its modules, and those from elsewhere that are remembered.
pub fn build() -> Result<ExitCode> {
    build_all()?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the module in `directory` with all others, and remembers it.
pub fn add(directory: &str) -> Result<ExitCode> {
    let directory = Path::new(directory).canonicalize().with_context(|| directory.to_owned())?;
    let is_new = !is_of_the_tree(&directory)? && outside_list().add(&directory)?;
    let modules = build_all().inspect_err(|_| {
        // What has never been a module is not remembered as one.
        if is_new {
            let _ = outside_list().remove(&directory);
        }
    })?;
    let same = |built: &&Built| built.directory.canonicalize().is_ok_and(|it| it == directory);
    let built = modules.iter().find(same).with_context(|| format!("{} is no module", directory.display()))?;
    let name = &built.record.manifest.name;
    println!(
        "{}: {} bytes in memory; `make run` takes it along, and there:",
        built.file.display(),
        built.record.loaded
    );
    println!("    {}", insmod(name));
    Ok(ExitCode::SUCCESS)
}

/// How a module is loaded. Where the kernel has one of that name, which a name alone stands for, the file is named; and
/// the kernel's own, if it was attached at boot, goes first.
fn insmod(name: &str) -> String {
    match OF_THE_KERNEL.iter().position(|own| *own == name) {
        Some(place) if place < AT_BOOT => format!("rmmod {name}; insmod /lib/modules/{name}.ko"),
        Some(_) => format!("insmod /lib/modules/{name}.ko"),
        None => format!("insmod {name}"),
    }
}

/// Forgets the module in `directory`.
pub fn forget(directory: &str) -> Result<ExitCode> {
    let path = Path::new(directory);
    // It may be gone already.
    let path = path.canonicalize().or_else(|_| std::path::absolute(path))?;
    if !outside_list().remove(&path)? {
        bail!("{} is not remembered as a module", path.display());
    }
    println!("{} is built no more; what is in it stays", path.display());
    build()
}

/// Fails if `kernel`, a test's, lacks what modules of the tree need: they are loaded there too.
pub fn check(kernel: &Path) -> Result<()> {
    check_all(kernel, &exports(kernel)?, &workshop().remembered(&directories_of_the_tree()?, Origin::Tree))
}

fn build_all() -> Result<Vec<Built>> {
    let workshop = workshop();
    let _alone = workshop.lock()?;
    let library = Library::build()?;
    let order = Order { library: &library, origin: Origin::Tree, exports: None, others: &[] };
    let mut modules = workshop.build(&directories_of_the_tree()?, order)?;
    let script = cargo::target_dir().join(FOR_MODULES);
    let mut needs = facade::names(&library, &workshop.scrap("facade"))?;
    needs.extend(workshop::needs(&modules));
    needed::write(&script, &library.version, &needs)?;
    let kernel = cargo::build_program("the kernel", "kernel", &cargo::kernel_flags()?)?;
    let exports = exports(&kernel)?;
    check_all(&kernel, &exports, &modules)?;
    let order = Order { origin: Origin::Outside, exports: Some(&exports), others: &modules, ..order };
    let outside = workshop.build(outside_list().existing()?, order);
    modules.extend(outside.context("a module from elsewhere (make forget-module M=dir leaves it out)")?);
    workshop.keep_only(&modules)?;
    Ok(modules)
}

fn workshop() -> Workshop {
    Workshop::new(cargo::modules_dir())
}

fn exports(kernel: &Path) -> Result<Exports> {
    let elf = fs::read(kernel).with_context(|| format!("cannot read {}", kernel.display()))?;
    let exports = Exports::of(&elf)?;
    exports.with_context(|| format!("{} was linked without its version", kernel.display()))
}

fn check_all(kernel: &Path, exports: &Exports, modules: &[Built]) -> Result<()> {
    for module in modules {
        let Record { manifest, needs, .. } = &module.record;
        let missing = workshop::missing(needs, manifest, exports, modules);
        if !missing.is_empty() {
            let missing = link::readable(&missing);
            bail!("the module {} needs what {} has not: {missing}", manifest.name, kernel.display());
        }
    }
    Ok(())
}

fn outside_list() -> List {
    List::read("module", cargo::modules_dir().join("outside.txt"))
}

fn is_of_the_tree(directory: &Path) -> Result<bool> {
    Ok(directory.starts_with(Path::new(OF_THE_TREE).canonicalize()?))
}

fn directories_of_the_tree() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(OF_THE_TREE).with_context(|| format!("cannot list {OF_THE_TREE}"))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let (in_c, mut directories): (Vec<_>, Vec<_>) =
        paths.into_iter().filter(|path| path.is_dir()).partition(|path| path.ends_with(IN_C));
    for shelf in in_c {
        let entries = fs::read_dir(&shelf)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        directories.extend(entries.into_iter().filter(|path| path.is_dir()));
    }
    directories.sort();
    Ok(directories)
}

#[cfg(test)]
mod tests {
    use super::{OF_THE_KERNEL, insmod};

    #[test]
    fn a_module_with_a_name_of_the_kernels_is_loaded_by_its_file() {
        assert_eq!(insmod("cqueue"), "insmod cqueue");
        assert_eq!(insmod("scull"), "rmmod scull; insmod /lib/modules/scull.ko");
        assert_eq!(insmod("ramdisk"), "insmod /lib/modules/ramdisk.ko");
    }

    #[test]
    fn the_kernels_own_are_those_that_it_lists_first() {
        let listed = std::fs::read_to_string("../tests/transcripts/errors.txt").expect("the tree's");
        assert!(listed.contains(&format!("there are {} ", OF_THE_KERNEL.join(" "))));
    }
}
