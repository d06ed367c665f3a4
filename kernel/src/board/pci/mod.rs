//! The PCI bus: the functions that answer there, with their memory and ports.
//!
//! Key types: [`Function`], [`Bar`]. Buses are followed through their bridges from bus 0 on.

mod bar;
mod config;
mod names;

use pci_types::{CommandRegister, ConfigRegionAccess, HeaderType, PciAddress, PciHeader, PciPciBridgeHeader};

pub use bar::{Bar, Kind};
pub use config::ConfigSpace;

/// What a function that does not exist answers as its vendor.
const NO_FUNCTION: u16 = 0xffff;
/// Base class of bridges.
const BRIDGE: u8 = 0x06;
/// Base class and subclass of a display that has a frame buffer and the registers of VGA.
pub const VGA: (u8, u8) = (0x03, 0x00);
/// The register of the interrupt line and pin.
const INTERRUPT: u16 = 0x3c;

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
    /// Its interrupt line, if it has one.
    pub irq: Option<u8>,
    /// Its ranges of memory and ports; `None` where a register is not there, or is the second half of the one before.
    pub bars: [Option<Bar>; bar::COUNT],
}

impl Function {
    /// What it is, as far as its class says; the words are lspci's.
    pub fn kind(&self) -> &'static str {
        names::of_class(self.class)
    }

    /// Its ranges that have an address.
    pub fn ranges(&self) -> impl Iterator<Item = Bar> {
        self.bars.into_iter().flatten().filter(|bar| bar.start != 0)
    }
}

/// Whether a function may read and write memory by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mastery {
    /// It may.
    Yes,
    /// It may not.
    No,
}

/// Has a function answer at its addresses and tell of itself by its interrupt line. For its driver; any context.
pub fn enable(address: PciAddress, mastery: Mastery) {
    PciHeader::new(address).update_command(ConfigSpace, |mut command| {
        command.insert(CommandRegister::MEMORY_ENABLE);
        command.remove(CommandRegister::INTERRUPT_DISABLE);
        command.set(CommandRegister::BUS_MASTER_ENABLE, mastery == Mastery::Yes);
        command
    });
}

/// Calls `found` with each function, and ends with its first error. Once, before drivers.
pub fn scan<E>(found: &mut impl FnMut(Function) -> Result<(), E>) -> Result<(), E> {
    scan_bus(0, found)
}

fn scan_bus<E>(bus: u8, found: &mut impl FnMut(Function) -> Result<(), E>) -> Result<(), E> {
    for device in 0..32 {
        for number in 0..8 {
            let header = PciHeader::new(PciAddress::new(0, bus, device, number));
            if let Some(function) = probe(&header) {
                found(function)?;
                scan_behind(header, bus, found)?;
            } else if number == 0 {
                break;
            }
            if number == 0 && !PciHeader::new(PciAddress::new(0, bus, device, 0)).has_multiple_functions(ConfigSpace) {
                break;
            }
        }
    }
    Ok(())
}

/// Goes on behind a bridge. Its bus has a higher number, so this ends.
fn scan_behind<E>(header: PciHeader, bus: u8, found: &mut impl FnMut(Function) -> Result<(), E>) -> Result<(), E> {
    let bridge = PciPciBridgeHeader::from_header(header, ConfigSpace);
    match bridge.map(|bridge| bridge.secondary_bus_number(ConfigSpace)) {
        Some(behind) if behind > bus => scan_bus(behind, found),
        _ => Ok(()),
    }
}

fn probe(header: &PciHeader) -> Option<Function> {
    let (vendor, device) = header.id(ConfigSpace);
    if vendor == NO_FUNCTION {
        return None;
    }
    let (revision, base, sub, _) = header.revision_and_class(ConfigSpace);
    let is_ordinary = header.header_type(ConfigSpace) == HeaderType::Endpoint && base != BRIDGE;
    // SAFETY: reading this register has no side effect.
    let [line, pin, ..] = unsafe { ConfigSpace.read(header.address(), INTERRUPT) }.to_le_bytes();
    Some(Function {
        address: header.address(),
        vendor,
        device,
        revision,
        class: (base, sub),
        irq: (is_ordinary && pin != 0).then_some(line),
        bars: if is_ordinary { bar::read_all(header) } else { [None; bar::COUNT] },
    })
}
