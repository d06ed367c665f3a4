//! Areas of modules: written, sealed, freed; W^X there and in the direct map.

mod common;

use core::panic::Location;
use std::fs::File;
use std::io::Read;

use common::{at_rest, blocks, boot, boot_high};
use mm::areas::AreaKind;
use mm::own::{Buffer, CodeArea, SealedArea};
use mm::testing::{Machine, TestKernel};
use mm::{Access, AllocError, Context, FreeError, GfpFlags, Order, PAGE_SIZE, Tag, VirtAddr};

type Code = CodeArea<TestKernel>;
type Sealed = SealedArea<TestKernel>;

/// Whether the host lets a page be written: its kernel writes a byte there, and says so if it cannot.
fn is_writable(page: VirtAddr) -> bool {
    // SAFETY: the page is the test's, and a byte of it may change.
    let byte = unsafe { core::slice::from_raw_parts_mut(page.as_mut_ptr::<u8>(), 1) };
    File::open("/dev/zero").and_then(|mut zeros| zeros.read(byte)).is_ok()
}

/// Whether the host lets code run in a page: its own table of what is mapped says so.
fn is_executable(page: VirtAddr) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the host is Linux");
    let number = |text: &str| usize::from_str_radix(text, 16).expect("an address");
    let line = maps.lines().find(|line| {
        let (start, end) = line.split_whitespace().next().and_then(|range| range.split_once('-')).expect("a range");
        (number(start)..number(end)).contains(&page.as_usize())
    });
    line.and_then(|line| line.split_whitespace().nth(1)).expect("rights").contains('x')
}

/// The direct map's addresses of the pages of an area.
fn aliases(at: VirtAddr, pages: usize) -> Vec<VirtAddr> {
    let memory = TestKernel::memory();
    let frames = (0..pages).filter_map(|page| memory.areas().frame_at(at.add(page * PAGE_SIZE)));
    frames.filter_map(|frame| memory.page_address(frame)).collect()
}

#[test]
fn sealed_pages_have_their_rights_there_and_in_the_direct_map() {
    let memory = boot(24);
    let before = blocks(*memory);
    for (access, executable) in [(Access::Execute, true), (Access::Read, false)] {
        let mut code = Code::new(3 * PAGE_SIZE - 1).expect("memory");
        assert!(code.bytes().iter().all(|&byte| byte == 0));
        code.bytes_mut()[PAGE_SIZE..].fill(0xc3);
        let (at, aliases) = (code.addr(), aliases(code.addr(), 3));
        assert!(memory.areas().is_code(at) && aliases.len() == 3);
        assert!(is_writable(at) && !is_executable(at) && aliases.iter().all(|&alias| is_writable(alias)));
        let info = memory.areas().area_at(at.add(5)).expect("an area");
        assert_eq!((info.kind, info.tag, info.bytes), (AreaKind::Module, Tag::Module, 4 * PAGE_SIZE));
        assert_eq!(info.caller.map(Location::file), Some(file!()));

        let code: Sealed = code.seal(access).expect("memory for tables");
        assert_eq!((code.addr(), code.len(), code.access()), (at, 3 * PAGE_SIZE, access));
        // The first byte of a page was written to.
        assert!(code.bytes()[PAGE_SIZE + 1..2 * PAGE_SIZE].iter().all(|&byte| byte == 0xc3));
        assert!((0..3).all(|page| !is_writable(at.add(page * PAGE_SIZE))));
        assert_eq!(is_executable(at.add(PAGE_SIZE)), executable);
        assert!(aliases.iter().all(|&alias| !is_writable(alias) && !is_executable(alias)));

        let flushes = memory.platform().flushes();
        drop(code);
        assert!(memory.platform().flushes() > flushes, "before the frames are free");
        assert!(aliases.iter().all(|&alias| is_writable(alias)));
        assert_eq!((memory.areas().iter().count(), memory.areas().frame_at(at)), (0, None));
    }
    memory.drop_caches();
    assert_eq!((blocks(*memory), memory.tables().count()), (before, 0));
    at_rest(*memory);
}

#[test]
fn data_stays_writable_and_is_out_of_its_owners_hands() {
    let memory = boot(24);
    let data = Code::new(1).expect("memory");
    let tables = memory.tables().count();
    let data = data.seal(Access::ReadWrite).expect("nothing to do");
    assert!(is_writable(data.addr()) && !is_executable(data.addr()) && data.bytes().is_empty());
    assert!(is_writable(aliases(data.addr(), 1)[0]));
    assert_eq!(memory.tables().count(), tables, "nothing was split");
    drop(data);
    at_rest(*memory);
}

#[test]
fn high_memory_is_taken_first_and_has_no_alias() {
    let memory = boot_high(32, 24);
    let code = Code::new(8 * PAGE_SIZE).expect("memory");
    let tables = memory.tables().count();
    let code = code.seal(Access::Execute).expect("memory");
    assert!(aliases(code.addr(), 8).is_empty() && is_executable(code.addr()) && !is_writable(code.addr()));
    assert_eq!(memory.tables().count(), tables, "nothing was split");
    drop(code);
    // More than high memory has: both kinds in one area.
    let pages = 9 << 8;
    let code = Code::new(pages * PAGE_SIZE).and_then(|area| area.seal(Access::Execute)).expect("memory");
    let aliases = aliases(code.addr(), pages);
    assert!(!aliases.is_empty() && aliases.len() < pages && aliases.iter().all(|&alias| !is_writable(alias)));
    drop(code);
    assert!(aliases.iter().all(|&alias| is_writable(alias)));
    at_rest(*memory);
}

