//! The PCI bus: the functions that answer there, found once at boot, with their memory and ports.
//!
//! Key types: [`Function`], [`Bar`]. Buses are followed through their bridges from bus 0 on.

mod bar;
mod config;
mod names;

use core::fmt::{self, Write};

use kapi::Errno;
use mm::GfpFlags;
use pci_types::{ConfigRegionAccess, HeaderType, PciAddress, PciHeader, PciPciBridgeHeader};
use spin::Once;

use crate::mm::KVec;

pub use bar::{Bar, Kind};
use config::ConfigSpace;

/// What a function that does not exist answers as its vendor.
const NOBODY: u16 = 0xffff;
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

static FUNCTIONS: Once<KVec<Function>> = Once::new();

/// Finds all functions. Once, after kmalloc stands and before drivers.
pub fn init() -> Result<(), Errno> {
    let mut found = KVec::new();
    scan(0, &mut found)?;
    FUNCTIONS.call_once(|| found);
    Ok(())
}

/// All functions, in the order in which they were found. Any context.
pub fn functions() -> &'static [Function] {
    FUNCTIONS.get().map_or(&[], |functions| functions.as_slice())
}

/// The first function of a class.
pub fn find(class: (u8, u8)) -> Option<&'static Function> {
    functions().iter().find(|function| function.class == class)
}

fn scan(bus: u8, found: &mut KVec<Function>) -> Result<(), Errno> {
    for device in 0..32 {
        for number in 0..8 {
            let header = PciHeader::new(PciAddress::new(0, bus, device, number));
            if let Some(function) = probe(&header) {
                found.push(function, GfpFlags::KERNEL)?;
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
fn scan_behind(header: PciHeader, bus: u8, found: &mut KVec<Function>) -> Result<(), Errno> {
    let bridge = PciPciBridgeHeader::from_header(header, ConfigSpace);
    match bridge.map(|bridge| bridge.secondary_bus_number(ConfigSpace)) {
        Some(behind) if behind > bus => scan(behind, found),
        _ => Ok(()),
    }
}

fn probe(header: &PciHeader) -> Option<Function> {
    let (vendor, device) = header.id(ConfigSpace);
    if vendor == NOBODY {
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

/// Writes /proc/pci, in the form of 2.4.
pub fn write_functions(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "PCI devices found:")?;
    for function in functions() {
        let at = function.address;
        writeln!(out, "  Bus {:2}, device {:3}, function {:2}:", at.bus(), at.device(), at.function())?;
        let (vendor, device, revision) = (function.vendor, function.device, function.revision);
        writeln!(out, "    {}: PCI device {vendor:04x}:{device:04x} (rev {revision}).", function.kind())?;
        if let Some(irq) = function.irq {
            writeln!(out, "      IRQ {irq}.")?;
        }
        function.ranges().try_for_each(|range| writeln!(out, "      {range}"))?;
    }
    Ok(())
}
