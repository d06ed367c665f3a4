//! Disks of the tests: images made for one run, and looked at when it is over.
//!
//! A value of `DISK` or `SWAP` in a test's header may be a word for one, with the runner's own words behind it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::machine::Machine;

/// Each sector holds its number (`stamp`), and the last page is not whole.
const STAMPED: &str = "stamped";
/// The same, smaller; it does not answer until it is reset.
const SILENT: &str = "silent";
/// Nothing but zeros.
const BLANK: &str = "blank";

const SECTOR: usize = 512;
const STAMPED_SECTORS: u64 = 8192 + 3;
const SILENT_SECTORS: u64 = 2048;
const BLANK_BYTES: u64 = 64 << 20;

/// The images of a run. They go away with this value.
#[derive(Debug, Default)]
pub struct Images(Vec<Image>);

/// The image that a variable's value has become.
#[derive(Debug)]
struct Image {
    variable: String,
    /// How the guest calls it.
    name: &'static str,
    path: PathBuf,
    /// What stands behind the path.
    words: String,
    has_stamps: bool,
}

impl Images {
    /// Makes what the machine's variables ask for.
    pub fn of(machine: &Machine) -> Result<Self> {
        let disks = machine.variables.iter().filter(|(name, _)| name == "DISK" || name == "SWAP");
        let mut images = Self::default();
        for ((variable, value), name) in disks.zip(["vda", "vdb"]) {
            let (kind, words) = value.split_once(',').map_or((value.as_str(), ""), |(kind, words)| (kind, words));
            let words = if kind == SILENT { "silent" } else { words };
            let (sectors, has_stamps) = match kind {
                STAMPED => (STAMPED_SECTORS, true),
                SILENT => (SILENT_SECTORS, true),
                BLANK => (BLANK_BYTES / SECTOR as u64, false),
                _ => continue,
            };
            let image =
                Image { variable: variable.clone(), name, path: own_path()?, words: words.to_owned(), has_stamps };
            image.make(sectors).with_context(|| format!("cannot make {}", image.path.display()))?;
            images.0.push(image);
        }
        Ok(images)
    }

    /// What the runner's variables are.
    pub fn variables(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|image| {
            let path = image.path.display();
            let value = if image.words.is_empty() { path.to_string() } else { format!("{path},{}", image.words) };
            (image.variable.as_str(), value)
        })
    }

    /// Compares what the files hold with what the guest has said of them: `stamps: 5 of vda are turned over`.
    pub fn check(&self, console: &str) -> Result<()> {
        for image in self.0.iter().filter(|image| image.has_stamps) {
            let turned =
                turned(&fs::read(&image.path)?).with_context(|| format!("{} as the host sees it", image.name))?;
            let told = console.lines().find_map(|line| {
                let (number, rest) = line.strip_prefix("stamps: ")?.split_once(" of ")?;
                rest.starts_with(image.name).then(|| number.parse::<usize>().ok()).flatten()
            });
            if told.is_some_and(|told| told != turned) {
                bail!(
                    "the guest has turned {} sectors of {} over, and the host sees {turned}",
                    told.unwrap_or(0),
                    image.name
                );
            }
        }
        Ok(())
    }
}

impl Image {
    fn make(&self, sectors: u64) -> Result<()> {
        if self.has_stamps {
            let words = (0..sectors).flat_map(|number| [stamp(number).to_le_bytes(); SECTOR / 8]);
            fs::write(&self.path, words.flatten().collect::<Vec<u8>>())?;
        } else {
            File::create(&self.path)?.set_len(sectors * SECTOR as u64)?;
        }
        Ok(())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A run that failed has its own message.
        let _ = fs::remove_file(&self.path);
    }
}

/// A file that no other run has.
fn own_path() -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let directory = cargo::target_dir().join("disks");
    fs::create_dir_all(&directory)?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(directory.join(format!("{}-{number}.img", process::id())))
}

/// What each word of sector `number` is at first, as tests/virtio.rs knows it.
fn stamp(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5ca1_1e5c
}

/// How many sectors have all bits of their stamp turned over. The others must be as they were, and none half.
fn turned(content: &[u8]) -> Result<usize> {
    let mut turned = 0;
    for (sector, number) in content.chunks(SECTOR).zip(0..) {
        let all = |value: u64| sector.chunks(8).all(|word| word == value.to_le_bytes());
        match (all(stamp(number)), all(!stamp(number))) {
            (true, _) => {}
            (_, true) => turned += 1,
            _ => bail!("sector {number} is neither as it was nor as the guest writes it"),
        }
    }
    Ok(turned)
}

#[cfg(test)]
mod tests {
    use super::{Images, stamp, turned};
    use crate::machine::Machine;

    #[test]
    fn half_a_sector_is_noticed() {
        let sector = |value: u64| [value.to_le_bytes(); 64].concat();
        let mut content = [sector(stamp(0)), sector(!stamp(1)), sector(stamp(2))].concat();
        assert_eq!(turned(&content).ok(), Some(1));
        content[1020] ^= 1;
        assert!(turned(&content).is_err());
    }

    #[test]
    fn what_the_guest_says_is_compared() {
        let machine = Machine::parse("DISK=stamped,ro SWAP=file").expect("well formed");
        let images = Images::of(&machine).expect("a file can be made");
        let variables: Vec<_> = images.variables().collect();
        assert!(
            variables.len() == 1 && variables[0].0 == "DISK" && variables[0].1.ends_with(".img,ro"),
            "{variables:?}"
        );
        assert!(images.check("stamps: 0 of vda are turned over\n").is_ok());
        assert!(images.check("stamps: 1 of vda are turned over\n").is_err());
    }
}
