//! The PC's floppy controller: its ports, its interrupt line and its DMA channel, for one driver.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use kapi::{Errno, FloppyBus, FloppyController, FloppyRegister};
use services::isa::Transfer;
use x86_64::instructions::port::Port;

use super::irq::{self, Irq};
use super::isa_dma::{self, Channel};
use crate::mm::Kernel;
use crate::resource::{release_region, request_region};
use crate::sched;
use crate::sync::WaitQueue;

const NAME: &str = "floppy";
/// The controller's ports but the one that it shares with the hard disk's controller, and that one.
const PORTS: [(u16, u16); 2] = [(0x3f2, 4), (0x3f7, 1)];
const DIGITAL_OUTPUT: u16 = 0x3f2;
const MAIN_STATUS: u16 = 0x3f4;
const DATA: u16 = 0x3f5;
/// Read: digital input. Written: data rate.
const INPUT_AND_RATE: u16 = 0x3f7;

/// An interrupt has come and nobody has taken it.
static CAME: AtomicBool = AtomicBool::new(false);
static WAITERS: WaitQueue = WaitQueue::new();

fn handle(_: Irq) {
    CAME.store(true, Ordering::Release);
    WAITERS.wake_all();
}

/// The controller, claimed.
pub struct Floppy(());

impl FloppyBus for Kernel {
    type Floppy = Floppy;

    fn claim_floppy() -> Result<Floppy, Errno> {
        request_region(PORTS[0].0, PORTS[0].1, NAME)?;
        let rest = request_region(PORTS[1].0, PORTS[1].1, NAME).and_then(|()| {
            let rest = isa_dma::request_dma(Channel::FLOPPY, NAME).and_then(|()| {
                let line = irq::request_irq(Irq::FLOPPY, NAME, handle).map_err(|_| Errno::EBUSY);
                line.inspect_err(|_| isa_dma::free_dma(Channel::FLOPPY))
            });
            rest.inspect_err(|_| release_ports(&PORTS[1..]))
        });
        rest.inspect_err(|_| release_ports(&PORTS[..1]))?;
        Ok(Floppy(()))
    }
}

/// Gives ports back; that they were claimed is known, so nothing can go wrong but in the log.
fn release_ports(ports: &[(u16, u16)]) {
    for &(first, count) in ports {
        let _: Result<(), _> = release_region(first, count);
    }
}

impl Drop for Floppy {
    fn drop(&mut self) {
        self.write(FloppyRegister::DigitalOutput, 0);
        irq::free_irq(Irq::FLOPPY);
        isa_dma::free_dma(Channel::FLOPPY);
        release_ports(&PORTS);
    }
}

impl FloppyController for Floppy {
    fn read(&mut self, register: FloppyRegister) -> u8 {
        let mut port = Port::<u8>::new(port_of(register));
        // SAFETY: the port is the controller's, which is this driver's.
        unsafe { port.read() }
    }

    fn write(&mut self, register: FloppyRegister, value: u8) {
        let mut port = Port::<u8>::new(port_of(register));
        // SAFETY: as above; it reaches memory only by the DMA channel, which moves only what a `Transfer` describes.
        unsafe { port.write(value) };
    }

    fn forget_interrupt(&mut self) {
        CAME.store(false, Ordering::Relaxed);
    }

    fn wait_interrupt(&mut self, limit: Duration) -> Result<bool, Errno> {
        Ok(WAITERS.wait_timeout(|| CAME.swap(false, Ordering::Acquire), limit)?)
    }

    fn pause(&mut self, time: Duration) -> Result<(), Errno> {
        Ok(sched::sleep(time)?)
    }

    fn start_dma(&mut self, transfer: Transfer) {
        isa_dma::start_read(Channel::FLOPPY, transfer);
    }

    fn stop_dma(&mut self) {
        isa_dma::stop(Channel::FLOPPY);
    }
}

fn port_of(register: FloppyRegister) -> u16 {
    match register {
        FloppyRegister::DigitalOutput => DIGITAL_OUTPUT,
        FloppyRegister::MainStatus => MAIN_STATUS,
        FloppyRegister::Data => DATA,
        FloppyRegister::DigitalInput | FloppyRegister::DataRate => INPUT_AND_RATE,
    }
}
