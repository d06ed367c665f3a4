//! Who owns an allocated block that only its owner may free.

/// The owner's tag of an allocated block: bits 10 to 15 of its page's word. Only its owner frees a tagged block.
///
/// The page allocator sets the tag before it hands the block to its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tag {
    /// Any caller that has the address or the frame.
    #[default]
    None = 0,
    /// A vmalloc'ed area.
    Vmalloc = 1,
    /// A page table.
    PageTable = 2,
    /// The stack of a kernel thread.
    KernelStack = 3,
    /// The content of a file.
    PageCache = 4,
    /// The memory of a process.
    Anonymous = 5,
    /// A loaded module.
    Module = 6,
    /// A driver that shares it with a device or a process.
    Driver = 7,
    /// A value of an owning type, which frees it when it is dropped.
    Value = 8,
    /// A person who asked for it at a prompt.
    Prompt = 9,
}

impl Tag {
    /// All tags, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::Vmalloc,
        Self::PageTable,
        Self::KernelStack,
        Self::PageCache,
        Self::Anonymous,
        Self::Module,
        Self::Driver,
        Self::Value,
        Self::Prompt,
    ];

    /// Why only the owner frees such a block, in a few words, as the kernel log shows it.
    pub const fn refusal(self) -> &'static str {
        match self {
            Self::None => "wrong owner",
            Self::Vmalloc => "page belongs to an area of vmalloc",
            Self::PageTable => "page is a page table",
            Self::KernelStack => "page belongs to a thread's stack",
            Self::PageCache => "page belongs to a file",
            Self::Anonymous => "page belongs to a process",
            Self::Module => "page belongs to a module",
            Self::Driver => "page belongs to a driver",
            Self::Value => "page belongs to a value that frees it",
            Self::Prompt => "page was handed out at the prompt",
        }
    }
}
