//! Memory bring-up, phase by phase; each says in one log line what it did.
//!
//! On the bootloader's page tables ([`leave_bootloader`]):
//! 1. the firmware's map, as given;
//! 2. bootmem over it, with the kernel image, the initial files and what the bootloader holds reserved (reserve.rs);
//! 3. the kernel's own page tables: direct map, `Page` array, image; then the change-over.
//!
//! On the kernel's own ([`take_over`]):
//! 4. the early heap gets its buffer, the bootloader's memory comes back to bootmem, linked-in drivers take what they
//!    want of it, and bootmem hands the rest to the zones;
//! 5. slab caches and kmalloc, vmalloc's range, and the heap moves to kmalloc; the initial files become read-only.

use core::ptr::NonNull;

use ::mm::DMA_END;
use ::mm::page::{Page, SECTION_FRAMES, mark_present};
use ::mm::region::RegionSet;
use ::mm::{
    BootZone, BootmemError, Config, MapError, Memory, PAGE_SIZE, PageMap, Pfn, PfnRange, PhysAddr, VirtAddr, ZoneKind,
    kib,
};
use bootloader_api::BootInfo;

use super::firmware;
use super::global::{MEMORY, memory};
use super::handover::HANDOVER;
use super::platform::KernelPlatform;
use super::reserve::{LEAST_FREE, start_bootmem, touched};
use super::{bootmem, heap, own, tables};
use crate::arch::layout::{
    DIRECT_MAP, KMAP_START, MODULES_END, MODULES_START, PAGE_ARRAY, VMALLOC_END, VMALLOC_START, direct,
};
use crate::arch::paging::builder::boot_space;
use crate::arch::paging::{self, Builder, Rights, Space};
use crate::arch::stacks;
use crate::{klog, options, sched};

/// Sections whose entries are allocated together: 2 MiB of entries, for 512 MiB of memory.
const SECTIONS_AT_ONCE: usize = 256;

/// Free frames above 16 MiB that the direct map shows at least: page tables come from there.
const TABLES_LEAST: usize = 512;

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
    let built = start_bootmem(boot_info, &boot).map_err(BootError::from).and_then(|()| change_tables(&boot, main));
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

enum Never {}

/// Phase 3.
fn change_tables(boot: &Space, main: extern "C" fn() -> !) -> Result<Never, BootError> {
    let mut frames = || {
        let page = bootmem::with(|bootmem| bootmem.alloc(PAGE_SIZE, PAGE_SIZE, BootZone::Normal));
        let frame = page.ok().and_then(|page| page.start.frame())?;
        own::note(PfnRange::new(frame, frame.add(1)));
        Some(frame)
    };
    let mut builder = Builder::new(boot, &mut frames)?;
    let mut ram = bootmem::with(|bootmem| bootmem.kept_ram())?;
    let end = ram.ranges().last().map_or(Pfn::new(0), |range| range.end);
    let entries = map_page_array(&mut builder, &ram, end)?;
    let image = HANDOVER.with(|handover| handover.image.clone());
    image.ranges().iter().for_each(|&range| own::note(range));
    image.ranges().iter().try_for_each(|&range| ram.remove(range))?;
    split_off_highmem(&mut ram)?;
    ram.ranges().iter().try_for_each(|&range| builder.map_direct(range))?;
    let (start, bytes) = HANDOVER.with(|handover| handover.ramdisk);
    let ramdisk = touched(start, PhysAddr::new(start.as_u64() + bytes as u64));
    own::note(ramdisk);
    // Hidden or high memory may hold it.
    ram.gaps(ramdisk).try_for_each(|range| builder.map_direct(range))?;
    builder.map_image()?;
    klog!(
        "page tables: direct map {} KiB, Page array {} KiB at {:016x}",
        kib(ram.frames()),
        entries >> 10,
        PAGE_ARRAY.as_usize()
    );
    // SAFETY: the direct map covers all RAM that is neither hidden nor high, where bootmem took the tables from.
    let space = unsafe { builder.finish() };
    let root = space.root();
    tables::set(space);
    let (bottom, top) = stacks::BOOT.range();
    sched::set_boot_stack(bottom, top);
    // SAFETY: the image was mapped above; what is needed of the bootloader's information was copied.
    unsafe { paging::enter(root, main) }
}

