//! The type of an address space's page tables.

use mm::mapper::PageMapper;

use super::format::X86;

/// Page tables of this machine.
pub type Space = PageMapper<X86>;
