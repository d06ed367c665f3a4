//! The way into the kernel by exception or interrupt, and the table that leads there.
//!
//! Key types: [`TrapFrame`]. Each of the 256 vectors has a stub of 16 bytes that pushes its number and goes on to
//! `trap_entry`, which saves all registers and calls the kernel above ([`upcalls`](super::upcalls)). A frame record made
//! there lets backtraces run through to what was interrupted. Interrupts are off until the handler says otherwise.

use core::arch::global_asm;
use core::fmt;
use core::mem::offset_of;

use spin::Once;
use x86_64::VirtAddr;
use x86_64::structures::idt::InterruptDescriptorTable;

use super::gdt;
use super::upcalls::{kernel_exception, kernel_interrupt};

/// The first vector that is not an exception.
pub const FIRST_INTERRUPT: u8 = 32;
/// Vector of the non-maskable interrupt.
pub const NMI: u64 = 2;
/// Vector of the breakpoint instruction.
pub const BREAKPOINT: u64 = 3;
/// Vector of the double fault.
pub const DOUBLE_FAULT: u64 = 8;
/// Vector of the stack-segment fault: a non-canonical address by way of the stack pointer.
pub const STACK_SEGMENT: u64 = 12;
/// Vector of the general protection fault: a non-canonical address, for one.
pub const GENERAL_PROTECTION: u64 = 13;
/// Vector of the page fault.
pub const PAGE_FAULT: u64 = 14;

/// The registers of what was interrupted, as `trap_entry` saves them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "registers are named as the CPU's manual names them")]
pub struct TrapFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// Number of the vector.
    pub vector: u64,
    /// The exception's error code; 0 where it has none.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl fmt::Display for TrapFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rip {:016x} rsp {:016x} rflags {:08x} error {:x}", self.rip, self.rsp, self.rflags, self.error)?;
        writeln!(f, "rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}", self.rax, self.rbx, self.rcx, self.rdx)?;
        writeln!(f, "rsi {:016x} rdi {:016x} rbp {:016x} r8  {:016x}", self.rsi, self.rdi, self.rbp, self.r8)?;
        writeln!(f, "r9  {:016x} r10 {:016x} r11 {:016x} r12 {:016x}", self.r9, self.r10, self.r11, self.r12)?;
        write!(f, "r13 {:016x} r14 {:016x} r15 {:016x}", self.r13, self.r14, self.r15)
    }
}

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
