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

/// What a direct map is aligned to.
const ALIGN: usize = 2 << 20;

/// The memory, with room to begin at a multiple of [`ALIGN`]. The byte there has the physical address 0.
struct Ram(UnsafeCell<[u8; SIZE + ALIGN]>);

// SAFETY: only the allocators reach it, and they give each byte to one owner.
unsafe impl Sync for Ram {}

static RAM: Ram = Ram(UnsafeCell::new([0; SIZE + ALIGN]));

struct Machine;

// SAFETY: `SIZE` bytes of `RAM` show from `direct_map` on, and the program has one thread.
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
        VirtAddr::new(VirtAddr::from_ptr(RAM.0.get()).as_usize().next_multiple_of(ALIGN))
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
        // SAFETY: nobody else uses `RAM`, which the direct map shows.
        let started = unsafe { MEMORY.start(Machine, bootmem, Config::new()) };
        // A panic would want memory.
        started.unwrap_or_else(|_| std::process::abort())
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
