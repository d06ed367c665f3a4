//! Memory bring-up, phase by phase; each says in one log line what it did.
//!
//! On the bootloader's page tables ([`leave_bootloader`]):
//! 1. the firmware's map, as given;
//! 2. bootmem over it, with the kernel image, the initial files and what the bootloader holds reserved;
//! 3. the kernel's own page tables: direct map, `Page` array, image; then the change-over.
//!
//! On the kernel's own ([`take_over`]):
//! 4. the early heap gets its buffer, the bootloader's memory comes back to bootmem, linked-in drivers take what they want
//!    of it, and bootmem hands the rest to the zones;
//! 5. slab caches and kmalloc, vmalloc's range, and the heap moves to kmalloc.

use core::ptr::NonNull;

use ::mm::page::{Page, SECTION_FRAMES, mark_present};
use ::mm::region::RegionSet;
use ::mm::{
    BootZone, BootmemError, Config, MapError, Memory, PAGE_SIZE, PageMap, Pfn, PfnRange, PhysAddr, VirtAddr, ZoneKind,
};
use bootloader_api::BootInfo;

use super::firmware::{self, Kind, Region};
use super::{KernelPlatform, MEMORY, bootmem, heap, memory, own};
use crate::arch::layout::{DIRECT_MAP, PAGE_ARRAY, VMALLOC_END, VMALLOC_START, direct};
use crate::arch::paging::builder::{boot_space, image_frames};
use crate::arch::paging::{Builder, Rights, Space};
use crate::sync::SpinLock;
use crate::{klog, options};

/// Sections whose entries are allocated together: 2 MiB of entries, for 512 MiB of memory.
const SECTIONS_AT_ONCE: usize = 256;

/// The direct map shows at least what lies below this frame: 24 MiB.
const LOWMEM_MIN: Pfn = Pfn::new(6144);

/// What the first half of the bring-up leaves to the second.
struct Handover {
    /// Frames of the bootloader that come back.
    reclaim: RegionSet,
    /// Frames of the kernel image: the direct map leaves them out, so that nothing executable is writable there.
    image: RegionSet,
    /// The initial files.
    ramdisk: (PhysAddr, usize),
    /// RAM that was free and that `mem=` hid.
    hidden: RegionSet,
    /// Bits for the sections that have entries in the `Page` array.
    present: &'static [u64],
    /// Frames that the `Page` array spans.
    frames: u32,
    /// First frame outside of the direct map.
    highmem_start: Pfn,
}

static HANDOVER: SpinLock<Handover> = SpinLock::new(Handover {
    reclaim: RegionSet::new(),
    image: RegionSet::new(),
    ramdisk: (PhysAddr::new(0), 0),
    hidden: RegionSet::new(),
    present: &[],
    frames: 0,
    highmem_start: Pfn::new(u32::MAX),
});

/// Why memory could not be brought up.
#[derive(Debug)]
#[expect(dead_code, reason = "the panic message shows the fields")]
pub enum BootError {
    /// Bootmem could not do it.
    Bootmem(BootmemError),
    /// A page could not be mapped.
    Map(MapError),
}

impl From<BootmemError> for BootError {
    fn from(error: BootmemError) -> Self {
        Self::Bootmem(error)
    }
}

impl From<MapError> for BootError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

/// Phases 1 to 3; goes on in `main`, on the kernel's own page tables and boot stack.
///
/// # Panics
/// When there is not even memory for the page tables: nothing can go on then.
pub fn leave_bootloader(boot_info: &'static BootInfo, main: extern "C" fn() -> !) -> ! {
    let window = VirtAddr::new(boot_info.physical_memory_offset.into_option().unwrap_or(0) as usize);
    // SAFETY: the bootloader's tables are in use, and it was asked to map all memory at this offset.
    let boot = unsafe { boot_space(window) };
    bootmem::set_window(window);
    show_firmware_map(boot_info);
    let built = start_bootmem(boot_info, &boot).and_then(|()| change_tables(&boot, main));
    match built {
        Err(error) => panic!("memory bring-up: {error:?}"),
        Ok(never) => match never {},
    }
}

/// Phase 1.
fn show_firmware_map(boot_info: &BootInfo) {
    let unseen = firmware::remember(&boot_info.memory_regions);
    klog!("BIOS-provided physical RAM map:");
    for region in firmware::regions() {
        klog!(" BIOS: {region}");
    }
    if unseen > 0 {
        klog!(" BIOS: {unseen} regions more");
    }
}

