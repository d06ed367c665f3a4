//! Phase 2 of the bring-up: bootmem over the firmware's map, less reserved RAM.

use ::mm::region::RegionSet;
use ::mm::{BootZone, BootmemError, PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr, kib};
use bootloader_api::BootInfo;
use services::options::KeptRam;

use super::bootmem;
use super::firmware::{Kind, Region};
use super::handover::HANDOVER;
use crate::arch::paging::Space;
use crate::arch::paging::builder::image_frames;
use crate::{klog, options};

/// Free frames that an option about memory has to leave: 4 MiB, enough for a prompt.
pub(super) const LEAST_FREE: usize = 1024;

/// What stays or comes back, and when.
struct Kept {
    /// The kernel image.
    image: RegionSet,
    /// The initial files: first byte and length.
    ramdisk: (PhysAddr, usize),
    /// The bootloader's memory, without what stays.
    reclaim: RegionSet,
    /// Free RAM that `mem=` hides.
    hidden: RegionSet,
}

/// Starts bootmem, reserves what is taken, and applies `mem=`.
pub(super) fn start_bootmem(boot_info: &BootInfo, boot: &Space) -> Result<(), BootmemError> {
    add_firmware_map(boot_info)?;
    let (image, ramdisk) = (find_image(boot)?, find_ramdisk(boot_info, boot));
    let mut kept = Kept { image, ramdisk, reclaim: RegionSet::new(), hidden: RegionSet::new() };
    reserve(boot_info, &mut kept)?;
    hide(&mut kept)?;
    // Another CPU starts in real mode, from a page that it can reach there.
    if bootmem::with(|bootmem| bootmem.alloc(PAGE_SIZE, PAGE_SIZE, BootZone::Low)).is_err() {
        klog!("bootmem: no page below 16 MiB for other processors");
    }
    HANDOVER.with(|handover| {
        handover.reclaim = kept.reclaim;
        handover.image = kept.image;
        handover.ramdisk = kept.ramdisk;
        handover.hidden = kept.hidden;
    });
    Ok(())
}

fn regions(boot_info: &BootInfo) -> impl Iterator<Item = Region> {
    boot_info.memory_regions.iter().map(Region::from)
}

fn add_firmware_map(boot_info: &BootInfo) -> Result<(), BootmemError> {
    let lost = bootmem::with(|bootmem| {
        regions(boot_info).for_each(|region| match region.kind {
            Kind::Usable | Kind::Bootloader => bootmem.add_ram(region.start, region.end),
            Kind::Reserved => bootmem.withhold(region.start, region.end),
        });
        Ok(bootmem.lost())
    })?;
    if lost > 0 {
        klog!("bootmem: {} KiB of RAM are left out: the map has too many pieces", kib(lost));
    }
    Ok(())
}

/// Reserves the bootloader's memory, which comes back later, and the kernel image, the initial files and the first
/// page, which do not.
fn reserve(boot_info: &BootInfo, kept: &mut Kept) -> Result<(), BootmemError> {
    let mut stays = kept.image.clone();
    let (files, bytes) = kept.ramdisk;
    stays.insert(touched(files, PhysAddr::new(files.as_u64() + bytes as u64)))?;
    // The first page is the firmware's, and no allocation may be at address 0.
    stays.insert(touched(PhysAddr::new(0), PhysAddr::new(PAGE_SIZE as u64)))?;
    bootmem::with(|bootmem| {
        for region in regions(boot_info).filter(|region| region.kind == Kind::Bootloader) {
            bootmem.reserve(region.start, region.end)?;
            kept.reclaim.insert_or_drop(within(region.start, region.end));
        }
        for &range in stays.ranges() {
            bootmem.reserve(range.start.phys(), range.end.phys())?;
            kept.reclaim.remove_or_drop(range);
        }
        Ok(())
    })
}

