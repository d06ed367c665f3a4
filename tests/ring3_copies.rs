//! The kernel's copies from and to memory of ring 3.
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
#[path = "common/ring3.rs"]
mod ring3;

use alloc::sync::Arc;
use core::sync::atomic::Ordering::SeqCst;

use kapi::{Errno, IoBuf, OpenFlags, UserMemory};
use kernel::arch::layout::USER_END;
use kernel::fs;
use kernel::sched;
use kernel::sync::without_interrupts;
use kernel::testing::expect_oops;
use kernel::user::{self, FaultAccess, UserBytes};
use mm::{PAGE_SIZE, VirtAddr};
use ring3::{CODE, DATA, Program};
use x86_64::registers::control::{Cr4, Cr4Flags};

kernel::test_kernel!(test_main);

/// The end of the program's data; nothing is behind it.
const DATA_END: VirtAddr = VirtAddr::new(DATA.as_usize() + 2 * PAGE_SIZE);

fn before_end(bytes: usize) -> VirtAddr {
    VirtAddr::new(DATA_END.as_usize() - bytes)
}

/// Runs `work` in a thread that has the space of a new program; returns how many pages were brought for it.
fn visit(work: impl FnOnce(&Program) + Send + 'static) -> u64 {
    let program = Program::new(&[0x90; 64]);
    let host: Arc<Program> = program.clone();
    assert_eq!(
        program.visit(move || {
            work(&host);
            7
        }),
        7
    );
    program.faults.load(SeqCst)
}

#[test_case]
fn a_copy_goes_as_far_as_there_is_memory_to_the_byte() {
    const PATTERN: [u8; 40] = {
        let mut bytes = [0; 40];
        let mut i = 0;
        while i < bytes.len() {
            bytes[i] = i as u8 + 1;
            i += 1;
        }
        bytes
    };
    let faults = visit(|_| {
        for there in 0..34 {
            for wanted in 0..40 {
                let (at, expected) = (before_end(there), there.min(wanted));
                assert_eq!(user::clear_some(at, wanted), expected);
                assert_eq!(user::copy_to_some(at, &PATTERN[..wanted]), expected, "{there} {wanted}");
                let mut bytes = [0; 40];
                assert_eq!(user::copy_from_some(at, &mut bytes[..wanted]), expected, "{there} {wanted}");
                assert_eq!(bytes[..expected], PATTERN[..expected]);
                assert!(bytes[expected..].iter().all(|&byte| byte == 0));
                assert_eq!(user::clear_some(at, wanted), expected);
                assert_eq!(user::copy_from_some(at, &mut bytes[..wanted]), expected);
                assert!(bytes.iter().all(|&byte| byte == 0));
            }
        }
    });
    assert_eq!(faults, 1);
}

#[test_case]
fn what_is_not_in_the_user_half_is_no_memory() {
    let faults = visit(|_| {
        let kernel = VirtAddr::from_ptr(&raw const kernel::arch::percpu::CURRENT);
        let wild =
            [kernel, VirtAddr::new(0x1234_5678_9abc_def0), VirtAddr::new(usize::MAX), USER_END, VirtAddr::new(0)];
        for at in wild {
            assert_eq!(user::copy_from(at, &mut [0; 8]), Err(Errno::EFAULT));
            assert_eq!(user::copy_to(at, &[0; 8]), Err(Errno::EFAULT));
            assert_eq!(user::clear(at, 8), Err(Errno::EFAULT));
            assert_eq!(user::read_value::<u64>(at), Err(Errno::EFAULT));
            assert_eq!(user::fault_in(at, 8, FaultAccess::Read), Err(Errno::EFAULT));
        }
        let edge = VirtAddr::new(USER_END.as_usize() - 4);
        assert_eq!(user::copy_to_some(edge, &[1; 8]), 0);
        assert!(UserBytes::new(edge, 4).is_ok());
        for (at, len) in [(edge, 5), (USER_END, 1), (VirtAddr::new(usize::MAX), 2), (CODE, usize::MAX)] {
            assert_eq!(UserBytes::new(at, len).err(), Some(Errno::EFAULT));
        }
        // Text is not written to, for the program or for anybody.
        assert_eq!(user::copy_to(CODE, &[0; 8]), Err(Errno::EFAULT));
        assert_eq!(user::read_value::<u32>(CODE), Ok(0x9090_9090));
        // No bytes are anywhere.
        assert_eq!(user::copy_from(kernel, &mut []), Ok(()));
    });
    assert_eq!(faults, 0);
}

