//! Base address registers: where a function's memory and ports lie.
//!
//! The size comes from the bits that do not change when ones are written. Meanwhile the function would answer at wrong
//! addresses, so it is told not to answer at all. Own code, since the library's panics at a register of no known kind.

use core::fmt;

use pci_types::{CommandRegister, ConfigRegionAccess, PciAddress, PciHeader};

use super::config::ConfigSpace;

/// Registers of an ordinary function.
pub const COUNT: usize = 6;
/// Where the first one is in configuration space.
const FIRST: u16 = 0x10;

/// What a register leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Ports.
    Io,
    /// Memory with side effects.
    Memory,
    /// Memory that may be read ahead: a frame buffer.
    Prefetchable,
}

/// A function's range of memory or ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// What is there.
    pub kind: Kind,
    /// Bits of its address: 32 or 64.
    pub bits: u8,
    /// First address; 0 if the firmware has given it none.
    pub start: u64,
    /// Bytes, or ports: a power of two.
    pub size: u64,
}

impl Bar {
    /// What a register and the one behind it say, by their values and by what they hold after ones were written.
    pub fn decode(value: [u32; 2], ones: [u32; 2]) -> Option<Self> {
        let is_io = value[0] & 1 != 0;
        let is_wide = !is_io && value[0] >> 1 & 3 == 2;
        let flags = if is_io { 3 } else { 0xf };
        let wide = |pair: [u32; 2], high: u32| u64::from(pair[0] & !flags) | u64::from(high) << 32;
        let (start, mut mask) = match is_wide {
            true => (wide(value, value[1]), wide(ones, ones[1])),
            false => (wide(value, 0), wide(ones, u32::MAX)),
        };
        if ones[0] & !flags == 0 && !(is_wide && ones[1] != 0) {
            return None;
        }
        if is_io {
            // Ports have 16 bits; a function need not have the others.
            mask |= 0xffff_ffff_ffff_0000;
        }
        let size = (!mask).wrapping_add(1);
        let kind = match (is_io, value[0] & 8 != 0) {
            (true, _) => Kind::Io,
            (false, true) => Kind::Prefetchable,
            (false, false) => Kind::Memory,
        };
        size.is_power_of_two().then_some(Self { kind, bits: if is_wide { 64 } else { 32 }, start, size })
    }

    /// Last address.
    pub const fn last(&self) -> u64 {
        self.start.saturating_add(self.size - 1)
    }
}

/// The registers of a function that is no bridge. Boot, before drivers use it.
pub(super) fn read_all(header: &PciHeader) -> [Option<Bar>; COUNT] {
    let mut bars = [None; COUNT];
    let mut header = PciHeader::new(header.address());
    let command = header.command(ConfigSpace);
    let answers = CommandRegister::IO_ENABLE | CommandRegister::MEMORY_ENABLE;
    header.update_command(ConfigSpace, |command| command & !answers);
    let mut slot = 0;
    while slot < COUNT {
        bars[slot] = read(header.address(), slot);
        slot += if bars[slot].is_some_and(|bar| bar.bits == 64) { 2 } else { 1 };
    }
    header.update_command(ConfigSpace, |_| command);
    bars
}

fn read(function: PciAddress, slot: usize) -> Option<Bar> {
    let registers = [slot, slot + 1].map(|slot| (slot < COUNT).then_some(FIRST + 4 * slot as u16));
    // SAFETY: reading a base address register has no side effect.
    let values = registers.map(|at| at.map_or(0, |at| unsafe { ConfigSpace.read(function, at) }));
    let write = |values: [u32; 2]| {
        for (at, value) in registers.iter().zip(values).filter_map(|(at, value)| Some(((*at)?, value))) {
            // SAFETY: the function does not answer while its addresses change, and they end as they were.
            unsafe { ConfigSpace.write(function, at, value) };
        }
    };
    write([u32::MAX; 2]);
    // SAFETY: as above.
    let ones = registers.map(|at| at.map_or(0, |at| unsafe { ConfigSpace.read(function, at) }));
    write(values);
    Bar::decode(values, ones)
}

impl fmt::Display for Bar {
    /// As /proc/pci shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, last, bits) = (self.start, self.last(), self.bits);
        match self.kind {
            Kind::Io => write!(f, "I/O at 0x{start:x} [0x{last:x}]."),
            Kind::Memory => write!(f, "Non-prefetchable {bits} bit memory at 0x{start:x} [0x{last:x}]."),
            Kind::Prefetchable => write!(f, "Prefetchable {bits} bit memory at 0x{start:x} [0x{last:x}]."),
        }
    }
}
