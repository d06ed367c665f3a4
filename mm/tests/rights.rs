//! set_memory_ro and set_memory_rw: parts of areas, tables, refusals.

mod common;

use std::fs::File;
use std::io::Read;

use common::{at_rest, blocks, boot};
use mm::{AllocError, Context, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};

const DEVICE: PhysAddr = PhysAddr::new(0xfe00_0000);

fn pages(count: usize) -> usize {
    count * PAGE_SIZE
}

/// Whether the host lets a page be written: its kernel writes a byte there, and says so if it cannot.
fn is_writable(page: VirtAddr) -> bool {
    // SAFETY: the page is the caller's area's, and a byte of it may change.
    let byte = unsafe { core::slice::from_raw_parts_mut(page.as_mut_ptr::<u8>(), 1) };
    File::open("/dev/zero").and_then(|mut zeros| zeros.read(byte)).is_ok()
}

#[test]
fn pages_of_an_area_are_read_only_until_they_are_writable_again() {
    let memory = boot(24);
    let before = blocks(*memory);
    let area = memory.vmalloc(pages(4)).expect("memory");
    let flushes = memory.platform().flushes();
    let writable = || [0, 1, 2, 3].map(|page| is_writable(area.add(pages(page))));
    assert_eq!(memory.set_memory_ro(area.add(pages(1)), 2), Ok(()));
    assert_eq!(writable(), [true, false, false, true]);
    assert_eq!(memory.platform().flushes(), flushes + 1, "no TLB shows the old rights");
    assert_eq!(memory.areas().set_memory_rw(area.add(pages(2)), 1), Ok(()));
    assert_eq!(writable(), [true, false, true, true]);
    // The next owner of the frames and of the addresses gets them writable.
    assert_eq!(memory.vfree(area), Ok(()));
    memory.vm_unmap_aliases();
    let next = memory.vmalloc(pages(4)).expect("memory");
    assert_eq!(next, area);
    assert_eq!(writable(), [true; 4]);
    assert_eq!(memory.vfree(next), Ok(()));
    memory.drop_caches();
    assert_eq!((blocks(*memory), memory.tables().count()), (before, 0));
    at_rest(*memory);
}

#[test]
fn a_large_page_of_a_device_is_split_and_its_table_comes_back() {
    let memory = boot(24);
    let before = blocks(*memory);
    let area = memory.ioremap(DEVICE, 4 << 20).expect("addresses");
    let tables = memory.tables().count();
    let frames = || [0, 511, 512, 700, 1023].map(|page| memory.areas().frame_at(area.add(pages(page))));
    let expected = frames();
    assert_eq!(memory.set_memory_ro(area.add(pages(700)), 1), Ok(()));
    assert_eq!((frames(), memory.tables().count()), (expected, tables + 1));
    // The first large page is still one.
    assert_eq!(memory.set_memory_ro(area, 512), Ok(()));
    assert_eq!((frames(), memory.tables().count()), (expected, tables + 1));
    assert_eq!(memory.iounmap(area), Ok(()));
    memory.drop_caches();
    assert_eq!((blocks(*memory), memory.tables().count()), (before, 0));
    at_rest(*memory);
}

#[test]
fn without_memory_for_a_table_nothing_changes() {
    let memory = boot(24);
    let area = memory.ioremap(DEVICE, 4 << 20).expect("addresses");
    let tables = memory.tables().count();
    // Two large pages are cut: two tables.
    for allowed in 0..2 {
        memory.platform().fail_after(allowed);
        assert_eq!(memory.set_memory_ro(area.add(pages(1)), 600), Err(AllocError));
        memory.platform().fail_never();
        assert_eq!(memory.tables().count(), tables);
        assert_eq!(memory.areas().frame_at(area.add(pages(1))), DEVICE.frame().map(|frame: Pfn| frame.add(1)));
        assert_eq!(memory.platform().take_reports().len(), 1);
    }
    assert_eq!(memory.set_memory_ro(area.add(pages(1)), 600), Ok(()));
    assert_eq!(memory.tables().count(), tables + 2);
    assert_eq!(memory.iounmap(area), Ok(()));
    at_rest(*memory);
}

#[test]
fn impossible_changes_are_refused_with_a_report() {
    let memory = boot(24);
    let area = memory.vmalloc(pages(2)).expect("memory");
    let large = memory.areas().vmalloc_huge(4 << 20).expect("memory");
    let refused = |at: VirtAddr, count: usize, why: &str| {
        assert_eq!(memory.set_memory_ro(at, count), Err(AllocError));
        assert_eq!(memory.platform().take_reports(), [format!("set_memory_ro: {why}")]);
    };
    refused(area.add(1), 1, "the address lies inside a page");
    refused(area, 3, "a page is not mapped");
    refused(area, usize::MAX, "a page is not mapped");
    refused(large.add(pages(5)), 1, "it is part of a large block of an area");
    refused(large, 513, "it is part of a large block of an area");
    memory.platform().in_context(Context::Atomic, || refused(area, 1, "may sleep, called in atomic context"));
    assert!(is_writable(area));
    // Whole blocks are fine.
    assert_eq!(memory.set_memory_ro(large, 512), Ok(()));
    assert!(!is_writable(large.add(pages(511))) && is_writable(large.add(pages(512))));
    assert_eq!(memory.vfree(large), Ok(()));
    assert_eq!(memory.vfree(area), Ok(()));
    memory.drop_caches();
    at_rest(*memory);
}
