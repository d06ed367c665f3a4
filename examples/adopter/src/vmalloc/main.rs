//! A kernel with vmalloc: areas, device memory, collections of any size.
#![no_std]
#![no_main]

extern crate alloc;

mod glue;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use adopter::{CONFIG, End, begin, end, say};
use bootloader_api::BootInfo;
use glue::Kernel;
use mm::own::{Buffer, VmArea};
use mm::{FreeError, GfpFlags, PAGE_SIZE, PhysAddr};

bootloader_api::entry_point!(main, config = &CONFIG);

/// The text screen's memory: in every PC.
const SCREEN: PhysAddr = PhysAddr::new(0xb8000);

fn main(boot_info: &'static mut BootInfo) -> ! {
    begin();
    say!("boot stack: {} KiB", boot_info.kernel_stack_len >> 10);
    let memory = glue::start(boot_info).expect("memory is plenty");
    let at_start = memory.pages().free_pages_total();
    say!("{at_start} pages are free");

    let area = memory.vmalloc(1 << 20).expect("memory is plenty");
    say!("vmalloc: {:x}", area.as_usize());
    // SAFETY: the area has a mebibyte, and it is ours.
    unsafe { area.as_mut_ptr::<u8>().write_bytes(0x5a, 1 << 20) };
    assert_eq!(memory.vfree(area.add(PAGE_SIZE)), Err(FreeError::NoArea));
    assert_eq!(memory.vfree(area), Ok(()));
    assert!(memory.vfree(area).is_err());

    let mut owned: VmArea<Kernel> = VmArea::new(300_000).expect("memory is plenty");
    owned.bytes_mut().fill(1);
    drop(owned);

    let screen = memory.ioremap(SCREEN, PAGE_SIZE).expect("it is a device");
    say!("ioremap: {:x}", screen.as_usize());
    assert_eq!(memory.iounmap(screen), Ok(()));

    let numbers: Vec<u64> = (0..1_000_000).collect();
    let by_name: BTreeMap<u64, Box<u64>> = numbers.iter().take(1000).map(|&n| (n, Box::new(n * n))).collect();
    say!("collections: {} and {}", numbers.iter().sum::<u64>(), by_name.values().map(|square| **square).sum::<u64>());
    drop((numbers, by_name));

    let small = memory.kmalloc(3000, GfpFlags::KERNEL).expect("memory is plenty");
    // SAFETY: the object is ours, and not used any more.
    assert_eq!(unsafe { memory.kfree(small.as_ptr()) }, Ok(()));
    // SAFETY: it has no owner, so the call is refused.
    assert_eq!(unsafe { memory.kfree(small.as_ptr()) }, Err(FreeError::DoubleFree));

    assert_eq!(memory.validate(), Ok(()));
    memory.drop_caches();
    say!("{} pages are free, of {at_start}", memory.pages().free_pages_total());
    say!("done");
    end(End::Success)
}
