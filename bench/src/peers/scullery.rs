//! Ours: [`mm::Memory`] on a platform as lean as a kernel's, all checks on.

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use mm::DMA_END;
use mm::page::{Page, SECTION_FRAMES, mark_present};
use mm::{
    Config, Context, CpuCount, Cpus, MAX_CPUS, Memory, NoInterrupts, NoTables, PAGE_SIZE, PageMap, Pfn, PfnRange,
    Pinned, Platform, Report, SpinLock, VirtAddr,
};

use super::peer::Pages;
use crate::arena::Arena;
use crate::cpu;

// SAFETY: a pin stays on its thread, whose number no other thread has.
unsafe impl Pinned for cpu::Pin {
    #[inline]
    fn cpu(&self) -> usize {
        cpu::number()
    }

    #[inline]
    fn cache_index(&self) -> usize {
        cpu::number()
    }
}

/// The benchmark as a kernel: pins are counted, nothing is mapped, nobody sleeps.
pub struct Bench {
    direct_map: VirtAddr,
}

// SAFETY: a thread has its number to itself; benchmarks destroy a cache when no other thread runs.
unsafe impl Cpus for Bench {
    type Count = CpuCount<MAX_CPUS>;
    type Pin = cpu::Pin;

    #[inline]
    fn pin(&self) -> Option<cpu::Pin> {
        Some(cpu::Pin::new())
    }

    fn wait_for_pins(&self) {}
}

// SAFETY: the arena shows from `direct_map` on for ever; there are no interrupts, and nothing is mapped.
unsafe impl Platform for Bench {
    type Lock<T: Send> = SpinLock<T, NoInterrupts>;
    type Cpus = Self;
    type Tables = NoTables;

    #[inline]
    fn cpus(&self) -> &Self {
        self
    }

    fn tables(&self) -> &NoTables {
        &NoTables
    }

    #[inline]
    fn context(&self) -> Context {
        if cpu::is_pinned() { Context::Atomic } else { Context::Process }
    }

    fn direct_map(&self) -> VirtAddr {
        self.direct_map
    }

    fn report(&self, _report: &Report<'_>) {}
}

/// A machine that is not booted: so many frames, all in the zone Normal, and room for the page array, which the host
/// has given memory to. It is never taken down: what allocators own is `'static`.
pub struct Machine {
    ram: PfnRange,
    entries: &'static mut [MaybeUninit<Page>],
    present: &'static mut [u64],
    arena: &'static Arena,
}

impl Machine {
    /// A machine with so many frames.
    pub fn new(frames: usize) -> Self {
        let ram = PfnRange::new(DMA_END, DMA_END.add(frames as u32));
        let entries = ram.end.as_u32().next_multiple_of(SECTION_FRAMES);
        let pages = (0..entries).map(|_| MaybeUninit::new(Page::new())).collect::<Vec<_>>();
        let present = vec![0; PageMap::present_words(entries)];
        let arena = Box::leak(Box::new(Arena::new(frames)));
        Self { ram, entries: pages.leak(), present: present.leak(), arena }
    }

    /// What a kernel does before it allocates: writes the page array and the presence map, and releases all frames.
    ///
    /// # Panics
    /// When the kmalloc caches cannot be made.
    pub fn boot(self) -> &'static Memory<Bench> {
        // From 0 on, as on a real machine: without gaps a free needs no look at the presence map.
        mark_present(self.present, PfnRange::new(Pfn::new(0), self.ram.end));
        self.entries.iter_mut().for_each(|entry| _ = entry.write(Page::new()));
        let count = self.entries.len() as u32;
        // SAFETY: every entry was written just now, and is leaked; nothing else uses them.
        let map = unsafe { PageMap::new(NonNull::from(self.entries).cast(), count, self.present) };
        let direct_map = VirtAddr::new(self.arena.address() - DMA_END.index() * PAGE_SIZE);
        let place = NonNull::from(Box::leak(Box::<Memory<Bench>>::new_uninit())).cast();
        // SAFETY: the place is leaked, and nothing else knows of it.
        let memory = unsafe { Memory::init(place, Bench { direct_map }, map, CONFIG) };
        // SAFETY: the arena is the allocators' alone.
        let released = unsafe { memory.release(self.ram) };
        assert!(released.is_ok(), "each frame is released once");
        let made = memory.init_caches();
        assert!(made.is_ok(), "no room for the kmalloc caches");
        memory
    }
}

/// Fresh allocators with so many frames, as a [`Machine`] that is booted.
pub fn boot(frames: usize) -> &'static Memory<Bench> {
    Machine::new(frames).boot()
}

/// First address for vm areas. Nothing is ever mapped there.
const VMALLOC_START: usize = 0xffff_c900_0000_0000;

const CONFIG: Config =
    Config::new().with_vmalloc(VirtAddr::new(VMALLOC_START), VirtAddr::new(VMALLOC_START + Pages::ALL * PAGE_SIZE));
