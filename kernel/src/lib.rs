//! Scullery's kernel as a library, so that the image and each bootable test share it.
#![no_std]
#![feature(allocator_api)]

extern crate alloc;

use bootloader_api::BootInfo;
use bootloader_api::config::{BootloaderConfig, Mapping};
use x86_64::VirtAddr;

#[doc(hidden)]
pub use bootloader_api;

pub mod arch;
pub mod console;
pub mod drivers;
pub mod fs;
pub mod mm;
pub mod interim;
pub mod log;
pub mod panic;
pub mod sched;
pub mod softirq;
pub mod sync;
pub mod taskqueue;
pub mod testing;
pub mod time;
pub mod timer;

use arch::backtrace::StackRange;
use arch::fw_cfg::FwCfg;

/// What the kernel asks of the bootloader: all physical memory mapped somewhere, and a roomy boot stack.
pub const BOOTLOADER_CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::Dynamic);
    config.kernel_stack_size = 128 * 1024;
    config
};

/// Brings the machine up, from the bootloader's hand-over on, and goes on in `main`: as the thread "boot", on its own
/// stack and the kernel's own page tables, with interrupts and threads.
pub fn start(boot_info: &'static mut BootInfo, main: extern "C" fn() -> !) -> ! {
    arch::init();
    sched::init();
    let bottom = VirtAddr::new(boot_info.kernel_stack_bottom);
    arch::backtrace::set_boot_stack(StackRange::new(bottom, bottom + boot_info.kernel_stack_len));
    klog!("Scullery {}", env!("CARGO_PKG_VERSION"));
    let mut buffer = [0; 512];
    let command_line = FwCfg::probe().map_or("", |mut fw| fw.command_line(&mut buffer));
    klog!("command line: {command_line}");
    interim::init();
    interim::MAIN.call_once(|| main);
    interim::change_page_tables(boot_info, on_own_tables)
}

extern "C" fn on_own_tables() -> ! {
    interim::unmap_guards();
    if arch::start_interrupts().is_err() {
        klog!("no timer interrupt: its line is taken");
    }
    if sched::start_threads(interim::STACK_SOURCE).is_err() {
        klog!("no memory for the first threads");
    }
    match interim::MAIN.get() {
        Some(main) => main(),
        None => panic!("nothing to run"),
    }
}

/// Runs the console.
pub extern "C" fn run_console() -> ! {
    console::run()
}
