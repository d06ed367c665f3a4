//! The modules that make disks in memory.

use kapi::block::SECTOR_SIZE;
use kapi::mm::GfpFlags;
use kapi::mm::own::{Buffer, KString, KVec, VmArea};
use kapi::{CharDriver, Disks, Errno, Hardware, Module, ParamKind, ParamSpec, Preset, Values};

use super::disk::{MemDisk, MemDiskSettings};
use super::medium::Medium;
use super::place;
use super::sizes::sizes;

const SIZES: &str = "sizes";
const MEMORY: &str = "memory";
const LATENCY: &str = "latency";
const DEPTH: &str = "depth";
const CACHE: &str = "cache";

const SIZES_SPEC: ParamSpec = ParamSpec {
    name: SIZES,
    kind: ParamKind::Text { most: 100, default: "" },
    help: "sizes of the disks in bytes, with K, M or G: 64M or 64M,1M",
};

static RAM_PARAMS: [ParamSpec; 5] = [
    SIZES_SPEC,
    ParamSpec {
        name: MEMORY,
        kind: ParamKind::Word { of: &["hidden", "vmalloc"], default: "hidden" },
        help: "where the disks lie: in RAM that mem= hides, or in the kernel's memory",
    },
    ParamSpec {
        name: LATENCY,
        kind: ParamKind::Number { least: 0, most: 100_000, default: Preset::Number(1) },
        help: "ticks until a request is answered, 0 for at once",
    },
    ParamSpec {
        name: DEPTH,
        kind: ParamKind::Number { least: 1, most: 64, default: Preset::Number(4) },
        help: "requests that a disk works at together",
    },
    ParamSpec {
        name: CACHE,
        kind: ParamKind::Number { least: 0, most: 65_536, default: Preset::Number(0) },
        help: "KiB written that a loss of power undoes until a flush, 0 for none",
    },
];

static NULL_PARAMS: [ParamSpec; 1] = [SIZES_SPEC];

/// Disks of one module: `name0`, `name1`, ...
fn add_all<K: Hardware + Disks>(
    name: &str,
    list: &str,
    mut settings: MemDiskSettings,
    medium: impl Fn(u64) -> Result<Medium<K>, Errno>,
) -> Result<KVec<K::Disk, K>, Errno> {
    let sizes = sizes(list).inspect_err(|_| {
        K::log(format_args!("{name}: sizes=: expects up to 8 sizes of whole sectors of 512 bytes, as 64M,1M"));
    })?;
    let mut disks = KVec::with_capacity(sizes.clone().count(), GfpFlags::KERNEL)?;
    for (index, bytes) in sizes.enumerate() {
        settings.sectors = bytes / SECTOR_SIZE as u64;
        let disk_name = KString::<K>::try_format(format_args!("{name}{index}"))?;
        let medium = medium(bytes)?;
        let disk = K::add_disk(&disk_name, |completer| Ok(MemDisk::new(medium, settings, completer)?))?;
        disks.push(disk, GfpFlags::KERNEL)?;
    }
    Ok(disks)
}

fn any_used<K: Disks>(disks: &KVec<K::Disk, K>) -> bool {
    disks.iter().any(K::is_disk_used)
}

/// Disks in RAM: /dev/ram0 and so on.
pub struct RamDisk<K: Hardware + Disks>(KVec<K::Disk, K>);

impl<K: Hardware + Disks> CharDriver for RamDisk<K> {}

impl<K: Hardware + Disks> Module<K> for RamDisk<K> {
    const NAME: &'static str = "ramdisk";
    const ABOUT: &'static str = "disks in RAM, as slow and as faulty as one wants: /dev/ram0 and so on";
    const PARAMS: &'static [ParamSpec] = &RAM_PARAMS;

    fn load(values: &Values<'_>) -> Result<Self, Errno> {
        let number = |name| values.number(name).ok_or(Errno::EINVAL);
        let settings = MemDiskSettings {
            sectors: 0,
            depth: number(DEPTH)? as usize,
            latency: number(LATENCY)?,
            cache: number(CACHE)? as usize * (1024 / SECTOR_SIZE),
        };
        let medium = |bytes| match values.word(MEMORY) {
            Some("vmalloc") => Ok(Medium::Area(zeroed(bytes)?)),
            _ => place::hidden(bytes, Self::NAME),
        };
        Ok(Self(add_all("ram", values.text(SIZES), settings, medium)?))
    }

    fn is_busy(&self) -> bool {
        any_used(&self.0)
    }
}

/// So many bytes of zeros from vmalloc.
fn zeroed<K: Hardware>(bytes: u64) -> Result<VmArea<K>, Errno> {
    let mut area = VmArea::new(usize::try_from(bytes).map_err(|_| Errno::ENOMEM)?)?;
    area.bytes_mut().fill(0);
    Ok(area)
}

/// Disks that keep nothing: /dev/nullb0 and so on.
pub struct NullDisk<K: Hardware + Disks>(KVec<K::Disk, K>);

impl<K: Hardware + Disks> CharDriver for NullDisk<K> {}

impl<K: Hardware + Disks> Module<K> for NullDisk<K> {
    const NAME: &'static str = "nulldisk";
    const ABOUT: &'static str = "disks that keep nothing, for measurements: /dev/nullb0 and so on";
    const PARAMS: &'static [ParamSpec] = &NULL_PARAMS;

    fn load(values: &Values<'_>) -> Result<Self, Errno> {
        let settings = MemDiskSettings { sectors: 0, depth: 64, latency: 0, cache: 0 };
        let list = values.text(SIZES);
        Ok(Self(add_all("nullb", list, settings, |_| Ok(Medium::Nothing))?))
    }

    fn is_busy(&self) -> bool {
        any_used(&self.0)
    }
}
