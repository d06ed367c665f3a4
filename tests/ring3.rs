//! Ring 3: programs that behave, and programs that try what they should not.
//!
//! Machine:
//! Machine: CPU=max APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(allocator_api, custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;
#[macro_use]
#[path = "common/program.rs"]
mod program;
#[path = "common/ring3.rs"]
mod ring3;

use core::sync::atomic::Ordering::SeqCst;

use kernel::arch::layout::{DIRECT_MAP, KERNEL_IMAGE, USER_END};
use kernel::arch::trap_frame::TrapFrame;
use mm::PAGE_SIZE;
use ring3::{CODE, DATA, End, LAST_PAGE, Program, STACK, run};

kernel::test_kernel!(test_main);

program!(exits: "mov edi, 42", "xor eax, eax", "syscall");

#[test_case]
fn a_program_calls_and_ends() {
    assert!(matches!(run(exits()), End::Exit(42)));
}

// Every register, but those that SYSCALL uses up, is as it was; rax has the result.
program!(keeps:
    "mov rbx, 0x1111111111111111", "mov rbp, 0x2222222222222222", "mov rdx, 0x3333333333333333",
    "mov rsi, 0x4444444444444444", "mov rdi, 0x5555555555555555", "mov r8, 0x6666666666666666",
    "mov r9, 0x7777777777777777", "mov r10, 0x8888888888888888", "mov r12, 0x9999999999999999",
    "mov r13, 0xaaaaaaaaaaaaaaaa", "mov r14, 0xbbbbbbbbbbbbbbbb", "mov r15, 0xcccccccccccccccc",
    "mov eax, 77", "syscall", "ud2",
);

#[test_case]
fn registers_come_back_from_a_call_and_go_into_a_report() {
    let end = run(keeps());
    end.assert_exception(6);
    let frame = end.frame();
    let named = [
        (frame.rbx, 1),
        (frame.rbp, 2),
        (frame.rdx, 3),
        (frame.rsi, 4),
        (frame.rdi, 5),
        (frame.r8, 6),
        (frame.r9, 7),
        (frame.r10, 8),
        (frame.r12, 9),
        (frame.r13, 10),
        (frame.r14, 11),
        (frame.r15, 12),
    ];
    for (value, digit) in named {
        assert_eq!(value, 0x1111_1111_1111_1111 * digit);
    }
    assert_eq!(frame.rax, ring3::NO_CALL);
    assert_eq!(frame.rsp, STACK.as_usize() as u64);
    assert_eq!(frame.rip, (CODE.as_usize() + keeps().len() - 2) as u64);
    assert_eq!(frame.rcx, frame.rip, "the return address of SYSCALL");
    assert_eq!((frame.cs, frame.ss), (0x23, 0x1b));
    assert!(frame.is_user() && !frame.is_syscall());
}

program!(reads_kernel: "mov rax, 0xffffffff80000000", "mov rax, [rax]");
program!(reads_direct_map: "mov rax, 0xffff888000000000", "mov rax, [rax]");
program!(writes_kernel: "mov rax, 0xffffffff80000000", "mov [rax], rax");
program!(jumps_to_kernel: "mov rax, 0xffffffff80000000", "jmp rax");
program!(pushes_to_kernel: "mov rsp, 0xffffffff80001000", "push rax");
program!(reads_null: "xor eax, eax", "mov al, [rax]");
program!(reads_beyond: "mov rax, 0x00007ffffffff000", "mov rax, [rax]");
program!(writes_to_text: "lea rax, [rip]", "mov [rax], eax");
program!(runs_its_stack: "push rax", "push rax", "jmp rsp");
program!(runs_its_data: "mov eax, 0x500000", "mov [rax], eax", "jmp rax");

