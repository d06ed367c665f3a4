//! Devices of a test's machine: what the test puts in.

use core::time::Duration;
use std::boxed::Box;
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use mm::own::PageBlock;
use mm::testing::TestKernel;
use mm::{AllocError, GfpFlags, Order, PfnRange, PhysAddr};
use services::isa::Transfer;

use super::running::hold;
use super::world::world;
use crate::errno::Errno;
use crate::floppy::{FloppyBus, FloppyController, FloppyRegister};
use crate::hardware::Hardware;

/// Hands out a claimed controller.
type Claim = dyn Fn() -> Result<Box<dyn FloppyController>, Errno> + Send;

/// What a machine has beside memory.
#[derive(Default)]
struct Devices {
    floppy: Mutex<Option<Box<Claim>>>,
    screen: Mutex<Option<(PhysAddr, u64)>>,
    hidden: Mutex<Vec<PfnRange>>,
    claims: Mutex<Vec<(u64, u64)>>,
}

/// The devices of this thread's machine.
fn devices() -> Arc<Devices> {
    world().part()
}

/// Puts a floppy controller into this thread's machine: `claim` hands it out, or says why not.
pub fn fit_floppy(claim: impl Fn() -> Result<Box<dyn FloppyController>, Errno> + Send + 'static) {
    *hold(&devices().floppy) = Some(Box::new(claim));
}

/// Gives this thread's machine a frame buffer: so many bytes from `start` on.
pub fn fit_screen(start: PhysAddr, bytes: u64) {
    *hold(&devices().screen) = Some((start, bytes));
}

/// Gives this thread's machine RAM that its allocators do not know of.
pub fn hide_ram(range: PfnRange) {
    hold(&devices().hidden).push(range);
}

/// A controller that a test has put in.
pub struct FittedFloppy(Box<dyn FloppyController>);

impl FloppyController for FittedFloppy {
    fn read(&mut self, register: FloppyRegister) -> u8 {
        self.0.read(register)
    }

    fn write(&mut self, register: FloppyRegister, value: u8) {
        self.0.write(register, value);
    }

    fn forget_interrupt(&mut self) {
        self.0.forget_interrupt();
    }

    fn wait_interrupt(&mut self, limit: Duration) -> Result<bool, Errno> {
        self.0.wait_interrupt(limit)
    }

    fn pause(&mut self, time: Duration) -> Result<(), Errno> {
        self.0.pause(time)
    }

    fn start_dma(&mut self, transfer: Transfer) {
        self.0.start_dma(transfer);
    }

    fn stop_dma(&mut self) {
        self.0.stop_dma();
    }
}

impl FloppyBus for TestKernel {
    type Floppy = FittedFloppy;

    fn claim_floppy() -> Result<FittedFloppy, Errno> {
        let devices = devices();
        let claim = hold(&devices.floppy);
        claim.as_ref().map_or(Err(Errno::ENODEV), |claim| claim().map(FittedFloppy))
    }
}

/// A claim on physical addresses.
pub struct HostRegion {
    devices: Arc<Devices>,
    range: (u64, u64),
}

impl Drop for HostRegion {
    fn drop(&mut self) {
        hold(&self.devices.claims).retain(|&claimed| claimed != self.range);
    }
}

impl Hardware for TestKernel {
    type BigBuffer = PageBlock<Self>;
    type MemRegion = HostRegion;

    /// A machine sets nothing aside: what get_free_pages has, serves.
    fn big_buffer(bytes: usize) -> Result<PageBlock<Self>, AllocError> {
        PageBlock::new(Order::for_bytes(bytes).ok_or(AllocError)?, GfpFlags::KERNEL)
    }

    fn claim_memory(start: PhysAddr, len: u64, _name: &str) -> Result<HostRegion, Errno> {
        let devices = devices();
        let end = start.as_u64().checked_add(len).ok_or(Errno::EINVAL)?;
        let range = (start.as_u64(), end);
        let mut claims = hold(&devices.claims);
        if claims.iter().any(|&(first, last)| first < range.1 && range.0 < last) {
            return Err(Errno::EBUSY);
        }
        claims.push(range);
        drop(claims);
        Ok(HostRegion { devices, range })
    }

    fn frame_buffer() -> Option<(PhysAddr, u64)> {
        *hold(&devices().screen)
    }

    fn hidden_ram(visit: &mut dyn FnMut(PfnRange)) {
        hold(&devices().hidden).iter().copied().for_each(visit);
    }
}
