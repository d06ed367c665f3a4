//! Memory for threads until the allocators land: a static heap and a static pool of stacks. Goes when they come.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use linked_list_allocator::Heap;
use mm::{AllocError, VirtAddr};

use crate::sched::{STACK_BYTES, StackSource};
use crate::sync::SpinLock;

const HEAP_BYTES: usize = 64 << 10;
const STACKS: usize = 14;

#[repr(C, align(4096))]
struct Memory<const N: usize>(UnsafeCell<[u8; N]>);

// SAFETY: parts of it are handed out once each.
unsafe impl<const N: usize> Sync for Memory<N> {}

static HEAP_MEMORY: Memory<HEAP_BYTES> = Memory(UnsafeCell::new([0; HEAP_BYTES]));
static STACK_MEMORY: Memory<{ STACKS * (STACK_BYTES + 4096) }> = Memory(UnsafeCell::new([0; STACKS * (STACK_BYTES + 4096)]));
static USED: AtomicU32 = AtomicU32::new(0);

struct Interim(SpinLock<Heap>);

#[global_allocator]
static ALLOCATOR: Interim = Interim(SpinLock::new(Heap::empty()));

// SAFETY: the heap hands out each byte of its memory once.
unsafe impl GlobalAlloc for Interim {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.with(|heap| heap.allocate_first_fit(layout).map_or(core::ptr::null_mut(), NonNull::as_ptr))
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let Some(ptr) = NonNull::new(ptr) else { return };
        // SAFETY: the caller got it from `alloc`.
        self.0.with(|heap| unsafe { heap.deallocate(ptr, layout) });
    }
}

/// Makes the heap usable.
pub fn init() {
    // SAFETY: once, with memory of its own.
    ALLOCATOR.0.with(|heap| unsafe { heap.init(HEAP_MEMORY.0.get().cast(), HEAP_BYTES) });
}

fn stack(index: u32) -> VirtAddr {
    VirtAddr::from_ptr(STACK_MEMORY.0.get()).add(index as usize * (STACK_BYTES + 4096) + 4096)
}

/// Guard pages of the pool.
pub fn guards() -> impl Iterator<Item = VirtAddr> {
    (0..STACKS as u32).map(|index| VirtAddr::new(stack(index).as_usize() - 4096))
}

/// Takes the guard pages out of the address space.
pub fn unmap_guards() {
    for guard in guards() {
        crate::arch::paging::unmap(guard);
        crate::arch::paging::flush(guard, 1);
    }
}

/// Stacks from the pool.
pub const STACK_SOURCE: StackSource = StackSource {
    allocate: || {
        let free = |used: u32| (used.count_ones() < STACKS as u32).then(|| used | (used + 1));
        let before = USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).map_err(|_| AllocError)?;
        Ok(stack((!before).trailing_zeros()))
    },
    free: |bottom| {
        let index = (0..STACKS as u32).find(|&index| stack(index) == bottom).unwrap_or(0);
        USED.fetch_and(!(1 << index), Ordering::Relaxed);
    },
};

/// Where boot goes on.
pub static MAIN: spin::Once<extern "C" fn() -> !> = spin::Once::new();

/// Builds page tables from the end of the largest usable region.
pub fn change_page_tables(boot_info: &bootloader_api::BootInfo, main: extern "C" fn() -> !) -> ! {
    use crate::arch::paging::{Builder, builder};
    use bootloader_api::info::MemoryRegionKind;
    use mm::{Pfn, PfnRange};
    let offset = boot_info.physical_memory_offset.into_option().unwrap_or(0);
    // SAFETY: the bootloader's tables are in use.
    let boot = unsafe { builder::boot_space(VirtAddr::new(offset as usize)) };
    let usable = || boot_info.memory_regions.iter().filter(|region| region.kind == MemoryRegionKind::Usable);
    let mut next = usable().max_by_key(|region| region.end - region.start).map_or(0, |region| region.end);
    let mut frames = || {
        next -= 4096;
        mm::PhysAddr::new(next).frame()
    };
    let Ok(mut builder) = Builder::new(&boot, &mut frames) else { panic!("no frames") };
    let end = usable().map(|region| region.end).max().unwrap_or(0);
    let range = PfnRange::new(Pfn::new(0), Pfn::new((end / 4096) as u32));
    let Ok(()) = builder.map_direct(range) else { panic!("direct map") };
    let Ok(()) = builder.map_image() else { panic!("image") };
    crate::klog!("direct map of {} frames", range.frames());
    // SAFETY: nothing of the bootloader's is used from here on.
    unsafe { builder.activate(main) }
}
