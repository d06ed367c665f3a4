//! All that a kernel without vmalloc needs for the allocators.

use adopter::say;
use bootloader_api::BootInfo;
use bootloader_api::info::MemoryRegionKind;
use mm::error::StartError;
use mm::own::Heap;
use mm::{
    Bootmem, Config, Context, Global, Lock, Memory, MemoryCell, NoInterrupts, NoTables, OneCpu, PhysAddr, Platform,
    Report, SpinLock, VirtAddr,
};

/// The machine beneath the allocators: one CPU, without interrupts.
pub struct Machine {
    direct_map: VirtAddr,
}

// SAFETY: the bootloader shows all memory from `direct_map` on; one CPU runs, and no interrupt has a handler.
unsafe impl Platform for Machine {
    type Lock<T: Send> = SpinLock<T, NoInterrupts>;
    type Cpus = OneCpu<NoInterrupts>;
    type Tables = NoTables;

    fn cpus(&self) -> &Self::Cpus {
        &OneCpu::NEW
    }

    fn tables(&self) -> &NoTables {
        &NoTables
    }

    fn context(&self) -> Context {
        Context::Process
    }

    fn direct_map(&self) -> VirtAddr {
        self.direct_map
    }

    fn report(&self, report: &Report<'_>) {
        say!("{report}");
    }
}

static MEMORY: MemoryCell<Machine> = MemoryCell::new();
static BOOTMEM: SpinLock<Bootmem, NoInterrupts> = SpinLock::new(Bootmem::new());

/// The kernel, for types that own memory.
pub struct Kernel;

// SAFETY: there is one `Memory`.
unsafe impl Global for Kernel {
    type Platform = Machine;

    fn memory() -> &'static Memory<Machine> {
        MEMORY.get().expect("start comes first")
    }
}

#[global_allocator]
static HEAP: Heap<Kernel> = Heap::new();

/// Starts the allocators on all memory that the bootloader calls usable.
pub fn start(boot_info: &BootInfo) -> Result<&'static Memory<Machine>, StartError> {
    let offset = boot_info.physical_memory_offset.into_option().expect("it was asked for");
    let machine = Machine { direct_map: VirtAddr::new(offset as usize) };
    BOOTMEM.with(|bootmem| {
        for region in boot_info.memory_regions.iter().filter(|region| region.kind == MemoryRegionKind::Usable) {
            bootmem.add_ram(PhysAddr::new(region.start), PhysAddr::new(region.end));
        }
        // SAFETY: usable memory has no owner, and the direct map shows it.
        unsafe { MEMORY.start(machine, bootmem, Config::new()) }
    })
}
