//! Scullery's kernel as a library, so that the image and each bootable test share it.
#![no_std]

use core::panic::PanicInfo;

use bootloader_api::BootInfo;
use bootloader_api::config::{BootloaderConfig, Mapping};
use x86_64::VirtAddr;

#[doc(hidden)]
pub use bootloader_api;

pub mod arch;
pub mod testing;

use arch::backtrace::{Frames, StackRange};
use arch::fw_cfg::FwCfg;
use arch::qemu::{self, ExitCode};
use arch::serial;

/// What the kernel asks of the bootloader: all physical memory mapped somewhere, and a roomy boot stack.
pub const BOOTLOADER_CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::Dynamic);
    config.kernel_stack_size = 128 * 1024;
    config
};

/// Brings the machine up, from the bootloader's hand-over to the point where the shell could run.
pub fn start(boot_info: &'static mut BootInfo) {
    serial::init();
    let bottom = VirtAddr::new(boot_info.kernel_stack_bottom);
    arch::backtrace::set_boot_stack(StackRange::new(bottom, bottom + boot_info.kernel_stack_len));
    println!("Scullery {}", env!("CARGO_PKG_VERSION"));
    let mut buffer = [0; 512];
    let command_line = FwCfg::probe().map_or("", |mut fw| fw.command_line(&mut buffer));
    println!("command line: {command_line}");
}

/// Echoes lines until ^D, then powers off.
pub fn run_console() -> ! {
    serial::ready_for_input();
    serial::echo_until_end_of_input();
    println!("power off");
    qemu::exit(ExitCode::Success)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("panic: {info}");
    arch::backtrace::print(Frames::here());
    testing::panicked(info);
    qemu::exit(ExitCode::Failure)
}
