//! What modules from elsewhere may need of the kernel: all `kapi` leads to.
//!
//! Such a module is built after the kernel was linked. What it lacks of crates without variables it takes along; the
//! kernel's own functions it cannot. `kapi` is all that its author can name, so the kernel keeps every function that
//! implements a trait of `kapi`, ends a value, or is compiled into those. `tests/modules/everything` calls all of them:
//! what is missing here does not let it be built.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use hosttools::names;

use super::kernel_library::Library;
use super::object_file;

/// Whose functions those are, as their paths begin.
const ROOMS: [&str; 2] = ["kernel::driver_api::", "kernel::time::"];
/// Of which traits.
const TRAITS: [&str; 2] = [" as kapi::", " as core::ops::drop::Drop>"];

/// The mangled names; read from `cache` if they are of this library.
pub fn names(library: &Library, cache: &Path) -> Result<BTreeSet<String>> {
    if let Some(names) = fs::read_to_string(cache).ok().and_then(|text| cached(&text, &library.version)) {
        return Ok(names);
    }
    let archive = library.archive("kernel")?;
    let archive = fs::read(archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let mut names = object_file::archive_offers(&archive)?;
    names.retain(|name| belongs(&names::whole(name)));
    let lines: Vec<&str> = [library.version.as_str()].into_iter().chain(names.iter().map(String::as_str)).collect();
    if let Some(directory) = cache.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(cache, lines.join("\n")).with_context(|| format!("cannot write {}", cache.display()))?;
    Ok(names)
}

fn cached(text: &str, version: &str) -> Option<BTreeSet<String>> {
    let mut lines = text.lines();
    (lines.next()? == version).then(|| lines.map(str::to_owned).collect())
}

fn belongs(path: &str) -> bool {
    let whose = path.trim_start_matches('<');
    ROOMS.iter().any(|room| whose.starts_with(room)) || TRAITS.iter().any(|name| path.contains(name))
}

#[cfg(test)]
mod tests {
    use super::{belongs, cached};

    #[test]
    fn what_kapi_leads_to_belongs_and_what_the_kernel_has_for_itself_does_not() {
        assert!(belongs("<kernel::driver_api::work::Work as kapi::work::Work>::queue"));
        assert!(belongs("<kernel::driver_api::work::Work>::of"));
        assert!(belongs("<kernel::mm::global::Kernel as kapi::hardware::Hardware>::hidden_ram"));
        assert!(belongs("<kernel::irq::IrqAction as core::ops::drop::Drop>::drop"));
        assert!(!belongs("kernel::mm::bootmem::reserve_bootmem"));
        assert!(!belongs("<kernel::sched::thread::Thread as core::fmt::Debug>::fmt"));
    }

    #[test]
    fn names_of_another_library_are_not_believed() {
        assert_eq!(cached("12\na\nb", "12").map(|names| names.len()), Some(2));
        assert_eq!(cached("12\na\nb", "13"), None);
        assert_eq!(cached("", "13"), None);
    }
}
