//! Segments, and the stacks that exceptions switch to.
//!
//! The order of the descriptors is the one that SYSCALL and SYSRET expect: kernel code and data, user data and code.

use core::cell::UnsafeCell;

use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;

use super::stacks;

/// Index of the double fault's stack in the TSS.
pub const DOUBLE_FAULT_IST: u16 = 0;
/// Index of the NMI's stack in the TSS.
pub const NMI_IST: u16 = 1;
/// Index of the machine check's stack in the TSS.
pub const MACHINE_CHECK_IST: u16 = 2;
/// Index of the debug exception's stack in the TSS.
pub const DEBUG_IST: u16 = 3;

/// The task state segment, which the CPU reads when it changes stacks.
struct Tss(UnsafeCell<TaskStateSegment>);

// SAFETY: this CPU alone writes it, in `init` and in `set_kernel_stack`, with interrupts off.
unsafe impl Sync for Tss {}

static TSS: Tss = Tss(UnsafeCell::new(TaskStateSegment::new()));
static GDT: Once<(GlobalDescriptorTable, Selectors)> = Once::new();

struct Selectors {
    code: SegmentSelector,
    data: SegmentSelector,
    tss: SegmentSelector,
}

/// Loads the segments and the TSS.
pub fn init() {
    // SAFETY: nothing reads or writes it before it is loaded below.
    unsafe { *TSS.0.get() = new_tss() };
    let (gdt, selectors) = GDT.call_once(new_gdt);
    gdt.load();
    // SAFETY: the selector names the 64-bit ring 0 code segment of the table just loaded.
    unsafe { CS::set_reg(selectors.code) };
    // SAFETY: the selector names a writable ring 0 data segment.
    unsafe { SS::set_reg(selectors.data) };
    // SAFETY: as above; in 64-bit mode DS has no effect.
    unsafe { DS::set_reg(selectors.data) };
    // SAFETY: as above. FS and GS stay alone: GS has the base of the per-CPU block.
    unsafe { ES::set_reg(selectors.data) };
    // SAFETY: the selector names the TSS of this CPU, a static, which never moves.
    unsafe { load_tss(selectors.tss) };
}

/// Makes `top` the stack on which the kernel goes on after an interrupt or exception in ring 3. Interrupts are off.
#[inline]
pub(super) fn set_kernel_stack(top: mm::VirtAddr) {
    let tss = TSS.0.get();
    // SAFETY: the segment is this CPU's, and with interrupts off nothing else writes it; the CPU reads it when it
    // enters the kernel from ring 3.
    unsafe { (*tss).privilege_stack_table[0] = VirtAddr::new_truncate(top.as_usize() as u64) };
}

fn new_tss() -> TaskStateSegment {
    let mut tss = TaskStateSegment::new();
    let mut set = |index: u16, (_, top): (mm::VirtAddr, mm::VirtAddr)| {
        tss.interrupt_stack_table[usize::from(index)] = VirtAddr::new(top.as_usize() as u64);
    };
    set(DOUBLE_FAULT_IST, stacks::DOUBLE_FAULT.range());
    set(NMI_IST, stacks::NMI.range());
    set(MACHINE_CHECK_IST, stacks::MACHINE_CHECK.range());
    set(DEBUG_IST, stacks::DEBUG.range());
    tss
}

fn new_gdt() -> (GlobalDescriptorTable, Selectors) {
    let mut gdt = GlobalDescriptorTable::new();
    let code = gdt.append(Descriptor::kernel_code_segment());
    let data = gdt.append(Descriptor::kernel_data_segment());
    gdt.append(Descriptor::user_data_segment());
    gdt.append(Descriptor::user_code_segment());
    // SAFETY: it is a static, and what changes in it later is not part of the descriptor.
    let tss = gdt.append(unsafe { Descriptor::tss_segment_unchecked(TSS.0.get()) });
    (gdt, Selectors { code, data, tss })
}
