//! The floppy disk of the tests: the numbers from 1 on, a line each.
//!
//! As far as 1,440 KiB reach.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process;

use anyhow::Result;

use crate::cargo;

/// The value of `FLOPPY` in a test's header that stands for this disk.
pub const COUNTING: &str = "counting";
/// Bytes of a disk.
const BYTES: usize = 80 * 2 * 18 * 512;

/// The disk's image; made if it is not there yet.
pub fn counting() -> Result<PathBuf> {
    let path = cargo::target_dir().join("counting.img");
    if !path.exists() {
        // Several tests may want it at once: each writes its own, and the rename is atomic.
        let own = cargo::target_dir().join(format!("counting.{:?}.{}", std::thread::current().id(), process::id()));
        fs::write(&own, content()?)?;
        fs::rename(own, &path)?;
    }
    Ok(path)
}

fn content() -> Result<String> {
    let mut text = String::with_capacity(BYTES + 8);
    for number in 1.. {
        if text.len() >= BYTES {
            break;
        }
        writeln!(text, "{number}")?;
    }
    text.truncate(BYTES);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{BYTES, content};

    #[test]
    fn the_disk_is_full_of_numbers() {
        let text = content().expect("strings grow");
        assert_eq!(text.len(), BYTES);
        assert!(text.starts_with("1\n2\n3\n"));
        assert_eq!(text.lines().nth(99_999), Some("100000"));
    }
}
