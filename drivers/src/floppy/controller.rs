//! The 82077's commands: bytes in, an interrupt when it is done, bytes out.
//!
//! Every wait has an end: a controller that does not answer is an error, not a hang.

use core::time::Duration;

use kapi::services::isa::Transfer;
use kapi::{Errno, FloppyController, FloppyRegister};

use super::disk::{SECTORS, Track};

/// Digital output: the controller works, and signals by interrupt and DMA.
const ENABLED: u8 = 0x0c;
/// Digital output: the first drive's motor runs.
const MOTOR: u8 = 0x10;
/// Main status: the data register may be used.
const READY: u8 = 0x80;
/// Main status: the controller has a byte for us.
const HAS_BYTE: u8 = 0x40;
/// Digital input: the medium was changed, or there is none.
const CHANGED: u8 = 0x80;
/// Data rate: 500 kbit/s, high density.
const HIGH_DENSITY: u8 = 0;
/// Status 0: how a command ended; all clear is well.
const ENDED_BADLY: u8 = 0xc0;
/// Status 0: a seek has ended.
const SEEK_END: u8 = 0x20;

/// Looks at the main status before a silent controller is given up: it answers within microseconds.
const PATIENCE: u32 = 100_000;
/// The longest that a command takes on a real drive: a seek over all cylinders and some turns of the disk.
const LIMIT: Duration = Duration::from_secs(3);
/// A motor's time to come up to speed.
const SPIN_UP: Duration = Duration::from_millis(300);

/// Commands, with the bits for double density where they want them.
const SPECIFY: u8 = 0x03;
const RECALIBRATE: u8 = 0x07;
const SENSE_INTERRUPT: u8 = 0x08;
const SEEK: u8 = 0x0f;
const READ_DATA: u8 = 0x46;

/// A controller and its first drive.
pub(super) struct Drive<C: FloppyController> {
    port: C,
    /// Whether the controller is in a known state.
    is_set_up: Setup,
    /// The cylinder that the heads are at, if that is known.
    cylinder: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Setup {
    Needed,
    Done,
}

impl<C: FloppyController> Drive<C> {
    pub(super) const fn new(port: C) -> Self {
        Self { port, is_set_up: Setup::Needed, cylinder: None }
    }

    /// Starts the motor and looks for a medium. `ENXIO` when there is none, or no drive, or no controller.
    pub(super) fn start(&mut self) -> Result<(), Errno> {
        if self.is_set_up == Setup::Needed {
            self.reset().map_err(|_| Errno::ENXIO)?;
        }
        self.port.write(FloppyRegister::DigitalOutput, ENABLED | MOTOR);
        self.port.pause(SPIN_UP)?;
        let medium = self.look_for_medium();
        if medium.is_err() {
            self.stop();
        }
        medium
    }

    /// Stops the motor.
    pub(super) fn stop(&mut self) {
        self.port.write(FloppyRegister::DigitalOutput, ENABLED);
    }

    /// The mark of a changed medium goes away when the heads move over one, and stays while there is none.
    fn look_for_medium(&mut self) -> Result<(), Errno> {
        self.recalibrate().map_err(|_| Errno::ENXIO)?;
        if self.port.read(FloppyRegister::DigitalInput) & CHANGED != 0 {
            self.seek(1).and_then(|()| self.recalibrate()).map_err(|_| Errno::ENXIO)?;
        }
        if self.port.read(FloppyRegister::DigitalInput) & CHANGED != 0 { Err(Errno::ENXIO) } else { Ok(()) }
    }

    /// Reads a whole track by DMA. `EIO` when the controller says so or does not answer; it is set up anew after that.
    pub(super) fn read_track(&mut self, track: Track, transfer: Transfer) -> Result<(), Errno> {
        let result = self.seek(track.cylinder).and_then(|()| self.transfer(track, transfer));
        if result.is_err() {
            self.is_set_up = Setup::Needed;
            self.cylinder = None;
        }
        result
    }

