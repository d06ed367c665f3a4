//! Kernels on the ready parts: how they start, their size, the stack they need.

use core::cell::Cell;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mm::mapper::{Entry, Format, Level, PageMapper};
use mm::platform::Off;
use mm::{
    Access, AddressSpace, AllocError, BootZone, Bootmem, BootmemError, Config, Context, CountCpus, CpuCount, Cpus,
    GfpFlags, Interrupts, Lock, LockedTables, Mapping, Memory, MemoryCell, MustFlush, NoInterrupts, NoTables, OneCpu,
    Order, PAGE_SHIFT, PAGE_SIZE, PageMap, Pfn, PhysAddr, Platform, Report, SpinLock, StartError, Tlb, VirtAddr,
};

/// Memory for a machine of `mib` MiB; the address at which its frame 0 shows.
fn ram(mib: usize) -> VirtAddr {
    let layout = core::alloc::Layout::from_size_align(mib << 20, Order::MAX.bytes()).expect("a size");
    // SAFETY: the layout is not empty.
    VirtAddr::from_ptr(unsafe { std::alloc::alloc_zeroed(layout) })
}

/// Bootmem that knows such memory, as the firmware would tell it.
fn bootmem(ranges: &[(u64, u64)]) -> Bootmem {
    let mut bootmem = Bootmem::new();
    ranges.iter().for_each(|&(start, end)| bootmem.add_ram(PhysAddr::new(start), PhysAddr::new(end)));
    bootmem
}

/// A machine with `N` CPUs, of which the first runs, and no page tables.
struct Plain<const N: usize> {
    direct_map: VirtAddr,
}

struct FirstOf<const N: usize>;

// SAFETY: the tests of this machine run on one thread.
unsafe impl<const N: usize> Cpus for FirstOf<N>
where
    CpuCount<N>: CountCpus,
{
    type Count = CpuCount<N>;
    type Pin = Off<NoInterrupts>;

    fn pin(&self) -> Option<Self::Pin> {
        Some(Off::new())
    }

    fn wait_for_pins(&self) {}
}

