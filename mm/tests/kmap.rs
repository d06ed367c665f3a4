//! kmap: windows onto high memory, shared, counted, and nothing for low memory.

mod common;

use common::{Kernel, at_rest, boot_high};
use mm::testing::TestKernel;
use mm::{AllocError, Context, FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, VirtAddr};

fn high_page(memory: Kernel) -> Pfn {
    let frame = memory.alloc_pages(GfpFlags::HIGHUSER, Order::ZERO).expect("high memory");
    assert!(frame >= memory.pages().direct().highmem_start());
    frame
}

fn read(at: VirtAddr) -> u8 {
    // SAFETY: the page is the caller's, and shows there.
    unsafe { at.as_mut_ptr::<u8>().read() }
}

fn write(at: VirtAddr, byte: u8) {
    // SAFETY: as above.
    unsafe { at.as_mut_ptr::<u8>().write(byte) };
}

#[test]
fn a_page_shows_until_its_last_user_leaves() {
    // Shows: K5
    let memory = boot_high(64, 48);
    let (one, two) = (high_page(*memory), high_page(*memory));
    let (at, other) = (memory.kmap(one).expect("a window"), memory.kmap(two).expect("a window"));
    assert!(at.page_offset() == 0 && at >= memory.platform().kmap_start() && other != at);
    assert_eq!(memory.kmap(one), Ok(at));
    write(at, 1);
    write(other, 2);
    memory.kunmap(one).expect("shown");
    assert_eq!((read(at), read(other)), (1, 2));
    memory.kunmap(one).expect("shown");
    memory.kunmap(two).expect("shown");
    assert_eq!(memory.kunmap(one), Err(FreeError::DoubleFree));
    assert_eq!(memory.platform().take_reports().len(), 1);
    let again = memory.kmap(two).expect("a window");
    assert_eq!((again, read(again)), (other, 2), "it still shows there");
    memory.kunmap(two).expect("shown");
    [one, two].into_iter().for_each(|page| memory.free_frames(page, Order::ZERO).expect("ours"));
    at_rest(*memory);
}

#[test]
fn windows_that_nobody_uses_are_recycled_by_one_flush() {
    let memory = boot_high(64, 48);
    let memory: Kernel = *memory;
    let pages: Vec<Pfn> = (0..300).map(|_| high_page(memory)).collect();
    let show = |&page: &Pfn| {
        let at = memory.kmap(page).expect("a window");
        write(at, page.as_u32() as u8);
        at
    };
    let hide = |&page: &Pfn| memory.kunmap(page).expect("shown");
    let shown: Vec<VirtAddr> = pages[..256].iter().map(show).collect();
    let before = memory.platform().flushes();
    // Any context may do this, so it flushes nothing.
    memory.platform().in_context(Context::Interrupt, || pages[..255].iter().for_each(hide));
    assert_eq!(memory.platform().flushes(), before);
    let more: Vec<VirtAddr> = pages[256..].iter().map(show).collect();
    assert_eq!(memory.platform().flushes(), before + 1);
    assert!(more.iter().all(|at| shown[..255].contains(at)), "the one that is in use stays");
    assert!(pages[256..].iter().zip(&more).all(|(page, &at)| read(at) == page.as_u32() as u8));
    assert_eq!(read(shown[255]), pages[255].as_u32() as u8);
    pages[255..].iter().for_each(hide);
    pages.into_iter().for_each(|page| memory.free_frames(page, Order::ZERO).expect("ours"));
    at_rest(memory);
}

#[test]
fn low_memory_needs_no_window() {
    let memory = boot_high(64, 48);
    let page = memory.alloc_pages(GfpFlags::KERNEL, Order::ZERO).expect("memory");
    assert_eq!(memory.kmap(page), memory.page_address(page).ok_or(AllocError));
    assert_eq!(memory.kmap_atomic(page).map(|shown| shown.addr()), memory.page_address(page).ok_or(AllocError));
    assert_eq!(memory.kunmap(page), Ok(()));
    memory.free_frames(page, Order::ZERO).expect("ours");
    assert_eq!(memory.kmap(Pfn::new(1 << 30)), Err(AllocError));
    assert_eq!(memory.platform().take_reports(), ["kmap: no such page"]);
    at_rest(*memory);
}

#[test]
fn kmap_sleeps_until_a_window_is_free() {
    let memory = boot_high(64, 48);
    let memory: Kernel = *memory;
    let pages: Vec<Pfn> = (0..257).map(|_| high_page(memory)).collect();
    let shown: Vec<VirtAddr> = pages[..256].iter().map(|&page| memory.kmap(page).expect("a window")).collect();
    let free = shown[77];
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            TestKernel::enter(memory);
            memory.kmap(pages[256])
        });
        memory.kunmap(pages[77]).expect("shown");
        assert_eq!(sleeper.join().expect("no panic"), Ok(free));
    });
    for (nth, &page) in pages.iter().enumerate() {
        assert_eq!(memory.kunmap(page).is_ok(), nth != 77);
        memory.free_frames(page, Order::ZERO).expect("ours");
    }
    assert_eq!(memory.platform().take_reports().len(), 1);
    at_rest(memory);
}

#[test]
fn kmap_atomic_works_in_interrupts_and_nests() {
    let memory = boot_high(64, 48);
    let pages: Vec<Pfn> = (0..5).map(|_| high_page(*memory)).collect();
    memory.platform().in_context(Context::Interrupt, || {
        assert_eq!(memory.kmap(pages[0]), Err(AllocError));
        let mut shown: Vec<_> = pages[..4].iter().map(|&page| memory.kmap_atomic(page).expect("a window")).collect();
        for (nth, page) in shown.iter().enumerate() {
            write(page.addr().add(PAGE_SIZE - 1), nth as u8);
        }
        assert!(memory.kmap_atomic(pages[4]).is_err(), "four deep");
        assert!(shown.iter().enumerate().all(|(nth, page)| read(page.addr().add(PAGE_SIZE - 1)) == nth as u8));
        while let Some(last) = shown.pop() {
            drop(last);
        }
        assert_eq!(memory.kmap_atomic(pages[3]).map(|page| read(page.addr().add(PAGE_SIZE - 1))), Ok(3));
    });
    assert_eq!(memory.platform().take_reports(), ["kmap: may sleep, called in interrupt context"]);
    pages.into_iter().for_each(|page| memory.free_frames(page, Order::ZERO).expect("ours"));
    at_rest(*memory);
}
