//! Memory of this kernel: the allocators of `mm` on this machine.
//!
//! [`memory`] has the raw calls of the chapter (`kmalloc`, `get_free_pages`, `vmalloc`, ...); [`KBox`], [`KVec`],
//! [`PageBlock`] and the others own what they allocate. `boot.rs` brings everything up, in the order that it lists;
//! lock order is stated in `mm::memory`.

pub mod bigphysarea;
mod boot;
mod boot_cell;
pub mod bootmem;
pub mod firmware;
mod global;
pub mod handouts;
mod handover;
pub mod heap;
pub mod host_files;
mod kswapd;
pub mod oom;
pub mod outside;
mod own;
pub mod page_cache;
mod platform;
pub mod pressure;
mod report;
mod reserve;
pub mod sleepers;
pub mod space;
pub mod swap;
pub mod tables;
mod threads;
mod unused_options;

pub use boot::{leave_bootloader, take_over};
pub use global::{
    CodeArea, IoMem, KBox, KString, KVVec, KVec, Kernel, KmemCache, PageBlock, PageRef, SealedArea, UserPage, VmArea,
    memory, memory_of_modules,
};
pub use handover::{hidden_ram, loaded_ramdisk, ramdisk};
pub use platform::KernelPlatform;
pub use threads::start_threads;
pub use unused_options::check_options;
