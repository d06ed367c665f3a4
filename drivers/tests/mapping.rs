//! The frames that a mapping of a device would show.

mod common;

use common::{Host, RW, file, in_use, insmod, machine, pattern, read, trim, write_all};
use drivers::{Cache, Kmalloc, Pages, QuantumStore, Scull, Vmalloc};
use kapi::mm::testing::TestKernel;
use kapi::mm::{Order, PAGE_SIZE, Pfn};
use kapi::{CharDriver, Errno, Minor, Module, OpenDevice};

const PAGE: u64 = PAGE_SIZE as u64;

/// A driver with these parameters, device 0 open, in whose memory old data lie about.
fn attached<S: QuantumStore<Host>>(line: &[&str]) -> Scull<Host, S> {
    let driver = insmod(line).expect("insmod");
    driver.open(&mut OpenDevice::new(Minor(0), RW)).expect("open");
    write_all(&driver, 0, 0, &[0xee; 1 << 20]).expect("memory");
    trim(&driver, 0).expect("trim");
    driver
}

fn end<S: QuantumStore<Host>>(driver: Scull<Host, S>) {
    driver.release(&OpenDevice::new(Minor(0), RW));
}

/// The bytes of a frame.
fn content(frame: Pfn) -> &'static [u8] {
    let addr = Host::memory().page_address(frame).expect("low memory");
    // SAFETY: the tests look at frames that a device holds or that they hold themselves.
    unsafe { core::slice::from_raw_parts(addr.as_mut_ptr(), PAGE_SIZE) }
}

fn map(driver: &dyn CharDriver, position: u64) -> Result<Pfn, Errno> {
    driver.mmap_page(&file(0), position)
}

fn unmap(frame: Pfn) {
    TestKernel::memory().free_frames(frame, Order::ZERO).expect("the mapping's reference");
}

/// Compares each page of a device, mapped, with what reading it shows; behind the end there is nothing.
fn shows_what_read_shows<S: QuantumStore<Host>>(line: &[&str]) {
    let driver = attached::<S>(line);
    let bytes = pattern(3 * PAGE_SIZE * 16 * 2 + 1234);
    write_all(&driver, 0, 0, &bytes).expect("memory");
    for (number, expected) in bytes.chunks(PAGE_SIZE).enumerate() {
        let frame = map(&driver, number as u64 * PAGE).expect("there is a page");
        let (shown, tail) = content(frame).split_at(expected.len());
        assert!(shown == expected, "{line:?}: page {number}");
        assert!(tail.iter().all(|&byte| byte == 0), "{line:?}: old data behind the end");
        assert_eq!(read(&driver, 0, number as u64 * PAGE, 1), Ok(expected[..1].to_vec()));
        unmap(frame);
    }
    let behind = bytes.len().next_multiple_of(PAGE_SIZE) as u64;
    assert_eq!(map(&driver, behind), Err(Errno::EFAULT));
    end(driver);
}

#[test]
fn a_mapping_finds_the_page_that_read_finds() {
    // Shows: D3, D16
    let _machine = machine();
    shows_what_read_shows::<Pages>(&[]);
    shows_what_read_shows::<Pages>(&["scullp_qset=3"]);
    shows_what_read_shows::<Vmalloc>(&[]);
    shows_what_read_shows::<Vmalloc>(&["scullv_order=0", "scullv_qset=5"]);
    shows_what_read_shows::<Vmalloc>(&["scullv_order=1", "scullv_qset=2"]);
}

#[test]
fn what_cannot_be_mapped_is_refused() {
    let _machine = machine();
    fn refused<S: QuantumStore<Host>>(line: &[&str], position: u64, error: Errno) {
        let driver = attached::<S>(line);
        write_all(&driver, 0, 0, &[1; 100]).expect("memory");
        write_all(&driver, 0, 40 * PAGE, &[2; 100]).expect("memory");
        let before = in_use();
        assert_eq!(map(&driver, position), Err(error), "{} {line:?} at {position}", Scull::<Host, S>::NAME);
        assert_eq!(in_use(), before);
        end(driver);
    }
    refused::<Kmalloc>(&[], 0, Errno::ENODEV);
    refused::<Kmalloc>(&["scull_quantum=4096"], 0, Errno::ENODEV);
    refused::<Cache<Host>>(&[], 0, Errno::ENODEV);
    refused::<Pages>(&["scullp_order=1"], 0, Errno::ENODEV);
    for position in [1, PAGE - 1, 40 * PAGE + 512] {
        refused::<Pages>(&[], position, Errno::ENXIO);
        refused::<Vmalloc>(&[], position, Errno::ENXIO);
    }
    // A hole, behind the end, and out of all bounds.
    for position in [20 * PAGE, 64 * PAGE, u64::MAX - PAGE + 1] {
        refused::<Pages>(&[], position, Errno::EFAULT);
        refused::<Vmalloc>(&[], position, Errno::EFAULT);
    }
}

/// A page that somebody has mapped stays his, though the device is emptied.
fn outlives_the_device<S: QuantumStore<Host>>() {
    let driver = attached::<S>(&[]);
    write_all(&driver, 0, 0, &[7; 5 * PAGE_SIZE]).expect("memory");
    let frames: Vec<Pfn> = (0..5).map(|page| map(&driver, page * PAGE).expect("there is a page")).collect();
    trim(&driver, 0).expect("trim");
    Host::memory().drop_caches();
    write_all(&driver, 0, 0, &[8; 50 * PAGE_SIZE]).expect("memory");
    assert!(frames.iter().all(|&frame| content(frame).iter().all(|&byte| byte == 7)), "{}", Scull::<Host, S>::NAME);
    frames.into_iter().for_each(unmap);
    end(driver);
}

#[test]
fn a_mapped_page_outlives_the_trim() {
    let _machine = machine();
    let before = in_use();
    outlives_the_device::<Pages>();
    outlives_the_device::<Vmalloc>();
    assert_eq!(in_use(), before);
}

/// While an area shows its pages a device is not emptied; nothing is lost.
fn stays_while_mapped<S: QuantumStore<Host>>() {
    let driver = attached::<S>(&[]);
    write_all(&driver, 0, 0, &[7; 100]).expect("memory");
    assert_eq!(driver.mmap(&file(0)), Ok(()));
    driver.mapped(&file(0));
    driver.mapped(&file(0));
    for _area in 0..2 {
        assert_eq!(trim(&driver, 0), Err(Errno::EBUSY), "{}", Scull::<Host, S>::NAME);
        assert_eq!(read(&driver, 0, 0, 100), Ok(vec![7; 100]));
        assert_eq!(trim(&driver, 1), Ok(()), "the others are not mapped");
        driver.unmapped(&file(0));
    }
    assert_eq!(trim(&driver, 0), Ok(()));
    assert_eq!(driver.size(&file(0)), Ok(0));
    end(driver);
}

#[test]
fn a_mapped_device_is_not_emptied() {
    // Shows: D14
    let _machine = machine();
    stays_while_mapped::<Pages>();
    stays_while_mapped::<Vmalloc>();
    let refused = |driver: &dyn CharDriver| assert_eq!(driver.mmap(&file(0)), Err(Errno::ENODEV));
    refused(&attached::<Kmalloc>(&[]));
    refused(&attached::<Cache<Host>>(&[]));
    refused(&attached::<Pages>(&["scullp_order=1"]));
}