/// Takes what `highmem=` asks for off the end of the memory that the direct map will show.
fn split_off_highmem(ram: &mut RegionSet) -> Result<(), BootError> {
    let wanted = usize::try_from(options::get().memory.highmem / PAGE_SIZE as u64).unwrap_or(usize::MAX);
    if wanted == 0 {
        if options::get().memory.highmem > 0 {
            klog!("warning: kernel option highmem: less than a page, so there is none");
        }
        return Ok(());
    }
    let mut left = wanted;
    let start = ram.ranges().iter().rev().find_map(|range| match range.frames().checked_sub(left) {
        Some(low) => Some(range.start.add(low as u32)),
        None => {
            left -= range.frames();
            None
        }
    });
    let enough = |from: Pfn, end: Pfn, least: usize| bootmem::free_within(PfnRange::new(from, end)) >= least;
    let low = |&end: &Pfn| enough(PfnRange::ALL.start, end, LEAST_FREE) && enough(DMA_END, end, TABLES_LEAST);
    let Some(start) = start.filter(low) else {
        klog!("warning: kernel option highmem: {} KiB would leave too little low memory", kib(wanted));
        return Ok(());
    };
    ram.remove(PfnRange::new(start, PfnRange::ALL.end))?;
    HANDOVER.with(|handover| handover.highmem_start = start);
    bootmem::set_window_end(start.phys());
    klog!("highmem: {} KiB from {:x} on", kib(wanted), start.phys().as_u64());
    Ok(())
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
    let config = Config::new()
        .with_vmalloc(VMALLOC_START, VMALLOC_END)
        .with_code(MODULES_START, MODULES_END)
        .with_highmem(highmem_start, KMAP_START)
        .with_atomic_floor(options::get().memory.atomic_floor);
    // SAFETY: the cell's place is a static, and nobody looks at it before the cell is set.
    let init = |place| unsafe { Memory::init(place, KernelPlatform, map, config) };
    // SAFETY: this is done once, on the only CPU, before interrupts are started.
    unsafe { MEMORY.set(init) };
    if let Err(error) = heap::init_early().and_then(|()| hand_over()) {
        panic!("memory bring-up: {error:?}");
    }
    memory().set_slab_debug(options::get().memory.slab_debug);
    if let Err(error) = memory().init_caches() {
        panic!("memory bring-up: the kmalloc caches: {error:?}");
    }
    memory().objects().set_quarantine(options::get().memory.slab_quarantine);
    if options::get().memory.page_poison == services::options::Switch::On {
        memory().pages().poison_pages();
    }
    if options::get().memory.page_owner == services::options::Switch::On && memory().remember_page_owners().is_err() {
        klog!("warning: kernel option page_owner: no memory for the table");
    }
    klog!(
        "slab: {} caches, kmalloc from 32 to {} bytes",
        memory().objects().caches().count(),
        ::mm::objects::KMALLOC_MAX
    );
    klog!("vmalloc: {:016x} .. {:016x}", VMALLOC_START.as_usize(), VMALLOC_END.as_usize());
    heap::move_to_kmalloc();
    protect_ramdisk();
}

/// Makes the initial files read-only in the direct map: the large pages there are split around them.
fn protect_ramdisk() {
    let (start, bytes) = HANDOVER.with(|handover| handover.ramdisk);
    let range = touched(start, PhysAddr::new(start.as_u64() + bytes as u64));
    if range.frames() == 0 {
        return;
    }
    // SAFETY: the frames are reserved for the initial files, which nobody writes to.
    let protected = unsafe { memory().areas().set_memory_ro(direct(range.start.phys()), range.frames()) };
    if protected.is_err() {
        klog!("warning: the initial files can be written to");
    }
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
        // A refusal has been reported.
        // SAFETY: bootmem called it free, and has ended.
        let _: Result<(), _> = unsafe { memory().release(range) };
    }
    if let Some(wanted) = options::get().memory.min_free_kib {
        let pages = wanted.div_ceil(kib(1));
        let kept = memory().pages().set_min_free(pages);
        // Each zone rounds its part down.
        if kept + ZoneKind::COUNT < pages {
            klog!(
                "warning: kernel option min_free_kbytes: {} KiB are kept free, a quarter of memory, and not {wanted}",
                kib(kept)
            );
        }
    }
    klog!("bootloader: {} KiB given back", kib(back));
    for kind in ZoneKind::ALL {
        klog!("zone({}): {} pages.", kind as usize, memory().pages().zone_stats(kind).managed);
    }
    let managed = memory().pages().managed_pages();
    klog!("Memory: {}k/{}k available ({}k reserved)", kib(managed), kib(ram), kib(ram - managed));
    Ok(())
}