#[test_case]
fn pages_are_guarded() {
    const READ: u64 = 4;
    const PRESENT: u64 = 1;
    const WRITE: u64 = 2;
    const FETCH: u64 = 16;
    run(reads_kernel()).assert_page_fault(KERNEL_IMAGE.as_usize(), READ | PRESENT);
    run(reads_direct_map()).assert_page_fault(DIRECT_MAP.as_usize(), READ | PRESENT);
    run(writes_kernel()).assert_page_fault(KERNEL_IMAGE.as_usize(), READ | WRITE | PRESENT);
    let end = run(jumps_to_kernel());
    end.assert_page_fault(KERNEL_IMAGE.as_usize(), READ | FETCH | PRESENT);
    assert_eq!(end.frame().rip, KERNEL_IMAGE.as_usize() as u64);
    run(pushes_to_kernel()).assert_page_fault(KERNEL_IMAGE.as_usize() + 0xff8, READ | WRITE | PRESENT);
    run(reads_null()).assert_page_fault(0, READ);
    run(reads_beyond()).assert_page_fault(USER_END.as_usize(), READ);
    run(writes_to_text()).assert_page_fault(CODE.as_usize() + 7, READ | WRITE | PRESENT);
    run(runs_its_stack()).assert_page_fault(STACK.as_usize() - 16, READ | FETCH | PRESENT);
    run(runs_its_data()).assert_page_fault(DATA.as_usize(), READ | FETCH | PRESENT);
}

program!(reads_non_canonical: "mov rax, 0x123456789abcdef0", "mov rax, [rax]");
program!(pushes_to_non_canonical: "mov rsp, 0x123456789abcdef0", "push rax");
program!(jumps_to_non_canonical: "mov rax, 0x123456789abcdef0", "jmp rax");
program!(clears_interrupts: "cli");
program!(sets_interrupts: "sti");
program!(halts: "hlt");
program!(reads_a_port: "mov edx, 0x3f8", "in al, dx");
program!(writes_a_port: "mov edx, 0xf4", "out dx, al");
program!(reads_cr3: "mov rax, cr3");
program!(writes_cr0: "xor eax, eax", "mov cr0, rax");
program!(writes_dr7: "xor eax, eax", "mov dr7, rax");
program!(writes_gs_base: "mov ecx, 0xc0000101", "xor eax, eax", "xor edx, edx", "wrmsr");
program!(reads_a_msr: "mov ecx, 0xc0000082", "rdmsr");
program!(loads_gdt: "lgdt [rsp-16]");
program!(loads_idt: "lidt [rsp-16]");
program!(loads_ldt: "xor eax, eax", "lldt ax");
program!(loads_tr: "mov eax, 0x28", "ltr ax");
program!(swaps_gs: "swapgs");
program!(flushes: "invlpg [rsp]");
program!(clears_ts: "clts");
program!(interrupts_80: "int 0x80");
program!(interrupts_14: "int 14");
program!(interrupts_8: "int 8");
program!(interrupts_32: "int 32");
program!(returns_from_a_call: "mov ecx, 0x400000", "mov r11d, 0x3202", "sysretq");
program!(far_returns_to_the_kernel: "push 8", "lea rax, [rip]", "push rax", "retfq");
program!(irets_to_the_kernel:
    "mov rax, rsp", "push 0x10", "push rax", "pushfq", "push 8", "lea rax, [rip]", "push rax", "iretq");
program!(loads_kernel_ss: "mov eax, 0x10", "mov ss, ax");
program!(loads_tss_as_data: "mov eax, 0x28", "mov fs, ax");

#[test_case]
fn privileged_instructions_are_refused() {
    const GENERAL_PROTECTION: u64 = 13;
    let refused = [
        reads_non_canonical(),
        clears_interrupts(),
        sets_interrupts(),
        halts(),
        reads_a_port(),
        writes_a_port(),
        reads_cr3(),
        writes_cr0(),
        writes_dr7(),
        writes_gs_base(),
        reads_a_msr(),
        loads_gdt(),
        loads_idt(),
        loads_ldt(),
        loads_tr(),
        swaps_gs(),
        flushes(),
        clears_ts(),
        interrupts_80(),
        interrupts_14(),
        interrupts_8(),
        interrupts_32(),
        returns_from_a_call(),
        loads_kernel_ss(),
        loads_tss_as_data(),
    ];
    for code in refused {
        run(code).assert_exception(GENERAL_PROTECTION);
    }
    // QEMU's software reads the stack of these as the kernel does, which SMAP forbids, and has one vector for all
    // non-canonical addresses.
    for code in [far_returns_to_the_kernel(), irets_to_the_kernel()] {
        assert!(matches!(run(code), End::Exception(TrapFrame { vector: 13 | 14, .. }, _)));
    }
    assert!(matches!(run(pushes_to_non_canonical()), End::Exception(TrapFrame { vector: 12 | 13, .. }, _)));
    // Where the address is checked is the processor's affair: by the jump, or when it fetches.
    assert!(matches!(run(jumps_to_non_canonical()), End::Exception(TrapFrame { vector: 13 | 14, .. }, _)));
}

