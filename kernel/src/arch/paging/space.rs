//! The type of an address space's page tables.

use mm::mapper::PageMapper;
use pagetable::X86_64;

/// Page tables of this machine.
pub type Space = PageMapper<X86_64>;
