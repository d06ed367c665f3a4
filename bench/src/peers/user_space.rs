//! Allocators of programs, for scale: mimalloc and snmalloc.

use core::alloc::GlobalAlloc;
use core::ptr;

use ::mimalloc::MiMalloc;
use snmalloc_rs::SnMalloc;

use super::peer::{Block, Bytes, Peer, Request};

/// An allocator of the process, with memory that it gets from the host by itself.
struct UserSpace<A> {
    name: &'static str,
    heap: A,
}

/// mimalloc.
pub fn mimalloc() -> Box<dyn Peer<Bytes>> {
    Box::new(UserSpace { name: "mimalloc", heap: MiMalloc })
}

/// snmalloc.
pub fn snmalloc() -> Box<dyn Peer<Bytes>> {
    Box::new(UserSpace { name: "snmalloc", heap: SnMalloc })
}

impl<A: GlobalAlloc + Sync> Peer<Bytes> for UserSpace<A> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alloc(&self, bytes: Bytes) -> Option<Block> {
        // SAFETY: the size is not 0.
        let object = unsafe { self.heap.alloc(bytes.layout()) };
        Block::new(object.expose_provenance())
    }

    fn free(&self, block: Block, bytes: Bytes) {
        let object = ptr::with_exposed_provenance_mut(block.number());
        // SAFETY: the object came from `alloc` for this request; rows free each once.
        unsafe { self.heap.dealloc(object, bytes.layout()) };
    }
}
