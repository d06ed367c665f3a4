//! The kernel's own page tables, built at boot while the bootloader's are still in use.
//!
//! Key types: [`Builder`], [`Rights`]. The caller hands in frames and says which RAM is to be in the direct map and what
//! backs the `Page` array; the builder adds the kernel image, each segment with its own rights, and leaves out the null
//! page, the user half and the guard pages of the boot stacks. [`Builder::activate`] changes over.

use mm::{MapError, PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr};
use x86_64::registers::control::Cr3;
use x86_64::structures::paging::PageTableFlags as Flags;

use super::KERNEL;
use super::space::{Level, Space};
use crate::arch::layout::{DIRECT_MAP, KMAP_START, PAGE_ARRAY, VMALLOC_END, VMALLOC_START, direct};
use crate::arch::{cpu, stacks, switch};
use crate::sched;

/// What a boot-time mapping may be used for. Nothing is both writable and executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rights {
    /// Constants.
    Read,
    /// Data.
    ReadWrite,
    /// Text.
    ReadExecute,
}

impl Rights {
    fn flags(self) -> Flags {
        let flags = Flags::PRESENT | Flags::GLOBAL | Flags::ACCESSED;
        match self {
            Self::Read => flags | Flags::NO_EXECUTE,
            Self::ReadWrite => flags | Flags::NO_EXECUTE | Flags::WRITABLE | Flags::DIRTY,
            Self::ReadExecute => flags,
        }
    }
}

unsafe extern "C" {
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __bss_start: u8;
    static __data_end: u8;
    static __symbols_start: u8;
    static __symbols_end: u8;
}

/// The segments of the kernel image: start, end, rights.
fn segments() -> [(VirtAddr, VirtAddr, Rights); 4] {
    let segment = |start, end, rights| (VirtAddr::from_ptr::<u8>(start), VirtAddr::from_ptr::<u8>(end), rights);
    [
        segment(&raw const __text_start, &raw const __text_end, Rights::ReadExecute),
        segment(&raw const __rodata_start, &raw const __rodata_end, Rights::Read),
        segment(&raw const __data_start, &raw const __data_end, Rights::ReadWrite),
        segment(&raw const __symbols_start, &raw const __symbols_end, Rights::Read),
    ]
}

/// The kernel image for people: name, start and end of its code, its constants, its data, and the data that begins as zeros.
pub fn image_parts() -> [(&'static str, VirtAddr, VirtAddr); 4] {
    let [text, rodata, data, _] = segments();
    let bss = VirtAddr::from_ptr::<u8>(&raw const __bss_start);
    [
        ("Kernel code", text.0, text.1),
        ("Kernel rodata", rodata.0, rodata.1),
        ("Kernel data", data.0, bss),
        ("Kernel bss", bss, data.1),
    ]
}

/// The bootloader's tables, which are in use until [`Builder::activate`].
///
/// # Safety
/// `window` is where the bootloader shows physical address 0, and its tables are still in use.
pub unsafe fn boot_space(window: VirtAddr) -> Space {
    let (root, _) = Cr3::read();
    // SAFETY: the caller's promise; the bootloader maps all of physical memory there.
    unsafe { Space::new(PhysAddr::new(root.start_address().as_u64()), window) }
}

/// Calls `f` with each frame that holds a page of the kernel image.
pub fn image_frames(boot: &Space, mut f: impl FnMut(Pfn)) {
    for (start, end, _) in segments() {
        for page in pages(start, end) {
            if let Some(frame) = boot.translate(page).and_then(PhysAddr::frame) {
                f(frame);
            }
        }
    }
}

/// The pages from that of `start` up to `end`.
fn pages(start: VirtAddr, end: VirtAddr) -> impl Iterator<Item = VirtAddr> {
    (start.page_down().as_usize()..end.as_usize()).step_by(PAGE_SIZE).map(VirtAddr::new)
}

/// Page tables in the making.
pub struct Builder<'a> {
    space: Space,
    boot: &'a Space,
    frames: &'a mut dyn FnMut() -> Option<Pfn>,
    largest: Level,
}

impl<'a> Builder<'a> {
    /// Empty tables, made of frames from `frames`, which need not be zeroed; written through the window of the
    /// bootloader's tables `boot`. The level-4 slots of vmalloc, the `Page` array and the kernel image have their tables.
    ///
    /// # Errors
    /// `TableMissing` when `frames` has none left, here and in all that follows.
    pub fn new(boot: &'a Space, frames: &'a mut dyn FnMut() -> Option<Pfn>) -> Result<Self, MapError> {
        let root = zeroed(boot, frames)?;
        // SAFETY: the window shows all of physical memory, and no table is given back while the builder lives.
        let space = unsafe { Space::new(root.phys(), boot.window()) };
        let largest = if cpu::has_gigabyte_pages() { Level::Three } else { Level::Two };
        let mut builder = Self { space, boot, frames, largest };
        for slot in (VMALLOC_START.as_usize()..VMALLOC_END.as_usize()).step_by(Level::Four.bytes()) {
            builder.make_tables(VirtAddr::new(slot), Level::Three)?;
        }
        builder.make_tables(PAGE_ARRAY, Level::Three)?;
        builder.make_tables(KMAP_START, Level::Three)?;
        Ok(builder)
    }

