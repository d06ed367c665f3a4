//! A bare benchmark: a timing loop over kmalloc, a cache and pages.
//!
//! `cargo run --release --example bench -- 1000000` says how many pairs of calls each row has. In the tree of the crate
//! itself cargo switches the feature `testing` on for examples, which checks more; from the package it is off.

use std::hint::black_box;
use std::time::Instant;

use mm::{
    Bootmem, CacheFlags, CacheSpec, Config, Context, GfpFlags, Lock, Memory, MemoryCell, NoInterrupts, NoTables,
    OneCpu, Order, PhysAddr, Platform, Report, SpinLock, VirtAddr,
};

/// Bytes of memory.
const SIZE: usize = 64 << 20;

/// Memory from a host address on, whose first byte has the physical address 0; one thread uses it.
struct Machine(VirtAddr);

// SAFETY: the memory was allocated for this and is never freed; the program has one thread.
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
        self.0
    }

    fn report(&self, report: &Report<'_>) {
        eprintln!("{report}");
    }
}

static MEMORY: MemoryCell<Machine> = MemoryCell::new();
static BOOTMEM: SpinLock<Bootmem, NoInterrupts> = SpinLock::new(Bootmem::new());

fn start() -> &'static Memory<Machine> {
    // A direct map begins at a multiple of the largest block's size.
    let align = Order::MAX.bytes();
    let ram = Vec::leak(vec![0u8; SIZE + align]);
    let first = ram.as_mut_ptr().expose_provenance().next_multiple_of(align);
    BOOTMEM.with(|bootmem| {
        bootmem.add_ram(PhysAddr::new(0), PhysAddr::new(SIZE as u64));
        // SAFETY: nobody else uses the memory, all of which the direct map shows.
        unsafe { MEMORY.start(Machine(VirtAddr::new(first)), bootmem, Config::new()) }.expect("64 MiB are enough")
    })
}

/// Prints what a call of `pair` takes, after as many that are not timed.
fn row(name: &str, pairs: u32, mut pair: impl FnMut()) {
    (0..pairs).for_each(|_| pair());
    let begin = Instant::now();
    (0..pairs).for_each(|_| pair());
    println!("{name:<26} {:8.1} ns a pair", begin.elapsed().as_nanos() as f64 / f64::from(pairs));
}

fn main() {
    let pairs = std::env::args().nth(1).map_or(1_000_000, |count| count.parse().expect("a number of pairs"));
    let memory = start();
    for size in [16, 256, 4096, 131_072] {
        row(&format!("kmalloc and kfree, {size}"), pairs, || {
            let object = black_box(memory.kmalloc(size, GfpFlags::KERNEL).expect("memory is plenty"));
            // SAFETY: the object is ours, and not used any more.
            unsafe { memory.kfree(object.as_ptr()) }.expect("a right free");
        });
    }
    let spec = CacheSpec { name: "bench", size: 200, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
    let cache = memory.kmem_cache_create(&spec).expect("a new name");
    row("kmem_cache, 200", pairs, || {
        let object = black_box(memory.kmem_cache_alloc(cache, GfpFlags::KERNEL).expect("memory is plenty"));
        // SAFETY: as above.
        unsafe { memory.kmem_cache_free(cache, object) }.expect("a right free");
    });
    row("a page", pairs, || {
        let page = black_box(memory.get_free_pages(GfpFlags::KERNEL, Order::ZERO).expect("memory is plenty"));
        // SAFETY: as above.
        unsafe { memory.free_page(page) }.expect("a right free");
    });
    assert_eq!(memory.validate(), Ok(()));
}
