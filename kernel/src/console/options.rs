//! Kernel options that commands ask for.

use crate::arch::fw_cfg::FwCfg;

/// Whether the kernel command line has the word `wanted`.
pub fn has_option(wanted: &str) -> bool {
    let mut buffer = [0; 512];
    let line = FwCfg::probe().map_or("", |mut device| device.command_line(&mut buffer));
    line.split_ascii_whitespace().any(|word| word == wanted)
}
