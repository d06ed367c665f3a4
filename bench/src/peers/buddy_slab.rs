//! buddy-slab-allocator's objects, and the machine that it wants beneath.
//!
//! CPUs with slabs, and a spinlock.

use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use ax_sync::interface::{AcquireResult, ContextState, LockMetadata, SpinOps};
use buddy_slab_allocator::interface::BuddySlabIf;
use buddy_slab_allocator::{GlobalAllocator, PerCpuSlab, SlabPoolTrait, SlabTrait};
use mm::PAGE_SIZE;

use super::peer::{Block, Bytes, Peer, Request};
use crate::arena::{Arena, BYTES};
use crate::cpu::{self, CPUS};

/// buddy-slab-allocator's slabs: the crate wants one set of them for all time.
static SLABS: Slabs = Slabs([PerCpuSlab::new(0), PerCpuSlab::new(1)]);

struct Slabs([PerCpuSlab<PAGE_SIZE>; CPUS]);

impl SlabPoolTrait for Slabs {
    fn current_slab(&self) -> &dyn SlabTrait {
        &self.0[cpu::number()]
    }

    fn owner_slab(&self, cpu: usize) -> &dyn SlabTrait {
        &self.0[cpu]
    }
}

struct ThisMachine;

#[ax_crate_interface::impl_interface]
impl BuddySlabIf for ThisMachine {
    fn virt_to_phys(vaddr: usize) -> usize {
        vaddr
    }

    fn slab_pool() -> &'static dyn SlabPoolTrait {
        &SLABS
    }
}

struct SpinLocks;

#[ax_crate_interface::impl_interface]
impl SpinOps for SpinLocks {
    fn acquire(
        locked: &AtomicBool,
        _metadata: &LockMetadata,
        _address: usize,
        _context: u8,
        _subclass: u32,
        _caller: &'static Location<'static>,
    ) -> ContextState {
        while locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            while Self::is_locked(locked) {
                core::hint::spin_loop();
            }
        }
        NO_CONTEXT
    }

    fn try_acquire(
        locked: &AtomicBool,
        _metadata: &LockMetadata,
        _address: usize,
        _context: u8,
        _subclass: u32,
        _caller: &'static Location<'static>,
    ) -> AcquireResult {
        let acquired = locked.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
        AcquireResult::new(acquired, NO_CONTEXT)
    }

    fn release(locked: &AtomicBool, _address: usize, _context: u8, _state: ContextState) {
        locked.store(false, Ordering::Release);
    }

    fn force_release(locked: &AtomicBool, _address: usize, _context: u8) {
        locked.store(false, Ordering::Release);
    }

    fn is_locked(locked: &AtomicBool) -> bool {
        locked.load(Ordering::Relaxed)
    }
}

/// Interrupts and preemption, which a program has not.
const NO_CONTEXT: ContextState = ContextState::new(0, 0);

struct BuddySlab {
    objects: GlobalAllocator<PAGE_SIZE>,
    _arena: Arena,
}

/// buddy-slab-allocator with a slab for each CPU. One at a time.
///
/// # Panics
/// When it refuses its memory.
pub fn objects() -> Box<dyn Peer<Bytes>> {
    let arena = Arena::populated();
    let objects = GlobalAllocator::new();
    SLABS.0.iter().for_each(PerCpuSlab::reset);
    // SAFETY: the memory is valid, this allocator's alone, and goes after it.
    let region = unsafe { NonNull::slice_from_raw_parts(arena.start(), BYTES).as_mut() };
    // SAFETY: as above.
    let result = unsafe { objects.init(region) };
    assert!(result.is_ok(), "buddy-slab-allocator refuses its memory");
    Box::new(BuddySlab { objects, _arena: arena })
}

impl Peer<Bytes> for BuddySlab {
    fn name(&self) -> &'static str {
        "buddy-slab"
    }

    fn alloc(&self, bytes: Bytes) -> Option<Block> {
        let object = self.objects.alloc(bytes.layout()).ok()?;
        Block::new(object.as_ptr().expose_provenance())
    }

    fn free(&self, block: Block, bytes: Bytes) {
        let object = NonNull::with_exposed_provenance(block.0);
        // SAFETY: the object came from `alloc` for this request; rows free each once.
        unsafe { self.objects.dealloc(object, bytes.layout()) };
    }
}
