//! Ours: [`mm::Memory`] on a platform as lean as a kernel's, with every check on.

use core::panic::Location;
use core::ptr::NonNull;

use mm::memory::DMA_END;
use mm::page::{Page, SECTION_FRAMES, mark_present};
use mm::zone::AtomicFloor;
use mm::{
    Config, Context, Frames, GfpFlags, Lock, MapError, Mapping, Memory, MustFlush, Order, PAGE_SIZE, PageMap, Pfn,
    PfnRange, Pinned, Platform, Report, Unlinked, VirtAddr,
};

use super::{Block, Metadata, Peer};
use crate::arena::{Arena, FRAMES};
use crate::cpu;

/// A spinlock as a platform's lock.
struct SpinLock<T>(spin::Mutex<T>);

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

/// A pin of this thread to its CPU.
struct Pin(usize);

impl Pinned for Pin {
    #[inline]
    fn cpu(&self) -> usize {
        self.0
    }

    #[inline]
    fn front(&self) -> usize {
        self.0
    }
}

impl Drop for Pin {
    #[inline]
    fn drop(&mut self) {
        cpu::unpin();
    }
}

/// The benchmark as a kernel: pins are counted, nothing is mapped, nobody sleeps.
struct Bench {
    direct_map: VirtAddr,
}

impl Platform for Bench {
    type Lock<T: Send> = SpinLock<T>;
    type Pin = Pin;

    #[inline]
    fn pin(&self) -> Option<Pin> {
        cpu::pin();
        Some(Pin(cpu::number()))
    }

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
        MustFlush::new(at, pages)
    }

    fn translate(&self, _at: VirtAddr) -> Option<Pfn> {
        None
    }

    fn unlink_empty_table(&self, _from: VirtAddr, _end: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        None
    }

    fn flush(&self, _must_flush: MustFlush) {}

    fn report(&self, _report: &Report<'_>, _caller: &'static Location<'static>) {}
}

struct Scullery(&'static Memory<Bench>);

/// Our allocators with all memory in the zone Normal. They are never taken down: what they own is `'static`.
pub fn new() -> Box<dyn Peer> {
    let ram = PfnRange::new(DMA_END, DMA_END.add(FRAMES as u32));
    let frames = ram.end.as_u32().next_multiple_of(SECTION_FRAMES);
    let mut present = vec![0; PageMap::present_words(frames)];
    mark_present(&mut present, ram);
    let pages: &'static [Page] = (0..frames).map(|_| Page::new()).collect::<Vec<_>>().leak();
    // SAFETY: every entry exists and is leaked; nothing else uses them.
    let map = unsafe { PageMap::new(NonNull::from(pages).cast(), frames, present.leak()) };
    let arena: &'static Arena = Box::leak(Box::new(Arena::new()));
    let direct_map = VirtAddr::new(arena.address() - DMA_END.index() * PAGE_SIZE);
    let nowhere = VirtAddr::new(0);
    let config = Config {
        highmem_start: Pfn::new(u32::MAX),
        vmalloc_start: nowhere,
        vmalloc_end: nowhere,
        kmap_start: nowhere,
        atomic_floor: AtomicFloor::LastPage,
    };
    let memory: &'static Memory<Bench> = Box::leak(Box::new(Memory::new(Bench { direct_map }, map, config)));
    memory.release(ram);
    Box::new(Scullery(memory))
}

impl Peer for Scullery {
    fn name(&self) -> &'static str {
        "Scullery"
    }

    fn alloc(&self, order: Order) -> Option<Block> {
        self.0.alloc_pages(GfpFlags::KERNEL, order).ok().and_then(|frame| Block::new(frame.index()))
    }

    fn alloc_urgent(&self, order: Order) -> Option<Block> {
        self.0.alloc_pages(GfpFlags::ATOMIC, order).ok().and_then(|frame| Block::new(frame.index()))
    }

    fn free(&self, block: Block, order: Order) {
        let result = self.0.free_frames(Pfn::new(block.number() as u32), order);
        assert!(result.is_ok(), "a good free was refused");
    }

    fn coalesce(&self) {
        self.0.drop_caches();
    }

    fn metadata(&self) -> Metadata {
        Metadata::Outside(self.0.map().bytes())
    }
}