program!(undefined: "ud2");
program!(divides_by_zero: "xor edx, edx", "xor eax, eax", "xor ecx, ecx", "div ecx");
program!(breakpoint: "int3");
program!(icebp: ".byte 0xf1");
program!(enables_xsave: "xor ecx, ecx", "xor eax, eax", "xor edx, edx", "xsetbv");
program!(reads_gs_base: "rdgsbase rax");
// x87: division by zero, unmasked, raised by the next instruction.
program!(x87_error: "fninit", "push 0x37b", "fldcw [rsp]", "fld1", "fldz", "fdivp st(1), st", "fwait", "ud2");

#[test_case]
fn exceptions_of_the_program_are_its_own() {
    let cases = [
        (undefined(), 6, 0),
        (divides_by_zero(), 0, 6),
        (breakpoint(), 3, 1),
        (reads_gs_base(), 6, 0),
        (x87_error(), 16, 16),
    ];
    for (code, vector, rip) in cases {
        let end = run(code);
        end.assert_exception(vector);
        assert_eq!(end.frame().rip, CODE.as_usize() as u64 + rip, "vector {vector}");
    }
    // Which is looked at first, whether there is the instruction or who may execute it, is the processor's affair.
    assert!(matches!(run(enables_xsave()), End::Exception(TrapFrame { vector: 6 | 13, .. }, _)));
    // A processor has it be a debug exception; QEMU's software knows no such instruction.
    assert!(matches!(run(icebp()), End::Exception(TrapFrame { vector: 1 | 6, .. }, _)));
}

// TF: one instruction, then a debug exception.
program!(traces_itself: "pushfq", "or dword ptr [rsp], 0x100", "popfq", "nop", "nop", "ud2");
// TF over SYSCALL: the kernel is not traced, the next instruction of the program is.
program!(traces_a_call: "mov eax, 77", "pushfq", "or dword ptr [rsp], 0x100", "popfq", "syscall", "nop", "ud2");

#[test_case]
fn single_steps_are_the_programs_alone() {
    let end = run(traces_itself());
    end.assert_exception(1);
    assert_eq!(end.frame().rip, CODE.as_usize() as u64 + 10);
    let end = run(traces_a_call());
    end.assert_exception(1);
    let at = end.frame().rip - CODE.as_usize() as u64;
    assert!((16..=18).contains(&at), "{at}");
}

// MOV SS puts the step off, over SYSCALL: on some processors it comes at the kernel's first instruction, in ring 0.
program!(late_step:
    "mov r12d, 1000", "2:", "mov eax, 1", "mov ecx, 0x1b", "pushfq", "or dword ptr [rsp], 0x100", "popfq",
    "mov ss, cx", "syscall", "ud2",
);
program!(late_step_at_int3:
    "mov ecx, 0x1b", "pushfq", "or dword ptr [rsp], 0x100", "popfq", "mov ss, cx", "int3", "ud2");

#[test_case]
fn a_late_step_does_not_harm_the_kernel() {
    for code in [late_step(), late_step_at_int3()] {
        let end = run(code);
        assert!(matches!(end, End::Exception(TrapFrame { vector: 1 | 3 | 6, .. }, _)), "{end:x?}");
    }
}

// The stack pointer is the program's affair: SYSCALL never uses it.
program!(odd_stacks:
    "mov r12, rsp",
    "xor esp, esp", "mov eax, 1", "syscall",
    "mov rsp, 0xffffffff80001000", "mov eax, 1", "syscall",
    "mov rsp, 0x123456789abcdef0", "mov eax, 1", "syscall",
    "mov rsp, -1", "mov eax, 1", "syscall",
    "mov rbx, rsp", "mov rsp, r12", "mov rdi, rbx", "xor eax, eax", "syscall",
);

#[test_case]
fn the_stack_pointer_may_be_anything() {
    let program = Program::new(odd_stacks());
    assert!(matches!(program.run(), End::Exit(u64::MAX)));
    assert_eq!(program.calls.load(SeqCst), 4);
}

// Segment registers with any selector that ring 3 may load, and null.
program!(odd_segments:
    "mov eax, 0x1b",
    "mov ds, ax", "mov es, ax", "mov fs, ax", "mov gs, ax", "mov eax, 1", "syscall",
    "xor eax, eax",
    "mov ds, ax", "mov es, ax", "mov fs, ax", "mov gs, ax", "mov eax, 1", "syscall",
    "mov eax, 0x23", "mov gs, ax", "mov eax, 1", "syscall",
    "int3",
);

