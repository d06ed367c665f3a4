//! Ring 3: pages, signals, deaths and registers of threads that go there.
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

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use common::nap;
use kernel::arch::paging;
use kernel::arch::trap_frame::TrapFrame;
use kernel::sched::{self, FramesGone, Heir};
use kernel::testing::expect_oops;
use ring3::{CODE, DATA, End, Program, STACK, run};

kernel::test_kernel!(test_main);

program!(exits: "mov edi, 42", "xor eax, eax", "syscall");

// The kernel copies to a page that is not there yet, then reads it; the program finds zeros in what it touches first.
program!(demands:
    "mov eax, 3",
    "mov edi, 0x500ff0",
    "mov esi, 32",
    "syscall",
    "cmp rax, 32",
    "jne 9f",
    "mov eax, 2",
    "mov edi, 0x500000",
    "mov esi, 4096",
    "syscall",
    "cmp rax, 4096",
    "jne 9f",
    "mov rdi, [0x500008]",
    "xor eax, eax",
    "syscall",
    "9:",
    "ud2",
);
program!(demands_itself: "mov rdi, [0x500008]", "xor eax, eax", "syscall");

#[test_case]
fn pages_are_brought_for_programs_and_for_copies() {
    for (code, faults) in [(demands(), 2), (demands_itself(), 1)] {
        let program = Program::new(code);
        let end = program.run();
        assert!(matches!(end, End::Exit(0)), "{end:x?}");
        assert_eq!(program.faults.load(SeqCst), faults);
    }
}

program!(spins: "2:", "jmp 2b");
program!(pauses: "2:", "mov eax, 4", "syscall", "mov [0x500000], rax", "jmp 2b");

#[test_case]
fn a_thread_that_is_wanted_comes_by() {
    for (code, answer) in [(spins(), 0), (pauses(), 1)] {
        let program = Program::new(code);
        let thread = program.start();
        for round in 1..4 {
            nap(20);
            thread.notify_user();
            nap(20);
            assert_eq!(program.wanted.load(SeqCst), round);
        }
        assert_eq!(program.word(DATA), answer);
        program.doomed.store(true, SeqCst);
        thread.notify_user();
        assert_eq!(thread.join(), Ok(0));
        assert!(matches!(program.end(), End::Exit(137)));
    }
}

program!(oopses: "mov eax, 5", "syscall");

/// Settles what a thread leaves behind whose call died.
struct Survivor;

static CLOSED_IN: AtomicU32 = AtomicU32::new(0);

impl Heir for Survivor {
    fn write_work(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a program of a test")
    }

    fn close(&self, _: &FramesGone) {
        CLOSED_IN.store(paging::loaded_root().as_u32(), SeqCst);
    }

    fn settle(&self, _: i32) {}
}

#[test_case]
fn an_oops_in_a_call_ends_the_thread_and_shows_the_kernel_alone() {
    expect_oops("page fault: ");
    let log = common::Log::from_here();
    let program = Program::new(oopses());
    assert_eq!(program.start_for(&Survivor).join(), Ok(sched::DIED));
    assert!(log.shows("(program): a program of a test"));
    assert!(log.shows("(program) ends with status 139"));
    assert!(log.line_after("to blame: ").contains("ring3::dies+"));
    // The trace ends at the way in.
    assert!(log.shows("syscall_entry+"));
    assert!(!log.shows("0000000000400007"));
    // Its heir may free the space.
    assert_eq!(CLOSED_IN.load(SeqCst), paging::kernel_root().unwrap().as_u32());
    // The next one is well.
    assert!(matches!(run(exits()), End::Exit(42)));
}

// Keeps a pattern in registers of SSE and x87, and looks at them again and again while others run; ends with the number
// of changes that it saw. It lets others run r12 times, and makes the call in r13 each time.
program!(patterns:
    "movq xmm7, rdi",
    "movdqa xmm15, xmm7",
    "push rdi",
    "fild qword ptr [rsp]",
    "xor ebx, ebx",
    "1:",
    "mov ecx, 10000",
    "2:",
    "movq rax, xmm7",
    "cmp rax, rdi",
    "jne 3f",
    "movq rax, xmm15",
    "cmp rax, rdi",
    "je 4f",
    "3:",
    "inc ebx",
    "movq xmm7, rdi",
    "movdqa xmm15, xmm7",
    "4:",
    "dec ecx",
    "jnz 2b",
    "mov rax, r13",
    "syscall",
    "dec r12d",
    "jnz 1b",
    "fistp qword ptr [rsp]",
    "pop rax",
    "cmp rax, rdi",
    "setne al",
    "movzx eax, al",
    "add ebx, eax",
    "mov edi, ebx",
    "xor eax, eax",
    "syscall",
);

/// Runs three programs with patterns of their own at a time, each with so many rounds that end in this call; returns
/// the changes of their registers that they saw.
fn changes_seen(rounds: u64, call: u64) -> [u64; 3] {
    let programs = [0x1111_1111u64, 0x2222_2222, 0x3333_3333].map(|pattern| {
        let program = Program::new(patterns());
        let frame = TrapFrame { rdi: pattern, r12: rounds, r13: call, ..TrapFrame::user(CODE, STACK) };
        (program.start_with(frame), program)
    });
    programs.map(|(thread, program)| {
        thread.join().unwrap();
        match program.end() {
            End::Exit(changes) => changes,
            end => panic!("{end:x?}"),
        }
    })
}

#[test_case]
fn floating_point_registers_are_each_programs_own() {
    // By their own will, and by the tick: a slice is ten million instructions.
    assert_eq!(changes_seen(60, ring3::YIELD), [0; 3]);
    assert_eq!(changes_seen(130, ring3::COUNT), [0; 3]);
}

#[test_case]
fn a_floating_point_register_that_changed_would_be_seen() {
    // After each round but the last xmm7 and xmm15 are found to be changed, and x87's in the end.
    assert_eq!(changes_seen(5, ring3::CLOBBER), [5; 3]);
}

// The base of fs, which the kernel sets alone: what is there is read through it, by each program from its own page.
program!(reads_by_fs:
    "mov [0x500010], rdi",
    "mov rbx, rdi",
    "mov eax, 8",
    "mov edi, 0x500000",
    "syscall",
    "test rax, rax",
    "jnz 9f",
    "mov r12d, 50",
    "2:",
    "mov eax, 6",
    "syscall",
    "cmp rbx, fs:[0x10]",
    "jne 9f",
    "dec r12d",
    "jnz 2b",
    "mov eax, 8",
    "mov rdi, 0xffffffff80000000",
    "syscall",
    "mov rdi, rax",
    "xor eax, eax",
    "syscall",
    "9:",
    "ud2",
);

#[test_case]
fn the_base_of_fs_is_each_programs_own() {
    let programs = [1, 2].map(|pattern| {
        let program = Program::new(reads_by_fs());
        (program.start_with(TrapFrame { rdi: pattern, ..TrapFrame::user(CODE, STACK) }), program)
    });
    for (thread, program) in programs {
        thread.join().unwrap();
        let refused = -1i64 as u64;
        assert!(matches!(program.end(), End::Exit(answer) if answer == refused), "{:x?}", program.end());
    }
}
