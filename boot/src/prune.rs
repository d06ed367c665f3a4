//! Which files beside a kernel have had their day.
//!
//! They are images of earlier runs, and leftovers of runs that were killed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::firmware::Firmware;

/// What a file's name says, behind that of the kernel and the firmware.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// An image, named by what it is made of.
    Image,
    /// Made by a run that goes on, or by one that was killed: its process.
    Unfinished(u32),
}

/// Removes the images of `elf` for runs but the `keep` newest, and the leftovers of processes that are no more.
pub fn images(elf: &Path, firmware: Firmware, keep: usize) -> io::Result<()> {
    let directory = elf.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut images: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match kind(elf.file_name(), firmware, &entry.file_name()) {
            // Another run may have removed it meanwhile.
            Some(Kind::Image) => images.extend(modified(&entry.path())),
            Some(Kind::Unfinished(process)) if !Path::new(&format!("/proc/{process}")).exists() => {
                remove(&entry.path())?;
            }
            Some(Kind::Unfinished(_)) | None => {}
        }
    }
    images.sort();
    let old = images.len().saturating_sub(keep);
    images[..old].iter().try_for_each(|(_, path)| remove(path))
}

fn kind(elf: Option<&OsStr>, firmware: Firmware, name: &OsStr) -> Option<Kind> {
    let rest = name.to_str()?.strip_prefix(elf?.to_str()?)?.strip_prefix(&format!(".{firmware}."))?;
    let (middle, suffix) = rest.split_once('.')?;
    match suffix {
        "img" if middle.len() == 16 && u64::from_str_radix(middle, 16).is_ok() => Some(Kind::Image),
        _ if suffix.starts_with("unfinished-") => Some(Kind::Unfinished(middle.parse().ok()?)),
        _ => None,
    }
}

fn modified(path: &Path) -> Option<(SystemTime, PathBuf)> {
    Some((fs::metadata(path).and_then(|found| found.modified()).ok()?, path.to_owned()))
}

/// Removes a file that another run may remove at the same time.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};
    use std::{fs, process};

    use super::images;
    use crate::firmware::Firmware;
    use crate::scratch::Scratch;

    #[test]
    fn the_newest_images_stay_and_other_files_too() {
        let scratch = Scratch::new();
        let running = format!("kernel.bios.{}.unfinished-tar", process::id());
        let others = ["kernel", "kernel.bios.img", "kernel.uefi.0000000000000001.img", "kernel.d", &running];
        let dead = ["kernel.bios.4294967295.unfinished-img", "kernel.bios.4294967295.unfinished-kernel"];
        for name in others.iter().chain(&dead) {
            scratch.file(name, "");
        }
        for age in 0..5 {
            let path = scratch.path().join(format!("kernel.bios.{age:016x}.img"));
            let file = fs::File::create(path).expect("made");
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("dated");
        }
        images(&scratch.path().join("kernel"), Firmware::Bios, 2).expect("pruned");
        let entries = fs::read_dir(scratch.path()).expect("a directory");
        let mut left: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
        left.sort();
        let images = ["kernel.bios.0000000000000000.img", "kernel.bios.0000000000000001.img"];
        let mut expected: Vec<&str> = others.iter().copied().chain(images).collect();
        expected.sort();
        assert_eq!(left, expected);
    }
}
