//! Scullery's kernel image: hands over to the library crate `kernel`.
#![no_std]
#![no_main]

use bootloader_api::BootInfo;

/// What is linked for modules: a change there links this program anew.
const _: &[u8] = include_bytes!(env!("FOR_MODULES"));

bootloader_api::entry_point!(main, config = &kernel::BOOTLOADER_CONFIG);

fn main(boot_info: &'static mut BootInfo) -> ! {
    kernel::start(boot_info, kernel::run_console)
}
