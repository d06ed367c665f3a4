//! Modules among the initial files: `lib/modules/NAME.ko`.
//!
//! xtask leaves them in `modules` of cargo's target directory, beside that of the kernel's target, or where
//! `MODULES_DIR` says; those that are no part of the tree in `outside` there. A kernel from elsewhere has none.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::rootfs::{Initial, Mode};
use crate::shelf;

/// Where they are in the guest.
const PLACE: &str = "lib/modules";
/// How their files end.
const EXTENSION: &str = "ko";

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
    let Some(shelf) = given.map(Path::to_owned).or_else(|| shelf::of(elf, "modules")) else { return Ok(Vec::new()) };
    let mut paths = Vec::new();
    if which != Modules::None {
        paths.extend(files(&shelf));
    }
    if which == Modules::All {
        paths.extend(files(&shelf.join("outside")));
    }
    paths.iter().map(|path| shelf::file(path, PLACE, Mode::Plain)).collect()
}

/// The modules of a directory, sorted; none if it is not there.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = shelf::files(directory);
    files.retain(|path| path.extension().is_some_and(|it| it == EXTENSION));
    files
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Modules, read};
    use crate::scratch::Scratch;

    #[test]
    fn modules_beside_the_kernels_target_go_along() {
        let scratch = Scratch::new();
        for name in ["modules/b.ko", "modules/a.ko", "modules/a.o", "modules/outside/c.ko"] {
            scratch.file(name, "x");
        }
        let names = |elf: &str, which| {
            let initial = read(&scratch.path().join(elf), None, which).expect("readable");
            initial.iter().map(|it| it.name().to_owned()).collect::<Vec<_>>()
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
