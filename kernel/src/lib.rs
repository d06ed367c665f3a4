//! Scullery's kernel as a library, for the image and each bootable test.
#![no_std]
#![feature(allocator_api)]
#![feature(c_variadic)]
#![feature(macro_metavar_expr_concat)]

extern crate alloc;

use core::time::Duration;

use ::mm::VirtAddr;
use bootloader_api::BootInfo;
use bootloader_api::config::{BootloaderConfig, Mapping};
use services::date::Date;
use spin::Once;
use x86_64::instructions::interrupts;

#[doc(hidden)]
pub use bootloader_api;

pub mod arch;
pub mod bench;
pub mod block;
pub mod board;
pub mod c;
pub mod calls;
pub mod chrdev;
pub mod console;
pub mod debug;
pub mod driver_api;
pub mod exports;
pub mod fault;
pub mod fs;
pub mod hostname;
pub mod input;
pub mod irq;
pub mod load;
pub mod log;
pub mod mm;
pub mod modules;
mod oops;
pub mod options;
pub mod output;
pub mod panic;
pub mod proc;
pub mod process;
pub mod random;
pub mod resource;
pub mod sched;
pub mod softirq;
pub mod startup;
pub mod swap;
pub mod sync;
pub mod syscall;
pub mod taskqueue;
pub mod testing;
pub mod tick;
pub mod time;
pub mod timer;
pub mod tty;
pub mod user;
pub mod version;
pub mod virtio_pci;
pub mod work;
pub mod workqueue;

use board::fw_cfg;

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
    let entry = arch::cpu::cycles();
    arch::init();
    output::init();
    time::set_entry(entry);
    sched::init();
    let bottom = VirtAddr::new(boot_info.kernel_stack_bottom as usize);
    sched::set_boot_stack(bottom, bottom.add(boot_info.kernel_stack_len as usize));
    klog!("{} {}", version::NAME, version::RELEASE);
    let mut buffer = [0; options::MAX_LINE + 1];
    match fw_cfg::command_line(&mut buffer) {
        Some((read, all)) => options::init(&buffer[..read], all - read),
        None => options::init(command_line_file(boot_info), 0),
    }
    MAIN.call_once(|| main);
    mm::bootmem::declare(&modules::BOOT_DRIVERS);
    mm::leave_bootloader(boot_info, on_own_tables)
}

/// The command line on a machine that hands none in: what the initial file `cmdline` says.
fn command_line_file(boot_info: &BootInfo) -> &'static [u8] {
    fs::archive::find(mm::loaded_ramdisk(boot_info), "cmdline").unwrap_or_default()
}

/// Where boot goes on when everything is up.
static MAIN: Once<extern "C" fn() -> !> = Once::new();

extern "C" fn on_own_tables() -> ! {
    mm::take_over();
    irq::init();
    startup::check(format_args!("the timer interrupt"), tick::start());
    interrupts::enable();
    set_clock();
    random::init();
    startup::check(format_args!("the page cache"), mm::page_cache::start());
    mm::swap::start();
    mm::outside::publish();
    startup::check(format_args!("the first threads"), mm::start_threads());
    load::start();
    start_services();
    mm::check_options();
    match MAIN.get() {
        Some(main) => main(),
        None => panic!("nothing to run"),
    }
}

/// Sets the time to that of the machine's clock.
fn set_clock() {
    match board::rtc::read().and_then(Date::since_1970) {
        Some(seconds) => time::set_realtime(Duration::from_secs(seconds)),
        None => klog!("the machine's clock makes no sense: it is taken to be the start of 1970"),
    }
}

/// Files, /proc, what the machine has, and the drivers with their default parameters. None of them stops the others.
fn start_services() {
    startup::check(format_args!("the root of all files"), fs::rootfs::init());
    startup::check(format_args!("the initial files"), fs::initial_files::init());
    startup::check(format_args!("/dev/null and its kin"), chrdev::memdev::register());
    proc::init();
    startup::check(format_args!("/proc of processes"), process::procfs::init());
    syscall::serve();
    startup::check(format_args!("/proc/syscalls"), syscall::init());
    startup::check(format_args!("bigphysarea"), mm::bigphysarea::init());
    startup::check(format_args!("PCI"), resource::pci::init());
    resource::init();
    virtio_pci::init();
    c::init();
    modules::attach_all();
    modules::attach_disks();
    startup::check(format_args!("swap"), swap::init_by_option());
    startup::check(format_args!("/tmp/bigfile"), fs::bigfile::create_bigfile());
}

/// Runs the shell at the console until it powers off.
pub extern "C" fn run_console() -> ! {
    console::run()
}
