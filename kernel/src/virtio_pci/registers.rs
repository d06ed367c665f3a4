//! Registers of virtio devices: configuration, and memory that ioremap shows.
//!
//! The crate `virtio-drivers` asks for addresses by a function without a self, which cannot fail: so all memory of a
//! function is mapped before the crate may look at it, and entered in a table.

use core::ptr::NonNull;

use kapi::Errno;
use mm::{PhysAddr, VirtAddr};
use pci_types::{ConfigRegionAccess, PciAddress};
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::{ConfigurationAccess, DeviceFunction, PciRoot};
use virtio_drivers::{BufferDirection, Hal};

use crate::board::pci::ConfigSpace;
use crate::klog;
use crate::sync::SpinLock;

/// The most ranges of memory that a function has.
pub const MOST: usize = 6;

/// A range of a device's memory, and where it shows.
#[derive(Clone, Copy)]
pub struct Window {
    /// Its physical address.
    pub start: PhysAddr,
    /// Its length in bytes.
    pub bytes: usize,
    /// Where it shows, for as long as the device's driver lives.
    pub at: VirtAddr,
}

impl Window {
    fn show(&self, phys: u64, bytes: usize) -> Option<NonNull<u8>> {
        let offset = usize::try_from(phys.checked_sub(self.start.as_u64())?).ok()?;
        let is_inside = offset.checked_add(bytes).is_some_and(|end| end <= self.bytes);
        NonNull::new(self.at.checked_add(offset)?.as_mut_ptr()).filter(|_| is_inside)
    }
}

/// Memory of the function whose transport is being made.
static WINDOWS: SpinLock<[Option<Window>; MOST]> = SpinLock::new([None; MOST]);

/// The transport of the function at `address`, all of whose memory shows in `windows`. One at a time: boot.
pub fn transport(address: PciAddress, windows: [Option<Window>; MOST]) -> Result<PciTransport, Errno> {
    WINDOWS.with(|current| *current = windows);
    let mut root = PciRoot::new(ConfigSpace);
    let made = PciTransport::new::<Mapped, ConfigSpace>(&mut root, function(address));
    made.map_err(|reason| {
        klog!("virtio: {address}: {reason}");
        Errno::ENODEV
    })
}

fn function(address: PciAddress) -> DeviceFunction {
    DeviceFunction { bus: address.bus(), device: address.device(), function: address.function() }
}

fn address(function: DeviceFunction) -> PciAddress {
    PciAddress::new(0, function.bus, function.device, function.function)
}

impl ConfigurationAccess for ConfigSpace {
    fn read_word(&self, function: DeviceFunction, offset: u8) -> u32 {
        // SAFETY: what a transport reads, identity, capabilities and base addresses, has no side effect.
        unsafe { ConfigSpace.read(address(function), offset.into()) }
    }

    fn write_word(&mut self, function: DeviceFunction, offset: u8, value: u32) {
        // SAFETY: a transport measures base addresses, while the function does not answer, and leaves them as they are.
        unsafe { ConfigSpace.write(address(function), offset.into(), value) };
    }

    unsafe fn unsafe_clone(&self) -> Self {
        *self
    }
}

/// Memory of devices that is mapped already. It gives no memory to devices, as the crate `virtio` brings its own.
struct Mapped;

// SAFETY: an address is one of a window, which shows the device's memory for as long as the transport lives, and which
// nothing else refers to; requests for memory of ours fail.
unsafe impl Hal for Mapped {
    fn dma_alloc(_pages: usize, _direction: BufferDirection) -> (u64, NonNull<u8>) {
        // 0 is the crate's failure.
        (0, NonNull::dangling())
    }

    unsafe fn dma_dealloc(_phys: u64, _at: NonNull<u8>, _pages: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(phys: u64, bytes: usize) -> NonNull<u8> {
        let shown = WINDOWS.with(|windows| windows.iter().flatten().find_map(|window| window.show(phys, bytes)));
        match shown {
            Some(at) => at,
            // The crate has checked that it lies in one of the function's ranges, and those are mapped.
            None => panic!("no window shows {phys:#x}"),
        }
    }

    unsafe fn share(_buffer: NonNull<[u8]>, _direction: BufferDirection) -> u64 {
        0
    }

    unsafe fn unshare(_phys: u64, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}