#[test_case]
fn segments_may_be_anything() {
    let program = Program::new(odd_segments());
    program.run().assert_exception(3);
    assert_eq!(program.calls.load(SeqCst), 3);
}

program!(calls_at_the_end: "mov eax, 1", "mov rcx, 0x00007fffffffeffe", "jmp rcx");

#[test_case]
fn a_call_in_the_last_instruction_comes_back_to_where_nothing_is() {
    let program = Program::new(calls_at_the_end());
    program.map_code(LAST_PAGE, PAGE_SIZE - 2, &[0x0f, 0x05]);
    program.run().assert_page_fault(USER_END.as_usize(), 4 | 16);
    assert_eq!(program.calls.load(SeqCst), 1);
}

#[test_case]
fn a_frame_with_anything_in_it_gives_no_privilege() {
    let wild = TrapFrame {
        rip: CODE.as_usize() as u64,
        cs: 8,
        ss: 0x10,
        rflags: 0x3000 | 1 << 17 | 1 << 19,
        ..TrapFrame::user(CODE, STACK)
    };
    let program = Program::new(undefined());
    program.start_with(wild).join().unwrap();
    let frame = program.end().frame();
    assert_eq!((frame.vector, frame.cs, frame.ss), (6, 0x23, 0x1b));
    // IF, and the bit that is always set; the CPU sets RF for a fault.
    assert_eq!(frame.rflags & !(1 << 16), 0x202);
    for rip in [USER_END.as_usize() as u64 + 1, 0x8000_0000_0000, 0x1234_5678_9abc_def0, u64::MAX] {
        let program = Program::new(undefined());
        program.start_with(TrapFrame { rip, ..TrapFrame::user(CODE, STACK) }).join().unwrap();
        program.end().assert_page_fault(USER_END.as_usize(), 4 | 16);
    }
}

// 10,000 calls with AC, DF and NT set, while ticks come.
program!(flags:
    "mov ebx, 10000", "2:", "pushfq", "or dword ptr [rsp], 0x44400", "popfq", "mov eax, 1", "syscall", "dec ebx",
    "jnz 2b", "pushfq", "pop rdi", "and edi, 0x44400", "cld", "xor eax, eax", "syscall",
);

#[test_case]
fn flags_of_the_program_do_not_reach_the_kernel() {
    let program = Program::new(flags());
    let end = program.run();
    assert!(matches!(end, End::Exit(0x44400)), "{end:x?}");
    assert_eq!(program.calls.load(SeqCst), 10_000);
}

program!(bad_pointers:
    // rbx counts the refusals.
    "xor ebx, ebx",
    "mov eax, 2", "mov rdi, 0xffffffff80000000", "mov esi, 64", "syscall", "cmp rax, -14", "sete bl",
    "mov eax, 3", "mov rdi, 0xffffffff80000000", "mov esi, 64", "syscall", "cmp rax, -14", "sete bh",
    "mov eax, 2", "mov rdi, 0x123456789abcdef0", "mov esi, 64", "syscall", "cmp rax, -14", "sete cl", "add bl, cl",
    "mov eax, 3", "mov rdi, 0x123456789abcdef0", "mov esi, 64", "syscall", "cmp rax, -14", "sete cl", "add bh, cl",
    "mov eax, 3", "mov rdi, 0x00007fffffffefff", "mov esi, 64", "syscall", "cmp rax, -14", "sete cl", "add bh, cl",
    "mov eax, 3", "mov edi, 0x400000", "mov esi, 64", "syscall", "cmp rax, -14", "sete cl", "add bh, cl",
    "mov eax, 2", "xor edi, edi", "mov esi, 64", "syscall", "cmp rax, -14", "sete cl", "add bl, cl",
    "mov eax, 2", "mov rdi, -16", "mov esi, 64", "syscall", "cmp rax, -14", "sete cl", "add bl, cl",
    "mov eax, 2", "mov edi, 0x501ff0", "mov esi, 64", "syscall", "cmp rax, -14", "sete cl", "add bl, cl",
    "movzx edi, bx", "xor eax, eax", "syscall",
);

#[test_case]
fn bad_pointers_are_refused() {
    let end = run(bad_pointers());
    assert!(matches!(end, End::Exit(0x0405)), "{end:x?}");
}
