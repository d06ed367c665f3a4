//! Virtio disks on the PCI bus: /dev/vda, /dev/vdb and so on.
//!
//! The driver is the crate `virtio`. Here are its registers (`registers.rs`, the only file with unsafe code), its place
//! on the bus (`device.rs`), its interrupt line and its name (`attached.rs`). A line may be shared: it follows a level,
//! and each handler asks its own device.

mod attached;
mod device;
mod registers;

use kapi::Errno;

use crate::resource::pci::{self, Function};
use crate::{klog, startup};

/// Who makes virtio devices.
const VENDOR: u16 = 0x1af4;
/// Disks, as devices that also know the time before version 1, and as those that do not.
const DISKS: [u16; 2] = [0x1001, 0x1042];

/// The names of disks, in the order in which the bus has them.
const NAMES: [&str; 16] =
    ["vda", "vdb", "vdc", "vdd", "vde", "vdf", "vdg", "vdh", "vdi", "vdj", "vdk", "vdl", "vdm", "vdn", "vdo", "vdp"];

/// Attaches all disks that are there. Once, after PCI and the disks' own room. One that fails stops no other.
pub fn init() {
    let is_disk = |function: &&Function| function.vendor == VENDOR && DISKS.contains(&function.device);
    let mut names = NAMES.iter();
    for function in pci::functions().iter().filter(is_disk) {
        match names.next() {
            Some(name) => startup::check(format_args!("{name}"), attach(name, function)),
            None => klog!("virtio: more than {} disks: the one at {} is left out", NAMES.len(), function.address),
        }
    }
}

fn attach(name: &'static str, function: &'static Function) -> Result<(), Errno> {
    let device = device::claim(function)?;
    attached::add(name, device)
}
