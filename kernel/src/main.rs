//! Scullery's kernel image: hands over to the library crate `kernel`.
#![no_std]
#![no_main]

use bootloader_api::BootInfo;

bootloader_api::entry_point!(main, config = &kernel::BOOTLOADER_CONFIG);

fn main(boot_info: &'static mut BootInfo) -> ! {
    kernel::start(boot_info, kernel::run_console)
}
