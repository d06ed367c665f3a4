//! The stacks that need no allocator, each with a guard page below it.
//!
//! Key types: [`GuardedStack`]. The kernel's own page tables leave the guard pages out, so that running over the end of
//! a stack faults instead of overwriting what lies below.

use core::cell::UnsafeCell;

use mm::{PAGE_SIZE, VirtAddr};

/// A stack of `BYTES`, a multiple of the page size, above a page that is never mapped.
#[repr(C, align(4096))]
pub struct GuardedStack<const BYTES: usize> {
    guard: [u8; PAGE_SIZE],
    stack: UnsafeCell<[u8; BYTES]>,
}

// SAFETY: only addresses of it are handed out here; a stack is used by one thread or one exception at a time.
unsafe impl<const BYTES: usize> Sync for GuardedStack<BYTES> {}

/// The thread "boot" and, after boot, the shell. The allocators are put together here before they move to their place.
pub static BOOT: GuardedStack<{ 256 << 10 }> = GuardedStack::new();
/// The idle thread, and the interrupts that come while it runs.
pub static IDLE: GuardedStack<{ 16 << 10 }> = GuardedStack::new();
/// Double faults: those of a thread whose own stack is used up.
pub static DOUBLE_FAULT: GuardedStack<{ 16 << 10 }> = GuardedStack::new();
/// Non-maskable interrupts, which may come while no stack is in order.
pub static NMI: GuardedStack<{ 8 << 10 }> = GuardedStack::new();
/// Machine checks, which may come then too.
pub static MACHINE_CHECK: GuardedStack<{ 8 << 10 }> = GuardedStack::new();
/// Debug exceptions: a program can have one come at the first instruction of the kernel, on its own stack.
pub static DEBUG: GuardedStack<{ 8 << 10 }> = GuardedStack::new();

impl<const BYTES: usize> GuardedStack<BYTES> {
    const fn new() -> Self {
        Self { guard: [0; PAGE_SIZE], stack: UnsafeCell::new([0; BYTES]) }
    }

    /// Lowest address, and the address after the highest.
    pub fn range(&self) -> (VirtAddr, VirtAddr) {
        let bottom = VirtAddr::from_ptr(self.stack.get());
        (bottom, bottom.add(BYTES))
    }

    fn guard_page(&self) -> VirtAddr {
        VirtAddr::from_ptr(&raw const self.guard)
    }
}

/// The pages below these stacks, which stay unmapped.
pub fn guard_pages() -> [VirtAddr; 6] {
    [
        BOOT.guard_page(),
        IDLE.guard_page(),
        DOUBLE_FAULT.guard_page(),
        NMI.guard_page(),
        MACHINE_CHECK.guard_page(),
        DEBUG.guard_page(),
    ]
}

/// The stack of these that holds `address`: its lowest address, and the one after its highest.
pub fn range_of(address: VirtAddr) -> Option<(VirtAddr, VirtAddr)> {
    let ranges = [BOOT.range(), IDLE.range(), DOUBLE_FAULT.range(), NMI.range(), MACHINE_CHECK.range(), DEBUG.range()];
    ranges.into_iter().find(|&(bottom, top)| bottom <= address && address < top)
}
