//! A virtio device's place on the PCI bus.
//!
//! Its memory is claimed and mapped; it may reach ours, until it is cut off.
#![forbid(unsafe_code)]

use kapi::Errno;
use mm::{GfpFlags, PhysAddr};
use pci_types::PciAddress;
use virtio::Bus;
use virtio_drivers::transport::pci::PciTransport;

use super::registers::{self, Window};
use crate::board::pci::{self, Mastery};
use crate::irq::Irq;
use crate::klog;
use crate::mm::{IoMem, KVec};
use crate::resource::MemRegion;
use crate::resource::pci::{Function, Kind};

/// The most bytes of a range of registers; a disk has some thousands.
const MOST_BYTES: u64 = 1 << 20;

/// A device that is claimed, and answers.
pub struct Device {
    /// Its place, to be kept for as long as `transport`.
    pub place: Place,
    /// The way to its registers.
    pub transport: PciTransport,
    /// Its line.
    pub irq: Irq,
}

/// What a device has on the bus. Dropping it unmaps its registers.
pub struct Place {
    address: PciAddress,
    _registers: KVec<(IoMem, MemRegion)>,
}

/// Claims and maps the memory of `function`, and lets it reach ours. Process context; may sleep for memory.
///
/// # Errors
/// `EBUSY`: it is claimed; `ENODEV`: it is not as a virtio device is, or has no line; `ENOMEM`.
pub fn claim(function: &Function) -> Result<Device, Errno> {
    let Some(irq) = function.irq.and_then(Irq::new) else {
        klog!("virtio: {}: no interrupt line", function.address);
        return Err(Errno::ENODEV);
    };
    let mut mapped = KVec::new();
    let mut windows = [None; registers::MOST];
    let ranges = function.ranges().filter(|range| range.kind != Kind::Io);
    for (range, window) in ranges.zip(&mut windows) {
        if range.size > MOST_BYTES {
            klog!("virtio: {}: registers of {} bytes", function.address, range.size);
            return Err(Errno::ENODEV);
        }
        let (start, bytes) = (PhysAddr::new(range.start), range.size as usize);
        let claim = MemRegion::request(start, range.size, "virtio-blk")?;
        let registers = IoMem::map(start, bytes)?;
        *window = Some(Window { start, bytes, at: registers.addr() });
        mapped.push((registers, claim), GfpFlags::KERNEL)?;
    }
    pci::enable(function.address, Mastery::Yes);
    let transport = registers::transport(function.address, windows)?;
    Ok(Device { place: Place { address: function.address, _registers: mapped }, transport, irq })
}

impl Bus for Place {
    type Transport = PciTransport;

    fn cut_off(&self) {
        pci::enable(self.address, Mastery::No);
    }
}
