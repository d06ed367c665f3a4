//! The way into the kernel by exception or interrupt.
//!
//! Each of the 256 vectors has a stub of 16 bytes that pushes its number and goes on to `trap_entry`, which saves all
//! registers ([`TrapFrame`]) and calls the kernel above ([`upcalls`](super::upcalls)). A frame record made there lets
//! backtraces run through to what was interrupted. Interrupts are off until the handler says otherwise.

use core::arch::global_asm;
use core::mem::offset_of;

use spin::Once;
use x86_64::VirtAddr;
use x86_64::structures::idt::InterruptDescriptorTable;

use super::gdt;
use super::trap_frame::{FIRST_INTERRUPT, TrapFrame};
use super::upcalls::{kernel_exception, kernel_interrupt};

global_asm!(
    ".pushsection .text.trap, \"ax\"",
    ".align 16",
    ".global trap_stubs",
    ".type trap_stubs, @function",
    ".type trap_entry, @function",
    "trap_stubs:",
    ".set vector, 0",
    ".rept 256",
    ".align 16",
    // Of the exceptions, these push an error code themselves.
    ".if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17 \
        && vector != 21 && vector != 29 && vector != 30",
    "push 0",
    ".endif",
    ".byte 0x68", // push imm32
    ".long vector",
    "jmp trap_entry",
    ".set vector, vector + 1",
    ".endr",
    "trap_entry:",
    "push rax",
    "push rbx",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push rbp",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "cld",
    "mov rdi, rsp",
    // The frame record: as if what was interrupted had called here.
    "push qword ptr [rsp + 17*8]",
    "push rbp",
    "mov rbp, rsp",
    "mov eax, dword ptr [rdi + {vector}]",
    "cmp eax, {first_interrupt}",
    "jb 2f",
    "mov edi, eax",
    "call {interrupt}",
    "jmp 3f",
    "2:",
    "call {exception}",
    "3:",
    "add rsp, 16",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rbp",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rbx",
    "pop rax",
    "add rsp, 16",
    "iretq",
    ".size trap_stubs, trap_entry - trap_stubs",
    ".size trap_entry, . - trap_entry",
    ".popsection",
    vector = const offset_of!(TrapFrame, vector),
    first_interrupt = const FIRST_INTERRUPT,
    interrupt = sym kernel_interrupt,
    exception = sym kernel_exception,
);

unsafe extern "C" {
    static trap_stubs: [[u8; 16]; 256];
}

static IDT: Once<InterruptDescriptorTable> = Once::new();

/// Loads the interrupt table: from here on an exception is reported instead of resetting the machine.
pub fn init() {
    IDT.call_once(new_idt).load();
}

fn stub(vector: u8) -> VirtAddr {
    VirtAddr::from_ptr(&raw const trap_stubs) + u64::from(vector) * 16
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
    use x86_64::structures::idt::EntryOptions;
    let on_stack = |ist: u16| {
        move |options: &mut EntryOptions| {
            // SAFETY: the TSS has a stack of its own for this vector alone.
            unsafe { options.set_stack_index(ist) };
        }
    };
    let mut idt = InterruptDescriptorTable::new();
    set!(idt.divide_error = 0);
    set!(idt.debug = 1);
    set!(idt.non_maskable_interrupt = 2, on_stack(gdt::NMI_IST));
    set!(idt.breakpoint = 3);
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
