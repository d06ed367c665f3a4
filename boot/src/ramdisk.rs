//! The initial files: everything under rootfs/ as a small tar archive.
//!
//! The archive has the same bytes every time.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tar::{Builder, Header};

/// Packs the regular files under `root`, sorted, without owners and dates. Hidden files stay out.
pub fn archive(root: &Path) -> Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for file in files(root)? {
        let data = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut header = Header::new_ustar();
        header.set_size(u64::try_from(data.len())?);
        header.set_mode(0o644);
        builder.append_data(&mut header, file.strip_prefix(root)?, data.as_slice())?;
    }
    Ok(builder.into_inner()?)
}

/// Every file and directory that the archive depends on: when one changes, the archive is out of date.
pub fn inputs(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![root.to_owned()];
    let entries = fs::read_dir(root).with_context(|| format!("cannot list {}", root.display()))?;
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            found.extend(inputs(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn files(root: &Path) -> Result<Vec<PathBuf>> {
    Ok(inputs(root)?.into_iter().filter(|path| path.is_file()).collect())
}

#[cfg(test)]
mod tests {
    use super::{Path, archive};

    #[test]
    fn the_archive_is_the_same_twice() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rootfs");
        let first = archive(&root).expect("rootfs packs");
        assert_eq!(first, archive(&root).expect("rootfs packs"));
        assert!(first.len() > 1024, "rootfs holds a file");
    }
}
