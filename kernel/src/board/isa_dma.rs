//! ISA DMA: the four byte-wide channels of the PC's first 8237.
//!
//! A channel moves memory without the processor, and belongs to one driver. [`Transfer`] knows what memory it reaches.

use core::fmt::{self, Write};

use kapi::Errno;
use services::isa::Transfer;
use x86_64::instructions::port::PortWriteOnly;

use crate::sync::SpinLock;

const MASK: u16 = 0x0a;
const MODE: u16 = 0x0b;
const CLEAR_FLIP_FLOP: u16 = 0x0c;
/// Page registers of the channels.
const PAGES: [u16; Channel::COUNT] = [0x87, 0x83, 0x81, 0x82];

/// Mask register: hold the channel back.
const HOLD: u8 = 1 << 2;
/// Mode register: one byte a request, upwards, from the device to memory.
const DEVICE_TO_MEMORY: u8 = 0x44;

/// A channel of the controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Channel(u8);

impl Channel {
    /// How many there are.
    const COUNT: usize = 4;
    /// The floppy controller's.
    pub const FLOPPY: Self = Self(2);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

static OWNERS: SpinLock<[Option<&'static str>; Channel::COUNT]> = SpinLock::new([None; Channel::COUNT]);

/// Gives the channel to a driver. `EBUSY` when another has it. Any context.
pub fn request_dma(channel: Channel, name: &'static str) -> Result<(), Errno> {
    OWNERS.with(|owners| match &mut owners[channel.index()] {
        Some(_) => Err(Errno::EBUSY),
        free => {
            *free = Some(name);
            Ok(())
        }
    })
}

/// Takes the channel back, at rest. Any context.
pub fn free_dma(channel: Channel) {
    stop(channel);
    OWNERS.with(|owners| owners[channel.index()] = None);
}

/// Has the channel fill this memory with what its device sends. Any context; the channel is the caller's.
pub fn start_read(channel: Channel, transfer: Transfer) {
    // The lock keeps the flip-flop, which says whether the low or the high byte comes next, to one user at a time.
    OWNERS.with(|_| {
        write(MASK, HOLD | channel.0);
        write(MODE, DEVICE_TO_MEMORY | channel.0);
        write(CLEAR_FLIP_FLOP, 0);
        let (address, count) = (u16::from(channel.0) * 2, u16::from(channel.0) * 2 + 1);
        for (port, value) in [(address, transfer.offset()), (count, transfer.count())] {
            value.to_le_bytes().into_iter().for_each(|byte| write(port, byte));
        }
        write(PAGES[channel.index()], transfer.page());
        write(MASK, channel.0);
    });
}

/// Holds the channel back: from here on it moves nothing. Any context.
pub fn stop(channel: Channel) {
    OWNERS.with(|_| write(MASK, HOLD | channel.0));
}

fn write(port: u16, value: u8) {
    let mut port = PortWriteOnly::<u8>::new(port);
    // SAFETY: the ports are the 8237's; it moves only what a `Transfer` describes, which the channel's owner vouches
    // for.
    unsafe { port.write(value) };
}

/// Writes /proc/dma.
pub fn write_channels(out: &mut dyn Write) -> fmt::Result {
    let owners = OWNERS.with(|owners| *owners);
    for (channel, owner) in owners.into_iter().enumerate() {
        if let Some(owner) = owner {
            writeln!(out, "{channel:2}: {owner}")?;
        }
    }
    Ok(())
}
