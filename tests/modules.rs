//! Modules from files: how they come, what is refused, and how they go.
//!
//! Machine:
//! Machine: MEM=40M CPU=max APPEND="highmem=8M"
#![no_std]
#![no_main]
#![feature(allocator_api, custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;

use alloc::sync::Arc;
use core::fmt::Write;

use common::modules::{changed, contains, content, line_of, load_with_ever_more_memory, write};
use common::{Log, conserves};
use kapi::{CharDriver, Errno, OpenFlags, Param};
use kernel::arch::layout::{MODULES_END, MODULES_START};
use kernel::chrdev::{self, Major, Nodes, Users};
use kernel::debug::probe::probe_write;
use kernel::debug::symbols;
use kernel::fs;
use kernel::mm::{KString, KVVec};
use kernel::modules::{attach, insmod, rmmod};
use kernel::testing::memory;
use mm::VirtAddr;
use shell::text::Text;

kernel::test_kernel!(test_main);

const READ: OpenFlags = OpenFlags::READ;

/// What insmod says of a file with these bytes.
fn refusal(bytes: &[u8]) -> (Errno, Text<512>) {
    write("/tmp/broken.ko", bytes);
    let refused = conserves(|| {
        let refused = attach("/tmp/broken.ko", &[]).err().unwrap();
        let mut why = Text::new();
        write!(why, "{refused}").unwrap();
        (refused.errno, why)
    });
    fs::unlink(&fs::Place::root(), "/tmp/broken.ko").unwrap();
    refused
}

fn hello_with(old: &[u8], new: &[u8]) -> KVVec<u8> {
    changed("hello", old, new)
}

/// hello.ko that calls `name` where it would write to the log.
fn hello_that_calls(name: &[u8]) -> KVVec<u8> {
    let mut bytes = content("/lib/modules/hello.ko");
    let end = bytes.windows(12).position(|window| window == b"6Kernel3log\0").unwrap();
    let start = bytes[..end].iter().rposition(|&byte| byte == 0).unwrap() + 1;
    bytes[start..start + name.len()].copy_from_slice(name);
    bytes[start + name.len()] = 0;
    bytes
}

#[test_case]
fn a_module_comes_and_goes() {
    // Shows: S55
    conserves(|| {
        let log = Log::from_here();
        assert_eq!(insmod("hello", &[Param { name: "who", value: "tests" }]), Ok(()));
        assert!(log.shows("hello, tests"));
        let listed = line_of("/proc/modules", "hello ").unwrap();
        assert!(listed.contains(" 0 - Live 0xffffffffa"), "{listed}");
        let symbol = line_of("/proc/ksyms", "ffffffffa").unwrap();
        assert!(symbol.ends_with("\t[hello]"), "{symbol}");
        let start = usize::from_str_radix(&symbol[..16], 16).unwrap();
        assert!((MODULES_START.as_usize()..MODULES_END.as_usize()).contains(&start));
        assert!(contains("/proc/vmallocinfo", "module"), "in a range that the vmalloc code manages");
        let place = symbols::lookup(x86_64::VirtAddr::new(start as u64)).unwrap();
        assert_eq!(place.module(), Some("hello"));
        assert_eq!(insmod("hello", &[]), Err(Errno::EEXIST));
        assert_eq!(insmod("/lib/modules/hello.ko", &[]), Err(Errno::EEXIST));
        assert_eq!(rmmod("hello"), Ok(()));
        assert!(log.shows("goodbye"));
        assert!(line_of("/proc/modules", "hello ").is_none() && !contains("/proc/ksyms", "[hello]"));
        assert!(symbols::lookup(x86_64::VirtAddr::new(start as u64)).is_none());
    });
    assert_eq!(rmmod("hello"), Err(Errno::ENOENT));
}