/// Hides what `mem=` does not keep, and says what bootmem has now.
fn hide(kept: &mut Kept) -> Result<(), BootmemError> {
    let chosen = chosen_frames()?;
    let (ram, free) = bootmem::with(|bootmem| {
        kept.hidden = bootmem.keep_only(&chosen)?;
        chosen.gaps(PfnRange::ALL).for_each(|gap| {
            kept.reclaim.remove_or_drop(gap);
        });
        Ok((bootmem.ram().frames(), bootmem.unreserved().frames()))
    })?;
    klog!(
        "bootmem: {} KiB of RAM, {} KiB free; reserved: kernel {} KiB, initial files {} KiB, bootloader {} KiB",
        kib(ram),
        kib(free),
        kib(kept.image.frames()),
        kept.ramdisk.1.div_ceil(1024),
        kib(kept.reclaim.frames())
    );
    if let Some(first) = kept.hidden.ranges().first() {
        let (hidden, from) = (kib(kept.hidden.frames()), first.start.phys().as_u64());
        klog!("bootmem: {hidden} KiB from {from:x} on are hidden (mem=)");
    }
    Ok(())
}

/// The frames that `mem=` keeps, or all of them if that were too few to boot with.
fn chosen_frames() -> Result<RegionSet, BootmemError> {
    let mem = options::get().memory.mem;
    let chosen = mem.frames();
    let (no_ram, all_ram, free) = bootmem::with(|bootmem| {
        let no_ram: usize =
            mem.regions().iter().flat_map(|&region| bootmem.ram().gaps(region)).map(|gap| gap.frames()).sum();
        let all_ram = bootmem.ram().frames_in_common(&chosen) == bootmem.ram().frames();
        Ok((no_ram, all_ram, bootmem.unreserved().frames_in_common(&chosen)))
    })?;
    if mem.regions().iter().any(|region| region.frames() == 0) {
        klog!("warning: kernel option mem: a region without a whole page in reach is left out");
    }
    if mem != KeptRam::ALL && all_ram && !mem.lacks_regions() {
        klog!("warning: kernel option mem: nothing is hidden, there is no other RAM");
    }
    if no_ram > 0 {
        klog!("warning: kernel option mem: {} KiB of that are no RAM, says the firmware", kib(no_ram));
    }
    if mem == KeptRam::ALL || free >= LEAST_FREE {
        return Ok(chosen);
    }
    klog!("warning: kernel option mem: {} KiB would be too little memory", kib(free));
    Ok(RegionSet::whole())
}

/// The frames of the kernel image.
fn find_image(boot: &Space) -> Result<RegionSet, BootmemError> {
    let (mut image, mut result) = (RegionSet::new(), Ok(()));
    image_frames(boot, |frame| result = result.and(image.insert(PfnRange::new(frame, frame.add(1)))));
    result.map(|()| image)
}

/// Where the initial files lie in physical memory; 0 bytes if there are none.
fn find_ramdisk(boot_info: &BootInfo, boot: &Space) -> (PhysAddr, usize) {
    let start = boot_info.ramdisk_addr.into_option();
    let phys = start.and_then(|start| boot.translate(VirtAddr::new(start as usize)));
    phys.map_or((PhysAddr::new(0), 0), |(phys, _)| (phys, boot_info.ramdisk_len as usize))
}

/// The frames that an address range touches.
pub(super) fn touched(start: PhysAddr, end: PhysAddr) -> PfnRange {
    let last = PhysAddr::new(end.as_u64().next_multiple_of(PAGE_SIZE as u64));
    PfnRange::new(frame_or_end(start), frame_or_end(last))
}

/// The frames that lie wholly in an address range.
fn within(start: PhysAddr, end: PhysAddr) -> PfnRange {
    let first = PhysAddr::new(start.as_u64().next_multiple_of(PAGE_SIZE as u64));
    PfnRange::new(frame_or_end(first), frame_or_end(end))
}

fn frame_or_end(address: PhysAddr) -> Pfn {
    address.frame().unwrap_or(Pfn::new(u32::MAX))
}