    /// Maps `range` in the direct map, by the largest pages that fit.
    pub fn map_direct(&mut self, range: PfnRange) -> Result<(), MapError> {
        let bytes = range.frames() * PAGE_SIZE;
        self.map_range(direct(range.start.phys()), range.start.phys(), bytes, Rights::ReadWrite)
    }

    /// Maps `bytes` from `at` on to physical memory from `phys` on, by the largest pages that fit; whole pages, none of
    /// which may be mapped already.
    pub fn map_range(&mut self, at: VirtAddr, phys: PhysAddr, bytes: usize, rights: Rights) -> Result<(), MapError> {
        let mut done = 0;
        while done < bytes {
            let (at, phys) = (at.add(done), PhysAddr::new(phys.as_u64() + done as u64));
            let level = self.largest_fit(at, phys, bytes - done);
            self.map_one(at, phys, level, rights)?;
            done += level.bytes();
        }
        Ok(())
    }

    /// Maps the kernel image as it lies now, each segment with its own rights, without the stacks' guard pages.
    pub fn map_image(&mut self) -> Result<(), MapError> {
        let guards = stacks::guard_pages();
        for (start, end, rights) in segments() {
            for page in pages(start, end).filter(|page| !guards.contains(page)) {
                // A page that the bootloader did not map is one that the image does not use.
                if let Some(phys) = self.boot.translate(page) {
                    self.map_one(page, phys, Level::One, rights)?;
                }
            }
        }
        Ok(())
    }

    /// Makes the tables the kernel's, and goes on in `main` on the guarded boot stack. All that the bootloader mapped,
    /// its stack and its `BootInfo` included, is out of reach from then on.
    ///
    /// # Safety
    /// The direct map covers every frame of the tables; nothing in bootloader memory is used by address afterwards.
    pub unsafe fn activate(self, main: extern "C" fn() -> !) -> ! {
        x86_64::instructions::interrupts::disable();
        let root = self.space.root().as_u64();
        // SAFETY: the caller's promise: from the change-over on, all tables show in the direct map.
        KERNEL.call_once(|| unsafe { self.space.through(DIRECT_MAP) });
        let (bottom, top) = stacks::BOOT.range();
        sched::set_boot_stack(bottom, top);
        MAIN.call_once(|| main);
        // SAFETY: the tables map the image as it is mapped now, and with it the boot stack, which is unused.
        unsafe { switch::move_to(root, top.as_usize(), arrive) }
    }

    /// The level of the largest page that starts at `at` and `phys` and is no longer than `bytes`.
    fn largest_fit(&self, at: VirtAddr, phys: PhysAddr, bytes: usize) -> Level {
        let fits = |level: &Level| {
            let aligned = (at.as_usize() | phys.as_u64() as usize) & (level.bytes() - 1) == 0;
            *level <= self.largest && aligned && level.bytes() <= bytes
        };
        [Level::Three, Level::Two].into_iter().find(fits).unwrap_or(Level::One)
    }

    fn map_one(&mut self, at: VirtAddr, phys: PhysAddr, level: Level, rights: Rights) -> Result<(), MapError> {
        let frame = phys.frame().ok_or(MapError::OutOfRange)?;
        let size = if level == Level::One { Flags::empty() } else { Flags::HUGE_PAGE };
        let flags = rights.flags() | size;
        self.make_tables(at, level)?;
        self.space.entry(at, level, &mut None)?.set_if_empty(frame, flags)
    }

    /// Makes all tables above the entry of `level` for `at`.
    fn make_tables(&mut self, at: VirtAddr, level: Level) -> Result<(), MapError> {
        let mut spare = None;
        while let Err(error) = self.space.entry(at, level, &mut spare) {
            if error != MapError::TableMissing {
                return Err(error);
            }
            spare = Some(zeroed(self.boot, self.frames)?);
        }
        Ok(())
    }
}

static MAIN: spin::Once<extern "C" fn() -> !> = spin::Once::new();

/// First act on the new tables.
extern "C" fn arrive() -> ! {
    cpu::enable_global_pages();
    let Some(main) = MAIN.get() else { panic!("nowhere to go on after the change of page tables") };
    main()
}

/// A frame full of zeros.
fn zeroed(boot: &Space, frames: &mut dyn FnMut() -> Option<Pfn>) -> Result<Pfn, MapError> {
    let frame = frames().ok_or(MapError::TableMissing)?;
    let at = boot.window().add(frame.phys().as_u64() as usize);
    // SAFETY: the frame was handed in for our use, and the bootloader's window shows it.
    unsafe { at.as_mut_ptr::<[u8; PAGE_SIZE]>().write_bytes(0, 1) };
    Ok(frame)
}
