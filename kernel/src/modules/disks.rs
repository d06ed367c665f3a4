//! Disks in memory that the command line asks for.

use kapi::Param;

use super::{Refused, attach};
use crate::mm::KString;
use crate::{klog, options, startup};

/// Attaches the modules whose disks the kernel options `ramdisk=` and `nullb=` ask for.
pub fn attach_disks() {
    let disks = options::get().disks;
    if let Some(sizes) = disks.ramdisk.get() {
        startup::check(format_args!("ramdisk={sizes}"), attach_ramdisk(sizes, disks.latency, disks.cache));
    } else if disks.latency != 1 || disks.cache != 0 || disks.bug.is_some() {
        klog!("warning: kernel options ramdisk_latency, ramdisk_cache, ramdisk_bug have no effect without ramdisk=");
    }
    if let Some(sizes) = disks.nullb.get() {
        let params = [Param { name: "sizes", value: sizes }];
        startup::check(format_args!("nullb={sizes}"), attach("nulldisk", &params));
    }
}

fn attach_ramdisk(sizes: &str, latency: u64, cache: u64) -> Result<(), Refused> {
    let latency = KString::try_format(format_args!("{latency}"))?;
    let cache = KString::try_format(format_args!("{}", cache.div_ceil(1024)))?;
    let params = [
        Param { name: "sizes", value: sizes },
        Param { name: "latency", value: &latency },
        Param { name: "cache", value: &cache },
    ];
    attach("ramdisk", &params)
}
