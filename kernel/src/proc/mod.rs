//! The files of /proc about the kernel itself; drivers register their own.
#![forbid(unsafe_code)]

mod memory;
mod pagetables;
pub mod rights;
mod system;

use crate::block;
use crate::board::isa_dma;
use crate::fs::procfs::{self, Source};
use crate::mm::{outside, page_cache};
use crate::modules;
use crate::resource::pci;
use crate::{startup, swap};

/// Every file, by its path below /proc.
const FILES: &[(&str, Source)] = &[
    ("bigphysarea", Source::Text(memory::bigphysarea)),
    ("buddyinfo", Source::Text(memory::buddyinfo)),
    ("cmdline", Source::Text(system::cmdline)),
    ("devices", Source::Text(system::devices)),
    ("diskstats", Source::Text(block::write_diskstats)),
    ("dma", Source::Text(isa_dma::write_channels)),
    ("interrupts", Source::Text(system::interrupts)),
    ("iomem", Source::Text(memory::iomem)),
    ("ioports", Source::Text(memory::ioports)),
    ("kpagetables", Source::Text(pagetables::kpagetables)),
    ("loadavg", Source::Text(system::loadavg)),
    ("memmap", Source::Text(outside::write_memmap)),
    ("meminfo", Source::Text(memory::meminfo)),
    ("ksyms", Source::Text(modules::write_ksyms)),
    ("modules", Source::Text(modules::write_modules)),
    ("partitions", Source::Text(block::write_partitions)),
    ("pci", Source::Text(pci::write_functions)),
    ("scull_limit", Source::Text(modules::write_scull_limit)),
    ("slabinfo", Source::Control { show: memory::slabinfo, store: memory::tune_slabs }),
    ("stat", Source::Text(system::stat)),
    ("sys/dev/disks", Source::Control { show: block::show_control, store: block::control }),
    ("sys/vm/bdflush", Source::Control { show: page_cache::show_bdflush, store: page_cache::set_bdflush }),
    ("swaps", Source::Text(swap::write_areas)),
    ("sys/vm/page-cluster", Source::Control { show: swap::show_read_ahead, store: swap::set_read_ahead }),
    ("sys/vm/slab_check", Source::Control { show: memory::show_nothing, store: memory::check_slabs }),
    ("sys/vm/drop_caches", Source::Control { show: memory::show_nothing, store: memory::drop_caches }),
    ("sys/vm/trace_sleep", Source::Control { show: memory::show_trace, store: memory::set_trace }),
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
