//! The PCI bus: configuration space through its two ports, and the functions that answer there.

use pci_types::device_type::DeviceType;
use pci_types::{ConfigRegionAccess, PciAddress, PciHeader};
use x86_64::instructions::port::Port;

use crate::sync::SpinLock;

const ADDRESS_PORT: u16 = 0xcf8;
const DATA_PORT: u16 = 0xcfc;
/// The bit of the address port that makes it an address.
const ENABLE: u32 = 1 << 31;
/// What a function that does not exist answers as its vendor.
const NOBODY: u16 = 0xffff;

/// The port that chooses a register, and the port to its value.
struct Ports {
    address: Port<u32>,
    data: Port<u32>,
}

static PORTS: SpinLock<Ports> = SpinLock::new(Ports { address: Port::new(ADDRESS_PORT), data: Port::new(DATA_PORT) });

/// The way to configuration space.
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

/// One function of a device.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Where it answers.
    pub address: PciAddress,
    /// Who made it.
    pub vendor: u16,
    /// What they call it.
    pub device: u16,
    /// Its revision.
    pub revision: u8,
    /// Base class and subclass.
    pub class: (u8, u8),
}

impl Function {
    /// What it is, as far as its class says; the names are those of the class code table.
    pub fn kind(&self) -> DeviceType {
        DeviceType::from(self.class)
    }
}

/// Calls `f` with each function that answers, in the order of their addresses. Any context.
pub fn for_each(mut f: impl FnMut(&Function)) {
    for bus in 0..=u8::MAX {
        for device in 0..32 {
            for number in 0..8 {
                let header = PciHeader::new(PciAddress::new(0, bus, device, number));
                match probe(&header) {
                    Some(function) => f(&function),
                    None if number == 0 => break,
                    None => {}
                }
                if number == 0 && !header.has_multiple_functions(ConfigSpace) {
                    break;
                }
            }
        }
    }
}

fn probe(header: &PciHeader) -> Option<Function> {
    let (vendor, device) = header.id(ConfigSpace);
    if vendor == NOBODY {
        return None;
    }
    let (revision, base, sub, _) = header.revision_and_class(ConfigSpace);
    Some(Function { address: header.address(), vendor, device, revision, class: (base, sub) })
}