#[test_case]
fn what_is_no_module_is_refused_in_a_line() {
    // Shows: S66, K9
    let (errno, why) = refusal(b"#!/bin/sh\necho hello\n");
    assert_eq!((errno, why.as_str()), (Errno::ENOEXEC, "not an ELF object"));
    let whole = content("/lib/modules/hello.ko");
    for len in [0, 10, 63, 64, whole.len() / 2, whole.len() - 1] {
        let (errno, why) = refusal(&whole[..len]);
        assert_eq!(errno, Errno::ENOEXEC, "{len}: {}", why.as_str());
    }
    let mut i386 = content("/lib/modules/hello.ko");
    i386[18] = 3;
    let (errno, why) = refusal(&i386);
    assert!(errno == Errno::ENOEXEC && why.as_str().contains("i386"), "{}", why.as_str());
    let (errno, why) = refusal(&hello_with(b"kernel6Kernel3log\0", b"kernel6Kernel3lox\0"));
    assert!(errno == Errno::ENOEXEC && why.as_str().contains("kernel6Kernel3lox"), "{}", why.as_str());
    let (errno, why) = refusal(&hello_that_calls(b"alloc_bootmem"));
    assert!(errno == Errno::ENOEXEC && why.as_str().contains("alloc_bootmem"), "{}", why.as_str());
    let (errno, why) = refusal(&hello_with(b"\0kernel=", b"\0kernel=no"));
    assert!(errno == Errno::ENOEXEC && why.as_str().starts_with("it is of build no"), "{}", why.as_str());
    let (errno, why) = refusal(&hello_with(b"\0kernel=", b"\0kernex="));
    assert_eq!((errno, why.as_str()), (Errno::ENOEXEC, "it does not say of which build of the kernel it is"));
    assert_eq!(insmod("/tmp/nosuch.ko", &[]), Err(Errno::ENOENT));
    assert_eq!(insmod("nosuch", &[]), Err(Errno::ENOENT));
    assert_eq!(insmod("/lib/modules", &[]), Err(Errno::EISDIR));
}

#[test_case]
fn bad_parameters_leave_nothing_behind() {
    conserves(|| {
        let refused = attach("hello", &[Param { name: "nosuch", value: "1" }]).err().unwrap();
        assert_eq!(refused.errno, Errno::EINVAL);
        let why = KString::try_format(format_args!("{refused}")).unwrap();
        assert!(why.starts_with("no parameter \"nosuch\"; it has who"), "{why}");
    });
}

#[test_case]
fn out_of_memory_at_any_step_of_a_load_leaves_nothing_behind() {
    load_with_ever_more_memory("hello", 1);
}

#[test_case]
fn a_module_of_the_c_abi_calls_what_is_offered_to_all() {
    conserves(|| {
        let log = Log::from_here();
        let refused = attach("plain", &[Param { name: "size", value: "1" }]).err().unwrap();
        let why = KString::try_format(format_args!("{refused}")).unwrap();
        assert_eq!((refused.errno, &*why), (Errno::EINVAL, "no parameter \"size\""));
        assert_eq!(insmod("plain", &[]), Ok(()));
        assert!(log.shows("plain: begun") && !log.shows("plain: ended"));
        assert!(line_of("/proc/modules", "plain ").unwrap().contains(" 0 - Live 0xffffffffa"));
        assert!(contains("/proc/ksyms", "init_module\t[plain]"));
        assert_eq!(rmmod("plain"), Ok(()));
        assert!(log.shows("plain: ended"));
    });
    for name in ["kmalloc", "kfree", "vmalloc", "vfree", "__get_free_pages", "free_pages", "log_line"] {
        let line = KString::try_format(format_args!(" {name}\n")).unwrap();
        assert!(contains("/proc/ksyms", &line), "{name}");
    }
}

#[test_case]
fn a_module_of_the_c_abi_that_cannot_begin_or_be_linked_is_undone() {
    let log = Log::from_here();
    let size = 4321_usize.to_le_bytes();
    let (errno, why) = refusal(&changed("plain", &size, &(1_usize << 40).to_le_bytes()));
    assert_eq!((errno, why.as_str()), (Errno::ENOMEM, "init_module returned -12"));
    assert!(!log.shows("plain: begun") && !log.shows("plain: ended"));
    let (errno, why) = refusal(&changed("plain", b"\0kmalloc\0", b"\0kmallox\0"));
    assert_eq!(errno, Errno::ENOEXEC);
    assert!(why.as_str().contains("kmallox"), "{}", why.as_str());
}

#[test_case]
fn a_module_with_the_name_of_a_driver_leaves_that_alone() {
    write("/tmp/mem.ko", &hello_with(b"\0name=hello\0", b"\0name=mem\0\0\0"));
    assert_eq!((insmod("/tmp/mem.ko", &[]), rmmod("mem")), (Ok(()), Ok(())));
    fs::unlink(&fs::Place::root(), "/tmp/mem.ko").unwrap();
    assert!(fs::open(&fs::Place::root(), "/dev/null", READ, 0o666).is_ok());
}