/// Phase 2.
fn start_bootmem(boot_info: &BootInfo, boot: &Space) -> Result<(), BootError> {
    let regions = || boot_info.memory_regions.iter().map(Region::from);
    let lost = bootmem::with(|bootmem| {
        regions().for_each(|region| match region.kind {
            Kind::Usable | Kind::Bootloader => bootmem.add_ram(region.start, region.end),
            Kind::Reserved => bootmem.withhold(region.start, region.end),
        });
        Ok(bootmem.lost())
    })?;
    if lost > 0 {
        klog!("bootmem: {} KiB of RAM are left out: the map has too many pieces", kib(lost));
    }
    let limit = options::get().mem.unwrap_or(PhysAddr::new(u64::MAX));
    let mut image = RegionSet::new();
    let mut result = Ok(());
    image_frames(boot, |frame| result = result.and(image.insert(PfnRange::new(frame, frame.add(1)))));
    result?;
    let mut kept = image.clone();
    let ramdisk = find_ramdisk(boot_info, boot);
    let end = PhysAddr::new(ramdisk.0.as_u64() + ramdisk.1 as u64);
    kept.insert(touched(ramdisk.0, end))?;
    // The first page is the firmware's, and address 0 is no memory for anybody.
    kept.insert(touched(PhysAddr::new(0), PhysAddr::new(PAGE_SIZE as u64)))?;

    let (mut reclaim, mut hidden) = (RegionSet::new(), RegionSet::new());
    bootmem::with(|bootmem| {
        for region in regions().filter(|region| region.kind == Kind::Bootloader) {
            bootmem.reserve(region.start, region.end)?;
            reclaim.insert_or_drop(within(region.start, region.end));
        }
        for &range in kept.ranges() {
            bootmem.reserve(range.start.phys(), range.end.phys())?;
            reclaim.remove(range)?;
        }
        let above = PfnRange::new(frame_or_end(limit), Pfn::new(u32::MAX));
        for range in bootmem.unreserved().ranges() {
            hidden.insert(range.intersection(above))?;
        }
        bootmem.limit(limit)?;
        reclaim.remove(above)?;
        let (ram, free) = (bootmem.ram().frames(), bootmem.unreserved().frames());
        klog!(
            "bootmem: {} KiB of RAM, {} KiB free; reserved: kernel {} KiB, initial files {} KiB, bootloader {} KiB",
            kib(ram),
            kib(free),
            kib(image.frames()),
            ramdisk.1.div_ceil(1024),
            kib(reclaim.frames())
        );
        if hidden.frames() > 0 {
            klog!("bootmem: {} KiB from {:x} on are hidden (mem=)", kib(hidden.frames()), limit.as_u64());
        }
        // Another CPU starts in real mode, from a page that it can reach there.
        bootmem.alloc(PAGE_SIZE, PAGE_SIZE, BootZone::Low).map(|_| ())
    })?;
    HANDOVER.with(|handover| {
        handover.reclaim = reclaim;
        handover.image = image;
        handover.ramdisk = ramdisk;
        handover.hidden = hidden;
    });
    Ok(())
}

/// Where the initial files lie in physical memory; 0 bytes if there are none.
fn find_ramdisk(boot_info: &BootInfo, boot: &Space) -> (PhysAddr, usize) {
    let start = boot_info.ramdisk_addr.into_option();
    let phys = start.and_then(|start| boot.translate(VirtAddr::new(start as usize)));
    phys.map_or((PhysAddr::new(0), 0), |(phys, _)| (phys, boot_info.ramdisk_len as usize))
}

enum Never {}

