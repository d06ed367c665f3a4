//! What a frame can be, for a picture: a letter, a name.

use crate::page::{PageFlags, PageState, Seen};
use crate::tag::Tag;

/// What a frame is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Class {
    /// No RAM, as far as the page map knows.
    Hole,
    /// RAM that an option hides from the allocators.
    Hidden,
    /// The kernel's image.
    Image,
    /// Taken at boot, for good, or the firmware's.
    Boot,
    /// Set aside at boot for drivers.
    SetAside,
    /// In a free block.
    Free,
    /// Free, in a magazine of a CPU or in a zone's depot.
    Cached,
    /// Free, and cleared ahead of a request.
    Cleared,
    /// Of a slab.
    Slab,
    /// Of a slab that was damaged: nobody gets it again.
    Retired,
    /// Of a block that anyone may free who has its address.
    Block,
    /// Of an area of vmalloc.
    Vmalloc,
    /// A page table.
    PageTable,
    /// Of a thread's stack.
    KernelStack,
    /// The content of a file.
    PageCache,
    /// The same, not yet written to its disk.
    Dirty,
    /// The content of a file, or the memory of a process, on its way to a disk.
    Writeback,
    /// The memory of a process.
    Anonymous,
    /// The same, in the swap cache too.
    Swapping,
    /// Of a loaded module.
    Module,
    /// A driver's.
    Driver,
    /// A value's of an owning type.
    Value,
    /// Handed out at a prompt.
    Prompt,
}

impl Class {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 23] = [
        Self::Hole,
        Self::Hidden,
        Self::Image,
        Self::Boot,
        Self::SetAside,
        Self::Free,
        Self::Cached,
        Self::Cleared,
        Self::Slab,
        Self::Retired,
        Self::Block,
        Self::Vmalloc,
        Self::PageTable,
        Self::KernelStack,
        Self::PageCache,
        Self::Dirty,
        Self::Writeback,
        Self::Anonymous,
        Self::Swapping,
        Self::Module,
        Self::Driver,
        Self::Value,
        Self::Prompt,
    ];

    /// The class with this number.
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The class of the pages of a block, or of a page of a slab, by its first entry; `None` for an inner page.
    pub(super) fn of(entry: Seen) -> Option<Self> {
        Some(match entry.state() {
            PageState::Inner => return None,
            PageState::Free(_) => Self::Free,
            PageState::Cached(_) if entry.is_cleared() => Self::Cleared,
            PageState::Cached(_) => Self::Cached,
            PageState::Slab => Self::Slab,
            PageState::Retired => Self::Retired,
            PageState::Allocated(_) => match entry.tag() {
                Tag::None => Self::Block,
                Tag::Vmalloc => Self::Vmalloc,
                Tag::PageTable => Self::PageTable,
                Tag::KernelStack => Self::KernelStack,
                Tag::PageCache | Tag::Anonymous if entry.flags().contains(PageFlags::WRITEBACK) => Self::Writeback,
                Tag::PageCache if entry.flags().contains(PageFlags::DIRTY) => Self::Dirty,
                Tag::PageCache => Self::PageCache,
                Tag::Anonymous if entry.flags().contains(PageFlags::CACHED) => Self::Swapping,
                Tag::Anonymous => Self::Anonymous,
                Tag::Module => Self::Module,
                Tag::Driver => Self::Driver,
                Tag::Value => Self::Value,
                Tag::Prompt => Self::Prompt,
            },
        })
    }

    /// Whether such a frame is nobody's, and can be had.
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Free | Self::Cached | Self::Cleared)
    }

    /// The class as one letter.
    pub const fn letter(self) -> char {
        match self {
            Self::Hole => '_',
            Self::Hidden => 'x',
            Self::Image => 'K',
            Self::Boot => '#',
            Self::SetAside => 'B',
            Self::Free => '.',
            Self::Cached => ',',
            Self::Cleared => '0',
            Self::Slab => 's',
            Self::Retired => '!',
            Self::Block => 'b',
            Self::Vmalloc => 'v',
            Self::PageTable => 't',
            Self::KernelStack => 'k',
            Self::PageCache => 'f',
            Self::Dirty => 'D',
            Self::Writeback => 'w',
            Self::Anonymous => 'u',
            Self::Swapping => 'U',
            Self::Module => 'm',
            Self::Driver => 'd',
            Self::Value => 'o',
            Self::Prompt => 'p',
        }
    }

    /// The class in a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hole => "no RAM",
            Self::Hidden => "hidden by mem=",
            Self::Image => "kernel image",
            Self::Boot => "boot memory, firmware",
            Self::SetAside => "bigphysarea",
            Self::Free => "free",
            Self::Cached => "free, in a magazine",
            Self::Cleared => "free, cleared ahead",
            Self::Slab => "slab",
            Self::Retired => "damaged slab",
            Self::Block => "block of pages",
            Self::Vmalloc => "vmalloc",
            Self::PageTable => "page table",
            Self::KernelStack => "kernel stack",
            Self::PageCache => "file",
            Self::Dirty => "file, dirty",
            Self::Writeback => "on its way to a disk",
            Self::Anonymous => "process",
            Self::Swapping => "process, in the swap cache",
            Self::Module => "module",
            Self::Driver => "driver",
            Self::Value => "owned value",
            Self::Prompt => "handed out at the prompt",
        }
    }
}
