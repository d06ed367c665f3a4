//! The initial files: a tar archive that travels with the kernel.
//!
//! Its names go into the root, once. What the files hold stays where the archive is, and comes into the page cache when
//! it is wanted.

use alloc::sync::Arc;

use kapi::Errno;
use services::tar::{Kind, Member};
use spin::Once;
use vfs::Timestamp;

use super::archive;
use super::cached_file::CachedFile;
use super::rootfs::{self, What};
use super::source::{HostFile, Ramdisk, Source};
use crate::board::fw_cfg;
use crate::mm::{self, host_files};
use crate::{klog, startup};

static HOST_FILE: Once<HostFile> = Once::new();
static RAMDISK: Once<Ramdisk> = Once::new();

/// Enters the files into the root that the host hands over or, where it does not, those that the bootloader has loaded.
/// `EINVAL` when that is no tar archive. A member that there is no name or no memory for is left out.
pub fn init() -> Result<(), Errno> {
    let source = source()?;
    archive::for_each(source, &mut |member| {
        let entered = enter(source, member);
        let name = member.name.unwrap_or("whose name is not UTF-8");
        startup::check(format_args!("the initial file {name}"), entered);
    })
}

fn source() -> Result<&'static dyn Source, Errno> {
    let Some(file) = fw_cfg::file(fw_cfg::ROOTFS) else { return Ok(RAMDISK.call_once(|| Ramdisk(mm::ramdisk()))) };
    host_files::enable_dma()?;
    klog!("initial files: {} KiB, read by fw_cfg when they are wanted", file.size.div_ceil(1024));
    Ok(HOST_FILE.call_once(|| HostFile(file)))
}

fn enter(source: &'static dyn Source, member: &Member<'_>) -> Result<(), Errno> {
    let name = member.name.ok_or(Errno::EINVAL)?;
    let what = match member.kind {
        Kind::File => What::File(CachedFile::new(name, source, member.start, member.size)? as Arc<_>),
        Kind::Directory => What::Directory,
        Kind::Link(target) => What::Link(target),
        Kind::HardLink(of) => What::OtherName(of),
    };
    let modified = Timestamp { seconds: i64::try_from(member.modified).unwrap_or(i64::MAX), nanos: 0 };
    rootfs::enter(name, rootfs::Member { mode: member.mode, modified, what })
}