/// Phase 3.
fn change_tables(boot: &Space, main: extern "C" fn() -> !) -> Result<Never, BootError> {
    let limit = options::get().mem.and_then(PhysAddr::frame).unwrap_or(Pfn::new(u32::MAX));
    let mut frames = || {
        let page = bootmem::with(|bootmem| bootmem.alloc(PAGE_SIZE, PAGE_SIZE, BootZone::Normal));
        let frame = page.ok().and_then(|page| page.start.frame())?;
        own::note(PfnRange::new(frame, frame.add(1)));
        Some(frame)
    };
    let mut builder = Builder::new(boot, &mut frames)?;
    let mut ram = bootmem::with(|bootmem| Ok(bootmem.ram().clone()))?;
    ram.remove(PfnRange::new(limit, Pfn::new(u32::MAX)))?;
    let end = ram.ranges().last().map_or(Pfn::new(0), |range| range.end);
    let entries = map_page_array(&mut builder, &ram, end)?;
    let image = HANDOVER.with(|handover| handover.image.clone());
    image.ranges().iter().for_each(|&range| own::note(range));
    image.ranges().iter().try_for_each(|&range| ram.remove(range))?;
    let highmem_start = split_off_highmem(&mut ram)?;
    ram.ranges().iter().try_for_each(|&range| builder.map_direct(range))?;
    let (start, bytes) = HANDOVER.with(|handover| handover.ramdisk);
    let ramdisk = touched(start, PhysAddr::new(start.as_u64() + bytes as u64));
    own::note(ramdisk);
    let above = PfnRange::new(ramdisk.start.max(limit.min(highmem_start)), ramdisk.end);
    if above.frames() > 0 {
        builder.map_direct(above)?;
    }
    builder.map_image()?;
    klog!(
        "page tables: direct map {} KiB, Page array {} KiB at {:016x}",
        kib(ram.frames()),
        entries >> 10,
        PAGE_ARRAY.as_usize()
    );
    // SAFETY: the direct map covers all RAM below the limit, where bootmem took the tables from; what is needed of the
    // bootloader's information was copied.
    unsafe { builder.activate(main) }
}

/// Takes what `highmem=` asks for off the end of the memory that the direct map will show; returns its first frame.
fn split_off_highmem(ram: &mut RegionSet) -> Result<Pfn, BootError> {
    let none = Pfn::new(u32::MAX);
    let wanted = usize::try_from(options::get().highmem / PAGE_SIZE as u64).unwrap_or(usize::MAX);
    if wanted == 0 {
        return Ok(none);
    }
    let mut left = wanted;
    let start = ram.ranges().iter().rev().find_map(|range| match range.frames().checked_sub(left) {
        Some(low) => Some(range.start.add(low as u32)),
        None => {
            left -= range.frames();
            None
        }
    });
    let Some(start) = start.filter(|start| *start >= LOWMEM_MIN) else {
        klog!("warning: kernel option highmem: {} KiB would leave too little low memory", kib(wanted));
        return Ok(none);
    };
    ram.remove(PfnRange::new(start, none))?;
    HANDOVER.with(|handover| handover.highmem_start = start);
    bootmem::set_window_end(start.phys());
    klog!("highmem: {} KiB from {:x} on", kib(wanted), start.phys().as_u64());
    Ok(start)
}

/// Backs the `Page` array up to `end` where there is RAM; returns the bytes of entries.
fn map_page_array(builder: &mut Builder<'_>, ram: &RegionSet, end: Pfn) -> Result<usize, BootError> {
    let frames = end.as_u32().next_multiple_of(SECTION_FRAMES);
    let words = PageMap::present_words(frames);
    let table = bootmem::alloc_bootmem(words * size_of::<u64>())?;
    // SAFETY: bootmem gave us these zeroed bytes for good, aligned; nothing else refers to them.
    let present = unsafe { core::slice::from_raw_parts_mut(table.as_mut_ptr::<u64>(), words) };
    ram.ranges().iter().for_each(|&range| mark_present(present, range));
    let is_present = |section: usize| present.get(section / 64).is_some_and(|word| word >> (section % 64) & 1 == 1);
    let (mut section, mut bytes) = (0, 0);
    while section < words * 64 {
        let run = (section..section + SECTIONS_AT_ONCE).take_while(|&section| is_present(section)).count();
        if run > 0 {
            back_sections(builder, section, run)?;
            bytes += run * PageMap::SECTION_BYTES;
        }
        section += run.max(1);
    }
    // The table moves with the rest of physical memory when the page tables change.
    let phys = PhysAddr::new((table.as_usize() - bootmem::window_of(PhysAddr::new(0)).as_usize()) as u64);
    // SAFETY: the same memory, seen through the direct map that is in force when this is used first.
    let present = unsafe { core::slice::from_raw_parts(direct(phys).as_mut_ptr::<u64>(), words) };
    HANDOVER.with(|handover| {
        handover.frames = frames;
        handover.present = present;
    });
    Ok(bytes)
}

/// Gives the entries of `run` sections from `section` on their memory.
fn back_sections(builder: &mut Builder<'_>, section: usize, run: usize) -> Result<(), BootError> {
    let bytes = run * PageMap::SECTION_BYTES;
    let memory = bootmem::alloc_bootmem_pages(bytes)?;
    let phys = PhysAddr::new((memory.as_usize() - bootmem::window_of(PhysAddr::new(0)).as_usize()) as u64);
    let range = touched(phys, PhysAddr::new(phys.as_u64() + bytes as u64));
    own::note(range);
    builder.map_range(PAGE_ARRAY.add(section * PageMap::SECTION_BYTES), range, Rights::ReadWrite)?;
    Ok(())
}

