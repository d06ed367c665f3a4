//! Interrupt lines, and what an interrupt controller does for them.

/// An interrupt line, 0 to 15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Irq(u8);

impl Irq {
    /// How many lines there are.
    pub const COUNT: usize = 16;
    /// The interval timer.
    pub const TIMER: Self = Self(0);
    /// The first serial port.
    pub const SERIAL: Self = Self(4);
    /// The floppy controller.
    pub const FLOPPY: Self = Self(6);

    /// The line `number`, or `None` above 15.
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// The line's number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The line's place in a table of all lines.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An interrupt controller.
pub trait IrqChip: Sync {
    /// The chip's name, as /proc/interrupts shows it.
    fn name(&self) -> &'static str;
    /// Sets the chip up, with all lines masked.
    fn init(&self);
    /// Has `irq` follow a level, as lines do that PCI devices share, for good. Not of the machine's own lines.
    fn follow_level(&self, irq: Irq);
    /// Lets `irq` through.
    fn unmask(&self, irq: Irq);
    /// Holds `irq` back.
    fn mask(&self, irq: Irq);
    /// The line that the CPU sees as `vector`; `None` for an interrupt that turns out not to be one.
    fn accept(&self, vector: u8) -> Option<Irq>;
    /// Tells the chip that `irq` has been handled.
    fn end(&self, irq: Irq);
}
