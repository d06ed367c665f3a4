//! A static place for the allocators of a kernel.
//!
//! Key types: [`MemoryCell`].

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{
    AtomicU8,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::bootmem::Bootmem;
use crate::config::Config;
use crate::error::StartError;
use crate::memory::Memory;
use crate::page::PageMap;
use crate::platform::Platform;

/// Nobody has begun.
const EMPTY: u8 = 0;
/// The allocators are being made.
const BEGUN: u8 = 1;
/// They are there.
const READY: u8 = 2;

/// A place for the allocators, in a `static`: they are large, and refer to each other, so they are made where they stay
/// and never move. In a kernel's image it is zeros alone.
///
/// A [`Memory`] has 97 KiB for a [`CpuCount`](crate::CpuCount) of 1 and 155 KiB for 16; 64 KiB of that are the
/// index of areas. (`cargo test -p mm --test start -- --nocapture` prints this, and the stack that a start needs.)
pub struct MemoryCell<P: Platform> {
    state: AtomicU8,
    memory: UnsafeCell<MaybeUninit<Memory<P>>>,
}

// SAFETY: the memory is written by the one caller that has found the cell empty, and shared when it is ready.
unsafe impl<P: Platform> Sync for MemoryCell<P> {}

impl<P: Platform> MemoryCell<P> {
    /// An empty place.
    pub const fn new() -> Self {
        Self { state: AtomicU8::new(EMPTY), memory: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The allocators, once they are there. Any context.
    #[inline]
    pub fn get(&'static self) -> Option<&'static Memory<P>> {
        if self.state.load(Acquire) != READY {
            return None;
        }
        let memory = self.memory.get().cast::<Memory<P>>();
        // SAFETY: it was made, and from then on it is only shared.
        Some(unsafe { &*memory })
    }

    /// Makes allocators without memory. Then come [`release`](Memory::release) and
    /// [`init_caches`](Memory::init_caches). `None` if it was done before. Boot.
    pub fn init(&'static self, platform: P, map: PageMap, config: Config) -> Option<&'static Memory<P>> {
        self.state.compare_exchange(EMPTY, BEGUN, Acquire, Relaxed).ok()?;
        // A pointer and no `&mut`: all that is made in there refers to its neighbours.
        let place = NonNull::from(&self.memory).cast();
        // SAFETY: the cell is a static, and `get` leaves the place alone until it is ready.
        let memory = unsafe { Memory::init(place, platform, map, config) };
        self.state.store(READY, Release);
        Some(memory)
    }

    /// All of a start: takes the page map from `bootmem`, makes the allocators, hands them what is free, after which
    /// `bootmem` has nothing left, and creates the first caches. Boot.
    ///
    /// # Errors
    /// What is wrong with `config` or the direct map, or it was done before: nothing was changed. No memory for the
    /// page map or the caches: the kernel cannot go on, although [`get`](Self::get) may have the allocators.
    ///
    /// # Safety
    /// What is free in `bootmem` is memory that nobody uses; below `config.highmem_start` it shows in the platform's
    /// direct map already. The addresses that `config` has for areas and windows are nobody else's, and the platform's
    /// tables can map them.
    pub unsafe fn start(
        &'static self,
        platform: P,
        bootmem: &mut Bootmem,
        config: Config,
    ) -> Result<&'static Memory<P>, StartError> {
        if self.state.load(Relaxed) != EMPTY {
            return Err(StartError::StartedBefore);
        }
        let direct_map = platform.direct_map();
        config.check(direct_map)?;
        if direct_map.as_usize() == 0 {
            // Its address would be null.
            bootmem.reserve(PhysAddr::new(0), PhysAddr::new(PAGE_SIZE as u64))?;
        }
        // SAFETY: by the contract.
        let map = unsafe { PageMap::from_bootmem(bootmem, direct_map, config.highmem_start) }?;
        let memory = self.init(platform, map, config).ok_or(StartError::StartedBefore)?;
        while let Some(range) = bootmem.hand_over() {
            // SAFETY: by the contract nobody uses it, and bootmem has it no more.
            unsafe { memory.release(range) }?;
        }
        memory.init_caches()?;
        Ok(memory)
    }
}

impl<P: Platform> Default for MemoryCell<P> {
    fn default() -> Self {
        Self::new()
    }
}
