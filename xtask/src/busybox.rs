//! Whether busybox is there, which tools/busybox.sh fetches.

use std::path::Path;

use anyhow::{Result, bail};

/// Where it is, from the top of the tree.
const PROGRAM: &str = "build/busybox/busybox";

/// Fails without busybox, and says what to type.
pub fn check() -> Result<()> {
    if !Path::new(PROGRAM).exists() {
        bail!("busybox is not there: make busybox");
    }
    Ok(())
}
