//! Ours: the calls of [`Memory`] on the benchmark's platform, all checks on.

use core::ptr::{self, NonNull};

use mm::page::Page;
use mm::{CacheFlags, CacheRef, CacheSpec, GfpFlags, Memory, Order, Pfn, VirtAddr};

use super::peer::{Block, Bytes, Metadata, Pages, Peer};
use super::scullery::{Bench, boot};
use crate::arena::FRAMES;

/// What a row says about a free that must succeed.
const REFUSED: &str = "a good free was refused";

struct PageCalls(&'static Memory<Bench>);

/// alloc_pages and free_pages.
pub fn pages() -> Box<dyn Peer<Order>> {
    pages_of(boot(FRAMES))
}

/// alloc_pages and free_pages of this memory.
pub fn pages_of(memory: &'static Memory<Bench>) -> Box<dyn Peer<Order>> {
    Box::new(PageCalls(memory))
}

impl Peer<Order> for PageCalls {
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
        // SAFETY: the block is one that was allocated here and not freed since.
        let result = unsafe { self.0.free_frames(Pfn::new(block.number() as u32), order) };
        assert!(result.is_ok(), "{REFUSED}");
    }

    fn coalesce(&self) {
        self.0.drop_caches();
    }

    fn metadata(&self) -> Metadata {
        Metadata::Outside(FRAMES * size_of::<Page>())
    }
}

struct Kmalloc(&'static Memory<Bench>);

/// kmalloc, and kfree by the pointer alone.
pub fn kmalloc() -> Box<dyn Peer<Bytes>> {
    Box::new(Kmalloc(boot(FRAMES)))
}

impl Peer<Bytes> for Kmalloc {
    fn name(&self) -> &'static str {
        "kmalloc"
    }

    fn alloc(&self, bytes: Bytes) -> Option<Block> {
        let object = self.0.kmalloc(bytes.0, GfpFlags::KERNEL).ok()?;
        Block::new(object.as_ptr().expose_provenance())
    }

    fn free(&self, block: Block, _bytes: Bytes) {
        // SAFETY: as above.
        let result = unsafe { self.0.kfree(ptr::with_exposed_provenance(block.number())) };
        assert!(result.is_ok(), "{REFUSED}");
    }
}

/// Objects of a cache of their own.
struct KmemCache {
    memory: &'static Memory<Bench>,
    caches: [(usize, CacheRef<Bench>); 2],
}

/// kmem_cache_alloc and kmem_cache_free: caches for the two sizes of the rows, and no others.
pub fn kmem_cache() -> Box<dyn Peer<Bytes>> {
    let memory = boot(FRAMES);
    let caches = [("bench-64", 64), ("bench-1024", 1024)].map(|(name, size)| {
        let spec = CacheSpec { name, size, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
        (size, memory.kmem_cache_create(&spec).expect("room for a cache"))
    });
    Box::new(KmemCache { memory, caches })
}

impl KmemCache {
    #[inline]
    fn cache(&self, bytes: Bytes) -> Option<CacheRef<Bench>> {
        self.caches.iter().find(|(size, _)| *size == bytes.0).map(|(_, cache)| *cache)
    }
}

impl Peer<Bytes> for KmemCache {
    fn name(&self) -> &'static str {
        "kmem_cache"
    }

    fn alloc(&self, bytes: Bytes) -> Option<Block> {
        let object = self.memory.kmem_cache_alloc(self.cache(bytes)?, GfpFlags::KERNEL).ok()?;
        Block::new(object.as_ptr().expose_provenance())
    }

    fn free(&self, block: Block, bytes: Bytes) {
        let object = NonNull::with_exposed_provenance(block.0);
        // SAFETY: as above.
        let free = |cache| unsafe { self.memory.kmem_cache_free(cache, object) };
        let freed = self.cache(bytes).is_some_and(|cache| free(cache).is_ok());
        assert!(freed, "{REFUSED}");
    }
}

struct Areas(&'static Memory<Bench>);

/// What vmalloc does to addresses, without its pages: nothing is mapped, and a flush costs nothing.
pub fn areas() -> Box<dyn Peer<Pages>> {
    Box::new(Areas(boot(FRAMES)))
}

impl Peer<Pages> for Areas {
    fn name(&self) -> &'static str {
        "vm areas"
    }

    fn alloc(&self, pages: Pages) -> Option<Block> {
        Block::new(self.0.areas().take_empty(pages.0).ok()?.as_usize())
    }

    fn free(&self, block: Block, _pages: Pages) {
        let result = self.0.areas().free_empty(VirtAddr::new(block.number()));
        assert!(result.is_ok(), "{REFUSED}");
    }
}
