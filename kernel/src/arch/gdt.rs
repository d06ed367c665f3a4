//! Segments, and the stacks that exceptions switch to.
//!
//! The order of the descriptors is the one that SYSCALL and SYSRET expect: kernel code and data, user data and code.

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

static TSS: Once<TaskStateSegment> = Once::new();
static GDT: Once<(GlobalDescriptorTable, Selectors)> = Once::new();

struct Selectors {
    code: SegmentSelector,
    data: SegmentSelector,
    tss: SegmentSelector,
}

/// Loads the segments and the TSS.
pub fn init() {
    let tss = TSS.call_once(new_tss);
    let (gdt, selectors) = GDT.call_once(|| new_gdt(tss));
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

fn new_tss() -> TaskStateSegment {
    let mut tss = TaskStateSegment::new();
    let mut set = |index: u16, (_, top): (mm::VirtAddr, mm::VirtAddr)| {
        tss.interrupt_stack_table[usize::from(index)] = VirtAddr::new(top.as_usize() as u64);
    };
    set(DOUBLE_FAULT_IST, stacks::DOUBLE_FAULT.range());
    set(NMI_IST, stacks::NMI.range());
    set(MACHINE_CHECK_IST, stacks::MACHINE_CHECK.range());
    tss
}

fn new_gdt(tss: &'static TaskStateSegment) -> (GlobalDescriptorTable, Selectors) {
    let mut gdt = GlobalDescriptorTable::new();
    let code = gdt.append(Descriptor::kernel_code_segment());
    let data = gdt.append(Descriptor::kernel_data_segment());
    gdt.append(Descriptor::user_data_segment());
    gdt.append(Descriptor::user_code_segment());
    let tss = gdt.append(Descriptor::tss_segment(tss));
    (gdt, Selectors { code, data, tss })
}
