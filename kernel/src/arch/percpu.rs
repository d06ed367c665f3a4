//! The block of data that each CPU has for itself, by the register gs.
//!
//! The register gs points to it. Key types: [`PerCpu`], [`Word`], [`Pointer`], [`CacheIndex`]. A word is read or
//! changed in one instruction, so that neither an interrupt nor a move of the thread to another CPU can come between
//! finding the block and using it.
//!
//! Invariants:
//! - (a) gs points to this CPU's block from the first line of the kernel's entry on: [`init`] comes before all else.
//!   While ring 3 runs it is the program's; the first instructions of every way into the kernel (`entry.rs`) put it
//!   back.
//! - (b) only the CPU itself writes its block.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::offset_of;

use x86_64::VirtAddr;
use x86_64::registers::model_specific::GsBase;

/// What one CPU knows about itself.
#[repr(C)]
pub struct PerCpu {
    preempt_count: u32,
    softirqs: u32,
    handled_irq: u32,
    number: usize,
    cache_index: usize,
    current: usize,
    idle: usize,
    kernel_stack: usize,
    user_stack: usize,
}

/// The block of one CPU, in memory that its owner changes by gs-relative instructions.
#[repr(transparent)]
struct PerCpuCell(UnsafeCell<PerCpu>);

// SAFETY: invariant (b): no two CPUs touch one block, and each access is a single instruction.
unsafe impl Sync for PerCpuCell {}

static BOOT_CPU: PerCpuCell = PerCpuCell(UnsafeCell::new(PerCpu {
    preempt_count: NO_RESCHED,
    softirqs: 0,
    handled_irq: 0,
    number: 0,
    cache_index: 0,
    current: 0,
    idle: 0,
    kernel_stack: 0,
    user_stack: 0,
}));

/// Points gs to the block of the CPU that boots. The very first call of the kernel.
pub fn init() {
    GsBase::write(VirtAddr::from_ptr(BOOT_CPU.0.get()));
}

/// A 32-bit word at `OFFSET` in this CPU's block.
pub struct Word<const OFFSET: usize>;

/// Offset of the top of the running thread's stack, for the ways into the kernel from ring 3.
pub(super) const KERNEL_STACK_OFFSET: usize = offset_of!(PerCpu, kernel_stack);
/// Offset of a place for the stack pointer of ring 3, while SYSCALL has not saved it elsewhere.
pub(super) const USER_STACK_OFFSET: usize = offset_of!(PerCpu, user_stack);
/// The top of the running thread's stack, if it is one that goes to ring 3.
pub(super) static KERNEL_STACK: Pointer<KERNEL_STACK_OFFSET> = Pointer;

/// Offset of the preempt count in the block, for instructions of more than one step.
pub(super) const PREEMPT_COUNT_OFFSET: usize = offset_of!(PerCpu, preempt_count);
/// The bit of the preempt count that is set while no other thread should run.
pub const NO_RESCHED: u32 = 1 << 31;
/// CPUs for which the allocators have caches.
pub const CPUS: usize = 16;

/// How deep this CPU is in critical sections and interrupts, and [`NO_RESCHED`]: see `sync::preempt`.
pub static PREEMPT_COUNT: Word<PREEMPT_COUNT_OFFSET> = Word;
/// One bit for each soft interrupt that was raised and has not run.
pub static SOFTIRQS: Word<{ offset_of!(PerCpu, softirqs) }> = Word;
/// Number of the interrupt line whose handler runs, plus one; 0 when none does.
pub static HANDLED_IRQ: Word<{ offset_of!(PerCpu, handled_irq) }> = Word;

/// This CPU's number, from 0 on. It means something only while the caller stays on its CPU.
#[inline(always)]
pub fn cpu() -> usize {
    let number = NUMBER.get();
    // SAFETY: it is 0: no other CPU is started.
    unsafe { core::hint::assert_unchecked(number < CPUS) };
    number
}

/// The index of the allocators' per-CPU caches that a pinned caller may use: this CPU's number, or [`CPUS`] when it
/// may use none.
#[inline(always)]
pub fn cache_index() -> usize {
    let index = CACHE_INDEX.get();
    // SAFETY: it is set to this CPU's number or to CPUS.
    unsafe { core::hint::assert_unchecked(index <= CPUS) };
    index
}

/// Which of the allocators' per-CPU caches the code that runs on this CPU may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheIndex {
    /// This CPU's.
    ThisCpu,
    /// None: an interrupt may have come while the CPU's caches were in use.
    None,
}

