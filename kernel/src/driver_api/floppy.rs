//! The floppy controller, claimed: registers, DMA, an interrupt to sleep for.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use kapi::{Errno, FloppyBus, FloppyController, FloppyRegister, IrqReturn, Sharing};
use services::isa::Transfer;

use crate::board::floppy::{self as registers, PORTS};
use crate::board::isa_dma::{self, Channel};
use crate::irq::{self, Irq, IrqAction};
use crate::mm::Kernel;
use crate::resource::{release_region, request_region};
use crate::sched::{self, WaitQueue};

const NAME: &str = "floppy";

/// An interrupt has come, and the driver has not taken it yet.
static CAME: AtomicBool = AtomicBool::new(false);
static WAITERS: WaitQueue = WaitQueue::new();

fn handle(_: Irq) -> IrqReturn {
    CAME.store(true, Ordering::Release);
    WAITERS.wake_all();
    IrqReturn::Handled
}

/// The controller, claimed.
pub struct Floppy {
    /// There until the controller goes.
    line: Option<IrqAction>,
}

impl FloppyBus for Kernel {
    type Floppy = Floppy;

    fn claim_floppy() -> Result<Floppy, Errno> {
        request_region(PORTS[0].0, PORTS[0].1, NAME)?;
        let rest = request_region(PORTS[1].0, PORTS[1].1, NAME).and_then(|()| {
            let rest = isa_dma::request_dma(Channel::FLOPPY, NAME).and_then(|()| {
                let line = irq::request_irq(Irq::FLOPPY, Sharing::Exclusive, NAME, handle);
                line.inspect_err(|_| isa_dma::free_dma(Channel::FLOPPY))
            });
            rest.inspect_err(|_| release_ports(&PORTS[1..]))
        });
        let line = rest.inspect_err(|_| release_ports(&PORTS[..1]))?;
        Ok(Floppy { line: Some(line) })
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
        drop(self.line.take());
        isa_dma::free_dma(Channel::FLOPPY);
        release_ports(&PORTS);
    }
}

impl FloppyController for Floppy {
    fn read(&mut self, register: FloppyRegister) -> u8 {
        registers::read(register)
    }

    fn write(&mut self, register: FloppyRegister, value: u8) {
        registers::write(register, value);
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