#[test_case]
fn a_driver_that_lets_nobody_in_has_no_names() {
    struct Quiet;
    impl CharDriver for Quiet {}
    let is_listed =
        || fs::readdir(&fs::Place::root(), "/dev").unwrap().iter().any(|entry| entry.name.as_str() == "quiet0");
    let users = Users::closed().unwrap();
    chrdev::register_for(&users, "quiet", Major::Any, Nodes::Numbered(1), Arc::try_new(Quiet).unwrap()).unwrap();
    assert!(!is_listed());
    users.reopen();
    assert!(is_listed());
    chrdev::unregister(&users).unwrap();
    assert!(!is_listed());
}

#[test_case]
fn a_module_serves_another_and_stays_as_long() {
    // What the kernel keeps of names and files once a module was there takes its place.
    assert_eq!((insmod("lender", &[]), insmod("borrower", &[])), (Ok(()), Ok(())));
    assert_eq!((rmmod("borrower"), rmmod("lender")), (Ok(()), Ok(())));
    conserves(|| {
        let log = Log::from_here();
        assert_eq!(insmod("borrower", &[]), Err(Errno::ENOEXEC));
        assert!(log.shows("borrower: it needs the module lender, which is not attached"));
        assert_eq!(insmod("lender", &[]), Ok(()));
        let mut other = content("/lib/modules/borrower.ko");
        let at = other.windows(8).position(|window| window == b"\0crates=").unwrap() + 8;
        other[at] = b'x';
        let (errno, why) = refusal(&other);
        assert!(errno == Errno::ENOEXEC && why.as_str().ends_with("another build of it"), "{}", why.as_str());
        let (_, why) = refusal(&changed("borrower", b"\0crates=", b"\0cratex="));
        assert!(why.as_str().ends_with("another build of it"), "{}", why.as_str());
        assert_eq!(insmod("borrower", &[]), Ok(()));
        assert!(line_of("/proc/modules", "lender ").unwrap().contains(" 1 borrower, Live"));
        assert_eq!(rmmod("lender"), Err(Errno::EBUSY));
        assert_eq!(rmmod("borrower"), Ok(()));
        assert_eq!(rmmod("lender"), Ok(()));
    });
}

#[test_case]
fn scullp_is_a_module_too() {
    assert_eq!(insmod("/lib/modules/scullp.ko", &[]), Err(Errno::EEXIST), "it is linked in");
    assert_eq!(rmmod("scullp"), Ok(()));
    conserves(|| {
        assert_eq!(insmod("/lib/modules/scullp.ko", &[Param { name: "scullp_order", value: "1" }]), Ok(()));
        assert!(line_of("/proc/modules", "scullp ").unwrap().contains("Live 0xffffffffa"));
        write("/dev/scullp0", &[0x5a; 9000]);
        assert_eq!(content("/dev/scullp0")[..], [0x5a; 9000]);
        assert_eq!(rmmod("scullp"), Ok(()));
    });
    assert_eq!(insmod("scullp", &[]), Ok(()));
}

#[test_case]
fn code_cannot_be_written_to_by_any_way() {
    insmod("hello", &[]).unwrap();
    let symbol = line_of("/proc/ksyms", "ffffffffa").unwrap();
    let text = VirtAddr::new(usize::from_str_radix(&symbol[..16], 16).unwrap());
    let frame = memory().areas().frame_at(text).unwrap();
    // A frame of high memory has no other address.
    let alias = memory().pages().direct().page_address(frame);
    for address in [Some(text), alias].into_iter().flatten() {
        // SAFETY: it cannot be written, or this test fails.
        assert!(unsafe { probe_write(address, 0x90) }.is_err(), "{address:?}");
    }
    rmmod("hello").unwrap();
}

#[test_case]
fn a_text_of_proc_outlives_its_module() {
    insmod("lender", &[]).unwrap();
    let file = fs::open(&fs::Place::root(), "/proc/lenderspoons", OpenFlags::READ, 0o666).unwrap();
    assert_eq!(rmmod("lender"), Ok(()));
    let mut text = [0; 16];
    assert!(file.read_bytes(&mut text).unwrap() > 0);
    assert_eq!(fs::open(&fs::Place::root(), "/proc/lenderspoons", OpenFlags::READ, 0o666).err(), Some(Errno::ENOENT));
}