    /// Makes the controller work again if an error left it in a state that nobody knows.
    pub(super) fn recover(&mut self) -> Result<(), Errno> {
        if self.is_set_up == Setup::Done {
            return Ok(());
        }
        self.reset()?;
        self.port.write(FloppyRegister::DigitalOutput, ENABLED | MOTOR);
        self.recalibrate()
    }

    fn transfer(&mut self, track: Track, transfer: Transfer) -> Result<(), Errno> {
        self.port.start_dma(transfer);
        let Track { cylinder, head } = track;
        // Where from (the first sector, of 2 << 8 bytes), the last sector of the track, the usual gap, no length of its
        // own.
        let command = [READ_DATA, head << 2, cylinder, head, 1, 2, SECTORS, 0x1b, 0xff];
        let ended = self.run(&command).and_then(|()| self.results::<7>());
        self.port.stop_dma();
        match ended? {
            [status, ..] if status & ENDED_BADLY == 0 => Ok(()),
            _ => Err(Errno::EIO),
        }
    }

    fn reset(&mut self) -> Result<(), Errno> {
        self.cylinder = None;
        self.port.write(FloppyRegister::DigitalOutput, 0);
        self.port.forget_interrupt();
        self.port.write(FloppyRegister::DigitalOutput, ENABLED);
        self.wait()?;
        // The controller tells of each of its four drives.
        for _ in 0..4 {
            self.sense()?;
        }
        self.port.write(FloppyRegister::DataRate, HIGH_DENSITY);
        // Step rate 3 ms, head unload 240 ms, head load 16 ms, DMA.
        [SPECIFY, 0xdf, 0x02].into_iter().try_for_each(|byte| self.send(byte))?;
        self.is_set_up = Setup::Done;
        Ok(())
    }

    fn recalibrate(&mut self) -> Result<(), Errno> {
        self.move_heads(&[RECALIBRATE, 0], 0)
    }

    fn seek(&mut self, cylinder: u8) -> Result<(), Errno> {
        if self.cylinder == Some(cylinder) { Ok(()) } else { self.move_heads(&[SEEK, 0, cylinder], cylinder) }
    }

    fn move_heads(&mut self, command: &[u8], cylinder: u8) -> Result<(), Errno> {
        self.cylinder = None;
        self.run(command)?;
        match self.sense()? {
            [status, at] if status & (ENDED_BADLY | SEEK_END) == SEEK_END && at == cylinder => {
                self.cylinder = Some(cylinder);
                Ok(())
            }
            _ => Err(Errno::EIO),
        }
    }

    /// Sends a command and sleeps until it is done.
    fn run(&mut self, command: &[u8]) -> Result<(), Errno> {
        self.port.forget_interrupt();
        command.iter().try_for_each(|&byte| self.send(byte))?;
        self.wait()
    }

    fn wait(&mut self) -> Result<(), Errno> {
        if self.port.wait_interrupt(LIMIT)? { Ok(()) } else { Err(Errno::EIO) }
    }

    /// Asks what the interrupt was for: status 0, and where the heads are.
    fn sense(&mut self) -> Result<[u8; 2], Errno> {
        self.send(SENSE_INTERRUPT)?;
        self.results()
    }

    fn results<const N: usize>(&mut self) -> Result<[u8; N], Errno> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            self.when_ready(HAS_BYTE)?;
            *byte = self.port.read(FloppyRegister::Data);
        }
        Ok(bytes)
    }

    fn send(&mut self, byte: u8) -> Result<(), Errno> {
        self.when_ready(0)?;
        self.port.write(FloppyRegister::Data, byte);
        Ok(())
    }

    /// Waits until the controller is ready in this direction.
    fn when_ready(&mut self, direction: u8) -> Result<(), Errno> {
        let is_ready = |status: u8| status & (READY | HAS_BYTE) == READY | direction;
        let found = (0..PATIENCE).any(|_| is_ready(self.port.read(FloppyRegister::MainStatus)));
        if found { Ok(()) } else { Err(Errno::EIO) }
    }
}