/// Says which of the allocators' per-CPU caches the code that runs on this CPU may use from now on.
pub fn set_cache_index(index: CacheIndex) {
    CACHE_INDEX.set(if index == CacheIndex::ThisCpu { cpu() } else { CPUS });
}

impl<const OFFSET: usize> Word<OFFSET> {
    /// The word's value.
    #[inline(always)]
    pub fn get(&self) -> u32 {
        let value;
        // SAFETY: by (a), gs:OFFSET is a word of this CPU's block; the instruction only reads it.
        unsafe {
            asm!("mov {:e}, gs:[{}]", out(reg) value, const OFFSET, options(nostack, preserves_flags, readonly));
        }
        value
    }

    /// Whether none of the bits of `BITS` is set: one instruction and a jump.
    #[inline(always)]
    pub fn has_none<const BITS: u32>(&self) -> bool {
        // SAFETY: as in `get`.
        unsafe {
            asm!(
                "test dword ptr gs:[{}], {}",
                "jnz {}",
                const OFFSET,
                const BITS,
                label { return false },
                options(nostack, readonly),
            );
        }
        true
    }

    /// Replaces the word's value and returns the old one.
    #[inline(always)]
    pub fn replace(&self, mut value: u32) -> u32 {
        // SAFETY: as in `get`; by (b) no other CPU writes the word.
        unsafe { asm!("xchg gs:[{}], {:e}", const OFFSET, inout(reg) value, options(nostack, preserves_flags)) };
        value
    }

    /// Adds `amount`. Also a compiler barrier: accesses to memory stay on their side of it.
    #[inline(always)]
    pub fn add(&self, amount: u32) {
        // SAFETY: as in `replace`.
        unsafe { asm!("add dword ptr gs:[{}], {:e}", const OFFSET, in(reg) amount, options(nostack)) };
    }

    /// Subtracts `amount`. Also a compiler barrier.
    #[inline(always)]
    pub fn sub(&self, amount: u32) {
        // SAFETY: as in `replace`.
        unsafe { asm!("sub dword ptr gs:[{}], {:e}", const OFFSET, in(reg) amount, options(nostack)) };
    }

    /// Adds one. A compiler barrier too.
    #[inline(always)]
    pub fn increment(&self) {
        // SAFETY: as in `replace`.
        unsafe { asm!("inc dword ptr gs:[{}]", const OFFSET, options(nostack)) };
    }

    /// Subtracts one. A compiler barrier too.
    #[inline(always)]
    pub fn decrement(&self) {
        // SAFETY: as in `replace`.
        unsafe { asm!("dec dword ptr gs:[{}]", const OFFSET, options(nostack)) };
    }

    /// Clears the bits that are set in `bits`.
    #[inline(always)]
    pub fn clear_bits(&self, bits: u32) {
        // SAFETY: as in `replace`.
        unsafe { asm!("and dword ptr gs:[{}], {:e}", const OFFSET, in(reg) !bits, options(nostack)) };
    }

    /// Sets the bits that are set in `bits`.
    #[inline(always)]
    pub fn set_bits(&self, bits: u32) {
        // SAFETY: as in `replace`.
        unsafe { asm!("or dword ptr gs:[{}], {:e}", const OFFSET, in(reg) bits, options(nostack)) };
    }
}

/// An address, or a number of its size, at `OFFSET` in this CPU's block; 0 before it is first set.
pub struct Pointer<const OFFSET: usize>;

static NUMBER: Pointer<{ offset_of!(PerCpu, number) }> = Pointer;
static CACHE_INDEX: Pointer<{ offset_of!(PerCpu, cache_index) }> = Pointer;
/// The thread that runs on this CPU.
pub static CURRENT: Pointer<{ offset_of!(PerCpu, current) }> = Pointer;
/// The thread that runs on this CPU when no other is ready.
pub static IDLE: Pointer<{ offset_of!(PerCpu, idle) }> = Pointer;

impl<const OFFSET: usize> Pointer<OFFSET> {
    /// The address.
    #[inline(always)]
    pub fn get(&self) -> usize {
        let value;
        // SAFETY: by (a), gs:OFFSET is a word of this CPU's block; the instruction only reads it.
        unsafe {
            asm!("mov {}, gs:[{}]", out(reg) value, const OFFSET, options(nostack, preserves_flags, readonly));
        }
        value
    }

    /// Replaces the address.
    #[inline(always)]
    pub fn set(&self, value: usize) {
        // SAFETY: by (a) and (b) the word is this CPU's to write.
        unsafe { asm!("mov gs:[{}], {}", const OFFSET, in(reg) value, options(nostack, preserves_flags)) };
    }
}
