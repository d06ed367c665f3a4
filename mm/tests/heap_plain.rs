//! The global allocator on one CPU without page tables, random layouts.
//!
//! It needs no mappings of the host, so Miri runs it too, with fewer operations.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use mm::own::{Global, Heap};
use mm::testing::Rng;
use mm::{
    Bootmem, Config, Context, Lock, Memory, MemoryCell, NoInterrupts, NoTables, OneCpu, Order, PAGE_SIZE, Pfn,
    PhysAddr, Platform, Report, SpinLock, VirtAddr,
};

const FRAMES: u32 = 2048;
const OPERATIONS: usize = if cfg!(miri) { 300 } else { 10_000 };

struct Machine {
    direct_map: VirtAddr,
}

// SAFETY: memory shows from `direct_map` on for ever, one CPU runs, and no interrupt handler calls the allocators.
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

    fn report(&self, _report: &Report<'_>) {}
}

struct Plain;

static STARTED: OnceLock<&'static Memory<Machine>> = OnceLock::new();
static HEAP: Heap<Plain> = Heap::new();

// SAFETY: it is one set of allocators, for ever.
unsafe impl Global for Plain {
    type Platform = Machine;

    fn memory() -> &'static Memory<Machine> {
        STARTED.get_or_init(boot)
    }
}

static BOOTMEM: SpinLock<Bootmem, NoInterrupts> = SpinLock::new(Bootmem::new());
static MEMORY: MemoryCell<Machine> = MemoryCell::new();

fn boot() -> &'static Memory<Machine> {
    let layout = Layout::from_size_align(FRAMES as usize * PAGE_SIZE, Order::MAX.bytes()).expect("a size");
    // SAFETY: the layout is not empty.
    let direct_map = VirtAddr::new(unsafe { std::alloc::alloc_zeroed(layout) }.expose_provenance());
    let started = BOOTMEM.with(|bootmem| {
        bootmem.add_ram(PhysAddr::new(0), Pfn::new(FRAMES).phys());
        // SAFETY: nobody uses this memory, and it shows in the direct map.
        unsafe { MEMORY.start(Machine { direct_map }, bootmem, Config::new()) }
    });
    started.expect("room for the kmalloc caches")
}

fn holds(at: NonNull<u8>, bytes: usize, value: u8) -> bool {
    // SAFETY: the test has so many bytes there, and has written them.
    let all = unsafe { core::slice::from_raw_parts(at.as_ptr(), bytes) };
    all.iter().all(|&byte| byte == value)
}

#[test]
fn random_layouts_agree_with_a_model() {
    let mut rng = Rng::new(0x706c_6169_6e21);
    let mut model: BTreeMap<usize, (NonNull<u8>, Layout, u8)> = BTreeMap::new();
    let free = |(at, layout, value): (NonNull<u8>, Layout, u8)| {
        assert!(holds(at, layout.size(), value));
        // SAFETY: it came from there, and is not used any more.
        unsafe { HEAP.dealloc(at.as_ptr(), layout) };
    };
    for operation in 0..OPERATIONS {
        let most = 1 << rng.below(12);
        let (size, value) = (1 + rng.below(most), operation as u8);
        let layout = Layout::from_size_align(size, 1 << rng.below(8)).expect("a layout");
        let fill = |at: NonNull<u8>| {
            // SAFETY: the memory is the test's and has so many bytes.
            unsafe { at.write_bytes(value, size) };
        };
        match rng.below(4) {
            0 if !model.is_empty() => {
                let which = *model.keys().nth(rng.below(model.len())).expect("one of them");
                free(model.remove(&which).expect("it is there"));
            }
            1 if !model.is_empty() => {
                let which = *model.keys().nth(rng.below(model.len())).expect("one of them");
                let (at, old, was) = model.remove(&which).expect("it is there");
                // SAFETY: it came from there, and is not used any more.
                let moved = NonNull::new(unsafe { HEAP.realloc(at.as_ptr(), old, size) }).expect("memory");
                assert!(holds(moved, size.min(old.size()), was));
                fill(moved);
                let new = Layout::from_size_align(size, old.align()).expect("a layout");
                assert!(model.insert(moved.addr().get(), (moved, new, value)).is_none());
            }
            _ if model.len() < 200 => {
                // SAFETY: the layout has bytes.
                let at = NonNull::new(unsafe { HEAP.alloc_zeroed(layout) }).expect("memory");
                assert!(holds(at, size, 0) && at.addr().get() % layout.align() == 0);
                fill(at);
                assert!(model.insert(at.addr().get(), (at, layout, value)).is_none());
            }
            _ => {}
        }
    }
    // Neighbours in the model do not overlap.
    let ends = model.values().map(|(at, layout, _)| at.addr().get() + layout.size());
    assert!(model.keys().skip(1).zip(ends).all(|(&next, end)| end <= next));
    model.into_values().for_each(free);
    // SAFETY: the layout has bytes.
    let large = unsafe { HEAP.alloc(Layout::new::<[u8; 131_073]>()) };
    assert!(large.is_null(), "this machine maps nothing");
    assert_eq!(Plain::memory().validate(), Ok(()));
}
