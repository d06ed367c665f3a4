//! Programs among the initial files: `bin/NAME`.
//!
//! xtask leaves those of the tree (userland/) in `programs/bin` of cargo's target directory, and those of a person in
//! `programs/outside`. busybox is where tools/busybox.sh put it; its applets are links to it. A kernel from elsewhere
//! has none of the tree's.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::rootfs::{Initial, Mode};
use crate::shelf;

/// Where they are in the guest.
const PLACE: &str = "bin";
/// Where busybox and the list of its applets are, from the top of the tree.
const BUSYBOX: &str = "build/busybox";

/// Which programs go along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Programs {
    /// All that there are.
    All,
    /// busybox, and those that the tree has.
    Busybox,
    /// Those that the tree has.
    OfTheTree,
    /// None.
    None,
}

/// The programs that go along with the kernel in `elf`. A person's come first, the tree's before busybox's applets: of
/// equal names the first travels.
pub fn read(elf: &Path, which: Programs) -> Result<Vec<Initial>> {
    let directories: &[&str] = match which {
        Programs::All => &["outside", "bin"],
        Programs::Busybox | Programs::OfTheTree => &["bin"],
        Programs::None => &[],
    };
    let mut found = Vec::new();
    if let Some(shelf) = shelf::of(elf, "programs") {
        let paths = directories.iter().flat_map(|directory| shelf::files(&shelf.join(directory)));
        found = paths.map(|path| shelf::file(&path, PLACE, Mode::Program)).collect::<Result<_>>()?;
    }
    if matches!(which, Programs::All | Programs::Busybox) {
        found.extend(busybox(Path::new(BUSYBOX))?);
    }
    Ok(found)
}

/// busybox and its applets, if it was fetched.
fn busybox(place: &Path) -> Result<Vec<Initial>> {
    let (program, list) = (place.join("busybox"), place.join("applets"));
    let Ok(applets) = fs::read_to_string(list) else { return Ok(Vec::new()) };
    let mut found = vec![shelf::file(&program, PLACE, Mode::Program)?];
    let link = |applet: &str| Initial::Link { name: format!("{PLACE}/{applet}"), target: "busybox".into() };
    found.extend(applets.lines().filter(|applet| *applet != "busybox").map(link));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Programs, busybox, read};
    use crate::rootfs::Initial;
    use crate::scratch::Scratch;

    #[test]
    fn programs_of_a_person_come_before_those_of_the_tree() {
        let scratch = Scratch::new();
        for name in ["programs/bin/b", "programs/bin/a", "programs/outside/c", "programs/record"] {
            scratch.file(name, "x");
        }
        let names = |which| {
            let initial = read(&scratch.path().join("x86_64-kernel/kernel/kernel"), which).expect("readable");
            let names = initial.iter().map(Initial::name).filter(|name| name.len() == "bin/x".len());
            names.filter(|name| ["bin/a", "bin/b", "bin/c"].contains(name)).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names(Programs::All), ["bin/c", "bin/a", "bin/b"]);
        assert_eq!(names(Programs::OfTheTree), ["bin/a", "bin/b"]);
        assert!(names(Programs::None).is_empty());
    }

    #[test]
    fn applets_are_links_to_busybox_if_it_was_fetched() {
        let scratch = Scratch::new();
        assert!(busybox(scratch.path()).expect("readable").is_empty());
        scratch.file("busybox", "x");
        scratch.file("applets", "[\nbusybox\nsh\n");
        let found = busybox(scratch.path()).expect("readable");
        let names: Vec<&str> = found.iter().map(Initial::name).collect();
        assert_eq!(names, ["bin/busybox", "bin/[", "bin/sh"]);
        assert!(matches!(&found[2], Initial::Link { target, .. } if target == "busybox"));
    }
}
