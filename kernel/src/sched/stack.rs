//! Where threads' stacks come from.
//!
//! A stack is an area of whole pages with an unmapped page below it. The memory side provides them through
//! [`set_source`]; a stack goes back when its [`KernelStack`] is dropped, which the reaper does in process context.

use mm::{AllocError, VirtAddr};
use spin::Once;

/// Bytes of a thread's stack: room for a deep call, an interrupt and its soft interrupts on top.
pub const STACK_BYTES: usize = 32 << 10;

/// Makes and takes back stacks of [`STACK_BYTES`] with an unmapped page below.
pub struct StackSource {
    /// Makes a stack and returns its lowest address. May sleep.
    pub allocate: fn() -> Result<VirtAddr, AllocError>,
    /// Takes back the stack at this lowest address. May sleep.
    pub free: fn(VirtAddr),
}

static SOURCE: Once<StackSource> = Once::new();

/// Says where stacks come from; threads can be spawned from here on. Later calls change nothing.
pub fn set_source(source: StackSource) {
    SOURCE.call_once(|| source);
}

/// The memory of one thread's stack. Dropping it gives the memory back: process context only.
#[derive(Debug)]
#[must_use = "the stack is freed when this is dropped"]
pub struct KernelStack {
    bottom: VirtAddr,
}

impl KernelStack {
    /// A new stack; fails when memory is short, and before [`set_source`]. May sleep.
    pub fn allocate() -> Result<Self, AllocError> {
        let source = SOURCE.get().ok_or(AllocError)?;
        Ok(Self { bottom: (source.allocate)()? })
    }

    /// Lowest address.
    pub const fn bottom(&self) -> VirtAddr {
        self.bottom
    }

    /// The address after the highest.
    pub const fn top(&self) -> VirtAddr {
        self.bottom.add(STACK_BYTES)
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        if let Some(source) = SOURCE.get() {
            (source.free)(self.bottom);
        }
    }
}
