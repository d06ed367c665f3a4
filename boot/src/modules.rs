//! Modules among the initial files: `lib/modules/NAME.ko`.
//!
//! xtask leaves them in `modules` of cargo's target directory, beside that of the kernel's target, or where
//! `MODULES_DIR` says; those that are no part of the tree in `outside` there. A kernel from elsewhere has none.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::rootfs::Initial;

/// Where they are in the guest.
const PLACE: &str = "lib/modules";
/// The directory of what is built for the kernel's target.
const KERNEL_TARGET: &str = "x86_64-kernel";

/// Which modules go along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modules {
    /// All that there are.
    All,
    /// Those that the tree has.
    OfTheTree,
    /// None.
    None,
}

/// The modules in `given`, else those that were built with the kernel in `elf`.
pub fn read(elf: &Path, given: Option<&Path>, which: Modules) -> Result<Vec<Initial>> {
    let Some(shelf) = given.map(Path::to_owned).or_else(|| shelf(elf)) else { return Ok(Vec::new()) };
    let mut paths = Vec::new();
    if which != Modules::None {
        paths.extend(files(&shelf));
    }
    if which == Modules::All {
        paths.extend(files(&shelf.join("outside")));
    }
    paths.iter().map(|path| file(path)).collect()
}

fn shelf(elf: &Path) -> Option<PathBuf> {
    let target = elf.ancestors().find(|path| path.file_name().is_some_and(|name| name == KERNEL_TARGET))?;
    Some(target.parent()?.join("modules"))
}

/// The modules of a directory, sorted; none if it is not there.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "ko")).collect();
    files.sort();
    files
}

fn file(path: &Path) -> Result<Initial> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let data = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Initial::File { name: format!("{PLACE}/{name}"), data })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Modules, read};
    use crate::rootfs::Initial;
    use crate::scratch::Scratch;

    #[test]
    fn modules_beside_the_kernels_target_go_along() {
        let scratch = Scratch::new();
        for name in ["modules/b.ko", "modules/a.ko", "modules/a.o", "modules/outside/c.ko"] {
            scratch.file(name, "x");
        }
        let names = |elf: &str, which| {
            let initial = read(&scratch.path().join(elf), None, which).expect("readable").into_iter();
            let names = initial.map(|it| match it {
                Initial::File { name, .. } | Initial::EmptyDirectory { name } => name,
            });
            names.collect::<Vec<_>>()
        };
        for elf in ["x86_64-kernel/kernel/kernel", "x86_64-kernel/kernel/deps/boot-12"] {
            assert_eq!(names(elf, Modules::OfTheTree), ["lib/modules/a.ko", "lib/modules/b.ko"]);
            assert_eq!(names(elf, Modules::All).len(), 3);
            assert!(names(elf, Modules::None).is_empty());
        }
        assert!(names("elsewhere/kernel", Modules::All).is_empty());
        let given = scratch.path().join("modules/outside");
        assert_eq!(read(Path::new("kernel"), Some(&given), Modules::OfTheTree).expect("readable").len(), 1);
    }
}
