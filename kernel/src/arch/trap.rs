//! The interrupt table: what each vector enters the kernel by.

use spin::Once;
use x86_64::structures::idt::{EntryOptions, InterruptDescriptorTable};
use x86_64::{PrivilegeLevel, VirtAddr};

use super::trap_frame::FIRST_INTERRUPT;
use super::{entry, gdt};

static IDT: Once<InterruptDescriptorTable> = Once::new();

/// Loads the interrupt table: from here on an exception is reported instead of resetting the machine.
pub fn init() {
    IDT.call_once(new_idt).load();
}

fn stub(vector: u8) -> VirtAddr {
    VirtAddr::new_truncate(entry::stub(vector))
}

/// Sets a field of the table that has a type of its own.
macro_rules! set {
    ($idt:ident . $field:ident = $vector:literal) => {
        set!($idt.$field = $vector, |_options| {})
    };
    ($idt:ident . $field:ident = $vector:literal, $more:expr) => {{
        // SAFETY: the stub handles the vector as the CPU enters it, error code and all.
        let options = unsafe { $idt.$field.set_handler_addr(stub($vector)) };
        $more(options);
    }};
}

fn new_idt() -> InterruptDescriptorTable {
    let on_stack = |ist: u16| {
        move |options: &mut EntryOptions| {
            // SAFETY: the TSS has a stack of its own for this vector alone.
            unsafe { options.set_stack_index(ist) };
        }
    };
    let mut idt = InterruptDescriptorTable::new();
    set!(idt.divide_error = 0);
    set!(idt.debug = 1, on_stack(gdt::DEBUG_IST));
    set!(idt.non_maskable_interrupt = 2, on_stack(gdt::NMI_IST));
    // Ring 3 may execute `int3`.
    set!(idt.breakpoint = 3, |options: &mut EntryOptions| {
        options.set_privilege_level(PrivilegeLevel::Ring3);
    });
    set!(idt.overflow = 4);
    set!(idt.bound_range_exceeded = 5);
    set!(idt.invalid_opcode = 6);
    set!(idt.device_not_available = 7);
    set!(idt.double_fault = 8, on_stack(gdt::DOUBLE_FAULT_IST));
    set!(idt.invalid_tss = 10);
    set!(idt.segment_not_present = 11);
    set!(idt.stack_segment_fault = 12);
    set!(idt.general_protection_fault = 13);
    set!(idt.page_fault = 14);
    set!(idt.x87_floating_point = 16);
    set!(idt.alignment_check = 17);
    set!(idt.machine_check = 18, on_stack(gdt::MACHINE_CHECK_IST));
    set!(idt.simd_floating_point = 19);
    set!(idt.virtualization = 20);
    set!(idt.cp_protection_exception = 21);
    for vector in FIRST_INTERRUPT..=u8::MAX {
        // SAFETY: interrupts push no error code, and their stubs expect none.
        unsafe { idt[vector].set_handler_addr(stub(vector)) };
    }
    idt
}
