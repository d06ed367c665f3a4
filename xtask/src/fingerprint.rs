//! What tells one state of the tree from another.
//!
//! It is made of the contents of all that tests depend on.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result};

use crate::house;

/// Sixteen hexadecimal digits that change with any file but those that are only read by people.
pub fn of(root: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in house::tree(root)?.iter().filter(|path| !path.ends_with(".md") && !path.ends_with(".svg")) {
        let content = fs::read(root.join(path)).with_context(|| format!("cannot read {path}"))?;
        (path, content).hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}
