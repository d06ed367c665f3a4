//! A disk with its interrupt line, as the kernel knows it.
#![forbid(unsafe_code)]

use alloc::sync::Arc;

use kapi::block::{BlockDriver, BlockRequest, Busy, Completer};
use kapi::{Errno, Sharing};
use virtio::Disk;

use super::device::{Device, Place};
use crate::block;
use crate::irq::{self, IrqAction};
use crate::klog;
use crate::mm::Kernel;

/// The driver of a disk, and its handler, which goes first.
struct Attached {
    _action: IrqAction,
    disk: Arc<Disk<Kernel, Place>>,
}

/// Makes the disk known as `name`, for good. Process context; may sleep for memory.
///
/// # Errors
/// What is wrong with the device; those of the disks' room.
pub fn add(name: &'static str, device: Device) -> Result<(), Errno> {
    block::add(name, |completer| attach(name, device, completer))?.keep();
    Ok(())
}

fn attach(name: &'static str, device: Device, completer: Completer) -> Result<Attached, Errno> {
    let Device { place, transport, irq } = device;
    let disk = Disk::new(name, place, transport, completer).map_err(|reason| {
        klog!("{name}: not used, {reason}");
        Errno::from(reason)
    })?;
    let disk = Arc::try_new(disk).map_err(|_| Errno::ENOMEM)?;
    let handled = disk.clone();
    irq::chip().follow_level(irq);
    let action = irq::request_irq(irq, Sharing::Shared, name, move |_| handled.interrupt())?;
    Ok(Attached { _action: action, disk })
}

impl BlockDriver for Attached {
    fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    fn is_read_only(&self) -> bool {
        self.disk.is_read_only()
    }

    fn depth(&self) -> usize {
        self.disk.depth()
    }

    fn has_write_cache(&self) -> bool {
        self.disk.has_write_cache()
    }

    fn start(&self, request: BlockRequest<'_>) -> Result<(), Busy> {
        self.disk.start(request)
    }

    fn abort(&self, tag: u16) {
        self.disk.abort(tag);
    }
}
