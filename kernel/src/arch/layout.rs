//! The map of the virtual address space, and what an address in it means.
//!
//! ```text
//! 0000000000000000 .. 0000000000000fff   the null page: never mapped
//! 0000000000001000 .. 00007fffffffefff   users, each process its own
//! 00007ffffffff000 .. 00007fffffffffff   never mapped: SYSCALL at its end would return to a non-canonical address
//! 0000800000000000 .. ffff7fffffffffff   non-canonical: no such addresses
//! ffff888000000000 .. ffff987fffffffff   direct map of lowmem: large pages, NX, global
//! ffffc90000000000 .. ffffe8ffffffffff   vmalloc, ioremap, thread stacks: 4 KiB pages, NX, a guard page each
//! ffffea0000000000 .. ffffea7fffffffff   Page array, virtually contiguous, backed only where RAM is
//! ffffec0000000000 .. ffffec3fffffffff   never mapped: places of pages, as drivers in C count with them
//! ffffec4000000000 .. fffffbffffffffff   left free (sanitizer shadow)
//! ffffff8000000000 .. ffffffff7fffffff   kmap windows
//! ffffffff80000000 .. ffffffff9fffffff   kernel image: text RX, constants R, data RW; guard pages under its stacks
//! ffffffffa0000000 .. ffffffffff000000   modules, within 2 GiB of the text
//! ```
//!
//! Each level-4 slot (512 GiB) of a mapped area has its level-3 table from boot on and never loses it: another address
//! space shares the kernel's half by copying 256 entries, once.

use mm::{PhysAddr, VirtAddr};

/// First address of the user half that may ever be mapped.
pub const USER_START: VirtAddr = VirtAddr::new(0x1000);
/// End of the user half. The last page before the non-canonical addresses is not users': the return address of SYSCALL
/// as the last instruction there would be non-canonical, and returning to it a fault in the kernel.
pub const USER_END: VirtAddr = VirtAddr::new(0x0000_7fff_ffff_f000);
/// First address that is not canonical.
const CANONICAL_END: VirtAddr = VirtAddr::new(0x0000_8000_0000_0000);
/// First address of the kernel's half.
pub const KERNEL_HALF: VirtAddr = VirtAddr::new(0xffff_8000_0000_0000);

/// Where the direct map shows physical address 0.
pub const DIRECT_MAP: VirtAddr = VirtAddr::new(0xffff_8880_0000_0000);
/// Bytes that the direct map can show: as much as the `Page` array describes.
pub const DIRECT_MAP_BYTES: usize = 16 << 40;

/// First address of vmalloc, ioremap and thread stacks.
pub const VMALLOC_START: VirtAddr = VirtAddr::new(0xffff_c900_0000_0000);
/// End of vmalloc: 32 TiB.
pub const VMALLOC_END: VirtAddr = VirtAddr::new(0xffff_e900_0000_0000);

/// Where the `Page` of frame 0 lies.
pub const PAGE_ARRAY: VirtAddr = VirtAddr::new(0xffff_ea00_0000_0000);
/// Bytes for the `Page` array: 16 for each of 2^32 frames need 64 GiB; it has a level-4 slot.
pub const PAGE_ARRAY_BYTES: usize = 1 << 39;

/// What stands for the page of frame 0 to drivers in C, 64 bytes each: nothing is mapped there, for good.
pub const PAGE_PLACES: VirtAddr = VirtAddr::new(0xffff_ec00_0000_0000);

/// First address of the kmap windows.
pub const KMAP_START: VirtAddr = VirtAddr::new(0xffff_ff80_0000_0000);
/// Where the kernel image is linked.
pub const KERNEL_IMAGE: VirtAddr = VirtAddr::new(0xffff_ffff_8000_0000);
/// First address of modules: the end of the kernel image's 512 MiB.
pub const MODULES_START: VirtAddr = VirtAddr::new(0xffff_ffff_a000_0000);
/// End of modules.
pub const MODULES_END: VirtAddr = VirtAddr::new(0xffff_ffff_ff00_0000);

/// Where the direct map shows `phys`. The address is mapped only if `phys` is RAM below the direct map's limit.
pub const fn direct(phys: PhysAddr) -> VirtAddr {
    DIRECT_MAP.add(phys.as_u64() as usize)
}

/// What an address is, by the map above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Area {
    /// The first page of the address space.
    NullPage,
    /// Addresses of user processes.
    User,
    /// The page before the non-canonical addresses.
    LastUserPage,
    /// Not an address at all.
    NonCanonical,
    /// The direct map.
    DirectMap,
    /// vmalloc, ioremap and thread stacks.
    Vmalloc,
    /// The `Page` array.
    PageArray,
    /// Windows for high memory.
    Kmap,
    /// The kernel's text, constants and data.
    KernelImage,
    /// Modules.
    Modules,
    /// Nothing is ever mapped here.
    Unused,
}

impl Area {
    /// The area that `addr` lies in.
    pub const fn of(addr: VirtAddr) -> Self {
        const fn within(addr: VirtAddr, start: VirtAddr, end: usize) -> bool {
            start.as_usize() <= addr.as_usize() && addr.as_usize() < end
        }
        if addr.as_usize() < USER_START.as_usize() {
            Self::NullPage
        } else if addr.as_usize() < USER_END.as_usize() {
            Self::User
        } else if addr.as_usize() < CANONICAL_END.as_usize() {
            Self::LastUserPage
        } else if addr.as_usize() < KERNEL_HALF.as_usize() {
            Self::NonCanonical
        } else if within(addr, DIRECT_MAP, DIRECT_MAP.as_usize() + DIRECT_MAP_BYTES) {
            Self::DirectMap
        } else if within(addr, VMALLOC_START, VMALLOC_END.as_usize()) {
            Self::Vmalloc
        } else if within(addr, PAGE_ARRAY, PAGE_ARRAY.as_usize() + PAGE_ARRAY_BYTES) {
            Self::PageArray
        } else if within(addr, KMAP_START, KERNEL_IMAGE.as_usize()) {
            Self::Kmap
        } else if within(addr, KERNEL_IMAGE, MODULES_START.as_usize()) {
            Self::KernelImage
        } else if within(addr, MODULES_START, MODULES_END.as_usize()) {
            Self::Modules
        } else {
            Self::Unused
        }
    }

    /// The area's name, as a fault report shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NullPage => "null page",
            Self::User => "user half",
            Self::LastUserPage => "last page of the lower half",
            Self::NonCanonical => "non-canonical address",
            Self::DirectMap => "direct map",
            Self::Vmalloc => "vmalloc area",
            Self::PageArray => "Page array",
            Self::Kmap => "kmap window",
            Self::KernelImage => "kernel image",
            Self::Modules => "module area",
            Self::Unused => "unused part of the kernel half",
        }
    }
}