#[test]
fn without_memory_at_any_step_nothing_is_left_behind() {
    let memory = boot(24);
    // So that the cache of descriptors has none at hand, and no table is there.
    let before = (blocks(*memory), memory.tables().count());
    let mut failures = 0;
    for allowed in 0.. {
        memory.platform().fail_after(allowed);
        let sealed = Code::new(70 * PAGE_SIZE).and_then(|area| area.seal(Access::Execute));
        memory.platform().fail_never();
        let done = sealed.is_ok();
        drop(sealed);
        memory.drop_caches();
        assert_eq!((blocks(*memory), memory.tables().count()), before, "after {allowed} allocations");
        assert_eq!(memory.areas().iter().count(), 0);
        memory.validate().expect("valid");
        let reports = memory.platform().take_reports();
        assert_eq!(reports.is_empty(), done, "{reports:?}");
        if done {
            break;
        }
        failures += 1;
    }
    assert!(failures > 72, "a descriptor, 70 pages, their table, those of the direct map: {failures}");
    at_rest(*memory);
}

#[test]
fn nobody_else_frees_a_modules_pages_or_changes_their_rights() {
    let memory = boot(24);
    let code = Code::new(PAGE_SIZE).and_then(|area| area.seal(Access::Execute)).expect("memory");
    let (at, alias) = (code.addr(), aliases(code.addr(), 1)[0]);
    let frame = memory.areas().frame_at(at).expect("mapped");
    for page in [at, alias] {
        assert_eq!(memory.areas().set_memory_rw(page, 1), Err(AllocError));
        assert_eq!(memory.set_memory_ro(page, 1), Err(AllocError));
        let reports = memory.platform().take_reports();
        assert!(reports.iter().all(|report| report.ends_with(": it is memory of a module")), "{reports:?}");
    }
    // Nor as a part of more.
    assert_eq!(memory.areas().set_memory_rw(VirtAddr::new(alias.as_usize() - PAGE_SIZE), 2), Err(AllocError));
    assert_eq!(memory.free_frames(frame, Order::ZERO), Err(FreeError::Owned(Tag::Module)));
    assert_eq!((memory.vfree(at), memory.vunmap(at)), (Err(FreeError::NoArea), Err(FreeError::NoArea)));
    assert_eq!(memory.iounmap(at), Err(FreeError::NoArea));
    memory.platform().take_reports();
    assert!(!is_writable(at) && !is_writable(alias) && is_executable(at));
    drop(code);
    at_rest(*memory);
}

#[test]
fn what_cannot_be_is_refused_with_a_report() {
    let memory = TestKernel::boot(&Machine { code_pages: 8, ..Machine::with_mib(24) });
    let refused = |size: usize, why: &str| {
        assert!(Code::new(size).is_err());
        assert_eq!(memory.platform().take_reports(), [format!("module_alloc: {why}")]);
    };
    refused(0, "size is zero or exceeds the machine's memory");
    refused(usize::MAX, "size is zero or exceeds the machine's memory");
    refused(8 * PAGE_SIZE, "no room in the addresses of modules");
    memory.platform().in_context(Context::Atomic, || refused(1, "may sleep, called in atomic context"));
    // Seven pages and their guard page are all.
    let all = Code::new(7 * PAGE_SIZE).expect("room");
    refused(1, "no room in the addresses of modules");
    drop(all);
    let area = Code::new(1).expect("room");
    assert!(memory.platform().in_context(Context::Atomic, || area.seal(Access::Read)).is_err());
    let reports = ["module_seal: may sleep, called in atomic context"];
    assert_eq!(memory.platform().take_reports(), reports);
    at_rest(*memory);
    drop(memory);
    let memory = TestKernel::boot(&Machine { code_pages: 0, ..Machine::with_mib(24) });
    assert!(Code::new(1).is_err());
    let why = "module_alloc: there are no addresses for modules (Config::with_code)";
    assert_eq!(memory.platform().take_reports(), [why]);
    at_rest(*memory);
}

#[test]
fn dropped_where_nobody_may_sleep_an_area_goes_with_the_next_one() {
    let memory = boot(24);
    let before = blocks(*memory);
    let code = Code::new(PAGE_SIZE).and_then(|area| area.seal(Access::Execute)).expect("memory");
    let data = Code::new(PAGE_SIZE).expect("memory");
    let alias = aliases(code.addr(), 1)[0];
    memory.platform().in_context(Context::Atomic, || drop((code, data)));
    assert!(!is_writable(alias));
    drop(Code::new(1));
    assert!(is_writable(alias));
    memory.drop_caches();
    assert_eq!((blocks(*memory), memory.areas().iter().count()), (before, 0));
    at_rest(*memory);
}

#[test]
fn the_page_after_a_modules_area_is_never_mapped() {
    let memory = boot(24);
    let areas: Vec<Code> = (0..5).map(|_| Code::new(2 * PAGE_SIZE).expect("memory")).collect();
    for (area, next) in areas.iter().zip(&areas[1..]) {
        assert_eq!(next.addr().as_usize() - area.addr().as_usize(), 3 * PAGE_SIZE);
        assert_eq!(memory.areas().frame_at(area.addr().add(2 * PAGE_SIZE)), None);
    }
    let listed: Vec<_> = memory.areas().iter().map(|area| area.start).collect();
    assert_eq!(listed, areas.iter().map(Code::addr).collect::<Vec<_>>());
    drop(areas);
    assert!(memory.kmalloc(100, GfpFlags::KERNEL).is_ok_and(|object| memory.kfree(object.as_ptr()).is_ok()));
    at_rest(*memory);
}
