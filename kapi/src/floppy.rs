//! The PC's floppy controller as its driver sees it.
//!
//! Registers, an interrupt, and DMA into a buffer that ISA DMA reaches.

use core::time::Duration;

use services::isa::Transfer;

use crate::errno::Errno;
use crate::kernel::Kernel;

/// A register of the controller, an 82077.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FloppyRegister {
    /// Motors, drive, reset: written.
    DigitalOutput,
    /// Whether the controller wants a byte or has one: read.
    MainStatus,
    /// Commands and results, byte by byte.
    Data,
    /// Whether the medium was changed: read.
    DigitalInput,
    /// Bits a second: written.
    DataRate,
}

/// The controller's ports, its interrupt and its DMA channel, held by one driver. Process context.
pub trait FloppyController: Send {
    /// Reads a register.
    fn read(&mut self, register: FloppyRegister) -> u8;

    /// Writes a register.
    fn write(&mut self, register: FloppyRegister, value: u8);

    /// Forgets an interrupt that has come.
    fn forget_interrupt(&mut self);

    /// Sleeps until the controller's interrupt has come, and takes it; `limit` at most. Says whether it came.
    fn wait_interrupt(&mut self, limit: Duration) -> Result<bool, Errno>;

    /// Sleeps for `time`.
    fn pause(&mut self, time: Duration) -> Result<(), Errno>;

    /// Has the DMA channel fill this memory with what the controller reads next.
    fn start_dma(&mut self, transfer: Transfer);

    /// Ends the transfer, however far it came: from here on nobody but the owner writes to the buffer.
    fn stop_dma(&mut self);
}

/// A kernel on a machine with a floppy controller.
pub trait FloppyBus: Kernel {
    /// The controller, given back when it is dropped.
    type Floppy: FloppyController;

    /// Claims the controller's ports, interrupt and DMA channel. `EBUSY` when somebody has one of them, `ENOMEM`.
    fn claim_floppy() -> Result<Self::Floppy, Errno>;
}