// SAFETY: `ram` shows from `direct_map` on, and there are no interrupts.
unsafe impl<const N: usize> Platform for Plain<N>
where
    CpuCount<N>: CountCpus,
{
    type Lock<T: Send> = SpinLock<T, NoInterrupts>;
    type Cpus = FirstOf<N>;
    type Tables = NoTables;

    fn cpus(&self) -> &FirstOf<N> {
        &FirstOf
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

type PlainCell<const N: usize> = &'static MemoryCell<Plain<N>>;

fn cell<const N: usize>() -> PlainCell<N>
where
    CpuCount<N>: CountCpus,
{
    Box::leak(Box::new(MemoryCell::new()))
}

fn start<const N: usize>(cell: PlainCell<N>, bootmem: &mut Bootmem, direct_map: VirtAddr) -> &'static Memory<Plain<N>>
where
    CpuCount<N>: CountCpus,
{
    // SAFETY: what the tests call RAM is memory that was allocated for that and shows there.
    unsafe { cell.start(Plain { direct_map }, bootmem, Config::new()) }.expect("memory is plenty")
}

#[test]
fn allocators_are_as_large_as_documented() {
    let (one, many) = (size_of::<Memory<Plain<1>>>(), size_of::<Memory<Plain<16>>>());
    println!("Memory: {one} bytes for 1 CPU, {many} for 16; Bootmem: {}", size_of::<Bootmem>());
    assert!(one <= 97 << 10 && many <= 155 << 10 && size_of::<Bootmem>() <= 21_000);
}

/// Bytes below a boot stack's mark that may be used.
const STACK: usize = 256 << 10;

/// How many bytes of stack `f` uses, on a thread of its own.
fn stack_used(f: impl FnOnce() + Send + 'static) -> usize {
    const PAINT: u8 = 0xa5;
    let measured = move || {
        let mark = 0u8;
        // Less what the loops here use themselves.
        let top = (&raw const mark).addr() - 1024;
        let bytes = || (top - STACK..top).map(core::ptr::with_exposed_provenance_mut::<u8>);
        let _ = (&raw const mark).expose_provenance();
        // SAFETY: this part of the thread's stack is not in use.
        bytes().for_each(|byte| unsafe { byte.write_volatile(PAINT) });
        f();
        // SAFETY: as above.
        let untouched = bytes().take_while(|&byte| unsafe { byte.read_volatile() } == PAINT).count();
        STACK - untouched
    };
    let thread = std::thread::Builder::new().stack_size(4 * STACK).spawn(measured);
    thread.expect("a thread").join().expect("no failure")
}

/// A whole start, with bootmem in a static, and a first call.
fn whole_start<const N: usize>(bootmem: &'static SpinLock<Bootmem, NoInterrupts>) -> usize
where
    CpuCount<N>: CountCpus,
{
    let (cell, direct_map) = (cell::<N>(), ram(16));
    stack_used(move || {
        bootmem.with(|bootmem| {
            bootmem.add_ram(PhysAddr::new(0), PhysAddr::new(16 << 20));
            let memory = start(cell, bootmem, direct_map);
            assert!(memory.kmalloc(100, GfpFlags::KERNEL).is_ok());
        });
    })
}

#[test]
fn a_boot_stack_of_64_kib_is_plenty() {
    static BOOTMEM: [SpinLock<Bootmem, NoInterrupts>; 2] = [const { SpinLock::new(Bootmem::new()) }; 2];
    let used = [whole_start::<1>(&BOOTMEM[0]), whole_start::<16>(&BOOTMEM[1])];
    println!("stack of a start: {} bytes for 1 CPU, {} for 16", used[0], used[1]);
    used.iter().for_each(|&used| assert!(used < 56 << 10, "{used} bytes"));
}

#[test]
fn a_page_map_from_bootmem_leaves_the_rest_free() {
    let (mib, direct_map) = (1 << 20, ram(40));
    let mut boot = bootmem(&[(0, 8 * mib), (24 * mib, 40 * mib)]);
    boot.reserve(PhysAddr::new(0), PhysAddr::new(mib)).expect("room");
    let free = boot.unreserved().frames();
    // SAFETY: the memory was allocated for this and shows there.
    let map = unsafe { PageMap::from_bootmem(&mut boot, direct_map, Pfn::new(u32::MAX)) }.expect("memory");
    assert_eq!((map.frames(), map.gapless()), (40 << 8, 8 << 8));
    assert_eq!(map.bytes(), 24 * 256 * 16, "entries for RAM alone");
    assert_eq!(free - boot.unreserved().frames(), map.bytes() / PAGE_SIZE + 1, "they, and a page of presence bits");
    let has = |mib: u32| map.get(Pfn::new(mib << 8)).is_some();
    assert!(has(0) && has(7) && !has(8) && !has(23) && has(24) && has(39) && !has(40), "reserved memory has entries");
}

#[test]
fn a_page_map_needs_no_memory_from_address_0_on() {
    let base = 256 << 20;
    let direct_map = VirtAddr::new(ram(8).as_usize().wrapping_sub(base as usize));
    let mut boot = bootmem(&[(base, base + (8 << 20))]);
    let memory = start(cell::<1>(), &mut boot, direct_map);
    assert_eq!(memory.pages().map().bytes(), 8 * 256 * 16);
    assert!(boot.unreserved().frames() == 0 && boot.hand_over().is_none(), "all of it was handed over");
    let page = memory.get_zeroed_page(GfpFlags::KERNEL).expect("memory");
    assert_eq!(memory.frame_of(page).and_then(|frame| memory.page_address(frame)), Some(page));
    assert_eq!(memory.validate(), Ok(()));
}

#[test]
fn a_page_map_lies_in_low_memory_or_nothing_is_taken() {
    let direct_map = ram(1);
    let low = Pfn::new(8);
    let mut boot = bootmem(&[(0, 64 << 20)]);
    let free = boot.unreserved().frames();
    // SAFETY: the memory was allocated for this; only the first pages show, and only these may be used.
    let map = unsafe { PageMap::from_bootmem(&mut boot, direct_map, low) };
    assert_eq!(map.map(|map| map.frames()), Err(BootmemError::NoMemory));
    assert_eq!(boot.unreserved().frames(), free);
    // The entries fit, the presence bits do not.
    let mut boot = bootmem(&[(0, 2 << 20)]);
    boot.reserve(PhysAddr::new(8192), PhysAddr::new(2 << 20)).expect("room");
    let free = boot.unreserved().frames();
    // SAFETY: as above.
    let map = unsafe { PageMap::from_bootmem(&mut boot, direct_map, low) };
    assert_eq!(map.map(|map| map.frames()), Err(BootmemError::NoMemory));
    assert_eq!(boot.unreserved().frames(), free);
    // SAFETY: no memory is named.
    let map = unsafe { PageMap::from_bootmem(&mut Bootmem::new(), direct_map, low) };
    assert_eq!(map.map(|map| map.frames()), Err(BootmemError::NoMemory), "no RAM at all");
}

#[test]
fn there_is_one_start() {
    static CELL: MemoryCell<Plain<1>> = MemoryCell::new();
    assert!(CELL.get().is_none());
    let start = || {
        let direct_map = ram(8);
        // SAFETY: the memory was allocated for this and shows there.
        unsafe { CELL.start(Plain { direct_map }, &mut bootmem(&[(0, 8 << 20)]), Config::new()) }
    };
    let memory = start().expect("memory");
    assert!(CELL.get().is_some_and(|got| core::ptr::eq(got, memory)));
    assert_eq!(start().map(|_| ()), Err(StartError::StartedBefore));
    assert!(memory.kmalloc(100, GfpFlags::KERNEL).is_ok());
    assert_eq!(memory.vmalloc(100), Err(AllocError), "there are no addresses for it");
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_taken() {
    static CELL: MemoryCell<Plain<1>> = MemoryCell::new();
    let (direct_map, fits) = (ram(40), VirtAddr::new(0xffff_c900_0000_0000));
    let mut bootmem = bootmem(&[(0, 40 << 20)]);
    let free = bootmem.unreserved().frames();
    let high = |start, windows| Config::new().with_highmem(Pfn::new(start), windows);
    for (direct_map, config, error) in [
        (direct_map.add(PAGE_SIZE), Config::new(), StartError::DirectMap),
        (direct_map, high(2048, fits), StartError::HighMemory),
        (direct_map, high(8192, fits.add(PAGE_SIZE)), StartError::HighMemory),
        (direct_map, Config::new().with_vmalloc(VirtAddr::new(0), fits), StartError::AreaAddresses),
        (direct_map, Config::new().with_vmalloc(fits.add(1), fits.add(PAGE_SIZE)), StartError::AreaAddresses),
        (direct_map, Config::new().with_vmalloc(fits.add(PAGE_SIZE), fits), StartError::AreaAddresses),
    ] {
        // SAFETY: the memory was allocated for this; what does not show there is refused.
        let started = unsafe { CELL.start(Plain { direct_map }, &mut bootmem, config) };
        assert_eq!(started.map(|_| ()), Err(error), "{config:?}");
        assert_eq!(bootmem.unreserved().frames(), free);
    }
    // SAFETY: the same.
    let memory = unsafe { CELL.start(Plain { direct_map }, &mut bootmem, Config::new()) }.expect("memory");
    for order in Order::all() {
        let block = memory.get_free_pages(GfpFlags::KERNEL, order).expect("memory");
        assert!(block.is_aligned(order.bytes()));
    }
}

std::thread_local! {
    /// How deep interrupts are off on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static SECTIONS: Cell<usize> = const { Cell::new(0) };
}

/// Interrupts that count.
struct Counted;

// SAFETY: no handler runs on a test's thread.
unsafe impl Interrupts for Counted {
    type Saved = usize;

    fn off() -> usize {
        SECTIONS.set(SECTIONS.get() + 1);
        DEPTH.replace(DEPTH.get() + 1)
    }

    fn restore(before: usize) {
        assert_eq!(DEPTH.replace(before), before + 1, "sections nest");
    }
}

/// Frame number from bit 12 on; four levels.
struct Simple;

// SAFETY: no processor reads these entries.
unsafe impl Format for Simple {
    const TOP: Level = Level::Four;
    type Rights = (Mapping, Access);

    fn largest(&self) -> Level {
        Level::Two
    }

    fn leaf(&self, frame: Pfn, _level: Level, (mapping, access): Self::Rights) -> u64 {
        frame.phys().as_u64() | u64::from(mapping == Mapping::Device) << 3 | u64::from(access == Access::Read) << 2 | 1
    }

    fn table(&self, frame: Pfn) -> u64 {
        frame.phys().as_u64() | 2
    }

    fn read(&self, bits: u64, _level: Level) -> Entry<Self::Rights> {
        let frame = Pfn::new((bits >> PAGE_SHIFT) as u32);
        let mapping = if bits & 8 == 0 { Mapping::Memory } else { Mapping::Device };
        let access = if bits & 4 == 0 { Access::ReadWrite } else { Access::Read };
        match bits & 3 {
            0 => Entry::Empty,
            2 => Entry::Table(frame),
            _ => Entry::Leaf(frame, (mapping, access)),
        }
    }

    fn rights(mapping: Mapping) -> Self::Rights {
        (mapping, Access::ReadWrite)
    }

    fn with_access((mapping, _): Self::Rights, access: Access) -> Self::Rights {
        (mapping, access)
    }
}

/// Flushes that count.
#[derive(Default)]
struct CountedTlb {
    mapped: AtomicUsize,
    flushed: AtomicUsize,
}

static TLB: CountedTlb = CountedTlb { mapped: AtomicUsize::new(0), flushed: AtomicUsize::new(0) };

// SAFETY: no processor has translations of these tables.
unsafe impl Tlb for &'static CountedTlb {
    type Format = Simple;
    const FLUSH_ANYWHERE: bool = true;

    fn flush(&self, pages: &MustFlush) {
        self.flushed.fetch_add(pages.pages(), Relaxed);
    }

    fn flush_local(&self, pages: &MustFlush) {
        self.flush(pages);
    }

    fn after_map(&self, _at: VirtAddr, pages: usize) {
        self.mapped.fetch_add(pages, Relaxed);
    }
}

/// One CPU with interrupts and page tables, on nothing but ready parts.
struct Whole {
    direct_map: VirtAddr,
    tables: LockedTables<Whole, &'static CountedTlb>,
    _not_shared: PhantomData<fn()>,
}

// SAFETY: `ram` shows from `direct_map` on, and one thread runs.
unsafe impl Platform for Whole {
    type Lock<T: Send> = SpinLock<T, Counted>;
    type Cpus = OneCpu<Counted>;
    type Tables = LockedTables<Self, &'static CountedTlb>;

    fn cpus(&self) -> &OneCpu<Counted> {
        &OneCpu::NEW
    }

    fn tables(&self) -> &Self::Tables {
        &self.tables
    }

    fn context(&self) -> Context {
        if DEPTH.get() > 0 { Context::Atomic } else { Context::Process }
    }

    fn direct_map(&self) -> VirtAddr {
        self.direct_map
    }

    fn report(&self, report: &Report<'_>) {
        assert_eq!(DEPTH.get(), 0, "{report} with interrupts off");
    }
}

#[test]
fn ready_parts_carry_a_kernel_with_vmalloc() {
    static CELL: MemoryCell<Whole> = MemoryCell::new();
    let (areas, direct_map) = (VirtAddr::new(0xffff_c900_0000_0000), ram(16));
    let mut boot = bootmem(&[(0, 16 << 20)]);
    let root = boot.alloc(PAGE_SIZE, PAGE_SIZE, BootZone::Normal).expect("memory").start.frame().expect("a frame");
    // SAFETY: all memory shows from `direct_map` on; the root is bootmem's to give, and zeroed.
    let mapper = unsafe { PageMapper::new(AddressSpace::Kernel, root, direct_map, Simple) };
    let platform = Whole { direct_map, tables: LockedTables::new(mapper, &TLB), _not_shared: PhantomData };
    let config = Config::new().with_vmalloc(areas, areas.add(1 << 30));
    // SAFETY: the memory was allocated for this and shows there.
    let memory = unsafe { CELL.start(platform, &mut boot, config) }.expect("memory");
    let sections = SECTIONS.get();
    let area = memory.vmalloc(5 * PAGE_SIZE).expect("memory");
    assert!(area >= areas && memory.areas().frame_at(area.add(4 * PAGE_SIZE)).is_some());
    assert_eq!(memory.areas().frame_at(area.add(5 * PAGE_SIZE)), None, "the guard page");
    assert_eq!((TLB.mapped.load(Relaxed), TLB.flushed.load(Relaxed)), (5, 0));
    // SAFETY: the area is ours, and nobody writes to it.
    unsafe { memory.areas().set_memory_ro(area, 2) }.expect("mapped memory");
    assert_eq!(TLB.flushed.load(Relaxed), 2);
    assert_eq!(memory.vfree(area), Ok(()));
    assert_eq!(memory.vm_unmap_aliases(), 5);
    assert!(TLB.flushed.load(Relaxed) >= 7);
    let device = memory.ioremap(PhysAddr::new(0xfee0_0000), PAGE_SIZE).expect("no memory is there");
    assert_eq!(memory.iounmap(device), Ok(()));
    assert!(SECTIONS.get() > sections && DEPTH.get() == 0, "locks and pins were used, and all were given back");
    // Memory runs out, and nobody sleeps for ever.
    let blocks: Vec<_> = core::iter::from_fn(|| memory.alloc_pages(GfpFlags::KERNEL, Order::ZERO).ok()).collect();
    assert!(blocks.len() > 3000, "{}", blocks.len());
    assert_eq!(memory.vmalloc(PAGE_SIZE), Err(AllocError));
    assert_eq!(DEPTH.get(), 0);
}
