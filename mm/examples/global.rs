//! A global allocator: a program of one thread whose memory comes from mm.
//!
//! A kernel does the same, but for its memory: here that is an array. Without page tables there is no vmalloc, so no
//! allocation is larger than kmalloc's largest, 131072 bytes.

use std::cell::UnsafeCell;
use std::collections::BTreeMap;

use mm::own::Heap;
use mm::{
    Bootmem, Config, Context, Global, Lock, Memory, MemoryCell, NoInterrupts, NoTables, OneCpu, PhysAddr, Platform,
    Report, SpinLock, VirtAddr,
};

/// Bytes of memory.
const SIZE: usize = 32 << 20;

/// The memory. Its first byte has the physical address 0.
#[repr(align(4096))]
struct Ram(UnsafeCell<[u8; SIZE]>);

// SAFETY: only the allocators reach it, and they give each byte to one owner.
unsafe impl Sync for Ram {}

static RAM: Ram = Ram(UnsafeCell::new([0; SIZE]));

struct Machine;

// SAFETY: all of `RAM` shows from its first byte on, and the program has one thread.
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
        VirtAddr::from_ptr(RAM.0.get())
    }

    fn report(&self, report: &Report<'_>) {
        eprintln!("{report}");
    }
}

static MEMORY: MemoryCell<Machine> = MemoryCell::new();
static BOOTMEM: SpinLock<Bootmem, NoInterrupts> = SpinLock::new(Bootmem::new());

struct Program;

// SAFETY: there is one `Memory`.
unsafe impl Global for Program {
    type Platform = Machine;

    /// A program allocates before `main`: the first call starts the allocators.
    fn memory() -> &'static Memory<Machine> {
        MEMORY.get().unwrap_or_else(start)
    }
}

#[cold]
fn start() -> &'static Memory<Machine> {
    BOOTMEM.with(|bootmem| {
        bootmem.add_ram(PhysAddr::new(0), PhysAddr::new(SIZE as u64));
        // SAFETY: nobody else uses `RAM`, all of which the direct map shows.
        unsafe { MEMORY.start(Machine, bootmem, Config::new()) }.expect("32 MiB are enough")
    })
}

#[global_allocator]
static HEAP: Heap<Program> = Heap::new();

fn main() {
    let words = "a program of one thread whose memory comes from mm";
    let mut lengths: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for word in words.split(' ') {
        lengths.entry(word.len()).or_default().push(word.to_owned());
    }
    println!("{lengths:?}");
    let memory = Program::memory();
    let free = memory.pages().free_pages_total();
    println!("{free} of {} pages are free", SIZE / mm::PAGE_SIZE);
    assert_eq!(memory.validate(), Ok(()));
}
