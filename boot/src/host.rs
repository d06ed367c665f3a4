//! What this machine offers: QEMU, UEFI firmware, KVM.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

const QEMU: &str = "qemu-system-x86_64";
/// Where distributions put a firmware image that holds code and variables in one file.
const UEFI_FIRMWARE: [&str; 3] =
    ["/usr/share/ovmf/OVMF.fd", "/usr/share/edk2/ovmf/OVMF.fd", "/usr/share/edk2-ovmf/x64/OVMF.fd"];

/// Where QEMU is.
pub fn qemu() -> Result<PathBuf> {
    match find_in_path(QEMU) {
        Some(path) => Ok(path),
        None => bail!("{QEMU} is not in PATH: `make setup` installs it"),
    }
}

/// Where the UEFI firmware is.
pub fn uefi_firmware() -> Result<&'static Path> {
    match UEFI_FIRMWARE.iter().map(Path::new).find(|path| path.exists()) {
        Some(path) => Ok(path),
        None => bail!("no UEFI firmware at {}: `make setup` installs it", UEFI_FIRMWARE.join(" or ")),
    }
}

/// Whether KVM is real: /dev/kvm exists on machines whose processor cannot virtualise, and crawls there.
pub fn kvm_works() -> bool {
    let Ok(cpuinfo) = fs::read_to_string("/proc/cpuinfo") else { return false };
    let virtualises = cpuinfo
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"));
    virtualises && File::options().read(true).write(true).open("/dev/kvm").is_ok()
}

fn find_in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}
