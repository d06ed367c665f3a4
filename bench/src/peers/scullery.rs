//! Ours: [`mm::Memory`] on a platform as lean as a kernel's, all checks on.

use core::ptr::NonNull;

use mm::DMA_END;
use mm::page::{Page, SECTION_FRAMES, mark_present};
use mm::pages::AtomicFloor;
use mm::{
    AddressSpace, Config, Context, Frames, Lock, MapError, Mapping, Memory, MustFlush, PAGE_SIZE, PageMap, Pfn,
    PfnRange, Pinned, Platform, Report, Unlinked, VirtAddr,
};

use super::Pages;
use crate::arena::{Arena, FRAMES};
use crate::cpu;

/// A spinlock as a platform's lock.
pub struct SpinLock<T>(spin::Mutex<T>);

impl<T: Send> Lock<T> for SpinLock<T> {
    fn new(value: T) -> Self {
        Self(spin::Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock())
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_lock().map(|mut value| f(&mut value))
    }
}

impl Pinned for cpu::Pin {
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

impl Platform for Bench {
    type Lock<T: Send> = SpinLock<T>;
    type Pin = cpu::Pin;

    #[inline]
    fn pin(&self) -> Option<cpu::Pin> {
        Some(cpu::Pin::new())
    }

    /// Benchmarks destroy a cache when no other thread runs.
    fn wait_for_pins(&self) {}

    #[inline]
    fn context(&self) -> Context {
        if cpu::is_pinned() { Context::Atomic } else { Context::Process }
    }

    fn direct_map(&self) -> VirtAddr {
        self.direct_map
    }

    fn wake_reclaimer(&self) {}

    fn wait_for_memory(&self, _ready: &mut dyn FnMut() -> bool) {}

    fn wake_waiters(&self) {}

    fn map(
        &self,
        _at: VirtAddr,
        _frames: Frames<'_>,
        _mapping: Mapping,
        _spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError> {
        Err(MapError::TableMissing)
    }

    fn unmap(&self, at: VirtAddr, pages: usize, _each: impl FnMut(Pfn, usize)) -> MustFlush {
        MustFlush::new(AddressSpace::Kernel, at, pages)
    }

    fn translate(&self, _at: VirtAddr) -> Option<Pfn> {
        None
    }

    fn unlink_empty_table(&self, _from: VirtAddr, _end: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        None
    }

    fn flush(&self, must_flush: MustFlush) {
        must_flush.flushed();
    }

    fn flush_local(&self, must_flush: MustFlush) {
        must_flush.flushed();
    }

    fn report(&self, _report: &Report<'_>) {}
}

/// Fresh allocators with all memory in the zone Normal. They are never taken down: what they own is `'static`.
///
/// # Panics
/// When the kmalloc caches cannot be made.
pub fn boot() -> &'static Memory<Bench> {
    let ram = PfnRange::new(DMA_END, DMA_END.add(FRAMES as u32));
    let frames = ram.end.as_u32().next_multiple_of(SECTION_FRAMES);
    let mut present = vec![0; PageMap::present_words(frames)];
    // From 0 on, as on a real machine: without gaps a free needs no look at the presence map.
    mark_present(&mut present, PfnRange::new(Pfn::new(0), ram.end));
    let pages: &'static [Page] = (0..frames).map(|_| Page::new()).collect::<Vec<_>>().leak();
    // SAFETY: every entry exists and is leaked; nothing else uses them.
    let map = unsafe { PageMap::new(NonNull::from(pages).cast(), frames, present.leak()) };
    let arena: &'static Arena = Box::leak(Box::new(Arena::new()));
    let direct_map = VirtAddr::new(arena.address() - DMA_END.index() * PAGE_SIZE);
    let place = NonNull::from(Box::leak(Box::<Memory<Bench>>::new_uninit())).cast();
    // SAFETY: the place is leaked, and nothing else knows of it.
    let memory = unsafe { Memory::init(place, Bench { direct_map }, map, CONFIG) };
    let released = memory.release(ram);
    assert!(released.is_ok(), "each frame is released once");
    let made = memory.init_caches();
    assert!(made.is_ok(), "no room for the kmalloc caches");
    memory
}

/// First address for vm areas. Nothing is ever mapped there.
const VMALLOC_START: usize = 0xffff_c900_0000_0000;

const CONFIG: Config = Config {
    highmem_start: Pfn::new(u32::MAX),
    vmalloc_start: VirtAddr::new(VMALLOC_START),
    vmalloc_end: VirtAddr::new(VMALLOC_START + Pages::ALL * PAGE_SIZE),
    kmap_start: VirtAddr::new(0xffff_ff80_0000_0000),
    atomic_floor: AtomicFloor::LastPage,
};
