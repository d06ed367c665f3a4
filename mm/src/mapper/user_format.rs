//! How processors write down what a process has: pages, places in swap.

use bitflags::bitflags;

use super::entry::{Entry, Format, Level};
use super::swap_slot::SwapSlot;
use crate::addr::Pfn;

bitflags! {
    /// What a program may do to its memory. Processors read what may be written to or executed.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Protection: u8 {
        /// It may read. (PROT_READ)
        const READ = 1;
        /// It may write. (PROT_WRITE)
        const WRITE = 2;
        /// Code may run there. (PROT_EXEC)
        const EXEC = 4;
    }
}

/// How a processor writes entries down that lead user code to its pages.
///
/// # Safety
/// As [`Format`], but that user code reaches a leaf as far as its [`protection`](Self::protection) allows, and no
/// further; tables are no obstacle to it. Where that allows nothing, nobody reaches the page, the kernel neither, and
/// the entry is a leaf all the same. Nobody reaches anything by a [`swapped`](Self::swapped) entry, which
/// [`read`](Format::read) takes for an empty one.
pub unsafe trait UserFormat: Format {
    /// The rights of a page of memory that user code may use so. It counts as used, and, where it may be written to, as
    /// written to.
    fn user(protection: Protection) -> Self::Rights;

    /// What user code may do, and what it may do beside that: reading is part of the others.
    fn protection(rights: Self::Rights) -> Protection;

    /// The same rights but that to write. What the processor has noted of the page's use stays.
    fn without_write(rights: Self::Rights) -> Self::Rights;

    /// The rights of a page that user code may use so from now on: those of [`user`](Self::user), and what the
    /// processor has noted stays.
    fn with_protection(rights: Self::Rights, protection: Protection) -> Self::Rights;

    /// Whether the page was used since [`without_accessed`](Self::without_accessed).
    fn is_accessed(rights: Self::Rights) -> bool;

    /// Whether the page was written to since [`without_dirty`](Self::without_dirty).
    fn is_dirty(rights: Self::Rights) -> bool;

    /// The same rights, of a page that was not used.
    fn without_accessed(rights: Self::Rights) -> Self::Rights;

    /// The same rights, of a page that was not written to.
    fn without_dirty(rights: Self::Rights) -> Self::Rights;

    /// The entry of a page that is in swap. Never 0.
    fn swapped(&self, slot: SwapSlot) -> u64;

    /// The slot that an entry of level one names, if it was made by [`swapped`](Self::swapped).
    fn swap_slot(&self, bits: u64) -> Option<SwapSlot>;
}

/// What an entry of level one says of a page of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserEntry<R> {
    /// Nothing.
    Empty,
    /// It is in this frame, and may be used so.
    Leaf(Pfn, R),
    /// It is in swap.
    Swapped(SwapSlot),
}

/// What `bits` say as an entry of level one. Empty ones, of which there are many, are told first.
#[inline(always)]
pub(super) fn read<F: UserFormat>(format: &F, bits: u64) -> UserEntry<F::Rights> {
    if bits == 0 {
        return UserEntry::Empty;
    }
    match format.read(bits, Level::One) {
        Entry::Leaf(frame, rights) => UserEntry::Leaf(frame, rights),
        Entry::Empty | Entry::Table(_) => format.swap_slot(bits).map_or(UserEntry::Empty, UserEntry::Swapped),
    }
}
