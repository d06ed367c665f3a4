//! A kernel without vmalloc: pages, kmalloc, and Rust's own collections.
#![no_std]
#![no_main]

extern crate alloc;

mod glue;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use adopter::{CONFIG, End, begin, end, say};
use bootloader_api::BootInfo;
use mm::{FreeError, GfpFlags, Order, PAGE_SIZE};

bootloader_api::entry_point!(main, config = &CONFIG);

fn main(boot_info: &'static mut BootInfo) -> ! {
    begin();
    say!("boot stack: {} KiB", boot_info.kernel_stack_len >> 10);
    let memory = glue::start(boot_info).expect("memory is plenty");
    say!("{} pages are free", memory.pages().free_pages_total());

    let buffer = memory.kmalloc(3000, GfpFlags::KERNEL).expect("memory is plenty");
    say!("kmalloc: {buffer:p}, aligned to {}", 1 << buffer.addr().trailing_zeros().min(12));
    // SAFETY: the object is ours, and not used any more.
    assert_eq!(unsafe { memory.kfree(buffer.as_ptr()) }, Ok(()));
    // SAFETY: it has no owner, so the call is refused.
    assert_eq!(unsafe { memory.kfree(buffer.as_ptr()) }, Err(FreeError::DoubleFree));

    let block = memory.get_free_pages(GfpFlags::KERNEL, Order::MAX).expect("memory is plenty");
    // SAFETY: the block is ours, and it does not begin there: the call is refused.
    assert!(unsafe { memory.free_pages(block.add(PAGE_SIZE), Order::ZERO) }.is_err());
    // SAFETY: it is ours, and not used any more.
    assert_eq!(unsafe { memory.free_pages(block, Order::MAX) }, Ok(()));
    assert!(memory.vmalloc(PAGE_SIZE).is_err());

    let squares: BTreeMap<u64, Box<u64>> = (0..1000).map(|n| (n, Box::new(n * n))).collect();
    let sum: u64 = squares.values().map(|square| **square).sum();
    let mut bytes: Vec<u8> = Vec::new();
    bytes.resize(100_000, 7);
    say!("collections: {sum} and {}", bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>());
    drop((squares, bytes));

    assert_eq!(memory.validate(), Ok(()));
    say!("done");
    end(End::Success)
}