/// Phases 4 and 5.
///
/// # Panics
/// When there is no memory for the first caches: nothing can go on then.
pub fn take_over() {
    bootmem::set_window(DIRECT_MAP);
    // The table and the count come from the page array's builder.
    let (present, frames, highmem_start) =
        HANDOVER.with(|handover| (handover.present, handover.frames, handover.highmem_start));
    // SAFETY: every section whose bit is set was backed by zeroed memory of its own, and zero is a valid entry.
    let map = unsafe { PageMap::new(first_entry(), frames, present) };
    let config = Config {
        highmem_start,
        vmalloc_start: VMALLOC_START,
        vmalloc_end: VMALLOC_END,
        atomic_floor: options::get().atomic_floor,
    };
    // SAFETY: this is done once, on the only CPU, before interrupts are started.
    unsafe { MEMORY.set(Memory::new(KernelPlatform, map, config)) };
    if let Err(error) = heap::init_early().and_then(|()| hand_over()) {
        panic!("memory bring-up: {error:?}");
    }
    if let Err(error) = memory().init_caches() {
        panic!("memory bring-up: the kmalloc caches: {error:?}");
    }
    klog!("slab: {} caches, kmalloc from 32 to {} bytes", memory().caches().count(), ::mm::memory::KMALLOC_MAX);
    klog!("vmalloc: {:016x} .. {:016x}", VMALLOC_START.as_usize(), VMALLOC_END.as_usize());
    heap::move_to_kmalloc();
}

/// The entry of frame 0.
fn first_entry() -> NonNull<Page> {
    NonNull::new(PAGE_ARRAY.as_mut_ptr()).unwrap_or(NonNull::dangling())
}

/// Phase 4: bootmem's end.
fn hand_over() -> Result<(), BootmemError> {
    let reclaim = HANDOVER.with(|handover| handover.reclaim.clone());
    let back = bootmem::with(|bootmem| {
        // What is not wholly RAM stays reserved.
        let is_freed = |range: &&PfnRange| bootmem.free(range.start.phys(), range.end.phys()).is_ok();
        Ok(reclaim.ranges().iter().filter(is_freed).map(|range| range.frames()).sum())
    })?;
    bootmem::serve_drivers();
    let bootmem = bootmem::take().ok_or(BootmemError::HandedOver)?;
    let ram = bootmem.ram().frames();
    for &range in bootmem.finish().ranges() {
        memory().release(range);
    }
    if let Some(kib) = options::get().min_free_kib {
        memory().set_min_free(kib / (PAGE_SIZE / 1024));
    }
    klog!("bootloader: {} KiB given back", kib(back));
    for kind in ZoneKind::ALL {
        klog!("zone({}): {} pages.", kind as usize, memory().zone_stats(kind).managed);
    }
    let managed = memory().managed_pages();
    klog!("Memory: {}k/{}k available ({}k reserved)", kib(managed), kib(ram), kib(ram - managed));
    Ok(())
}

/// [`ramdisk`] while the bootloader's page tables are still in use.
pub fn loaded_ramdisk(boot_info: &BootInfo) -> &'static [u8] {
    let Some(start) = boot_info.ramdisk_addr.into_option() else { return &[] };
    // SAFETY: the bootloader mapped the file there, and nobody writes to it. It is read only before those tables go.
    unsafe { core::slice::from_raw_parts(start as *const u8, boot_info.ramdisk_len as usize) }
}

/// The initial files, as the bootloader loaded them: a tar archive, or nothing.
pub fn ramdisk() -> &'static [u8] {
    let (start, bytes) = HANDOVER.with(|handover| handover.ramdisk);
    if bytes == 0 {
        return &[];
    }
    // SAFETY: the frames are reserved for good, the direct map shows them, and nobody writes to them.
    unsafe { core::slice::from_raw_parts(direct(start).as_mut_ptr::<u8>(), bytes) }
}

/// The runs of RAM that `mem=` hid: free when the kernel started, unknown to the allocators, and in no direct map.
pub fn hidden_ram() -> impl Iterator<Item = PfnRange> {
    (0..).map_while(|nth| HANDOVER.with(|handover| handover.hidden.ranges().get(nth).copied()))
}

/// The frames that an address range touches.
fn touched(start: PhysAddr, end: PhysAddr) -> PfnRange {
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

const fn kib(frames: usize) -> usize {
    frames * (PAGE_SIZE / 1024)
}
