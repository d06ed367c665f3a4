//! The kernel's own page tables, built while the bootloader's are in use.
//!
//! Key types: [`Builder`], [`Rights`]. The caller hands in frames and says which RAM is to be in the direct map and
//! what backs the `Page` array; the builder adds the kernel image, each segment with its own rights, and leaves out the
//! null page, the user half and the guard pages of the boot stacks. [`enter`] changes over.

use mm::mapper::{Level, PageMapper};
use mm::{AddressSpace, Frames, MapError, PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr};
use pagetable::X86_64;
use pagetable::x86_64::Flags;
use x86_64::registers::control::Cr3;

use super::root;
use super::space::Space;
use crate::arch::layout::{DIRECT_MAP, KMAP_START, PAGE_ARRAY, VMALLOC_END, VMALLOC_START, direct};
use crate::arch::{cpu, stacks, switch};

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

/// The kernel image for people: name, start and end of its code, its constants, its data, and the data that begins as
/// zeros.
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

/// The bootloader's tables, which are in use until [`enter`].
///
/// # Safety
/// `window` is where the bootloader shows physical address 0, and its tables are still in use.
pub unsafe fn boot_space(window: VirtAddr) -> Space {
    let (root, _) = Cr3::read();
    let root = PhysAddr::new(root.start_address().as_u64()).frame().unwrap_or(Pfn::new(0));
    // SAFETY: the caller's promise; the bootloader maps all of physical memory there. It is only read.
    unsafe { PageMapper::new(AddressSpace::Kernel, root, window, X86_64::new(Level::Three)) }
}

/// Calls `f` with each frame that holds a page of the kernel image.
pub fn image_frames(boot: &Space, mut f: impl FnMut(Pfn)) {
    for (start, end, _) in segments() {
        for page in pages(start, end) {
            if let Some(frame) = frame_behind(boot, page) {
                f(frame);
            }
        }
    }
}

/// The frame of the page at `page`.
fn frame_behind(boot: &Space, page: VirtAddr) -> Option<Pfn> {
    boot.translate(page)?.0.frame()
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
}

impl<'a> Builder<'a> {
    /// Empty tables, made of frames from `frames`, which need not be zeroed; written through the window of the
    /// bootloader's tables `boot`. The level-4 slots of vmalloc, the `Page` array and the kernel image have their
    /// tables.
    ///
    /// # Errors
    /// `TableMissing` when `frames` has none left, here and in all that follows.
    pub fn new(boot: &'a Space, frames: &'a mut dyn FnMut() -> Option<Pfn>) -> Result<Self, MapError> {
        let root = zeroed(boot, frames)?;
        let largest = if cpu::has_gigabyte_pages() { Level::Three } else { Level::Two };
        // SAFETY: the window shows all of physical memory, the frames for tables are ours, and they are zeroed first.
        let space = unsafe { PageMapper::new(AddressSpace::Kernel, root, boot.window(), X86_64::new(largest)) };
        let mut builder = Self { space, boot, frames };
        for slot in (VMALLOC_START.as_usize()..VMALLOC_END.as_usize()).step_by(Level::Four.bytes()) {
            builder.make_slot(VirtAddr::new(slot))?;
        }
        builder.make_slot(PAGE_ARRAY)?;
        builder.make_slot(KMAP_START)?;
        Ok(builder)
    }

    /// Maps `range` in the direct map, by the largest pages that fit.
    pub fn map_direct(&mut self, range: PfnRange) -> Result<(), MapError> {
        self.map_range(direct(range.start.phys()), range, Rights::ReadWrite)
    }

    /// Maps pages from `at` on to the frames of `range`, by the largest pages that fit; none may be mapped already.
    pub fn map_range(&mut self, at: VirtAddr, range: PfnRange, rights: Rights) -> Result<(), MapError> {
        let (mut spare, mut done) = (None, 0);
        while done < range.frames() {
            let rest = Frames::Run(range).after(done);
            match self.space.map(at.add(done * PAGE_SIZE), rest, rights.flags(), &mut spare) {
                Ok(pages) => done += pages,
                Err(MapError::TableMissing) => spare = Some(zeroed(self.boot, self.frames)?),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Maps the kernel image as it lies now, each segment with its own rights, without the stacks' guard pages.
    pub fn map_image(&mut self) -> Result<(), MapError> {
        let guards = stacks::guard_pages();
        for (start, end, rights) in segments() {
            for page in pages(start, end).filter(|page| !guards.contains(page)) {
                // A page that the bootloader did not map is one that the image does not use.
                if let Some(frame) = frame_behind(self.boot, page) {
                    self.map_range(page, PfnRange::new(frame, frame.add(1)), rights)?;
                }
            }
        }
        Ok(())
    }

    /// The finished tables, as they are reached once they are in use: through the direct map.
    ///
    /// # Safety
    /// The direct map covers every frame of the tables. They are reached by this value only after [`enter`].
    pub unsafe fn finish(self) -> Space {
        // SAFETY: the caller's promise: from the change-over on, all tables show in the direct map.
        unsafe { PageMapper::new(AddressSpace::Kernel, self.space.root(), DIRECT_MAP, *self.space.format()) }
    }

    /// Makes the level-3 table for `at`.
    fn make_slot(&mut self, at: VirtAddr) -> Result<(), MapError> {
        match self.space.prepare(at, Level::Three, &mut None) {
            Err(MapError::TableMissing) => {
                let mut spare = Some(zeroed(self.boot, self.frames)?);
                self.space.prepare(at, Level::Three, &mut spare)
            }
            made => made,
        }
    }
}

static MAIN: spin::Once<extern "C" fn() -> !> = spin::Once::new();

/// Changes over to the tables at `root`, and goes on in `main` on the guarded boot stack. All that the bootloader
/// mapped, its stack and its `BootInfo` included, is out of reach from then on.
///
/// # Safety
/// `root` is that of tables from a [`Builder`] that has mapped the image. Nothing in bootloader memory is used by
/// address afterwards.
pub unsafe fn enter(root: Pfn, main: extern "C" fn() -> !) -> ! {
    x86_64::instructions::interrupts::disable();
    let (_, top) = stacks::BOOT.range();
    MAIN.call_once(|| main);
    // SAFETY: the tables map the image as it is mapped now, and with it the boot stack, which is unused.
    unsafe { switch::move_to(root.phys().as_u64(), top.as_usize(), arrive) }
}

/// First act on the new tables.
extern "C" fn arrive() -> ! {
    root::set_kernel_root(root::loaded_root());
    cpu::reset_global_pages();
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
