//! The PC's interrupt controller: two 8259s, the second behind the first.

use pic8259::ChainedPics;
use x86_64::instructions::port::Port;

use super::irq::{Irq, IrqChip};
use crate::arch::trap_frame::FIRST_INTERRUPT;
use crate::sync::SpinLock;

/// The two chips, their vectors right behind the exceptions'.
pub static PIC: Pic = Pic {
    // SAFETY: sixteen vectors from 32 on collide with no exception.
    chips: SpinLock::new(unsafe { ChainedPics::new_contiguous(FIRST_INTERRUPT) }),
};

/// Line of the first chip that the second hangs on.
const CASCADE: u16 = 1 << 2;
/// The registers, one a chip, that say which lines follow a level.
const LEVELS: [u16; 2] = [0x4d0, 0x4d1];
/// Lines that are the board's own: timer, keyboard, cascade, clock, coprocessor.
const ALWAYS_EDGES: u16 = 1 << 0 | 1 << 1 | CASCADE | 1 << 8 | 1 << 13;
/// Command: the next read returns the lines in service.
const READ_IN_SERVICE: u8 = 0x0b;

/// A pair of chained 8259s.
pub struct Pic {
    chips: SpinLock<ChainedPics>,
}

impl IrqChip for Pic {
    fn name(&self) -> &'static str {
        "XT-PIC"
    }

    fn init(&self) {
        self.chips.with(|chips| {
            // SAFETY: the ports are the 8259s', and the lock keeps others off.
            unsafe { chips.initialize() };
            write_masks(chips, !CASCADE);
        });
    }

    fn follow_level(&self, irq: Irq) {
        let bit = 1 << (irq.number() % 8);
        if ALWAYS_EDGES & 1 << irq.number() != 0 {
            return;
        }
        let mut port = Port::<u8>::new(LEVELS[irq.index() / 8]);
        self.chips.with(|_| {
            // SAFETY: reading the register has no side effect.
            let levels = unsafe { port.read() };
            // SAFETY: the lines of others stay as they are, and the chips' lock keeps others off.
            unsafe { port.write(levels | bit) };
        });
    }

    fn unmask(&self, irq: Irq) {
        self.chips.with(|chips| {
            let masks = read_masks(chips);
            write_masks(chips, masks & !(1 << irq.number()));
        });
    }

    fn mask(&self, irq: Irq) {
        self.chips.with(|chips| {
            let masks = read_masks(chips);
            write_masks(chips, masks | 1 << irq.number());
        });
    }

    #[inline]
    fn accept(&self, vector: u8) -> Option<Irq> {
        let irq = Irq::new(vector.checked_sub(FIRST_INTERRUPT)?)?;
        self.chips.with(|chips| match irq.number() {
            7 if !is_in_service(0x20, 7) => None,
            15 if !is_in_service(0xa0, 7) => {
                // The first chip does not know that the second changed its mind.
                // SAFETY: line 2 of the first chip is in service.
                unsafe { chips.notify_end_of_interrupt(FIRST_INTERRUPT + 2) };
                None
            }
            _ => Some(irq),
        })
    }

    #[inline]
    fn end(&self, irq: Irq) {
        // SAFETY: the line is in service: `accept` said so.
        self.chips.with(|chips| unsafe { chips.notify_end_of_interrupt(FIRST_INTERRUPT + irq.number()) });
    }
}

/// One bit a line, set where the line is held back.
fn read_masks(chips: &mut ChainedPics) -> u16 {
    // SAFETY: reading the masks changes nothing.
    u16::from_le_bytes(unsafe { chips.read_masks() })
}

fn write_masks(chips: &mut ChainedPics, masks: u16) {
    let [first, second] = masks.to_le_bytes();
    // SAFETY: the ports are the 8259s', and the caller holds their lock.
    unsafe { chips.write_masks(first, second) };
}

/// Whether `line` of the chip at `command_port` is being handled. A line that went quiet before the CPU asked shows up
/// as the chip's line 7 without being so.
fn is_in_service(command_port: u16, line: u8) -> bool {
    let mut port = Port::<u8>::new(command_port);
    // SAFETY: the command only chooses what the next read returns.
    unsafe { port.write(READ_IN_SERVICE) };
    // SAFETY: reads the lines in service, as just chosen.
    let lines = unsafe { port.read() };
    lines & (1 << line) != 0
}
