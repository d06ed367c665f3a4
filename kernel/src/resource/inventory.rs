//! What this machine has at which addresses and ports, entered once at boot.

use core::fmt;

use mm::{PAGE_SIZE, PhysAddr, VirtAddr};

use super::claims::{MEMORY, PORTS, Space};
use super::pci;
use crate::arch::paging::builder;
use crate::mm::firmware::{self, Kind, Region};
use crate::mm::tables;
use crate::mm::{IoMem, bigphysarea};
use crate::startup;

/// Where the chips on the board begin, above all memory and PCI devices below 4 GiB.
const BOARD: u64 = 0xfec0_0000;
/// Video memory of old.
const VIDEO: (u64, u64) = (0xa_0000, 0xb_ffff);
/// Where a PC has its high precision event timer.
const HPET: (u64, u64) = (0xfed0_0000, 0xfed0_03ff);

/// Ports of the devices that every PC has: first, last, name.
const BOARD_PORTS: [(u64, u64, &str); 12] = [
    (0x00, 0x1f, "dma1"),
    (0x20, 0x21, "pic1"),
    (0x40, 0x43, "timer0"),
    (0x60, 0x60, "keyboard"),
    (0x64, 0x64, "keyboard"),
    (0x70, 0x71, "rtc"),
    (0x80, 0x8f, "dma page reg"),
    (0xa0, 0xa1, "pic2"),
    (0xc0, 0xdf, "dma2"),
    (0x3f8, 0x3ff, "serial"),
    (0x510, 0x51b, "fw_cfg"),
    (0xcf8, 0xcff, "PCI conf1"),
];

/// Enters RAM with the kernel image in it, the PCI bus with its devices, and the board's chips. Once, after
/// [`pci::init`]. What cannot be entered is left out.
pub fn init() {
    enter_memory();
    enter_image();
    if let Some((first, last)) = bigphysarea::extent() {
        place(&MEMORY, first, last, format_args!("Bigphysarea"));
    }
    for (first, last, name) in BOARD_PORTS {
        place(&PORTS, first, last, format_args!("{name}"));
    }
    enter_pci();
    if hpet_answers() {
        place(&MEMORY, HPET.0, HPET.1, format_args!("HPET 0"));
    }
}

fn place(space: &Space, first: u64, last: u64, name: fmt::Arguments<'_>) {
    startup::check(format_args!("{first:#x} to {last:#x} of {name}"), space.place(first, last, name));
}

fn is_ram(region: &Region) -> bool {
    region.kind != Kind::Reserved
}

/// RAM and what the firmware keeps, neighbours as one.
fn enter_memory() {
    let mut regions = firmware::regions().peekable();
    while let Some(mut region) = regions.next() {
        while let Some(next) = regions.next_if(|next| next.start == region.end && is_ram(next) == is_ram(&region)) {
            region.end = next.end;
        }
        let name = if is_ram(&region) { "System RAM" } else { "reserved" };
        place(&MEMORY, region.start.as_u64(), region.end.as_u64() - 1, format_args!("{name}"));
    }
}

/// The parts of the kernel image, each as runs of frames that lie as its pages do. Guard pages, which are not mapped,
/// count.
fn enter_image() {
    for (name, start, end) in builder::image_parts() {
        let mut run = None;
        for page in (start.as_usize()..end.as_usize()).step_by(PAGE_SIZE).map(VirtAddr::new) {
            let Some(frame) = tables::translate(page) else { continue };
            let (page, phys) = (page.as_usize() as u64, frame.phys().as_u64());
            run = match run {
                Some(Run { first, offset, .. }) if offset == page.wrapping_sub(phys) => {
                    Some(Run { first, last: phys, offset })
                }
                _ => {
                    enter_run(run, name);
                    Some(Run { first: phys, last: phys, offset: page.wrapping_sub(phys) })
                }
            };
        }
        enter_run(run, name);
    }
}

/// Frames that lie as far from their pages as `offset` says: addresses of the first and of the last.
#[derive(Clone, Copy)]
struct Run {
    first: u64,
    last: u64,
    offset: u64,
}

fn enter_run(run: Option<Run>, name: &str) {
    if let Some(Run { first, last, .. }) = run {
        place(&MEMORY, first, last + PAGE_SIZE as u64 - 1, format_args!("{name}"));
    }
}

/// The bus's own range, from the last memory below the board's chips on, and what its devices have.
fn enter_pci() {
    let ends = firmware::regions().map(|region| region.end.as_u64()).filter(|&end| end < BOARD);
    for (first, last) in [(ends.max().unwrap_or(0), BOARD - 1), VIDEO] {
        place(&MEMORY, first, last, format_args!("PCI Bus 0000:00"));
    }
    for function in pci::functions() {
        let at = function.address;
        for range in function.ranges() {
            let space = if range.kind == pci::Kind::Io { &PORTS } else { &MEMORY };
            let name = format_args!("0000:{:02x}:{:02x}.{}", at.bus(), at.device(), at.function());
            place(space, range.start, range.last(), name);
        }
    }
}

/// Whether a timer with a vendor answers where it should be: an address that no device answers reads as all zeros or
/// all ones.
fn hpet_answers() -> bool {
    let registers = IoMem::map(PhysAddr::new(HPET.0), (HPET.1 - HPET.0 + 1) as usize);
    let vendor = registers.ok().and_then(|registers| registers.readl(0)).unwrap_or(0) >> 16;
    vendor != 0 && vendor != 0xffff
}