#[test_case]
fn values_and_strings_are_read_across_pages() {
    visit(|_| {
        let across = DATA.add(PAGE_SIZE - 3);
        assert_eq!(user::write_value(across, 0x1122_3344_5566_7788u64), Ok(()));
        assert_eq!(user::read_value::<u64>(across), Ok(0x1122_3344_5566_7788));
        assert_eq!(user::read_value::<u8>(across), Ok(0x88));
        assert_eq!(user::write_value(across, -2i32), Ok(()));
        assert_eq!(user::read_value::<i32>(across), Ok(-2));
        user::copy_to(across, b"across\0").unwrap();
        let mut bytes = [0xff; 16];
        assert_eq!(user::read_string(across, &mut bytes), Ok(&b"across"[..]));
        assert_eq!(user::read_string(across, &mut bytes[..6]), Err(Errno::ENAMETOOLONG));
        assert_eq!(user::read_string(across, &mut bytes[..7]), Ok(&b"across"[..]));
        // It ends with the last byte that there is.
        user::copy_to(before_end(5), b"last\0").unwrap();
        assert_eq!(user::read_string(before_end(5), &mut bytes), Ok(&b"last"[..]));
        user::copy_to(before_end(5), b"endless").unwrap_err();
        assert_eq!(user::read_string(before_end(5), &mut bytes), Err(Errno::EFAULT));
        assert_eq!(user::read_string(before_end(5), &mut bytes[..5]), Err(Errno::ENAMETOOLONG));
        assert_eq!(user::read_string(VirtAddr::new(0), &mut bytes), Err(Errno::EFAULT));
    });
}

#[test_case]
fn no_page_is_brought_where_faults_are_off_or_nobody_may_sleep() {
    let faults = visit(|program| {
        let short = || {
            assert_eq!(user::copy_to_some(DATA, &[1; 8]), 0);
            assert_eq!(user::copy_from_some(DATA, &mut [1; 8]), 0);
            assert_eq!(user::clear_some(DATA, 8), 0);
        };
        {
            let _off = sched::user::faults_off();
            let _nested = sched::user::faults_off();
            short();
        }
        {
            let _pinned = sched::preempt_disable();
            short();
        }
        without_interrupts(short);
        let bytes = UserBytes::new(DATA, PAGE_SIZE + 8).unwrap();
        assert_eq!(bytes.write(0, &[1; 8]), 0);
        assert_eq!(program.faults.load(SeqCst), 0);
        // What is there is copied anyway, up to what is not.
        assert_eq!(user::fault_in(DATA, 8, FaultAccess::Write), Ok(()));
        without_interrupts(|| assert_eq!(user::copy_to_some(DATA, &[1; 8]), 8));
        assert_eq!(bytes.write(PAGE_SIZE - 5, &[1; 8]), 5);
        assert_eq!(bytes.clear(PAGE_SIZE - 5, 8), 5);
        assert_eq!(bytes.read(PAGE_SIZE - 5, &mut [1; 8]), 5);
        // And with faults on it goes on.
        assert_eq!(user::copy_to_some(DATA.add(PAGE_SIZE - 5), &[1; 8]), 8);
    });
    assert_eq!(faults, 2);
}

#[test_case]
fn a_transfer_that_misses_a_page_loses_nothing() {
    visit(|program| {
        let (reader, writer) = fs::pipe(OpenFlags::empty()).unwrap();
        writer.write_all(b"0123456789").unwrap();
        let bytes = UserBytes::new(DATA.add(PAGE_SIZE - 4), 10).unwrap();
        let mut buf = IoBuf::fill_user(&bytes);
        // Not a byte was at hand: an error, and all is still in the pipe.
        assert_eq!(reader.read(&mut buf), Err(Errno::EFAULT));
        assert!(buf.has_faulted());
        assert_eq!(user::fault_in(bytes.byte(0), 4, FaultAccess::Write), Ok(()));
        assert_eq!(reader.read(&mut buf), Ok(4));
        assert!(buf.has_faulted());
        assert_eq!(buf.done(), 4);
        assert_eq!(user::fault_in(bytes.byte(4), 6, FaultAccess::Write), Ok(()));
        assert_eq!(reader.read(&mut buf), Ok(6));
        assert!(!buf.has_faulted());
        assert_eq!(buf.remaining(), 0);
        let mut read = [0; 10];
        user::copy_from(bytes.byte(0), &mut read).unwrap();
        assert_eq!(&read, b"0123456789");
        // The other way, into what is not there to its end.
        let beyond = UserBytes::new(before_end(6), 10).unwrap();
        let mut buf = IoBuf::take_user(&beyond);
        assert_eq!(writer.write(&mut buf), Ok(6));
        assert!(buf.has_faulted());
        assert_eq!(user::fault_in(beyond.byte(6), 4, FaultAccess::Read), Err(Errno::EFAULT));
        assert_eq!(writer.write(&mut buf), Err(Errno::EFAULT));
        assert_eq!(reader.read_bytes(&mut read), Ok(6));
        assert_eq!(program.faults.load(SeqCst), 2);
    });
}

#[test_case]
fn a_stray_pointer_of_the_kernel_gets_no_page() {
    expect_oops("page fault: read of 0000000000500000 (user half)");
    let program = Program::new(&[]);
    let stray = || {
        // SAFETY: none: it is to fault.
        i32::from(unsafe {
            core::ptr::without_provenance::<u8>(core::hint::black_box(DATA.as_usize())).read_volatile()
        })
    };
    assert_eq!(program.visit(stray), sched::DIED);
    assert_eq!(program.faults.load(SeqCst), 0);
    // One that is there is refused too, where the processor can.
    let has_smap = Cr4::read().contains(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION);
    let end = program.visit(move || {
        user::copy_to(DATA, &[5]).unwrap();
        stray()
    });
    assert_eq!(end, if has_smap { sched::DIED } else { 5 });
}
