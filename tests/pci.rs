//! The PCI bus and the claims on addresses: devices found, claimed, used.
//!
//! They are the VGA frame buffer and the HPET.
//!
//! Machine:
//! Machine: FIRMWARE=uefi CPU=max APPEND="highmem=64M"
//! Machine: MEM=24M
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::{Log, conserves};
use core::fmt::{self, Write};
use kapi::Errno;
use kernel::mm::IoMem;
use kernel::resource::pci::{self, Bar, Kind, VGA};
use kernel::resource::{
    self, MEMORY, MemRegion, release_mem_region, release_region, request_mem_region, request_region,
};
use kernel::testing::memory;
use mm::PhysAddr;

kernel::test_kernel!(test_main);

const HPET: PhysAddr = PhysAddr::new(0xfed0_0000);
const HPET_BYTES: u64 = 0x400;

/// Text of limited length.
struct Text {
    bytes: [u8; 4096],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

/// What /proc/iomem shows.
fn iomem() -> Text {
    let mut text = Text { bytes: [0; 4096], len: 0 };
    MEMORY.write(&mut text).unwrap();
    text
}

impl Text {
    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap()
    }

    fn has(&self, line: &str) -> bool {
        self.as_str().lines().any(|other| other == line)
    }
}

fn frame_buffer() -> Bar {
    pci::find(VGA).unwrap().ranges().find(|range| range.kind == Kind::Prefetchable).unwrap()
}

#[test_case]
fn the_frame_buffer_is_claimed_mapped_and_used() {
    // Shows: S57
    conserves(|| {
        let bar = frame_buffer();
        assert_eq!(bar.size, 16 << 20);
        let (start, bytes) = (PhysAddr::new(bar.start), 64 << 10);
        let claim = MemRegion::request(start, bytes, "a test").unwrap();
        assert!(iomem().as_str().contains(" : a test\n"));
        let pixels = IoMem::map(start, bytes as usize).unwrap();
        for at in (0..bytes as usize).step_by(8) {
            pixels.writeq(at, at as u64 * 0x0101).unwrap();
        }
        assert!((0..bytes as usize).step_by(8).all(|at| pixels.readq(at) == Some(at as u64 * 0x0101)));
        let last = IoMem::map(PhysAddr::new(bar.last() - 3), 4).unwrap();
        last.writel(0, 0xc0ff_ee00).unwrap();
        assert_eq!(last.readl(0), Some(0xc0ff_ee00), "all of its size is there");
        drop((pixels, last, claim));
        assert!(!iomem().as_str().contains("a test"));
    });
}

#[test_case]
fn the_timer_is_claimed_mapped_and_used() {
    // Shows: S57
    conserves(|| {
        assert!(iomem().has("fed00000-fed003ff : HPET 0"));
        let claim = MemRegion::request(HPET, HPET_BYTES, "a test").unwrap();
        assert!(iomem().has("  fed00000-fed003ff : a test"));
        let timer = IoMem::map(HPET, HPET_BYTES as usize).unwrap();
        let before = timer.readq(0xf0).unwrap();
        timer.writeq(0x10, 1).unwrap();
        common::nap(20);
        timer.writeq(0x10, 0).unwrap();
        assert!(timer.readq(0xf0).unwrap() > before);
        drop((timer, claim));
    });
}

#[test_case]
fn nobody_claims_what_another_has() {
    conserves(|| {
        let bar = frame_buffer();
        let at = |offset: u64| PhysAddr::new(bar.start + offset);
        request_mem_region(at(0x1000), 0x1000, "the first").unwrap();
        let before = memory().pages().free_pages_total();
        for (offset, len) in [(0x1000, 0x1000), (0x1fff, 1), (0, 0x1001), (0, bar.size), (0x1000, u64::MAX / 2)] {
            assert_eq!(request_mem_region(at(offset), len, "the second"), Err(Errno::EBUSY), "{offset:x}");
        }
        assert_eq!(request_mem_region(at(0), 0, "nothing"), Err(Errno::EINVAL));
        assert_eq!(request_mem_region(PhysAddr::new(u64::MAX), 2, "wraps"), Err(Errno::EINVAL));
        assert_eq!(memory().pages().free_pages_total(), before);
        let log = Log::from_here();
        assert_eq!(release_mem_region(PhysAddr::new(0x1000), 0x800), Err(Errno::EINVAL));
        assert!(log.shows("Trying to free nonexistent resource <00001000-000017ff>"));
        assert_eq!(release_mem_region(PhysAddr::new(u64::MAX), u64::MAX), Err(Errno::EINVAL));
        assert_eq!(release_mem_region(at(0x1000), 0x1000), Ok(()));
        assert_eq!(release_mem_region(at(0x1000), 0x1000), Err(Errno::EINVAL));
    });
}

#[test_case]
fn ports_are_claimed_like_memory() {
    conserves(|| {
        assert_eq!(request_region(0x372, 4, "a test"), Ok(()));
        assert_eq!(request_region(0x375, 1, "another"), Err(Errno::EBUSY));
        let log = Log::from_here();
        assert_eq!(release_region(0x372, 3), Err(Errno::EINVAL));
        assert!(log.shows("Trying to free nonexistent resource <00000372-00000374>"));
        assert_eq!(release_region(0x372, 4), Ok(()));
        let mut text = Text { bytes: [0; 4096], len: 0 };
        resource::PORTS.write(&mut text).unwrap();
        assert!(text.has("0cf8-0cff : PCI conf1"));
    });
}

#[test_case]
fn the_kernel_lies_in_ram_and_devices_on_their_bus() {
    let text = iomem();
    let mut outer = "";
    for line in text.as_str().lines() {
        let name = line.split_once(" : ").unwrap().1;
        if !line.starts_with(' ') {
            outer = name;
        }
        if name.starts_with("Kernel ") {
            assert_eq!(outer, "System RAM", "{line}");
        }
        if name.starts_with("0000:") {
            assert_eq!(outer, "PCI Bus 0000:00", "{line}");
        }
    }
    for part in ["Kernel code", "Kernel data", "Kernel bss", "0000:00:02.0"] {
        assert!(text.as_str().contains(part), "{part}");
    }
}

#[test_case]
fn any_register_content_is_understood_or_left_out() {
    let wide = Bar::decode([0xe000_000c, 0x10], [0xf000_000c, u32::MAX]).unwrap();
    assert_eq!((wide.kind, wide.bits, wide.start, wide.size), (Kind::Prefetchable, 64, 0x10_e000_0000, 1 << 28));
    let huge = Bar::decode([0x4, 0x20], [0x4, 0xffff_fffc]).unwrap();
    assert_eq!((huge.start, huge.size), (0x20_0000_0000, 1 << 34));
    let ports = Bar::decode([0xc041, 0], [0x0000_ffe1, 0]).unwrap();
    assert_eq!((ports.kind, ports.start, ports.size), (Kind::Io, 0xc040, 32));
    for low in (0..16).chain([0x8000_0000, u32::MAX, 0xdead_beef, 0xffff_fff0]) {
        for ones in [0, 1, 4, 6, 8, 0xf, 0x10, 0xffff_0000, 0xf0f0_f0f0, u32::MAX] {
            for high in [0, 1, u32::MAX] {
                let bar = Bar::decode([low, high], [ones, high]);
                assert!(bar.is_none_or(|bar| bar.size.is_power_of_two() && bar.last() >= bar.start));
            }
        }
    }
}
