//! PCI configuration space, through its two ports.

use pci_types::{ConfigRegionAccess, PciAddress};
use x86_64::instructions::port::Port;

use crate::sync::SpinLock;

const ADDRESS_PORT: u16 = 0xcf8;
const DATA_PORT: u16 = 0xcfc;
/// The bit of the address port that makes it an address.
const ENABLE: u32 = 1 << 31;

/// The port that chooses a register, and the port to its value.
struct Ports {
    address: Port<u32>,
    data: Port<u32>,
}

static PORTS: SpinLock<Ports> = SpinLock::new(Ports { address: Port::new(ADDRESS_PORT), data: Port::new(DATA_PORT) });

/// The way to configuration space.
#[derive(Clone, Copy)]
pub struct ConfigSpace;

impl Ports {
    fn choose(&mut self, address: PciAddress, offset: u16) {
        let function = u32::from(address.bus()) << 16
            | u32::from(address.device()) << 11
            | u32::from(address.function()) << 8
            | u32::from(offset & 0xfc);
        // SAFETY: the port only chooses what the data port shows; the lock keeps the two together.
        unsafe { self.address.write(ENABLE | function) };
    }
}

impl ConfigRegionAccess for ConfigSpace {
    unsafe fn read(&self, address: PciAddress, offset: u16) -> u32 {
        PORTS.with(|ports| {
            ports.choose(address, offset);
            // SAFETY: reading a configuration register; the caller answers for its side effects.
            unsafe { ports.data.read() }
        })
    }

    unsafe fn write(&self, address: PciAddress, offset: u16, value: u32) {
        PORTS.with(|ports| {
            ports.choose(address, offset);
            // SAFETY: the caller answers for what the value does.
            unsafe { ports.data.write(value) };
        });
    }
}
