//! The files of /proc about the kernel itself; drivers register their own.
#![forbid(unsafe_code)]

mod memory;
mod pagetables;
pub mod rights;
mod system;

use crate::board::isa_dma;
use crate::chrdev;
use crate::fs::procfs::{self, Source};
use crate::modules;
use crate::resource::pci;
use crate::startup;

/// Every file, by its path below /proc.
const FILES: &[(&str, Source)] = &[
    ("bigphysarea", Source::Text(memory::bigphysarea)),
    ("buddyinfo", Source::Text(memory::buddyinfo)),
    ("cmdline", Source::Text(system::cmdline)),
    ("devices", Source::Text(chrdev::write_devices)),
    ("dma", Source::Text(isa_dma::write_channels)),
    ("interrupts", Source::Text(system::interrupts)),
    ("iomem", Source::Text(memory::iomem)),
    ("ioports", Source::Text(memory::ioports)),
    ("kpagetables", Source::Text(pagetables::kpagetables)),
    ("loadavg", Source::Text(system::loadavg)),
    ("meminfo", Source::Text(memory::meminfo)),
    ("ksyms", Source::Text(modules::write_ksyms)),
    ("modules", Source::Text(modules::write_modules)),
    ("pci", Source::Text(pci::write_functions)),
    ("scull_limit", Source::Text(modules::write_scull_limit)),
    ("slabinfo", Source::Control { show: memory::slabinfo, store: memory::tune_slabs }),
    ("stat", Source::Text(system::stat)),
    ("sys/vm/slab_check", Source::Control { show: memory::show_nothing, store: memory::check_slabs }),
    ("sys/vm/drop_caches", Source::Control { show: memory::show_nothing, store: memory::drop_caches }),
    ("uptime", Source::Text(system::uptime)),
    ("version", Source::Text(system::version)),
    ("vmallocinfo", Source::Text(memory::vmallocinfo)),
    ("vmstat", Source::Text(memory::vmstat)),
    ("zoneinfo", Source::Text(memory::zoneinfo)),
];

/// Registers the files. Process context.
pub fn init() {
    for (path, source) in FILES {
        startup::check(format_args!("/proc/{path}"), procfs::register(path, source.clone()));
    }
}
